//! Families: which keys they are, and what is asked of them.

use std::{fmt, time::Duration};

use super::{error::visible, limits::Share};
use crate::KeyName;

/// A family of keys, and what is asked of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Family {
    /// Its name; no two families of a policy have the same.
    pub name: String,
    /// Which keys belong to it.
    pub selector: Selector,
    /// How long its keys live.
    pub ttl: TtlRule,
    /// How many bytes a key takes at the most.
    pub max_bytes: Option<u64>,
    /// The types that its keys may have, in the words of TYPE; empty where every type is fine.
    pub types: Vec<String>,
    /// What a string value must decode as.
    pub values: Option<ValueForm>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Whether its keys are never changed or removed.
    pub protected: bool,
    /// The line of the policy that says which keys belong to it, from 1 on.
    pub line: usize,
}

/// Which keys belong to a family.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// Those that begin so.
    Prefix(KeyName),
    /// Those that match, as SCAN matches.
    Pattern(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Pattern(pattern) => f.pad(&visible(pattern)),
        }
    }
}

/// How long keys live.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TtlRule {
    /// Whether a key must have a TTL. Then there is a default.
    pub required: bool,
    /// The TTL that a key without one gets, a second at least.
    pub default: Option<Duration>,
    /// The longest TTL that a key may have; not shorter than the default.
    pub longest: Option<Duration>,
    /// The share of the default that is taken off at random, half of it at the most, so that keys that get their TTL at
    /// the same time do not expire at the same time.
    pub jitter: Share,
}

impl TtlRule {
    /// Returns the TTL to give to a key, or `None` where there is no default. `random` is from 0 up to 1, and what is
    /// outside, or no number, counts as the nearer of them (as 0).
    ///
    /// Jitter only shortens: the TTL lies between `default × (1 − jitter)` and the default, evenly spread. So no key
    /// outlives what the policy promises, and no TTL is over the longest. A TTL is never under a second.
    #[must_use]
    pub fn spread(&self, random: f64) -> Option<Duration> {
        let random = if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) };
        let off = self.jitter.get() * random;
        self.default.map(|default| default.mul_f64(1.0 - off).max(Duration::from_secs(1)))
    }
}

/// What a value must decode as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ValueForm {
    /// JSON text.
    Json,
    /// UTF-8 text.
    Utf8,
}

/// The types that TYPE names itself (Redis 7.0, Redis 8.0, Valkey 9). Modules name theirs.
pub(super) const KNOWN_TYPES: [&str; 7] = ["string", "list", "set", "zset", "hash", "stream", "vectorset"];

/// Tells whether a word can be a type: one that servers have, or one that looks like a module's, which have an
/// upper-case letter or a hyphen (`ReJSON-RL`, `TSDB-TYPE`, `MBbloom--`).
pub(super) fn is_type(word: &str) -> bool {
    let of_module = || word.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'-');
    KNOWN_TYPES.contains(&word) || (of_module() && word.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(default: Duration, jitter: f64) -> TtlRule {
        TtlRule { default: Some(default), jitter: Share::new(jitter).unwrap(), ..TtlRule::default() }
    }

    #[test]
    fn ttls_are_spread_downwards() {
        let hour = Duration::from_hours(1);
        for (default, jitter, random, expected) in [
            (hour, 0.0, 0.7, 3600),
            (hour, 0.1, 0.0, 3600),
            (hour, 0.1, 0.5, 3420),
            (hour, 0.5, 1.0, 1800),
            (hour, 0.5, 7.0, 1800),
            (hour, 0.5, -7.0, 3600),
            (hour, 0.5, f64::NAN, 3600),
            (hour, 0.5, f64::INFINITY, 1800),
            (Duration::from_secs(1), 0.5, 1.0, 1),
        ] {
            let ttl = rule(default, jitter).spread(random).unwrap();
            assert_eq!(ttl, Duration::from_secs(expected), "{default:?} {jitter} {random}");
        }
        assert_eq!(TtlRule::default().spread(0.5), None);
    }

    #[test]
    fn types_are_the_words_of_type() {
        for (word, expected) in [
            ("string", true),
            ("zset", true),
            ("ReJSON-RL", true),
            ("topk-type", true),
            ("strings", false),
            ("", false),
            ("Re JSON", false),
            ("-\n", false),
        ] {
            assert_eq!(is_type(word), expected, "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_ttl_is_out_of_bounds(seconds in 1_u64..10_000_000, jitter in 0.0..=0.5, random in 0.0..1.0) {
            let default = Duration::from_secs(seconds);
            let ttl = rule(default, jitter).spread(random).unwrap();
            let least = default.mul_f64(1.0 - jitter).max(Duration::from_secs(1));
            prop_assert!(ttl <= default && ttl >= least, "{:?}", ttl);
        }
    }
}
