//! Where the level of a figure changed in the time that is looked at.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};

use super::DAY_SECONDS;
use crate::{
    LevelChange, Observation, Step, Summarise, Summary, TimeSeries,
    statistics::{Split, median, splits, theil_sen},
};

/// What is compared: a figure over the time that is looked at, and over the weeks before it where that was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure<'a> {
    pub(super) series: &'a TimeSeries,
    pub(super) usual: &'a TimeSeries,
    /// Whether it is a share, whose points count, and not its share of what it was.
    pub(super) is_share: bool,
}

/// So many values are compared in pairs at most.
const MOST: usize = 1_000;
/// In less time the time of the day cannot be told from a change.
const SHORTEST_TIME: TimeDelta = TimeDelta::days(4);
/// What is over sooner is out of the ordinary, and no level.
const SHORTEST_LEVEL: TimeDelta = TimeDelta::hours(12);
/// So much beside a change is compared with the same days of the week before and the week behind.
const BESIDE: TimeDelta = TimeDelta::days(2);
/// So many values on either side of a change are next to it.
const NEXT: usize = 5;
/// What changes by less does not matter: of a share two points, of the rest a twentieth.
const LEAST_POINTS: f64 = 0.02;
const LEAST_SHARE: f64 = 0.05;

impl Figure<'_> {
    /// Finds the changes of the level, oldest first. The time of the day is no change, nor is what the days of the week bring: a
    /// change that came in the week before or behind as well.
    pub(super) fn changes(&self) -> Vec<LevelChange> {
        let series = without_time_of_day(&in_steps(self.series));
        let is_long = series.first().zip(series.last()).is_some_and(|(a, b)| b.at - a.at >= SHORTEST_TIME);
        if !is_long {
            return Vec::new();
        }
        let values: Vec<f64> = series.values().collect();
        let found: Vec<LevelChange> = splits(&values).iter().map(|split| change(&series, split)).collect();
        self.lasting(found, &series)
    }

    /// Takes back what is too short, too small, or the rhythm of the week, and tells the levels beside the rest.
    fn lasting(&self, mut changes: Vec<LevelChange>, series: &TimeSeries) -> Vec<LevelChange> {
        loop {
            let none = |change: &LevelChange| {
                !self.is_large(change)
                    || self.is_growth(change, series)
                    || self.is_of_the_week(change, series)
            };
            let shortest = shortest(&changes, series);
            match changes.iter().position(none).or(shortest) {
                Some(place) => changes.remove(place),
                None => return changes,
            };
            tell_levels(&mut changes, series);
        }
    }

    pub(super) fn is_large(&self, change: &LevelChange) -> bool {
        let (before, after) = (change.before, change.after);
        let least = if self.is_share { LEAST_POINTS } else { LEAST_SHARE * before.abs().max(after.abs()) };
        (after - before).abs() > least
    }

    /// Tells whether a change is what it grows by in the time between, as over a gap.
    fn is_growth(&self, change: &LevelChange, series: &TimeSeries) -> bool {
        let (before, after) = (series.until(change.at), series.since(change.at));
        let slopes = slope(&before).zip(slope(&after));
        let (before, after) = (before.observations(), after.observations());
        let near = [
            before.get(before.len().saturating_sub(NEXT)..).unwrap_or_default(),
            after.get(..NEXT.min(after.len())).unwrap_or_default(),
        ];
        let [Some(before), Some(after)] = near.map(center) else { return false };
        let grown = slopes.map_or(0.0, |(one, other)| f64::midpoint(one, other)) * (after.0 - before.0);
        !self.is_large(&LevelChange { before: before.1, after: after.1 - grown, ..*change })
    }

    fn is_of_the_week(&self, change: &LevelChange, series: &TimeSeries) -> bool {
        let known = if self.usual.is_empty() { series } else { self.usual };
        let step = change.after - change.before;
        [TimeDelta::weeks(-1), TimeDelta::weeks(1)].into_iter().any(|away| {
            let at = change.at + away;
            let level = |from, until| middle(&known.since(from).until(until));
            let pair = level(at - BESIDE, at).zip(level(at, at + BESIDE));
            pair.is_some_and(|(before, after)| (after - before) / step > 0.5)
        })
    }
}

/// By how much a second it changes.
fn slope(series: &TimeSeries) -> Option<f64> {
    let moments: Vec<f64> = series.observations().iter().map(|it| seconds(it.at)).collect();
    Some(theil_sen(&moments, &series.values().collect::<Vec<_>>(), 0.0)?.slope)
}

