//! Going through the keys of one shard, whatever becomes of its server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::stream::{self, BoxStream, StreamExt};
use larder_metrics_model::{Info, NodeAddress};
use redis::cmd;

use super::{
    END, Shard, Step, Steps, Sweeper, by_link::LinkSteps, by_wire::WireSteps, identity, identity::Identity,
};
use crate::{
    Error, KeyFields, KeyRecord, ReadFrom, Result, ScanOptions, ShardPosition, StepTaken,
    redis::{
        answer::read,
        failure::{Request, said},
        fields,
        link::Effect,
        wire::Introduction,
    },
    url::{Endpoint, HostPort},
};

/// Keys of one shard, and where to go on in it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) node: NodeAddress,
    pub(super) shard: NodeAddress,
    pub(super) round: u32,
    pub(super) records: Vec<KeyRecord>,
    pub(super) position: ShardPosition,
}

/// One shard on its way.
pub(super) struct ShardSweep {
    sweeper: Sweeper,
    options: Arc<ScanOptions>,
    /// How the shard is called in positions.
    name: NodeAddress,
    shard: Shard,
    round: u32,
    /// Behind the keys that were given out; `None` at the end.
    cursor: Option<String>,
    open: Option<Open>,
    identity: Option<Identity>,
    /// Since when the server is lost, and how often it was asked since.
    lost: Option<Lost>,
}

struct Open {
    node: NodeAddress,
    steps: Box<dyn Steps>,
}

struct Lost {
    since: Instant,
    waits: ExponentialBackoff,
}

impl ShardSweep {
    pub(super) fn new(sweeper: Sweeper, shard: Shard, options: Arc<ScanOptions>) -> Self {
        let cursor = match options.from.as_ref().and_then(|from| from.shard(&shard.primary)) {
            Some(ShardPosition::Done) => None,
            Some(ShardPosition::At(cursor)) => Some(cursor.clone()),
            None => Some(END.to_owned()),
        };
        let name = shard.primary.clone();
        Self { sweeper, options, name, shard, round: 0, cursor, open: None, identity: None, lost: None }
    }

