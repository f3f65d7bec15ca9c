//! Facts to judge, and what to ask of a verdict.

use larder_analysis::{Check, CheckState, HealthThresholds, HealthVerdict, Severity, judge_health};
use larder_metrics_model::{
    ClusterState, Failure, FailureKind, HealthFacts, Info, NodeAddress, NodeKind, NodeObservation, Observed,
    Resources, ServerFacts,
};

pub(crate) fn info(text: &str) -> ServerFacts {
    ServerFacts::from(&Info::parse(text))
}

/// A node that answers PING, with this INFO.
pub(crate) fn node(address: &str, text: &str) -> NodeObservation {
    let mut node = NodeObservation::unseen(NodeAddress::new(address), NodeKind::Data);
    node.ping_ms = Observed::Known(0.4);
    node.facts = Observed::Known(info(text));
    node
}

pub(crate) fn sentinel(address: &str, text: &str) -> NodeObservation {
    let mut sentinel = node(address, text);
    sentinel.kind = NodeKind::Sentinel;
    sentinel
}

pub(crate) fn with_view(mut node: NodeObservation, view: &str) -> NodeObservation {
    node.cluster = Observed::Known(ClusterState::parse(view));
    node
}

pub(crate) fn failed<T>(kind: FailureKind) -> Observed<T> {
    Observed::Failed(Failure::new(kind, "it is said why."))
}

pub(crate) fn cache(nodes: Vec<NodeObservation>) -> HealthFacts {
    let mut facts = HealthFacts::unseen();
    facts.nodes = Observed::Known(nodes);
    facts
}

pub(crate) fn machine() -> Resources {
    let mut machine = Resources::default();
    machine.hostname = Some("box".to_owned());
    machine
}

pub(crate) fn judge(facts: &HealthFacts) -> HealthVerdict {
    judge_health(facts, &HealthThresholds::default())
}

/// Judges one node that answers PING and has this INFO.
pub(crate) fn judge_info(text: &str) -> HealthVerdict {
    judge(&cache(vec![node("a:1", text)]))
}

/// Returns the ids of the findings with their severity.
pub(crate) fn found(verdict: &HealthVerdict) -> Vec<(&str, Severity)> {
    verdict.findings.iter().map(|finding| (finding.id.as_str(), finding.severity)).collect()
}

pub(crate) fn check<'a>(verdict: &'a HealthVerdict, id: &str) -> &'a Check {
    verdict.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("{id} was not looked at"))
}

pub(crate) fn state(verdict: &HealthVerdict, id: &str) -> CheckState {
    check(verdict, id).state
}

/// Judges each INFO and compares what the check came to, and the first finding.
pub(crate) fn table(id: &str, rows: &[(&str, CheckState, &str)]) {
    for (text, expected, finding) in rows {
        let verdict = judge_info(&text.replace(' ', "\n"));
        assert_eq!(state(&verdict, id), *expected, "{id}: {text}");
        let finding = (!finding.is_empty()).then_some(*finding);
        assert_eq!(found(&verdict).first().map(|(id, _)| *id), finding, "{id}: {text}");
    }
}
