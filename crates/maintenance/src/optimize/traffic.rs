//! What clients ask the servers for now.

use std::time::Duration;

use larder_analysis::{HotKey, OptimizeFacts, Traffic};
use larder_cache_client::{CacheClient, TrafficOptions, TrafficSample};
use larder_keyspace::KeyName;
use larder_metrics_model::{Failure, NodeAddress, Observed};

use super::live::of_node;
use crate::deadline::{Deadline, observed};

/// So many keys of each node are judged: no more of them can each have a hundredth of the commands, where each command names one.
const MOST_KEYS: usize = 100;
/// Of a long name so many characters are told.
const MOST_TOLD: usize = 200;
const UNASKED: &str = "the commands of clients were not looked at; `larder optimize --sample-traffic` does, and so does `larder keys hot`";
const ONLY_PRIMARIES: &str = "only the commands of primaries are looked at";

/// Adds what clients ask for to the facts, and returns what went wrong.
pub(super) async fn look(
    facts: &mut OptimizeFacts,
    live: &Observed<CacheClient>,
    options: Option<TrafficOptions>,
    timeout: Duration,
) -> Vec<String> {
    let (Some(options), Observed::Known(client)) = (options, live) else {
        let why = if options.is_none() { UNASKED } else { live.why_unknown().unwrap_or_default() };
        say_unseen(facts, &Observed::skipped(why));
        return Vec::new();
    };
    let name = NodeAddress::new(client.name());
    let mut options = options;
    options.patience = timeout;
    say_unseen(facts, &Observed::skipped(ONLY_PRIMARIES));
    // Each primary ends within the time and twice the patience; before that the primaries are looked for.
    let deadline = Deadline::after(options.time + 5 * timeout);
    match deadline.wait(&name, client.sample_traffic(&options)).await {
        Ok(samples) => samples.into_iter().filter_map(|(node, sample)| add(facts, &node, sample)).collect(),
        Err(error) if error.is_blocked() => {
            say_unseen(facts, &Observed::skipped(error.with_causes()));
            Vec::new()
        }
        Err(error) => {
            let failure = Failure::new(error.failure_kind(), error.with_causes());
            let problem = format!("the traffic cannot be looked at: {}", failure.reason);
            say_unseen(facts, &Observed::Failed(failure));
            vec![problem]
        }
    }
}

fn say_unseen(facts: &mut OptimizeFacts, why: &Observed<Traffic>) {
    for node in &mut facts.nodes {
        node.traffic = why.clone();
    }
}

fn add(
    facts: &mut OptimizeFacts,
    node: &NodeAddress,
    sample: larder_cache_client::Result<TrafficSample>,
) -> Option<String> {
    let sample = observed(sample);
    let cut_short = sample.known().and_then(|sample| sample.ended.as_ref()).map(ToString::to_string);
    let problem = match &sample {
        Observed::Failed(failure) => Some(failure.reason.clone()),
        _ => cut_short,
    };
    if let Some(half_read) = sample.known().map(|sample| sample.half_read).filter(|half_read| *half_read > 0)
    {
        let words = "of which not every key could be told (`larder keys hot` says why)";
        facts.notes.push(format!("traffic of {node}: it has commands, {half_read} of those seen, {words}"));
    }
    of_node(&mut facts.nodes, node).traffic = sample.map(|sample| traffic(&sample));
    facts.nodes.sort_by(|one, other| one.node.cmp(&other.node));
    problem.map(|reason| format!("the traffic of {node} was not looked at as long as it should be: {reason}"))
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn traffic(sample: &TrafficSample) -> Traffic {
    let mut traffic = Traffic::new(sample.commands, sample.time, sample.rounds);
    for (key, uses) in sample.hottest(MOST_KEYS) {
        let name = KeyName::new(&key.name).shortened(MOST_TOLD);
        let mut hot = HotKey::new(name, sample.share_of(&uses), sample.per_second_of(&uses), uses.rounds);
        (hot.database, hot.writes) = (key.database, uses.writes as f64 / uses.commands.max(1) as f64);
        traffic.hottest.push(hot);
    }
    traffic
}
