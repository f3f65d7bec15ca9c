//! The findings that an optimization can hold.

use crate::FindingId;

macro_rules! finding_ids {
    ($($name:ident = $id:literal;)*) => {
        $(pub(super) const $name: FindingId = FindingId::new($id);)*
        const ALL: &[FindingId] = &[$($name),*];
    };
}

finding_ids! {
    ANOMALY = "optimize.anomaly";
    BIG_KEYS = "optimize.big_keys";
    CONNECTION_CHURN = "optimize.connection_churn";
    EVICTION_PRESSURE = "optimize.eviction_pressure";
    EXPIRY_BURSTS = "optimize.expiry_bursts";
    FRAGMENTATION = "optimize.fragmentation";
    HIT_RATE_LOW = "optimize.hit_rate_low";
    HOT_KEYS = "optimize.hot_keys";
    LATENCY_HIGH = "optimize.latency_high";
    LEVEL_CHANGED = "optimize.level_changed";
    MEMORY_PRESSURE = "optimize.memory_pressure";
    NO_MEMORY_LIMIT = "optimize.no_memory_limit";
    POLICY_EVICTS_WHAT_IS_USED = "optimize.policy_evicts_what_is_used";
    POLICY_FEW_TTLS = "optimize.policy_few_ttls";
    POLICY_REFUSES_WRITES = "optimize.policy_refuses_writes";
    SLOW_COMMANDS = "optimize.slow_commands";
    SWAPPED_OUT = "optimize.swapped_out";
    TTL_LONGER_THAN_USE = "optimize.ttl_longer_than_use";
}

/// Returns every kind of finding that an optimization can hold, by name.
#[must_use]
pub fn optimize_finding_ids() -> &'static [FindingId] {
    ALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::assert_documented;

    #[test]
    fn the_readme_has_a_row_for_each_and_for_no_other() {
        assert_documented(ALL, |id| id.starts_with("optimize."));
    }
}
