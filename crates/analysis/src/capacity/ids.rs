//! The findings that a plan of capacity can hold.

use super::{LimitSource, ResourceKind};
use crate::FindingId;

macro_rules! finding_ids {
    ($($name:ident = $id:literal;)*) => {
        $(pub(super) const $name: FindingId = FindingId::new($id);)*
        const ALL: &[FindingId] = &[$($name),*];
    };
}

finding_ids! {
    CONNECTIONS_LIMIT = "capacity.connections_limit";
    KEYS_LIMIT = "capacity.keys_limit";
    MACHINE_MEMORY = "capacity.machine_memory";
    MEMORY_GROWTH = "capacity.memory_growth";
    MEMORY_LIMIT = "capacity.memory_limit";
    NETWORK_LIMIT = "capacity.network_limit";
    OPERATIONS_GROWTH = "capacity.operations_growth";
    OPERATIONS_LIMIT = "capacity.operations_limit";
}

/// Returns every kind of finding that a plan of capacity can hold, by name.
#[must_use]
pub fn capacity_finding_ids() -> &'static [FindingId] {
    ALL
}

pub(super) fn of(kind: ResourceKind, source: LimitSource) -> FindingId {
    match kind {
        ResourceKind::Memory if source == LimitSource::Machine => MACHINE_MEMORY,
        ResourceKind::Memory => MEMORY_LIMIT,
        ResourceKind::Connections => CONNECTIONS_LIMIT,
        ResourceKind::Keys => KEYS_LIMIT,
        ResourceKind::Operations => OPERATIONS_LIMIT,
        ResourceKind::NetworkIn | ResourceKind::NetworkOut => NETWORK_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::assert_documented;

    #[test]
    fn the_readme_has_a_row_for_each_and_for_no_other() {
        assert_documented(ALL, |id| id.starts_with("capacity."));
    }

    #[test]
    fn ids_stay_as_they_are() {
        let ids: Vec<&str> = ALL.iter().map(|id| id.as_str()).collect();
        insta::assert_snapshot!(ids.join("\n"), @r"
        capacity.connections_limit
        capacity.keys_limit
        capacity.machine_memory
        capacity.memory_growth
        capacity.memory_limit
        capacity.network_limit
        capacity.operations_growth
        capacity.operations_limit
        ");
    }
}
