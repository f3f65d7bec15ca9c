//! Which nodes there are, and what they say of their limits.

use chrono::{DateTime, Utc};
use larder_analysis::{LimitSource, ResourceLimit, SeriesBreak};
use larder_metrics_model::{NodeAddress, NodeKind, Role, ServerFacts, Skipped, Snapshot};

use crate::node::{CacheAnswers, NodeAnswers};

/// A node, as it is known best.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) address: NodeAddress,
    /// What it, or its newest snapshot, says.
    facts: Option<ServerFacts>,
    /// When the newest snapshot was made where the node itself did not answer.
    as_of: Option<DateTime<Utc>>,
    /// Why the node itself did not answer.
    why: Option<String>,
    known_role: Option<Role>,
    /// What happened to it on the way.
    pub(super) breaks: Vec<SeriesBreak>,
}

/// Finds the nodes: those of the cache that answer or are known to be there, otherwise those of the newest snapshot, otherwise those of
/// the history.
pub(super) fn find(
    answers: &CacheAnswers,
    newest: Option<&Snapshot>,
    in_history: &[NodeAddress],
    skipped: &mut Vec<Skipped>,
) -> Vec<Node> {
    let Some(live) = answers.nodes.known() else {
        let why = answers.nodes.why_unknown().unwrap_or_default();
        skipped.push(Skipped::new("the cache itself, for its limits", why));
        return of_history(newest, in_history, why);
    };
    let data = live.iter().filter(|node| node.server.kind() == NodeKind::Data);
    data.map(|answers| of_live(answers, newest, skipped)).collect()
}

fn of_live(answers: &NodeAnswers, newest: Option<&Snapshot>, skipped: &mut Vec<Skipped>) -> Node {
    let address = answers.server.node().clone();
    let known_role = answers.server.known_role();
    if let Some(info) = answers.info.known() {
        let facts = Some(ServerFacts::from(info));
        return Node { address, facts, as_of: None, why: None, known_role, breaks: Vec::new() };
    }
    let why = answers.info.why_unknown().unwrap_or_default().to_owned();
    skipped.push(Skipped::new(format!("{address} itself, for its limits"), why.as_str()));
    let mut node = of_snapshot(address, newest, &why);
    node.known_role = known_role;
    node
}

fn of_history(newest: Option<&Snapshot>, in_history: &[NodeAddress], why: &str) -> Vec<Node> {
    let mut addresses: Vec<NodeAddress> = newest.map_or_else(Vec::new, |snapshot| {
        let data = snapshot.nodes.iter().filter(|node| node.kind == NodeKind::Data);
        data.map(|node| node.node.clone()).collect()
    });
    if addresses.is_empty() {
        addresses = in_history.to_vec();
    }
    addresses.into_iter().map(|address| of_snapshot(address, newest, why)).collect()
}

fn of_snapshot(address: NodeAddress, newest: Option<&Snapshot>, why: &str) -> Node {
    let found = newest.and_then(|snapshot| {
        let node = snapshot.nodes.iter().find(|node| node.node == address)?;
        Some((snapshot.time()?, node.facts()?))
    });
    let (as_of, facts) = found.unzip();
    Node { address, facts, as_of, why: Some(why.to_owned()), known_role: None, breaks: Vec::new() }
}

impl Node {
    pub(super) fn is_replica(&self) -> bool {
        let role = self.facts.as_ref().and_then(|facts| facts.replication.role).or(self.known_role);
        role == Some(Role::Replica)
    }

    pub(super) fn policy(&self) -> Option<String> {
        self.facts.as_ref()?.memory.policy.clone()
    }

    /// Says where its limits come from, where that is not the node itself.
    pub(super) fn note(&self) -> Option<String> {
        let as_of = self.as_of?;
        Some(format!(
            "the limit is that of {}, because the node does not answer now",
            as_of.format("%F %H:%M UTC")
        ))
    }

