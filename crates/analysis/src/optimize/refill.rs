//! Memory that fills again.

use chrono::{DateTime, Utc};
use larder_metrics_model::Break;

use crate::{
    ResourceFacts, ResourceKind, TimeSeries,
    capacity::{Used, used},
    series::SeriesBreak,
};

/// The last restart or flush that emptied memory: what grows until it is full again is no growth. A server that loads its data again
/// when it starts was not emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refill {
    /// When the first measurement behind it was made.
    pub emptied_at: DateTime<Utc>,
    /// From when on it was as full again as before, nearly, or is taken as it is; `None` where it fills still.
    pub full_at: Option<DateTime<Utc>>,
}

impl Refill {
    /// Finds it by the rule of [`plan_capacity`](crate::plan_capacity); `None` where nothing was emptied. The series begins well before
    /// what is judged, as it takes the time before to know how full it was.
    #[must_use]
    pub fn of(memory: &TimeSeries, breaks: &[SeriesBreak]) -> Option<Self> {
        let first = memory.first()?.at;
        let within = breaks.iter().filter(|found| found.what != Break::CountersReset && found.after >= first);
        let emptied_at = within.filter(|found| found.has_emptied(memory)).map(|found| found.until).max()?;
        let mut facts = ResourceFacts::unseen(ResourceKind::Memory, "memory");
        (facts.series, facts.breaks) = (memory.clone(), breaks.to_vec());
        let Used { series, is_filling } = used(&facts, &mut Vec::new());
        let full_at = series.first().filter(|_| is_filling.is_none()).map(|first| first.at);
        Some(Self { emptied_at, full_at })
    }

    /// The part of the memory that says something of its growth: since it is full again.
    pub(super) fn growing(refill: Option<Self>, memory: &TimeSeries) -> TimeSeries {
        match refill {
            None => memory.clone(),
            Some(Self { emptied_at, full_at }) => memory.since(full_at.unwrap_or(emptied_at)),
        }
    }

    /// Since when it fills, where it does still.
    pub(super) fn filling_since(refill: Option<Self>) -> Option<DateTime<Utc>> {
        refill.filter(|refill| refill.full_at.is_none()).map(|refill| refill.emptied_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_400 + hour * 3_600, 0).unwrap()
    }

    fn refill(memory: &[f64], restarts: &[i64]) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let memory: TimeSeries = (0..).zip(memory).map(|(hour, value)| (at(hour), *value)).collect();
        let breaks: Vec<SeriesBreak> = restarts
            .iter()
            .map(|hour| SeriesBreak { after: at(hour - 1), until: at(*hour), what: Break::Restarted })
            .collect();
        Refill::of(&memory, &breaks).map(|it| (it.emptied_at, it.full_at))
    }

    #[test]
    fn what_was_kept_was_not_emptied_and_what_was_is_full_again_some_time() {
        assert_eq!(refill(&[], &[]), None);
        assert_eq!(refill(&[100.0, 100.0, 100.0, 100.0], &[2]), None, "it loaded its data again");
        assert_eq!(refill(&[100.0, 5.0, 40.0, 80.0], &[1]), Some((at(1), None)));
        assert_eq!(refill(&[100.0, 5.0, 40.0, 95.0, 101.0], &[1]), Some((at(1), Some(at(3)))));
        assert_eq!(refill(&[100.0, 5.0, 40.0, 95.0, 101.0, 102.0], &[1, 4]), Some((at(1), Some(at(3)))));
        assert_eq!(refill(&[5.0, 40.0], &[0]), None, "what was before is not known");
    }
}
