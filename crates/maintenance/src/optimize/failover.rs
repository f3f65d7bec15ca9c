//! Sums over other servers than before.

use larder_analysis::{Observation, SeriesBreak, TimeSeries};
use larder_metrics_model::Break;

/// So much more than all servers together counted may be rounding.
const ROUNDING: f64 = 1.0;

/// Finds where a sum over the primaries gained more than all servers together: after a failover another server is summed up, with
/// all that it had counted long before. Where it gained less, the sum went back, which is told already. Intervals in which one of
/// the servers was not measured say nothing.
pub(super) fn find_jumps(sum: &TimeSeries, parts: &[TimeSeries]) -> Vec<SeriesBreak> {
    let jumped = |pair: &&[Observation]| {
        let gained: Option<f64> = parts.iter().map(|part| gained(part, pair)).sum();
        gained.is_some_and(|gained| pair[1].value - pair[0].value > gained + ROUNDING)
    };
    let jumps = sum.observations().windows(2).filter(jumped);
    jumps
        .map(|pair| SeriesBreak { after: pair[0].at, until: pair[1].at, what: Break::CountersReset })
        .collect()
}

/// A server that was started anew has counted what it tells now.
fn gained(part: &TimeSeries, pair: &[Observation]) -> Option<f64> {
    let value = |at| {
        let observations = part.observations();
        let place = observations.binary_search_by_key(&at, |observation| observation.at).ok()?;
        observations.get(place).map(|observation| observation.value)
    };
    let (before, after) = (value(pair.first()?.at)?, value(pair.last()?.at)?);
    Some(if after >= before { after - before } else { after })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn series(values: &[f64]) -> TimeSeries {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3_600, 0).unwrap();
        (0..).zip(values).map(|(hour, value)| (at(hour), *value)).collect()
    }

    fn hours(sum: &[f64], parts: &[&[f64]]) -> Vec<i64> {
        let parts: Vec<TimeSeries> = parts.iter().map(|part| series(part)).collect();
        find_jumps(&series(sum), &parts).iter().map(|found| found.until.timestamp() / 3_600).collect()
    }

    #[test]
    fn a_failover_there_and_back_jumps_once() {
        let first: &[f64] = &[900.0, 910.0, 910.0, 910.0, 920.0];
        let second: &[f64] = &[5.0, 5.0, 15.0, 25.0, 25.0];
        assert_eq!(hours(&[900.0, 910.0, 15.0, 25.0, 920.0], &[first, second]), [4]);
    }

    #[test]
    fn what_the_servers_counted_is_no_jump() {
        assert!(hours(&[10.0, 30.0, 50.0], &[&[5.0, 15.0, 25.0], &[5.0, 15.0, 25.0]]).is_empty());
        assert!(hours(&[10.0, 30.0], &[&[5.0, 15.0], &[20.0, 16.0]]).is_empty(), "one was started anew");
        assert!(hours(&[10.0, 900.0], &[&[5.0, 15.0], &[5.0]]).is_empty(), "one was not measured");
        assert!(hours(&[], &[]).is_empty());
    }
}
