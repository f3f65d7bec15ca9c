//! Minutes to come in which far more keys are due than around them.

use super::{
    estimate::Estimator,
    family_tally::FamilyTally,
    finish::shown_name,
    merged::Merged,
    minutes::Minutes,
    model::{Burst, BurstFamily, Timeline},
    number::{precise, rounded},
    shard_tally::MINUTE_MS,
};

/// More bursts are no bursts; those with the most keys are told.
const MOST_BURSTS: usize = 50;
/// Families with a smaller share of a burst are not named.
const LEAST_FAMILY_SHARE: f64 = 0.05;
/// The share of the usual TTL that a jitter has at the most.
const MOST_JITTER_SHARE: f64 = 0.5;
const MINUTE_S: f64 = 60.0;
/// Of the keys that are due in a week, those that the first timeline has.
const FIRST_SHARE: f64 = 0.5;
/// A first timeline that is longer than one in so many of the whole shows nothing new.
const FIRST_IN: usize = 3;

/// Minutes of a burst, by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    begins: usize,
    ends: usize,
    keys: u64,
    usual: u64,
}

/// Finds the bursts, and how many keys are due when.
pub(super) fn bursts(
    merged: &Merged<'_>,
    first_minute_ms: i64,
    estimator: Estimator,
) -> (Vec<Burst>, Vec<Timeline>) {
    let mut due = merged.rest_due.clone();
    merged.tallies().for_each(|tally| due.merge(&tally.due));
    let mut runs = runs(&due);
    runs.sort_by_key(|run| std::cmp::Reverse(run.keys));
    runs.truncate(MOST_BURSTS);
    runs.sort_by_key(|run| run.begins);
    let timed: u64 = merged.tallies().map(|tally| tally.timed).sum();
    // By how much all keys are more than those whose TTL was read.
    let factor = if timed == 0 { 1.0 } else { precise(estimator.population()) / precise(timed) };
    let bursts = runs.into_iter().map(|run| burst(run, merged, first_minute_ms, factor)).collect();
    (bursts, timelines(&due, first_minute_ms, factor))
}

fn timelines(due: &Minutes, begins_at_ms: i64, factor: f64) -> Vec<Timeline> {
    let (most, whole) = (precise(due.sum(0..due.len())) * FIRST_SHARE, due.len());
    let mut below = 0;
    let first = (0..whole).find(|minute| {
        below += due.get(*minute);
        precise(below) >= most
    });
    let first = first.map_or(whole, |minute| minute + 1);
    let ends = if first > whole / FIRST_IN { vec![whole] } else { vec![first, whole] };
    ends.into_iter().filter_map(|end| timeline(due, end, begins_at_ms, factor)).collect()
}

fn timeline(due: &Minutes, end: usize, begins_at_ms: i64, factor: f64) -> Option<Timeline> {
    let step = end.div_ceil(Timeline::MOST_STEPS);
    let steps = end.checked_div(step)? + usize::from(!end.is_multiple_of(step));
    let keys = (0..steps).map(|number| due.sum(number * step..((number + 1) * step).min(end)));
    let keys = keys.map(|keys| rounded(precise(keys) * factor)).collect();
    Some(Timeline { begins_at_ms, step_minutes: u32::try_from(step).ok()?, keys })
}

/// Finds the minutes that stand out, and puts those together that follow each other.
fn runs(due: &Minutes) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for minute in 0..due.len() {
        let keys = due.get(minute);
        if keys < Burst::LEAST_KEYS {
            continue;
        }
        let usual = usual_around(due, minute);
        if keys < usual.saturating_mul(Burst::FACTOR) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.ends == minute => {
                run.ends += 1;
                run.keys += keys;
                run.usual = run.usual.min(usual);
            }
            _ => runs.push(Run { begins: minute, ends: minute + 1, keys, usual }),
        }
    }
    runs
}

/// The median of the minutes around one; of two in the middle the greater.
fn usual_around(due: &Minutes, minute: usize) -> u64 {
    let first = minute.saturating_sub(Burst::NEIGHBOURS);
    let last = (minute + Burst::NEIGHBOURS).min(Burst::HORIZON_MINUTES - 1);
    let around = (first..=last).filter(|other| *other != minute).map(|other| due.get(other));
    let mut around: Vec<u64> = around.collect();
    let middle = around.len() / 2;
    *around.select_nth_unstable(middle).1
}

