//! The M4 competition: hourly series, the last 48 hours of each held out, and the measures of its organisers (Makridakis, Spiliotis &
//! Assimakopoulos 2020, <https://doi.org/10.1016/j.ijforecast.2019.04.014>).

use std::{env, fs::File, path::Path, time::Instant};

use chrono::{DateTime, TimeDelta};
use flate2::read::GzDecoder;
use larder_analysis::{ForecastOptions, TimeSeries, forecast};

/// Hours that are held out.
const HORIZON: usize = 48;
/// Hours of a day.
const SEASON: usize = 24;

/// How well all series were foretold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Symmetric mean absolute percentage error.
    pub(crate) smape: f64,
    /// Mean absolute scaled error.
    pub(crate) mase: f64,
    /// The share of held out values within their 95 % interval.
    pub(crate) coverage: f64,
    pub(crate) seconds_a_series: f64,
    pub(crate) longest_seconds: f64,
}

/// The series of the corpora; `None` where they are not there.
pub(crate) fn series() -> Option<Vec<Vec<f64>>> {
    let file = Path::new(&env::var_os("LARDER_CORPORA")?).join("series/m4/hourly-H1-H207.csv.gz");
    let text = GzDecoder::new(File::open(file).ok()?);
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let numbers = |row: csv::StringRecord| row.iter().skip(1).map_while(|cell| cell.parse().ok()).collect();
    rows.records().map(|row| row.ok().map(numbers)).collect()
}

/// Foretells the held out hours of all series as Larder does.
pub(crate) fn ours(all: &[Vec<f64>]) -> Figures {
    let of = |past: &[f64]| {
        let series: TimeSeries = (0..).zip(past).map(|(hour, value)| (at(hour), *value)).collect();
        let told = forecast(&series, &ForecastOptions::new(TimeDelta::hours(1), HORIZON)).ok()?;
        Some((told.mean, told.lower.into_iter().zip(told.upper).collect()))
    };
    figures(all, of)
}

/// Naive 2: the last value, seasonally adjusted by classical multiplicative decomposition where a season is significant.
pub(crate) fn naive_2(all: &[Vec<f64>]) -> Figures {
    figures(all, |past| Some((naive_2_of(past), Vec::new())))
}

/// What was a day before.
pub(crate) fn seasonal_naive(all: &[Vec<f64>]) -> Figures {
    figures(all, |past| {
        let day = &past[past.len() - SEASON..];
        Some((day.iter().copied().cycle().take(HORIZON).collect(), Vec::new()))
    })
}

impl Figures {
    /// The overall weighted average of both errors against those of Naive 2.
    pub(crate) fn owa(&self, naive_2: &Self) -> f64 {
        f64::midpoint(self.smape / naive_2.smape, self.mase / naive_2.mase)
    }

    /// A line of the table.
    pub(crate) fn line(&self, name: &str, naive_2: &Self) -> String {
        format!(
            "{name:16} {:>7.3} {:>7.3} {:>7.3} {:>9.1} % {:>9.1} ms {:>9.1} ms",
            self.smape,
            self.mase,
            self.owa(naive_2),
            self.coverage * 100.0,
            self.seconds_a_series * 1e3,
            self.longest_seconds * 1e3
        )
    }
}

/// The head of the table.
pub(crate) const HEAD: &str =
    "method             sMAPE    MASE     OWA  95 % covers   a series   the longest";

type Told = (Vec<f64>, Vec<(f64, f64)>);

fn figures(all: &[Vec<f64>], of: impl Fn(&[f64]) -> Option<Told>) -> Figures {
    let mut sum = Figures::default();
    let count = number(all.len());
    for values in all {
        let (past, came) = values.split_at(values.len() - HORIZON);
        let begun = Instant::now();
        let (mean, bounds) = of(past).unwrap_or_else(|| (vec![f64::NAN; HORIZON], Vec::new()));
        let took = begun.elapsed().as_secs_f64();
        sum.seconds_a_series += took / count;
        sum.longest_seconds = sum.longest_seconds.max(took);
        let pairs = || came.iter().zip(&mean);
        let horizon = number(HORIZON);
        sum.smape +=
            pairs().map(|(a, b)| 200.0 * (a - b).abs() / (a.abs() + b.abs())).sum::<f64>() / horizon / count;
        let seasons = past.iter().zip(&past[SEASON..]).map(|(before, now)| (now - before).abs());
        let scale = seasons.sum::<f64>() / number(past.len() - SEASON);
        sum.mase += pairs().map(|(a, b)| (a - b).abs()).sum::<f64>() / horizon / scale / count;
        let within =
            came.iter().zip(&bounds).filter(|(came, (lower, upper))| *lower <= **came && **came <= *upper);
        sum.coverage += number(within.count()) / horizon / count;
    }
    sum
}

fn naive_2_of(past: &[f64]) -> Vec<f64> {
    let last = past[past.len() - 1];
    if !is_seasonal(past) {
        return vec![last; HORIZON];
    }
    let index = seasonal_indices(past);
    let adjusted = last / index[(past.len() - 1) % SEASON];
    (0..HORIZON).map(|step| adjusted * index[(past.len() + step) % SEASON]).collect()
}

/// The test of the organisers: the autocorrelation at a season's lag is beyond its 90 % limit.
fn is_seasonal(past: &[f64]) -> bool {
    let mean = past.iter().sum::<f64>() / number(past.len());
    let whole: f64 = past.iter().map(|value| (value - mean).powi(2)).sum();
    let at =
        |lag: usize| past.iter().zip(&past[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / whole;
    let limit = 1.645
        * ((1.0 + 2.0 * (1..SEASON).map(|lag| at(lag).powi(2)).sum::<f64>()) / number(past.len())).sqrt();
    at(SEASON).abs() > limit
}

fn seasonal_indices(past: &[f64]) -> Vec<f64> {
    let half = SEASON / 2;
    let mut ratios = vec![Vec::new(); SEASON];
    for middle in half..past.len() - half {
        let around = &past[middle - half..=middle + half];
        let ends = f64::midpoint(around[0], around[SEASON]);
        let level = (ends + around[1..SEASON].iter().sum::<f64>()) / number(SEASON);
        ratios[middle % SEASON].push(past[middle] / level);
    }
    let index: Vec<f64> = ratios.iter().map(|of| of.iter().sum::<f64>() / number(of.len().max(1))).collect();
    let mean = index.iter().sum::<f64>() / number(SEASON);
    index.iter().map(|it| it / mean).collect()
}

fn at(hour: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(hour * 3_600, 0).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of values")]
fn number(count: usize) -> f64 {
    count as f64
}

/// The figures that are asked for. The table is what the bench prints.
#[test]
#[expect(clippy::print_stderr, reason = "a test says what it skips, and shows its table")]
fn hourly_series_are_foretold_better_than_by_their_seasons_alone_and_intervals_hold_what_they_say() {
    let Some(all) = series() else {
        eprintln!("skipped: LARDER_CORPORA does not lead to the series of M4");
        return;
    };
    let (naive_2, ours) = (naive_2(&all), ours(&all));
    eprintln!("{HEAD}\n{}\n{}", naive_2.line("Naive 2", &naive_2), ours.line("larder", &naive_2));
    assert!(ours.owa(&naive_2) < 0.60, "{ours:?} against {naive_2:?}");
    assert!((0.92..=0.98).contains(&ours.coverage), "{ours:?}");
    assert!(seasonal_naive(&all).owa(&naive_2) > ours.owa(&naive_2));
}
