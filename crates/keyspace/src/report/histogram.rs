//! How times are spread.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::model::Span;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The upper ends of the fine buckets, in seconds; the last one has none.
const ENDS: [u32; BUCKETS - 1] = [
    1,
    2,
    5,
    10,
    20,
    30,
    MINUTE,
    90,
    2 * MINUTE,
    3 * MINUTE,
    4 * MINUTE,
    5 * MINUTE,
    450,
    10 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    45 * MINUTE,
    HOUR,
    90 * MINUTE,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    9 * HOUR,
    12 * HOUR,
    18 * HOUR,
    DAY,
    36 * HOUR,
    2 * DAY,
    3 * DAY,
    4 * DAY,
    5 * DAY,
    7 * DAY,
    10 * DAY,
    14 * DAY,
    21 * DAY,
    30 * DAY,
    45 * DAY,
    60 * DAY,
    90 * DAY,
    180 * DAY,
    365 * DAY,
];
const BUCKETS: usize = 44;

/// The upper ends of the buckets that are shown; each is one of [`ENDS`].
const SHOWN: [u32; 9] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY];

/// Counts times by length, finely enough for a median within a fifth or so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    #[inline]
    pub(super) fn add(&mut self, milliseconds: u64) {
        let seconds = u32::try_from(milliseconds.div_ceil(1000)).unwrap_or(u32::MAX);
        self.0[ENDS.partition_point(|end| *end < seconds)] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that such a share of all is not above, in seconds; within a bucket evenly spread ones are assumed.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let wanted = share * precise(total);
        let mut below = 0.0;
        for (bucket, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let inside = precise(*count);
            if below + inside >= wanted {
                let begin = bucket.checked_sub(1).map_or(0.0, |before| f64::from(ENDS[before]));
                let end = ENDS.get(bucket).map_or(begin, |end| f64::from(*end));
                return Some(begin + (end - begin) * ((wanted - below) / inside).clamp(0.0, 1.0));
            }
            below += inside;
        }
        ENDS.last().map(|end| f64::from(*end))
    }

    /// The buckets that are shown, all of them, whether there is something in them or not.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::with_capacity(SHOWN.len() + 1);
        let mut begin = 0;
        for end in SHOWN {
            let next = ENDS.partition_point(|fine| *fine <= end);
            spans.push(Span { up_to_s: Some(u64::from(end)), keys: self.0[begin..next].iter().sum() });
            begin = next;
        }
        spans.push(Span { up_to_s: None, keys: self.0[begin..].iter().sum() });
        spans
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of keys needs no more than 53 bits")]
fn precise(count: u64) -> f64 {
    count as f64
}

/// Written as pairs of bucket and count, because most are empty.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let filled = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        serializer.collect_seq(filled)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut histogram = Self::default();
        for (bucket, count) in Vec::<(usize, u64)>::deserialize(deserializer)? {
            let place = histogram.0.get_mut(bucket);
            *place.ok_or_else(|| de::Error::custom(format!("there is no bucket {bucket}")))? = count;
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_where_they_belong() {
        assert!(ENDS.is_sorted() && SHOWN.iter().all(|end| ENDS.contains(end)));
        let mut histogram = Histogram::default();
        for (milliseconds, bucket) in [(0, 0), (1, 0), (1000, 0), (1001, 1), (60_000, 6), (60_001, 7)] {
            histogram.add(milliseconds);
            assert!(histogram.0[bucket] > 0, "{milliseconds}");
        }
        histogram.add(u64::MAX);
        assert_eq!(histogram.0[BUCKETS - 1], 1);
        let spans = histogram.spans();
        assert_eq!((spans[0].keys, spans[1].keys), (5, 1));
        assert_eq!(spans.last().map(|last| (last.up_to_s, last.keys)), Some((None, 1)));
        assert_eq!(spans.iter().map(|span| span.keys).sum::<u64>(), histogram.total());
    }

    #[test]
    fn quantiles_are_near() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        let mut histogram = Histogram::default();
        for seconds in 1..=3600 {
            histogram.add(seconds * 1000);
        }
        for (share, expected) in [(0.5, 1800.0), (0.9, 3240.0), (1.0, 3600.0)] {
            let found = histogram.quantile(share).unwrap();
            assert!((found - expected).abs() < expected * 0.02, "{share}: {found}");
        }
        let mut one = Histogram::default();
        one.add(400 * 24 * 3_600_000);
        assert_eq!(one.quantile(0.5), Some(365.0 * 86_400.0), "a year or more");
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let mut histogram = Histogram::default();
        histogram.add(5);
        histogram.add(90_000);
        let json = serde_json::to_string(&histogram).unwrap();
        assert_eq!(json, "[[0,1],[7,1]]");
        assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
        assert!(serde_json::from_str::<Histogram>("[[44,1]]").is_err());
    }
}