fn burst(run: Run, merged: &Merged<'_>, first_minute_ms: i64, factor: f64) -> Burst {
    let scaled = |keys: u64| rounded(precise(keys) * factor);
    let mut families: Vec<(&[u8], &FamilyTally, u64)> = merged
        .families
        .iter()
        .map(|(name, tally)| (*name, tally, tally.due.sum(run.begins..run.ends)))
        .filter(|(_, _, keys)| precise(*keys) >= precise(run.keys) * LEAST_FAMILY_SHARE)
        .filter(|(_, _, keys)| *keys > 0)
        .collect();
    families.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(other.0)));
    let usual_ttl_s =
        families.first().and_then(|(_, tally, _)| tally.ttl.as_deref()?.quantile(0.9)).unwrap_or(0.0);
    let jitter_s = spreading_minutes(run) * MINUTE_S;
    let jitter_s = if usual_ttl_s > 0.0 { jitter_s.min(usual_ttl_s * MOST_JITTER_SHARE) } else { jitter_s };
    let begins = i64::try_from(run.begins).unwrap_or(i64::MAX);
    Burst {
        begins_at_ms: first_minute_ms.saturating_add(begins.saturating_mul(MINUTE_MS)),
        minutes: u32::try_from(run.ends - run.begins).unwrap_or(u32::MAX),
        keys: scaled(run.keys),
        usual_per_minute: scaled(run.usual),
        families: families
            .iter()
            .map(|(name, _, keys)| BurstFamily { name: shown_name(name), keys: scaled(*keys) })
            .collect(),
        usual_ttl_s,
        jitter_s,
        jitter_share: if usual_ttl_s > 0.0 { jitter_s / usual_ttl_s } else { 0.0 },
    }
}

/// Over how many minutes the keys of a burst have to be spread so that none of them is one any more: because it has too
/// few keys to be one, because it has no more than its factor of what is usual, or because it is like those around it.
fn spreading_minutes(run: Run) -> f64 {
    let over_usual = run.usual.saturating_mul(Burst::FACTOR - 1);
    let by_usual = run.keys.checked_div(over_usual).map_or(u64::MAX, |minutes| minutes + 1);
    let by_count = run.keys / Burst::LEAST_KEYS + 1;
    let like_neighbours = Burst::NEIGHBOURS as u64 + 1;
    let width = (run.ends - run.begins) as u64;
    precise(by_usual.min(by_count).min(like_neighbours).max(width + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(keys: impl IntoIterator<Item = (usize, u32)>) -> Minutes {
        let mut minutes = Minutes::default();
        for (minute, count) in keys {
            minutes.grow(minute);
            (0..count).for_each(|_| assert!(minutes.add_in_place(minute)));
        }
        minutes
    }

    fn found(minutes: &Minutes) -> Vec<(usize, usize, u64, u64)> {
        runs(minutes).into_iter().map(|run| (run.begins, run.ends, run.keys, run.usual)).collect()
    }

    #[test]
    fn what_stands_out_is_found() {
        let even = (0..60).map(|minute| (minute, 50));
        assert_eq!(found(&due([])), []);
        assert_eq!(found(&due(even.clone())), [], "as everywhere");
        assert_eq!(found(&due([(30, 99)])), [], "too few to be felt");
        assert_eq!(found(&due([(30, 100)])), [(30, 31, 100, 0)], "where nothing is usual");
        assert_eq!(found(&due([(0, 100)])), [(0, 1, 100, 0)], "in the first minute");
        assert_eq!(found(&due(even.clone().chain([(30, 149)]))), [], "less than four times");
        assert_eq!(found(&due(even.clone().chain([(30, 150)]))), [(30, 31, 200, 50)]);
        assert_eq!(found(&due(even.chain([(30, 150), (31, 250)]))), [(30, 32, 500, 50)]);
        let plateau = (0..60).map(|minute| (minute, 1000));
        assert_eq!(
            found(&due(plateau)),
            [],
            "a steady stream with one TTL ends at an edge, which is no burst"
        );
    }

    #[test]
    fn the_timeline_has_every_key_in_few_steps() {
        assert_eq!(timelines(&due([]), 7, 1.0), []);
        for (last, step) in [(0, 1), (167, 1), (168, 2), (10_079, 60)] {
            let found = timelines(&due([(0, 3), (last, 5)]), 7, 2.0);
            let [found] = found.as_slice() else { panic!("one: {found:?}") };
            assert_eq!((found.step_minutes, found.begins_at_ms), (step, 7), "{last}");
            assert!(found.keys.len() <= Timeline::MOST_STEPS && found.keys.last() > Some(&0), "{found:?}");
            assert_eq!(found.keys.iter().sum::<u64>(), 16);
        }
        let found = timelines(&due([(0, 30), (59, 65), (10_000, 5)]), 7, 1.0);
        let ends: Vec<_> = found.iter().map(|it| (it.keys.len(), it.keys.iter().sum::<u64>())).collect();
        assert_eq!(ends, [(60, 95), (167, 100)], "most of them, and all");
    }

    #[test]
    fn the_jitter_spreads_it() {
        for (usual, keys) in [(0, 100), (0, 50_000), (50, 200), (50, 700), (50, 100_000), (1000, 4001)] {
            let even = |minute: usize| (minute, usual);
            let peak = due((0..200).map(even).chain([(100, keys)]));
            let run = runs(&peak)[0];
            let over = rounded(spreading_minutes(run));
            // Jitter is taken from the TTL, so keys come earlier.
            let each = u32::try_from(run.keys.div_ceil(over)).unwrap();
            let over = usize::try_from(over).unwrap();
            let spread = (0..200).map(|minute| {
                let more = if (101 - over..=100).contains(&minute) { each } else { 0 };
                (minute, if minute == 100 { more } else { usual + more })
            });
            assert_eq!(runs(&due(spread)), [], "{usual} {keys}: over {over} minutes");
        }
    }
}