/// The median moment, in seconds, and the median value.
fn center(part: &[Observation]) -> Option<(f64, f64)> {
    let of = |value: fn(&Observation) -> f64| median(&mut part.iter().map(value).collect::<Vec<_>>());
    of(|it| seconds(it.at)).zip(of(|it| it.value))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of some thousand years")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp() as f64
}

/// The change next to the shortest level, where that is too short: the smaller one of the two beside it.
fn shortest(changes: &[LevelChange], series: &TimeSeries) -> Option<usize> {
    let ends = series.first().map(|it| it.at).zip(series.last().map(|it| it.at));
    let (begin, end) = ends?;
    let bounds: Vec<_> =
        std::iter::once(begin).chain(changes.iter().map(|it| it.at)).chain(std::iter::once(end)).collect();
    let levels = bounds.windows(2).map(|pair| pair[1] - pair[0]).enumerate();
    let (level, _) = levels.filter(|(_, time)| *time < SHORTEST_LEVEL).min_by_key(|(_, time)| *time)?;
    let size = |place: &usize| (changes[*place].after - changes[*place].before).abs();
    let beside = level.checked_sub(1).into_iter().chain(Some(level)).filter(|place| *place < changes.len());
    beside.min_by(|a, b| size(a).total_cmp(&size(b)))
}

fn tell_levels(changes: &mut [LevelChange], series: &TimeSeries) {
    let bounds: Vec<DateTime<Utc>> = changes.iter().map(|it| it.at).collect();
    for (place, change) in changes.iter_mut().enumerate() {
        let before = place.checked_sub(1).map_or_else(|| series.clone(), |it| series.since(bounds[it]));
        let behind = bounds.get(place + 1).map_or_else(|| series.clone(), |next| series.until(*next));
        change.before = middle(&before.until(change.at)).unwrap_or(change.before);
        change.after = middle(&behind.since(change.at)).unwrap_or(change.after);
    }
}

fn change(series: &TimeSeries, split: &Split) -> LevelChange {
    let at = series.observations()[split.place].at;
    LevelChange { at, before: split.before, after: split.after, p_value: split.p_value }
}

/// As fine as hours, so that a change has a date and an hour, but of no more values than can be compared.
fn in_steps(series: &TimeSeries) -> TimeSeries {
    let is_fine = series.typical_step().is_some_and(|step| step * 2 <= TimeDelta::hours(1));
    if !is_fine && series.len() <= MOST {
        return series.clone();
    }
    let widths = [Step::Hour, Step::Day, Step::Week].into_iter().filter_map(Step::width);
    let mut summed = widths.map(|width| summed_up(series, width, Summarise::Median));
    summed.find(|series| series.len() <= MOST).unwrap_or_default()
}

/// Sums a series up; each value has the beginning of its step as its moment.
pub(super) fn summed_up(series: &TimeSeries, width: TimeDelta, how: Summarise) -> TimeSeries {
    let steps = Summary::of(series, width, how);
    steps.known().map(|(step, value)| (steps.moment(step) - width / 2, value)).collect()
}

/// Takes from each value what is usual at its hour of the day: the median of how far that hour lies from the median of its day, beside
/// the growth from day to day, so that a slope is none.
pub(super) fn without_time_of_day(series: &TimeSeries) -> TimeSeries {
    let days = || series.observations().chunk_by(|a, b| a.at.date_naive() == b.at.date_naive());
    let levels: Vec<f64> =
        days().filter_map(|day| median(&mut day.iter().map(|it| it.value).collect::<Vec<_>>())).collect();
    let growth = median(&mut levels.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>());
    let grown = |at: DateTime<Utc>| {
        growth.unwrap_or_default() * f64::from(at.num_seconds_from_midnight()) / DAY_SECONDS
    };
    let mut of_hours: [Vec<f64>; 24] = Default::default();
    for day in days() {
        let flat = |it: &Observation| it.value - grown(it.at);
        let Some(level) = median(&mut day.iter().map(flat).collect::<Vec<_>>()) else { continue };
        for it in day {
            of_hours[hour(it.at)].push(flat(it) - level);
        }
    }
    let usual = of_hours.map(|mut away| median(&mut away).unwrap_or_default());
    series.observations().iter().map(|it| (it.at, it.value - usual[hour(it.at)])).collect()
}

