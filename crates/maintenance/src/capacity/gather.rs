//! Gathering what capacity is planned from: the history, and the servers for their limits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use larder_analysis::{CapacityFacts, ResourceFacts, ResourceKind, ResourceLimit, TimeSeries, sum_of};
use larder_cache_client::CacheClient;
use larder_metrics_model::{NodeAddress, metric};
use larder_metrics_store::{Damage, MetricsStore, Result};

use super::{
    CapacityPlanOptions,
    nodes::{self, Node},
};
use crate::{HistorySeries, NotedRates, NotedSeries, deadline::Deadline, node::ask_all};

/// What capacity is planned from, and what could not be read of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GatheredCapacity {
    /// What capacity is planned from.
    pub facts: CapacityFacts,
    /// What of the history could not be read, and which servers did not answer.
    pub problems: Vec<String>,
    /// Why there is nothing that could be planned from.
    pub nothing: Option<String>,
}

/// A part of a resource of the cache: the same metric of each primary.
const OF_CACHE: [(ResourceKind, &str); 4] = [
    (ResourceKind::Keys, "node_keys"),
    (ResourceKind::Operations, "node_commands"),
    (ResourceKind::NetworkIn, "node_input_bytes"),
    (ResourceKind::NetworkOut, "node_output_bytes"),
];

/// Gathers what capacity is planned from, as of `now`. Servers that do not answer are skipped, with the reason; their limits are
/// then those of the history.
///
/// # Errors
/// The history cannot be read at all.
pub async fn gather_capacity(
    client: &CacheClient,
    store: &Arc<dyn MetricsStore>,
    options: &CapacityPlanOptions,
    now: DateTime<Utc>,
) -> Result<GatheredCapacity> {
    let name = client.name().to_owned();
    let history = HistorySeries::new(Arc::clone(store), Some(name.clone()));
    let mut facts = CapacityFacts::unseen(Some(name));
    let answers = ask_all(client, Deadline::after(options.timeout)).await;
    facts.skipped.extend(answers.skipped.iter().cloned());
    let in_history = history.nodes().await?;
    let newest = history.newest_of_nodes(now).await?;
    let mut nodes = nodes::find(&answers, newest.as_ref(), &in_history, &mut facts.skipped);
    let unanswered: Vec<String> =
        facts.skipped.iter().map(|skipped| format!("{}: {}", skipped.what, skipped.reason)).collect();
    for node in &mut nodes {
        node.breaks = history.breaks(&node.address, None, Some(now)).await?;
    }
    let mut gathering = Gathering { history, options, now, facts, problems: Vec::new() };
    gathering.whole_cache().await?;
    gathering.nodes(&nodes).await?;
    gathering.parts(&nodes).await?;
    let known: Vec<_> = nodes.iter().map(|node| &node.address).collect();
    let gone: Vec<&str> =
        in_history.iter().filter(|node| !known.contains(node)).map(NodeAddress::as_str).collect();
    if !gone.is_empty() {
        let words = format!("in the history and no nodes of the cache now: {}", gone.join(", "));
        gathering.facts.notes.push(words);
    }
    let nothing = gathering.why_nothing().await?;
    let Gathering { facts, mut problems, .. } = gathering;
    problems.extend(unanswered);
    Ok(GatheredCapacity { facts, problems, nothing })
}

struct Gathering<'o> {
    history: HistorySeries,
    options: &'o CapacityPlanOptions,
    now: DateTime<Utc>,
    facts: CapacityFacts,
    problems: Vec<String>,
}

