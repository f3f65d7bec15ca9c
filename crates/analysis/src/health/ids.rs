//! The findings that a health verdict can hold. README says when each comes and what to do.

use crate::FindingId;

macro_rules! finding_ids {
    ($($name:ident = $id:literal;)*) => {
        $(pub(super) const $name: FindingId = FindingId::new($id);)*
        const ALL: &[FindingId] = &[$($name),*];
    };
}

finding_ids! {
    APPLICATION_FAILED = "application.failed";
    APPLICATION_HIT_RATE = "application.hit_rate_low";
    APPLICATION_TIMEOUT = "application.timeout";
    APPLICATION_UNHEALTHY = "application.unhealthy";
    CACHE_NO_NODES = "cache.no_nodes";
    CACHE_UNREACHABLE = "cache.unreachable";
    CLUSTER_DOWN = "cluster.down";
    CLUSTER_SINGLE_NODE = "cluster.single_node_judged";
    CLUSTER_SLOTS_FAILED = "cluster.slots_failed";
    CLUSTER_SLOTS_SUSPECTED = "cluster.slots_suspected";
    CLUSTER_SLOTS_UNCOVERED = "cluster.slots_uncovered";
    CLUSTER_VIEWS_DIFFER = "cluster.views_differ";
    CONTAINER_NOT_RUNNING = "container.not_running";
    CONTAINER_RESTARTING = "container.restarting";
    CONTAINER_UNHEALTHY = "container.unhealthy";
    CONTAINERS_NONE = "container.none_found";
    MACHINE_DISK = "machine.disk_full";
    MACHINE_LOAD = "machine.load_high";
    MACHINE_MEMORY = "machine.memory_high";
    NODE_AOF_REWRITE = "node.aof_rewrite_failed";
    NODE_AOF_WRITE = "node.aof_write_failed";
    NODE_AUTHENTICATION = "node.authentication";
    NODE_CLIENTS = "node.clients_high";
    NODE_ERRORS = "node.error_rate_high";
    NODE_FAILED = "node.failed";
    NODE_FRAGMENTED = "node.fragmented";
    NODE_HIT_RATE = "node.hit_rate_low";
    NODE_INFO_FAILED = "node.info_failed";
    NODE_LINK_DOWN = "node.link_down";
    NODE_LINK_SILENT = "node.link_silent";
    NODE_LOADING = "node.loading";
    NODE_MEMORY = "node.memory_high";
    NODE_NO_MEMORY_LIMIT = "node.no_memory_limit";
    NODE_REJECTED = "node.connections_rejected";
    NODE_REPLICA_LAG = "node.replica_lag";
    NODE_REPLICA_OFFLINE = "node.replica_not_online";
    NODE_RESTARTED = "node.restarted";
    NODE_SAVE = "node.save_failed";
    NODE_SLOW = "node.slow";
    NODE_SYNCING = "node.syncing";
    NODE_TIMEOUT = "node.timeout";
    NODE_TLS = "node.tls";
    NODE_TOO_MANY_CLIENTS = "node.too_many_clients";
    NODE_UNREACHABLE = "node.unreachable";
    SENTINEL_NO_PRIMARY = "sentinel.no_primary";
    SENTINEL_PRIMARY_DOWN = "sentinel.primary_down";
    SENTINEL_PRIMARY_SUSPECTED = "sentinel.primary_suspected";
    SENTINEL_TOO_FEW = "sentinel.too_few";
}

/// Returns every kind of finding that a health verdict can hold, by name.
#[must_use]
pub fn health_finding_ids() -> &'static [FindingId] {
    ALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::assert_documented;

    #[test]
    fn the_readme_has_a_row_for_each_and_for_no_other() {
        assert_documented(ALL, |id| !id.starts_with("optimize.") && !id.starts_with("capacity."));
    }
}
