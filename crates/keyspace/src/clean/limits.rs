//! How much a clean-up may do without a word from an operator.

use serde::Serialize;

use crate::PolicyLimits;

/// A limit of the policy that a plan goes past.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "limit")]
#[non_exhaustive]
pub enum LimitExceeded {
    /// More keys than may be changed at once.
    Keys {
        /// Keys that would be changed.
        planned: u64,
        /// How many may be.
        allowed: u64,
    },
    /// A larger share of the keyspace than may be changed at once.
    Share {
        /// The share that would be changed, from 0 to 1.
        planned: f64,
        /// The share that may be.
        allowed: f64,
    },
}

/// Of a few keys every share is large, so shares are looked at from this many on.
pub(super) const SHARE_FROM_KEYS: u64 = 1_000;

/// Compares what is planned with what is allowed.
#[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^53")]
pub(super) fn exceeded(planned: u64, seen: u64, limits: &PolicyLimits) -> Vec<LimitExceeded> {
    let mut exceeded = Vec::new();
    if planned > limits.max_keys {
        exceeded.push(LimitExceeded::Keys { planned, allowed: limits.max_keys });
    }
    let share = if seen == 0 { 0.0 } else { planned as f64 / seen as f64 };
    if planned >= SHARE_FROM_KEYS && share > limits.max_share.get() {
        exceeded.push(LimitExceeded::Share { planned: share, allowed: limits.max_share.get() });
    }
    exceeded
}

impl std::fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys { planned, allowed } => {
                write!(f, "{planned} keys would be changed, and limits.max_keys allows {allowed}")
            }
            Self::Share { planned, allowed } => write!(
                f,
                "{:.1} % of the keys would be changed, and limits.max_share allows {:.1} %",
                planned * 100.0,
                allowed * 100.0
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edges() {
        let limits = PolicyLimits::default();
        let most = limits.max_keys;
        assert_eq!(exceeded(0, 0, &limits), []);
        assert_eq!(exceeded(most, most * 2, &limits), []);
        assert_eq!(
            exceeded(most + 1, most * 3, &limits),
            [LimitExceeded::Keys { planned: most + 1, allowed: most }]
        );
        assert_eq!(exceeded(999, 999, &limits), [], "of a few keys every share is large");
        let all = exceeded(1_000, 1_000, &limits);
        assert_eq!(all, [LimitExceeded::Share { planned: 1.0, allowed: 0.5 }]);
        assert!(all[0].to_string().contains("100.0 % of the keys"));
    }
}
