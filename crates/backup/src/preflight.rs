//! What stands against a backup before it is begun, from what the servers say.

use bytesize::ByteSize;
use larder_cache_client::DumpMethod;
use larder_metrics_model::{ClusterState, Info, NodeAddress};

/// What a node says of itself before a backup.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeSigns {
    pub(crate) used_bytes: Option<u64>,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) system_bytes: Option<u64>,
    /// Bytes that had to be copied during the last fork.
    pub(crate) last_copied_bytes: Option<u64>,
    /// What the fork is for that goes on.
    pub(crate) fork: Option<&'static str>,
    pub(crate) loading: bool,
    pub(crate) link_down: bool,
}

/// A cluster before a backup.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSigns {
    /// One of its nodes says that it is.
    pub(crate) is_down: bool,
    /// Slots that the shards hold which were found.
    pub(crate) slots: usize,
    /// Slots that are on their way from one shard to another.
    pub(crate) moving: u64,
}

/// Of the data, the share that a fork must at least be able to copy: what is written meanwhile is copied page by page.
const COPIED_SHARE: u64 = 10;

impl From<&Info> for NodeSigns {
    fn from(info: &Info) -> Self {
        let is_on = |field: &str| info.flag(field) == Some(true);
        let fork = if is_on("rdb_bgsave_in_progress") {
            Some("an RDB file is being saved")
        } else if is_on("aof_rewrite_in_progress") {
            Some("the append-only file is being rewritten")
        } else {
            None
        };
        Self {
            used_bytes: info.number("used_memory"),
            rss_bytes: info.number("used_memory_rss"),
            system_bytes: info.number("total_system_memory"),
            last_copied_bytes: info.number("rdb_last_cow_size"),
            fork,
            loading: is_on("loading") || is_on("async_loading"),
            link_down: info.field("master_link_status") == Some("down"),
        }
    }
}

/// Says what stands against an image of a node.
pub(crate) fn against_node(node: &NodeAddress, signs: &NodeSigns, method: DumpMethod) -> Vec<String> {
    let mut reasons = Vec::new();
    if signs.loading {
        reasons.push(format!("{node} is loading its data set"));
    }
    if signs.link_down {
        reasons.push(format!("{node} is a replica whose link to its primary is down: its data may be old"));
    }
    if method == DumpMethod::Keys {
        return reasons;
    }
    if let Some(fork) = signs.fork {
        reasons.push(format!("another fork of {node} is running: {fork}"));
    }
    reasons.extend(against_memory(node, signs));
    reasons
}

/// A fork shares its memory with the server until one of them writes. What has to be copied then is not known beforehand: what
/// the last fork took, twice, or a tenth of the data is held to be needed.
fn against_memory(node: &NodeAddress, signs: &NodeSigns) -> Option<String> {
    let (used, rss, system) = (signs.used_bytes?, signs.rss_bytes?, signs.system_bytes?);
    let of_last = signs.last_copied_bytes.unwrap_or(0).saturating_mul(2);
    let needed = of_last.max(used / COPIED_SHARE);
    let left = system.saturating_sub(rss);
    (left < needed).then(|| {
        format!(
            "{node} may not have the memory for a fork: it takes {} of the {} of its machine, which leaves {}; {} may be \
             copied while the fork runs (the last one copied {})",
            ByteSize(rss),
            ByteSize(system),
            ByteSize(left),
            ByteSize(needed),
            signs.last_copied_bytes.map_or_else(|| "an unknown amount".to_owned(), |bytes| ByteSize(bytes).to_string()),
        )
    })
}

/// Says what stands against a backup of a cluster.
pub(crate) fn against_cluster(signs: &ClusterSigns) -> Vec<String> {
    let mut reasons = Vec::new();
    let all = usize::try_from(ClusterState::SLOTS).unwrap_or(usize::MAX);
    if signs.slots != all {
        reasons.push(format!(
            "{} of the {all} slots of the cluster are held by no shard",
            all.saturating_sub(signs.slots)
        ));
    }
    if signs.is_down {
        reasons.push("the cluster says that it is down (cluster_state is not ok)".to_owned());
    }
    if signs.moving > 0 {
        reasons.push(format!("{} slots are being moved from one shard to another", signs.moving));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn signs(rss: u64, copied: Option<u64>) -> NodeSigns {
        NodeSigns {
            used_bytes: Some(rss),
            rss_bytes: Some(rss),
            system_bytes: Some(8 * GIB),
            last_copied_bytes: copied,
            ..NodeSigns::default()
        }
    }

    #[test]
    fn memory_for_the_fork_is_reckoned_from_what_the_last_one_took() {
        let node = NodeAddress::new("a:1");
        let words = |signs: &NodeSigns| against_node(&node, signs, DumpMethod::Replication).join("; ");
        assert_eq!(words(&signs(4 * GIB, Some(GIB))), "");
        assert_eq!(words(&signs(4 * GIB, None)), "");
        assert!(
            words(&signs(4 * GIB, Some(3 * GIB))).contains("4.0 GiB"),
            "{}",
            words(&signs(4 * GIB, Some(3 * GIB)))
        );
        assert!(words(&signs(8 * GIB, None)).contains("an unknown amount"));
        assert_eq!(words(&NodeSigns::default()), "", "what is not known is not held against it");
    }

    #[test]
    fn what_goes_on_stands_against_a_fork_but_not_against_single_keys() {
        let info = Info::parse("# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:1\r\n");
        let (node, signs) = (NodeAddress::new("a:1"), NodeSigns::from(&info));
        assert_eq!(against_node(&node, &signs, DumpMethod::Save).len(), 1);
        assert!(against_node(&node, &signs, DumpMethod::Keys).is_empty());
        let info = Info::parse("loading:1\r\nmaster_link_status:down\r\n");
        assert_eq!(against_node(&node, &NodeSigns::from(&info), DumpMethod::Keys).len(), 2);
    }

    #[test]
    fn a_cluster_with_holes_is_no_cluster() {
        let whole = ClusterSigns { is_down: false, slots: 16_384, moving: 0 };
        assert!(against_cluster(&whole).is_empty());
        let broken = ClusterSigns { is_down: true, slots: 16_380, moving: 2 };
        let reasons = against_cluster(&broken);
        assert_eq!(reasons.len(), 3);
        assert!(reasons[0].starts_with("4 of the 16384"), "{reasons:?}");
    }
}
