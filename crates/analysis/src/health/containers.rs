//! Containers whose name matches.

use larder_metrics_model::{Container, Observed, Unit};

use super::{
    ids,
    ledger::{Ledger, Outcome},
};
use crate::{Finding, FindingId, Severity, wording::clause};

pub(super) fn judge(ledger: &mut Ledger, containers: &Observed<Vec<Container>>) {
    let Observed::Known(containers) = containers else {
        return ledger.record_unknown("container.state", "containers", containers);
    };
    if containers.is_empty() {
        ledger.record("container.state", "containers", Outcome::found("none", none_found()));
    }
    for container in containers {
        ledger.record("container.state", &container.name, state(container));
    }
}

fn none_found() -> Finding {
    Finding::new(ids::CONTAINERS_NONE, Severity::Info, "containers")
        .saying("The container engine answers, and 0 containers have a matching name.")
        .with_evidence("containers", 0_u64, Unit::Count)
        .recommending("If the cache runs in a container, correct the names that are looked for.")
}

fn state(container: &Container) -> Outcome {
    match container.state.as_str() {
        "running" if container.status.contains("(unhealthy)") => unhealthy(container),
        "running" => Outcome::Fine(words(container)),
        "restarting" => restarting(container),
        _ => not_running(container),
    }
}

/// Returns the engine's own words, or at least the state.
fn words(container: &Container) -> String {
    let status = clause(&container.status);
    if status.is_empty() { clause(&container.state) } else { status }
}

fn unhealthy(container: &Container) -> Outcome {
    let seen = words(container);
    let finding = about(container, ids::CONTAINER_UNHEALTHY, Severity::Critical)
        .saying(format!("The container runs and its health check fails: {seen}."))
        .recommending("See docker inspect for the output of the health check, and the container's log.");
    Outcome::found(seen, finding)
}

fn restarting(container: &Container) -> Outcome {
    let seen = words(container);
    let finding = about(container, ids::CONTAINER_RESTARTING, Severity::Warning)
        .saying(format!("The container is starting again after it ended: {seen}."))
        .recommending("If it goes on, read the container's log for why it ends.");
    Outcome::found(seen, finding)
}

/// Judges a container that does not run: one that was not started or ended well may be meant to rest; one that was
/// killed, failed or was frozen is not.
fn not_running(container: &Container) -> Outcome {
    let seen = words(container);
    let meant = matches!(container.state.as_str(), "created" | "exited" if !failed(container));
    let severity = if meant { Severity::Warning } else { Severity::Critical };
    let finding = about(container, ids::CONTAINER_NOT_RUNNING, severity)
        .saying(format!("The container does not run, it is `{}`: {seen}.", clause(&container.state)))
        .recommending("Read the container's log, then start it or take it off the list.");
    Outcome::found(seen, finding)
}

/// Tells whether a container ended with another exit code than 0: `Exited (137) 3 hours ago`.
fn failed(container: &Container) -> bool {
    container.status.strip_prefix("Exited (").is_some_and(|rest| !rest.starts_with("0)"))
}

fn about(container: &Container, id: FindingId, severity: Severity) -> Finding {
    Finding::new(id, severity, container.name.as_str())
        .with_evidence("state", container.state.as_str(), None)
        .with_evidence("status", container.status.as_str(), None)
        .expecting("What the container serves is there again.")
}