    /// Returns how much memory it may take; `last` is the last `maxmemory` of the history.
    pub(super) fn memory_limit(&self, last: Option<f64>) -> ResourceLimit {
        let memory = self.facts.as_ref().map(|facts| &facts.memory);
        let limit = memory.and_then(|memory| memory.max_bytes).map(number).or(last);
        let machine = memory.and_then(|memory| memory.system_bytes).filter(|bytes| *bytes > 0);
        match (limit, machine) {
            (None, _) => ResourceLimit::Unknown(self.why_unknown("maxmemory")),
            (Some(limit), _) if limit > 0.0 => {
                ResourceLimit::Known { value: limit, source: LimitSource::Maxmemory }
            }
            (Some(_), Some(machine)) => {
                ResourceLimit::Known { value: number(machine), source: LimitSource::Machine }
            }
            (Some(_), None) => ResourceLimit::Unlimited(
                "maxmemory is 0, and the server does not say how much memory its machine has".to_owned(),
            ),
        }
    }

    /// Returns how many clients it lets in.
    pub(super) fn clients_limit(&self) -> ResourceLimit {
        match self.facts.as_ref().and_then(|facts| facts.clients.max).filter(|max| *max > 0) {
            Some(max) => ResourceLimit::Known { value: number(max), source: LimitSource::Maxclients },
            None => ResourceLimit::Unknown(self.why_unknown("maxclients")),
        }
    }

    fn why_unknown(&self, what: &str) -> String {
        match (&self.facts, &self.why) {
            (None, Some(why)) => format!("{what} is not known: {why}"),
            _ => format!("the server does not say what {what} is"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of fewer than 53 bits")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::Info;

    use super::*;

    fn node(info: Option<&str>) -> Node {
        let facts = info.map(|info| ServerFacts::from(&Info::parse(info)));
        Node {
            address: NodeAddress::new("a:1"),
            facts,
            as_of: None,
            why: Some("refused".to_owned()),
            known_role: None,
            breaks: Vec::new(),
        }
    }

    #[test]
    fn a_limit_of_nothing_is_none_and_the_machine_counts_only_where_it_was_measured() {
        for (info, last, limit) in [
            (Some("# Memory\r\nmaxmemory:100\r\n"), None, Some((100.0, LimitSource::Maxmemory))),
            (
                Some("# Memory\r\nmaxmemory:0\r\ntotal_system_memory:900\r\n"),
                None,
                Some((900.0, LimitSource::Machine)),
            ),
            (Some("# Memory\r\nmaxmemory:0\r\n"), None, None),
            (Some("# Memory\r\nused_memory:1\r\n"), Some(50.0), Some((50.0, LimitSource::Maxmemory))),
            (None, Some(50.0), Some((50.0, LimitSource::Maxmemory))),
            (None, None, None),
        ] {
            let found = match node(info).memory_limit(last) {
                ResourceLimit::Known { value, source } => Some((value, source)),
                _ => None,
            };
            assert_eq!(found, limit, "{info:?}");
        }
        let unknown = node(None).memory_limit(None);
        assert_eq!(unknown, ResourceLimit::Unknown("maxmemory is not known: refused".to_owned()));
    }

    #[test]
    fn clients_without_a_figure_are_unknown() {
        let known = node(Some("# Clients\r\nmaxclients:10000\r\n")).clients_limit();
        assert_eq!(known, ResourceLimit::Known { value: 10_000.0, source: LimitSource::Maxclients });
        assert!(matches!(node(Some("# Clients\r\n")).clients_limit(), ResourceLimit::Unknown(_)));
    }

    #[test]
    fn nodes_that_do_not_answer_are_those_of_the_newest_snapshot_or_else_of_the_history() {
        let mut measured = larder_metrics_model::NodeSnapshot::new(NodeAddress::new("a:1"), NodeKind::Data);
        measured.info = Info::parse("# Clients\r\nmaxclients:7\r\n# Replication\r\nrole:slave\r\n");
        let at = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let mut snapshot = Snapshot::at(at.fixed_offset());
        snapshot.nodes = vec![measured];
        let found = of_history(Some(&snapshot), &[NodeAddress::new("old:1")], "refused");
        assert_eq!((found.len(), found[0].address.as_str(), found[0].is_replica()), (1, "a:1", true));
        assert!(matches!(found[0].clients_limit(), ResourceLimit::Known { .. }));
        assert!(found[0].note().is_some_and(|note| note.contains("2026-01-01 00:00 UTC")));
        let found = of_history(None, &[NodeAddress::new("old:1")], "refused");
        assert_eq!((found[0].address.as_str(), found[0].note()), ("old:1", None));
        assert!(of_history(None, &[], "refused").is_empty());
    }
}