fn hour(at: DateTime<Utc>) -> usize {
    usize::try_from(at.hour()).unwrap_or_default() % 24
}

/// The median; `None` of fewer than three values.
fn middle(series: &TimeSeries) -> Option<f64> {
    median(&mut series.values().collect::<Vec<_>>()).filter(|_| series.len() >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i32) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_400 + i64::from(hour) * 3_600, 0).unwrap()
    }

    fn hours(from: i32, until: i32, value: impl Fn(i32) -> f64) -> TimeSeries {
        (from..until).map(|hour| (at(hour), value(hour))).collect()
    }

    fn noise(hour: i32) -> f64 {
        (f64::from(hour) * 12.9898).sin() * 43_758.547 % 1.0
    }

    fn found(series: &TimeSeries, usual: &TimeSeries, is_share: bool) -> Vec<DateTime<Utc>> {
        Figure { series, usual, is_share }.changes().iter().map(|change| change.at).collect()
    }

    fn alone(series: &TimeSeries) -> Vec<DateTime<Utc>> {
        found(series, &TimeSeries::default(), false)
    }

    #[test]
    fn a_change_is_found_to_the_hour_wherever_it_is() {
        let day = |hour: i32| 20.0 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
        for place in [14, 30, 84, 120, 150] {
            let level = |hour: i32| if hour < place { 300.0 } else { 200.0 };
            assert_eq!(alone(&hours(0, 168, level)), [at(place)], "{place}");
            assert_eq!(alone(&hours(0, 168, |hour| level(hour) + noise(hour))), [at(place)], "{place}");
            let seasonal = alone(&hours(0, 168, |hour| level(hour) + day(hour) + noise(hour)));
            assert!(
                seasonal.len() == 1 && (seasonal[0] - at(place)).abs() <= TimeDelta::hours(1),
                "{place} {seasonal:?}"
            );
        }
    }

    #[test]
    fn what_is_none() {
        let day = |hour: i32| 100.0 + 50.0 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
        for (what, series) in [
            ("nothing", TimeSeries::default()),
            ("one", hours(0, 1, |_| 1.0)),
            ("equal", hours(0, 168, |_| 1.0)),
            ("noise", hours(0, 168, noise)),
            ("too short a time", hours(0, 90, |hour| if hour < 30 { 1.0 } else { 9.0 })),
            ("too short a level", hours(0, 168, |hour| if hour < 160 { 1.0 } else { 9.0 })),
            ("a spike of six hours", hours(0, 168, |it| if (80..86).contains(&it) { 9.0 } else { 1.0 })),
            ("too little", hours(0, 168, |hour| if hour < 80 { 100.0 } else { 104.0 })),
            ("a slope", hours(0, 168, |hour| 100.0 + f64::from(hour) + noise(hour))),
            ("the time of the day", hours(0, 168, day)),
            ("a slope with a gap", hours(0, 300, f64::from).keep(|it| !(at(90)..at(200)).contains(&it.at))),
        ] {
            assert!(alone(&series).is_empty(), "{what}");
        }
        let dip = |least: f64| hours(0, 168, move |hour| if hour < 80 { 0.9 } else { least });
        assert!(found(&dip(0.885), &TimeSeries::default(), true).is_empty());
        assert_eq!(found(&dip(0.87), &TimeSeries::default(), true), [at(80)]);
    }

    #[test]
    fn the_end_of_the_week_is_none_where_it_was_so_before() {
        let week = |hour: i32| if hour.rem_euclid(168) < 120 { 200.0 } else { 100.0 };
        let usual = hours(-3 * 168, 168, week);
        assert!(found(&usual.since(at(0)), &usual, false).is_empty());
        assert!(found(&usual.since(at(-48)), &usual, false).is_empty());
        let anew = hours(-3 * 168, 168, |hour| if hour < 120 { 200.0 } else { 100.0 });
        assert_eq!(found(&anew.since(at(0)), &anew, false), [at(120)]);
    }

    #[test]
    fn there_and_back_are_two_and_levels_are_those_between_them() {
        let series = hours(0, 168, |hour| if (60..100).contains(&hour) { 50.0 } else { 100.0 });
        let usual = TimeSeries::default();
        let changes = Figure { series: &series, usual: &usual, is_share: false }.changes();
        let told: Vec<_> = changes.iter().map(|it| (it.at, it.before, it.after)).collect();
        assert_eq!(told, [(at(60), 100.0, 50.0), (at(100), 50.0, 100.0)]);
    }
}
