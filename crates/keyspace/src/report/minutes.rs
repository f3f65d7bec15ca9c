//! How many keys are due in each minute to come.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::model::Burst;

/// Keys by the minute in which they are due, from the report's first one on. Counts stay at the most that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Minutes(Vec<u32>);

impl Minutes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, minute: usize) -> u64 {
        self.0.get(minute).copied().map_or(0, u64::from)
    }

    pub(super) fn sum(&self, minutes: std::ops::Range<usize>) -> u64 {
        self.0.iter().skip(minutes.start).take(minutes.len()).copied().map(u64::from).sum()
    }

    /// Counts a key, if there is room for its minute.
    #[inline]
    pub(super) fn add_in_place(&mut self, minute: usize) -> bool {
        match self.0.get_mut(minute) {
            Some(count) => {
                *count = count.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// Makes room up to a minute; gives how many minutes there are more than before.
    pub(super) fn grow(&mut self, minute: usize) -> usize {
        let before = self.0.len();
        self.0.resize(before.max(minute + 1), 0);
        self.0.len() - before
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }
}

/// Written as pairs of minute and count, because most are empty.
impl Serialize for Minutes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().enumerate().filter(|(_, count)| **count > 0))
    }
}

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut minutes = Self::default();
        for (minute, count) in Vec::<(usize, u32)>::deserialize(deserializer)? {
            if minute >= Burst::HORIZON_MINUTES {
                return Err(de::Error::custom(format!("minute {minute} is past the horizon")));
            }
            minutes.grow(minute);
            minutes.0[minute] = count;
        }
        Ok(minutes)
    }
}
