//! What is found out of a cache before its keys are gone through.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future;
use larder_cache_client::{CacheClient, KeyFields, ReadFrom, Server};
use larder_metrics_model::{Info, NodeAddress, NodeKind, Role, ServerFacts, Skipped};

use crate::{Error, Result};

/// What to find out.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SurveyOptions {
    /// The number of the database whose keys are gone through.
    pub database: u32,
    /// The fields that are wanted of keys.
    pub fields: KeyFields,
    /// The nodes that are read.
    pub read_from: ReadFrom,
}

/// What is known of a cache before its keys are gone through.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The nodes that will be read.
    pub nodes: Vec<Arc<dyn Server>>,
    /// The keys of the database, on all primaries; `None` where one of them does not tell.
    pub keys: Option<u64>,
    /// The process that each primary is (`run_id`); one that does not tell is not here.
    pub run_ids: BTreeMap<NodeAddress, String>,
    /// The wanted fields that the user may fetch.
    pub fields: KeyFields,
    /// Fields that the user may not fetch, and what else is not looked at, with the reasons.
    pub skipped: Vec<Skipped>,
    /// Whether the cache lives inside this process.
    pub is_embedded: bool,
    /// Whether SCAN goes through one hash table of one server, so that its order is that of a secret hash of the names.
    pub has_random_order: bool,
}

/// A key that nobody has.
const NO_KEY: &[u8] = b"larder:probe:no-such-key";

const FIELDS: [(KeyFields, &str); 7] = [
    (KeyFields::TYPE, "type"),
    (KeyFields::TTL, "ttl"),
    (KeyFields::ENCODING, "encoding"),
    (KeyFields::BYTES, "bytes"),
    (KeyFields::IDLE, "idle"),
    (KeyFields::FREQUENCY, "frequency"),
    (KeyFields::ELEMENTS, "elements"),
];

impl Survey {
    /// Looks at a cache: at INFO of its nodes, and at what the user may ask of keys, on a key that nobody has.
    ///
    /// # Errors
    /// No server can be reached.
    pub async fn of(client: &CacheClient, options: SurveyOptions) -> Result<Self> {
        let topology = client.nodes().discover().await.map_err(|source| Error::Cache { source })?;
        let mut survey = Self { keys: Some(0), skipped: topology.skipped, ..Self::default() };
        let data: Vec<_> = topology.nodes.into_iter().filter(|node| node.kind() == NodeKind::Data).collect();
        let looks: Vec<Look> = future::join_all(data.into_iter().map(Look::at)).await;
        let primaries = primaries(&looks);
        for look in &primaries {
            survey.take_primary(look, options.database);
        }
        survey.has_random_order = primaries.len() == 1 && has_one_table(primaries[0]);
        let reads_replicas = options.read_from == ReadFrom::Replica;
        survey.nodes = if reads_replicas {
            looks.iter().filter(|look| look.role() == Some(Role::Replica)).map(Look::node).collect()
        } else {
            primaries.into_iter().map(Look::node).collect()
        };
        survey.probe(client, options.fields).await?;
        survey.leave_out_idle(&looks);
        Ok(survey)
    }

    fn take_primary(&mut self, look: &Look, database: u32) {
        let (Some(facts), Some(info)) = (&look.facts, &look.info) else {
            self.keys = None;
            return;
        };
        self.is_embedded = info.field("server_name") == Some("larder");
        if let Some(run_id) = info.field("run_id") {
            self.run_ids.insert(look.node.node().clone(), run_id.to_owned());
        }
        // An embedded cache has one database, whatever its number was in a file.
        let is_asked = |number: u32| self.is_embedded || number == database;
        let keys = facts.databases.iter().filter(|known| is_asked(known.number)).map(|known| known.keys);
        self.keys = self.keys.map(|sum| sum.saturating_add(keys.sum()));
        for other in facts.databases.iter().filter(|known| !is_asked(known.number)) {
            let what = format!("{} keys in database {} of {}", other.keys, other.number, look.node.node());
            self.skipped.push(Skipped::new(what, format!("the cache is named with database {database}")));
        }
    }

    fn leave_out_idle(&mut self, looks: &[Look]) {
        let by_frequency = looks.iter().find(|look| look.evicts_by_frequency());
        if let (Some(look), true) = (by_frequency, self.fields.contains(KeyFields::IDLE)) {
            let reason = format!("{} evicts by frequency and does not know it", look.node.node());
            self.skipped.push(Skipped::new("idle of keys", reason));
            self.fields -= KeyFields::IDLE;
        }
    }

    /// Asks for each field on its own, so that one that is refused leaves the others.
    async fn probe(&mut self, client: &CacheClient, wanted: KeyFields) -> Result<()> {
        for (field, name) in FIELDS.into_iter().filter(|(field, _)| wanted.contains(*field)) {
            let key = [Bytes::from_static(NO_KEY)];
            let answer = client.keys().look(&key, field).await.pop();
            match answer {
                Some(Err(error)) if error.is_blocked() => {
                    self.skipped.push(Skipped::new(format!("{name} of keys"), error.with_causes()));
                }
                Some(Err(source)) => return Err(Error::Cache { source }),
                _ => self.fields |= field,
            }
        }
        if !self.fields.contains(KeyFields::TYPE) {
            self.fields -= KeyFields::ELEMENTS;
        }
        Ok(())
    }
}

struct Look {
    node: Arc<dyn Server>,
    facts: Option<ServerFacts>,
    info: Option<Info>,
}

impl Look {
    async fn at(node: Arc<dyn Server>) -> Self {
        let info = node.info().await.ok();
        Self { node, facts: info.as_ref().map(ServerFacts::from), info }
    }

    fn evicts_by_frequency(&self) -> bool {
        let policy = self.info.as_ref().and_then(|info| info.field("maxmemory_policy"));
        policy.is_some_and(|policy| policy.ends_with("-lfu"))
    }

    fn node(&self) -> Arc<dyn Server> {
        Arc::clone(&self.node)
    }

    fn role(&self) -> Option<Role> {
        let said = self.facts.as_ref().and_then(|facts| facts.replication.role);
        said.or_else(|| self.node.known_role())
    }
}

/// The primaries; where a single replica is named, that one, because it is what is read.
fn primaries(looks: &[Look]) -> Vec<&Look> {
    match looks {
        [only] => vec![only],
        _ => looks.iter().filter(|look| look.role() != Some(Role::Replica)).collect(),
    }
}

/// A node of a cluster may have a table a slot, and an embedded cache goes in the order of the names.
fn has_one_table(look: &Look) -> bool {
    let is_embedded = look.info.as_ref().is_some_and(|info| info.field("server_name") == Some("larder"));
    !is_embedded && look.facts.as_ref().is_some_and(|facts| facts.cluster_enabled == Some(false))
}
