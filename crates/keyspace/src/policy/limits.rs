//! What holds for all families, and for the keys of none.

use std::{fmt, time::Duration};

use crate::KeyName;

/// A share, from nothing to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// Takes a number from 0 to 1; for others there is `None`.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// Returns the share as a number from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten digits are enough to read a percentage as it was written, without what binary fractions add to it.
        write!(f, "{}%", (self.0 * 1e12).round() / 1e10)
    }
}

/// What becomes of keys of no family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrphanRule {
    /// Only keys that begin with one of these are orphans; where there are none, every key of no family is one.
    pub within: Vec<KeyName>,
    /// Only keys that have not been used for so long are orphans.
    pub min_idle: Option<Duration>,
    /// How long after an orphan was first seen it is removed, if it is still unused then. Without it, it is removed at
    /// once.
    pub grace: Option<Duration>,
}

/// How much may be done without a word from the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PolicyLimits {
    /// How many keys may be changed or removed; a million by default.
    pub max_keys: u64,
    /// Which share of the keyspace may be changed or removed; half of it by default. A policy that speaks of more is more
    /// often wrong than right.
    pub max_share: Share,
    /// How many keys a second are read at the most; by default that is left to the governor.
    pub max_rate: Option<u64>,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self { max_keys: 1_000_000, max_share: Share(0.5), max_rate: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_between_nothing_and_all() {
        for (share, shown) in
            [(0.0, Some("0%")), (1.0, Some("100%")), (0.07, Some("7%")), (0.125, Some("12.5%"))]
        {
            assert_eq!(Share::new(share).map(|share| share.to_string()).as_deref(), shown);
        }
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::new(share), None);
        }
    }
}