impl Gathering<'_> {
    /// The guide's figures, which are of the cache as a whole.
    async fn whole_cache(&mut self) -> Result<()> {
        let memory = self.history.noted("used_memory_bytes", None, None, Some(self.now)).await?;
        self.facts.memory.series = self.take(memory, &mut Vec::new());
        let operations = self.history.rate("operations", None, &[], None, Some(self.now)).await?;
        self.facts.operations.series = self.take_rates(operations, &mut Vec::new());
        Ok(())
    }

    /// Memory and connections of each node, which is full on its own.
    async fn nodes(&mut self, nodes: &[Node]) -> Result<()> {
        for node in nodes {
            let memory = self.memory(node, nodes.len() == 1).await?;
            self.facts.memory.breaks.extend(node.breaks.iter().cloned());
            self.facts.resources.push(memory);
        }
        if nodes.is_empty() {
            let mut memory = self.facts.memory.clone();
            memory.limit = ResourceLimit::Unknown("no node of the cache is known".to_owned());
            self.facts.resources.push(memory);
        }
        for node in nodes {
            let mut clients = ResourceFacts::unseen(ResourceKind::Connections, node.address.as_str());
            let noted = self.history.peaks("node_clients", Some(&node.address), None, Some(self.now)).await?;
            clients.series = self.take(noted, &mut clients.notes);
            clients.limit = node.clients_limit();
            clients.notes.extend(node.note());
            self.facts.resources.push(clients);
        }
        Ok(())
    }

    async fn memory(&mut self, node: &Node, is_only: bool) -> Result<ResourceFacts> {
        let mut facts = ResourceFacts::unseen(ResourceKind::Memory, node.address.as_str());
        let (address, until) = (Some(&node.address), Some(self.now));
        let noted = self.history.peaks("node_used_memory_bytes", address, None, until).await?;
        facts.series = self.take(noted, &mut facts.notes);
        if facts.series.is_empty() && is_only && !self.facts.memory.series.is_empty() {
            facts.series = self.facts.memory.series.clone();
            facts.notes.push("the history has no memory of the node; that of the cache is its".to_owned());
        }
        let limits = self.history.metric("node_maxmemory_bytes", address, None, until).await?;
        facts.limit = node.memory_limit(limits.last().map(|last| last.value));
        facts.notes.extend(node.note());
        facts.breaks.clone_from(&node.breaks);
        facts.policy = node.policy();
        Ok(facts)
    }

    /// Keys, commands and network of the cache: those of its primaries, or of its only node.
    async fn parts(&mut self, nodes: &[Node]) -> Result<()> {
        let counted: Vec<&Node> =
            nodes.iter().filter(|node| nodes.len() == 1 || !node.is_replica()).collect();
        for (kind, metric) in OF_CACHE {
            let subject = self.facts.memory.subject.clone();
            let mut facts = ResourceFacts::unseen(kind, subject);
            let mut parts = Vec::with_capacity(counted.len());
            for node in &counted {
                parts.push(self.part(metric, node, &mut facts).await?);
                facts.breaks.extend(node.breaks.iter().cloned());
            }
            facts.series = sum_of(&parts);
            if kind == ResourceKind::Operations && facts.series.is_empty() {
                facts.series = self.facts.operations.series.clone();
            }
            facts.limit = self.options.judged.limit(kind);
            self.facts.resources.push(facts);
        }
        Ok(())
    }

    async fn part(&mut self, metric: &str, node: &Node, facts: &mut ResourceFacts) -> Result<TimeSeries> {
        let (address, until) = (Some(&node.address), Some(self.now));
        if facts.kind == ResourceKind::Keys {
            let noted = self.history.noted(metric, address, None, until).await?;
            return Ok(self.take(noted, &mut facts.notes));
        }
        let rates = self.history.rate(metric, address, &node.breaks, None, until).await?;
        Ok(self.take_rates(rates, &mut facts.notes))
    }

    async fn why_nothing(&self) -> Result<Option<String>> {
        if self.facts.resources.iter().any(|resource| !resource.series.is_empty()) {
            return Ok(None);
        }
        let others = self.history.caches().await?;
        let name = self.facts.cache.as_deref().unwrap_or_default();
        Ok(Some(if others.is_empty() {
            "the history is empty: `larder collect` measures once, from cron every minute or hour".to_owned()
        } else if others.iter().any(|other| other == name) {
            format!("the history of {name} has nothing that could be foretold: see why with `larder collect`")
        } else {
            format!(
                "the history has nothing of {name}, but of {}: --cache names one of them",
                others.join(", ")
            )
        }))
    }

    fn take(&mut self, found: NotedSeries, notes: &mut Vec<String>) -> TimeSeries {
        self.note(found.notes, &found.damaged, notes);
        found.series
    }

    fn take_rates(&mut self, found: NotedRates, notes: &mut Vec<String>) -> TimeSeries {
        self.note(found.notes, &found.damaged, notes);
        found.rates.series
    }

    /// The resource says already what it is; what could not be read is a problem of the job, and no note beside that.
    fn note(&mut self, said: Vec<String>, damaged: &[Damage], notes: &mut Vec<String>) {
        let damaged: Vec<String> = damaged.iter().map(ToString::to_string).collect();
        let said = said.into_iter().filter(|words| !damaged.iter().any(|damaged| words.ends_with(damaged)));
        let said: Vec<String> = said.collect();
        for words in damaged {
            if !self.problems.contains(&words) {
                self.problems.push(words);
            }
        }
        notes.extend(said.into_iter().map(|words| without_series(&words).to_owned()));
    }
}

/// Takes the series from the beginning of a note, as of `node_keys of a:1: nothing was measured`.
fn without_series(note: &str) -> &str {
    match note.split_once(": ") {
        Some((series, words)) if metric(series.split(' ').next().unwrap_or_default()).is_some() => words,
        _ => note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_begins_with_a_series_loses_it() {
        for (note, words) in [
            ("node_keys of a:1: nothing was measured once", "nothing was measured once"),
            ("used_memory_bytes: nothing was measured once", "nothing was measured once"),
            ("metrics.sqlite (samples): is damaged", "metrics.sqlite (samples): is damaged"),
            ("", ""),
        ] {
            assert_eq!(without_series(note), words);
        }
    }
}
