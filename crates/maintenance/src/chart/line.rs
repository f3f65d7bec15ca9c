//! From observations to what is drawn of them, pixel by pixel.

use larder_analysis::{Observation, TimeSeries};

use crate::history_series::Extremes;

/// A stretch without a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stretch {
    /// Pixel and value, from left to right.
    pub(super) line: Vec<(i32, f64)>,
    /// Pixel, lowest and highest; empty where no pixel has more than one value.
    pub(super) band: Vec<(i32, f64, f64)>,
}

/// Returns the stretches of a series between its gaps, a value a pixel. `pixel` tells where a value is.
pub(super) fn stretches(series: &TimeSeries, pixel: impl Fn(&Observation) -> i32) -> Vec<Stretch> {
    parts(series).into_iter().map(|part| stretch(part, &pixel)).collect()
}

/// Returns bands from the lowest to the highest between the gaps, a pair a pixel.
pub(super) fn bands(extremes: &Extremes, pixel: impl Fn(&Observation) -> i32) -> Vec<Vec<(i32, f64, f64)>> {
    let highest = extremes.highest.observations();
    let mut taken = 0;
    let mut bands = Vec::new();
    for part in parts(&extremes.lowest) {
        let above = highest.get(taken..(taken + part.len()).min(highest.len())).unwrap_or_default();
        taken += part.len();
        let pairs: Vec<_> = part.iter().zip(above).collect();
        let columns = pairs.chunk_by(|one, other| pixel(one.0) == pixel(other.0));
        bands.push(
            columns
                .map(|column| {
                    let lowest = column.iter().map(|(low, _)| low.value).fold(f64::INFINITY, f64::min);
                    let highest = column.iter().map(|(_, high)| high.value).fold(f64::NEG_INFINITY, f64::max);
                    (pixel(column[0].0), lowest, highest)
                })
                .collect(),
        );
    }
    bands
}

fn parts(series: &TimeSeries) -> Vec<&[Observation]> {
    let mut rest = series.observations();
    let mut parts = Vec::new();
    for (_, after) in series.gaps() {
        let (part, behind) = rest.split_at(rest.partition_point(|observation| observation.at < after));
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

fn stretch(part: &[Observation], pixel: &impl Fn(&Observation) -> i32) -> Stretch {
    let mut stretch = Stretch::default();
    let mut is_wide = false;
    for column in part.chunk_by(|one, other| pixel(one) == pixel(other)) {
        let x = pixel(&column[0]);
        let values = column.iter().map(|observation| observation.value);
        let lowest = values.clone().fold(f64::INFINITY, f64::min);
        let highest = values.clone().fold(f64::NEG_INFINITY, f64::max);
        is_wide |= lowest < highest;
        stretch.line.push((x, mean(values).clamp(lowest, highest)));
        stretch.band.push((x, lowest, highest));
    }
    if !is_wide {
        stretch.band.clear();
    }
    stretch
}

/// Weighted as it goes, so that the greatest values do not overflow.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut count = 0.0;
    values.fold(0.0, |mean, value| {
        count += 1.0;
        mean * ((count - 1.0) / count) + value / count
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn series(pairs: &[(i64, f64)]) -> TimeSeries {
        let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap();
        pairs.iter().map(|(minute, value)| (at(*minute), *value)).collect()
    }

    /// Ten minutes a pixel.
    fn pixel(observation: &Observation) -> i32 {
        i32::try_from(observation.at.timestamp() / 600).unwrap()
    }

    #[test]
    fn a_gap_ends_a_stretch_and_values_on_one_pixel_are_one_with_a_band() {
        let found = stretches(&series(&[(0, 1.0), (5, 3.0), (10, 4.0), (15, 4.0), (90, 7.0)]), pixel);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].line, [(0, 2.0), (1, 4.0)]);
        assert_eq!(found[0].band, [(0, 1.0, 3.0), (1, 4.0, 4.0)]);
        assert_eq!((found[1].line.as_slice(), found[1].band.len()), ([(9, 7.0)].as_slice(), 0));
    }

    #[test]
    fn nothing_and_the_greatest_values_are_drawn() {
        assert!(stretches(&TimeSeries::default(), pixel).is_empty());
        let found = stretches(&series(&[(0, f64::MAX), (1, f64::MAX), (2, f64::NAN)]), pixel);
        assert_eq!(found[0].line, [(0, f64::MAX)]);
    }

    #[test]
    fn bands_are_broken_where_lines_are() {
        let extremes = Extremes {
            lowest: series(&[(0, 1.0), (5, 0.0), (10, 2.0), (90, 3.0)]),
            highest: series(&[(0, 5.0), (5, 6.0), (10, 7.0), (90, 8.0)]),
        };
        assert_eq!(bands(&extremes, pixel), [vec![(0, 0.0, 6.0), (1, 2.0, 7.0)], vec![(9, 3.0, 8.0)]]);
    }
}
