//! Which part of a history says something of what is to come.

use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Break;

use super::ResourceFacts;
use crate::series::{SeriesBreak, TimeSeries};

/// What has filled again to so much of what it was grows by itself again.
const REFILLED: f64 = 0.9;
/// What has not filled again for so long is not what it was, and is taken as it is.
const FILLING: TimeDelta = TimeDelta::days(21);

/// The part of a history that says something of what is to come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Used {
    pub(crate) series: TimeSeries,
    /// Why what grows says nothing of what is to come: it fills again.
    pub(crate) is_filling: Option<String>,
}

/// Leaves out what lies before the last restart or flush that emptied the resource, and the time in which it filled again. A break
/// after which it is as full as before changed nothing: the history goes on.
pub(crate) fn used(facts: &ResourceFacts, notes: &mut Vec<String>) -> Used {
    let series = &facts.series;
    let whole = || Used { series: series.clone(), is_filling: None };
    if !facts.kind.is_emptied() {
        return whole();
    }
    let breaks = facts.breaks.iter().filter(|found| found.what != Break::CountersReset);
    let mut within: Vec<&SeriesBreak> =
        breaks.filter(|found| series.first().is_some_and(|first| first.at <= found.after)).collect();
    within.sort_by_key(|found| found.until);
    let emptied = within.iter().rposition(|found| found.has_emptied(series));
    let kept = within.len() - emptied.map_or(0, |place| place + 1);
    if kept > 0 {
        let times = if kept == 1 { "once".to_owned() } else { format!("{kept} times") };
        notes.push(format!("the server began anew {times} and kept what it had: that changed nothing"));
    }
    let Some(found) = emptied.map(|place| within[place]) else { return whole() };
    let used = refilled(series, found);
    notes.push(format!(
        "{} on {}: {} measurements before that, and while it filled again, were left out, {} are left",
        happened(&found.what),
        minute(found.until),
        series.len() - used.series.len(),
        used.series.len(),
    ));
    used
}

/// What was measured from when on it was nearly as full as before; all of it where it has not been for long.
fn refilled(series: &TimeSeries, found: &SeriesBreak) -> Used {
    let rest = series.since(found.until);
    let before = found.before(series).unwrap_or_default();
    let again = rest.observations().iter().find(|it| it.value >= REFILLED * before).map(|it| it.at);
    if let Some(again) = again {
        return Used { series: rest.since(again), is_filling: None };
    }
    let is_young = rest.last().is_some_and(|last| last.at - found.until < FILLING);
    let why = || format!("it fills again since {}, so that its growth says nothing", minute(found.until));
    Used { series: rest, is_filling: is_young.then(why) }
}

fn happened(what: &Break) -> &'static str {
    match what {
        Break::Restarted => "the server started anew, with less than it had,",
        Break::Flushed => "all keys were removed",
        _ => "it began anew",
    }
}

/// Writes a moment to the minute.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::ResourceKind;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    fn left(values: &[f64], restarted: i64, kind: ResourceKind) -> (usize, Vec<String>) {
        let mut facts = ResourceFacts::unseen(kind, "a:1");
        facts.series = (0..).zip(values).map(|(hour, value)| (at(hour), *value)).collect();
        facts.breaks =
            vec![SeriesBreak { after: at(restarted - 1), until: at(restarted), what: Break::Restarted }];
        let mut notes = Vec::new();
        (used(&facts, &mut notes).series.len(), notes)
    }

    #[test]
    fn a_restart_that_lost_data_begins_a_history_and_one_that_kept_them_does_not() {
        let (count, notes) = left(&[90.0, 100.0, 100.0, 5.0, 10.0, 20.0], 3, ResourceKind::Memory);
        assert_eq!(count, 3);
        assert!(notes[0].contains("3 measurements before that"), "{notes:?}");
        // The first measurement is of a server that is still loading.
        let (count, notes) = left(&[90.0, 100.0, 100.0, 30.0, 99.0, 101.0], 3, ResourceKind::Memory);
        assert_eq!(count, 6);
        assert!(notes[0].contains("kept what it had"), "{notes:?}");
    }

    #[test]
    fn what_fills_again_is_left_out_until_it_is_full_again() {
        let values = [100.0, 100.0, 5.0, 40.0, 80.0, 95.0, 99.0, 101.0];
        assert_eq!(left(&values, 2, ResourceKind::Memory).0, 3);
        let filling = |hours: i32| {
            let mut facts = ResourceFacts::unseen(ResourceKind::Memory, "a:1");
            let half = (2..hours).map(|hour| (at(hour.into()), 50.0));
            facts.series = [(at(0), 100.0), (at(1), 100.0)].into_iter().chain(half).collect();
            facts.breaks = vec![SeriesBreak { after: at(1), until: at(2), what: Break::Flushed }];
            used(&facts, &mut Vec::new()).is_filling
        };
        assert!(filling(20 * 24).is_some_and(|why| why.contains("1970-01-01 02:00 UTC")));
        assert_eq!(filling(23 * 24), None, "it stays half as full");
    }

    #[test]
    fn what_is_not_emptied_goes_on_and_so_does_a_history_without_anything_behind() {
        assert_eq!(left(&[90.0, 100.0, 5.0], 2, ResourceKind::Operations), (3, Vec::new()));
        assert_eq!(left(&[90.0, 100.0], 2, ResourceKind::Memory).0, 2);
        assert_eq!(left(&[], 2, ResourceKind::Memory), (0, Vec::new()));
        assert_eq!(left(&[0.0, 0.0, 0.0], 2, ResourceKind::Memory).0, 3, "nothing was there to be lost");
    }
}