    /// One error ends the shard.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Part>> {
        stream::unfold(Some(self), |sweep| async move {
            let mut sweep = sweep?;
            let item = sweep.next().await?;
            let rest = item.is_ok().then_some(sweep);
            Some((item, rest))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<Part>> {
        loop {
            self.cursor.as_ref()?;
            match self.try_step().await {
                Ok(part) => {
                    self.lost = None;
                    return Some(Ok(part));
                }
                Err(error) => {
                    if let Err(error) = self.recover(error).await {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    async fn try_step(&mut self) -> Result<Part> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open().await?,
        };
        let pace = Arc::clone(&self.options.pace);
        let most = usize::try_from(self.options.batch_keys).unwrap_or(usize::MAX);
        let keys = pace.next_step(&open.node, most).await;
        let begun = Instant::now();
        let step = open.steps.step(keys).await?;
        // Keys that do not match the pattern were gone through all the same.
        let gone_through = (step.records.len() + step.elsewhere.len()).max(keys);
        pace.taken(&open.node, StepTaken::new(gone_through, step.commands, begun.elapsed()));
        if step.next.is_none() {
            self.still_the_same(&open.node).await?;
        }
        let node = open.node.clone();
        self.open = Some(open);
        let (records, next) = self.complete(step).await?;
        self.cursor.clone_from(&next);
        Ok(Part {
            node,
            shard: self.name.clone(),
            round: self.round,
            records,
            position: next.map_or(ShardPosition::Done, ShardPosition::At),
        })
    }

    async fn open(&mut self) -> Result<Open> {
        let cursor = self.cursor.clone().unwrap_or_else(|| END.to_owned());
        let options = Arc::clone(&self.options);
        let (Some(dialer), Some(endpoint)) = (&self.sweeper.dialer, &self.shard.endpoint) else {
            let link = Arc::clone(&self.shard.link);
            if self.options.read_from == ReadFrom::Replica {
                return Err(no_replica(link.node()));
            }
            let node = link.node().clone();
            return Ok(Open { node, steps: Box::new(LinkSteps::new(link, options, cursor)) });
        };
        let reads_replica = self.options.read_from == ReadFrom::Replica;
        let endpoint = if reads_replica { self.shard.replica().await? } else { endpoint.clone() };
        let introduction = Introduction { reads_replica: reads_replica && !self.shard.slots.is_empty() };
        let database = dialer.database();
        let mut wire = dialer.dial(&endpoint, introduction).await?;
        let found = identity::of(&mut wire).await?;
        // A cursor is only good for the process that gave it.
        let cursor = match (&self.identity, &found) {
            (Some(known), Some(found)) if known != found => {
                self.begin_anew();
                END.to_owned()
            }
            _ => cursor,
        };
        self.identity = found;
        let node = wire.node().clone();
        Ok(Open { node, steps: Box::new(WireSteps::new(wire, options, database, cursor)) })
    }

    fn begin_anew(&mut self) {
        self.round += 1;
        self.cursor = Some(END.to_owned());
    }

    /// Asks on a new connection, after the last step: a primary that has become a replica meanwhile may have been emptied.
    async fn still_the_same(&self, node: &NodeAddress) -> Result<()> {
        let (Some(known), Some(dialer)) = (&self.identity, &self.sweeper.dialer) else { return Ok(()) };
        let Some(Endpoint::Tcp(_) | Endpoint::Unix(_)) = &self.shard.endpoint else { return Ok(()) };
        let endpoint = match self.options.read_from {
            ReadFrom::Primary => self.shard.endpoint.clone(),
            ReadFrom::Replica => Some(self.shard.replica().await?),
        };
        let Some(endpoint) = endpoint else { return Ok(()) };
        let mut wire = dialer.dial(&endpoint, Introduction::default()).await?;
        match identity::of(&mut wire).await? {
            Some(found) if found != *known => {
                let source = said("it is not the server any more on which the sweep began");
                Err(Error::Unreachable { node: node.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Fetches what the connection could not give: keys on their way to another node, and elements.
    async fn complete(&self, step: Step) -> Result<(Vec<KeyRecord>, Option<String>)> {
        let Step { mut records, elsewhere, next, .. } = step;
        let asked: Vec<_> =
            elsewhere.into_iter().map(|key| (key.clone(), self.options.fields_of(&key))).collect();
        for record in fields::look(&self.sweeper.link, &asked).await {
            records.extend(record?);
        }
        let wants = |record: &KeyRecord| {
            record.elements.is_none() && self.options.fields_of(&record.key).contains(KeyFields::ELEMENTS)
        };
        if records.iter().any(wants) {
            fields::count_elements(&self.sweeper.link, &mut records, wants).await?;
        }
        Ok((records, next))
    }

    /// Decides what becomes of the shard after an error: it goes on where it was, begins anew on another server, or ends.
    async fn recover(&mut self, error: Error) -> Result<()> {
        self.open = None;
        let is_own = self.sweeper.dialer.is_some() && self.shard.endpoint.is_some();
        if !error.is_retryable() || !is_own {
            return Err(error);
        }
        let lost = self.lost.get_or_insert_with(|| Lost { since: Instant::now(), waits: waits() });
        if lost.since.elapsed() > self.sweeper.failover_patience {
            return Err(self.given_up(error));
        }
        tokio::time::sleep(lost.waits.next().unwrap_or(LONGEST_WAIT)).await;
        // Whoever holds these keys now; the same server may be back, and its identity then says whether the cursor is good.
        if let Ok(shards) = self.sweeper.shards.shards().await
            && let Some(successor) = shards.into_iter().find(|shard| shard.overlaps(&self.shard))
            && successor.primary != self.shard.primary
        {
            tracing::debug!(shard = %self.name, successor = %successor.primary, "begins anew");
            self.shard = successor;
            self.identity = None;
            self.begin_anew();
        }
        Ok(())
    }

    fn given_up(&self, error: Error) -> Error {
        Error::ShardLost { shard: self.name.clone(), slots: self.shard.holds(), source: Arc::new(error) }
    }
}

const LONGEST_WAIT: Duration = Duration::from_secs(1);

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_WAIT)
        .without_max_times()
        .with_jitter()
        .build()
}

impl Shard {
    /// Returns where a replica is.
    pub(crate) async fn replica(&self) -> Result<Endpoint> {
        let told = match self.replicas.first() {
            Some(replica) => Some(replica.clone()),
            None => replica_of_info(self).await?,
        };
        told.map(Endpoint::Tcp).ok_or_else(|| no_replica(&self.primary))
    }
}

pub(crate) fn no_replica(node: &NodeAddress) -> Error {
    Error::NoReplica { node: node.clone() }
}

/// The first replica that is on line, as INFO of the primary tells of it: `slave0:ip=…,port=…,state=online,…`.
async fn replica_of_info(shard: &Shard) -> Result<Option<HostPort>> {
    let mut question = cmd("INFO");
    question.arg("replication");
    let request = Request { node: shard.link.node(), command: "INFO", timeout: Duration::ZERO };
    let text: String = read(shard.link.run(question, Effect::Read).await?, request)?;
    let info = Info::parse(&text);
    let replica =
        info.fields().filter(|(_, field, _)| field.starts_with("slave")).find_map(|(_, _, value)| {
            let named = |name: &str| value.split(',').find_map(|part| part.strip_prefix(name));
            let (host, port) = (named("ip=")?, named("port=")?.parse().ok()?);
            (named("state=") == Some("online")).then(|| HostPort { host: host.to_owned(), port })
        });
    Ok(replica)
}
