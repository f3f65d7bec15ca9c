//! What clients ask the primaries for.

mod heads;
mod key_places;
mod line;

use std::time::Duration;

use futures_util::future;
use larder_metrics_model::NodeAddress;
use redis::cmd;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep_until, timeout_at},
};

use self::{heads::Heads, key_places::KeyPlaces, line::Line};
use super::{
    failure::{Request, said},
    link::Effect,
    rights,
    sweep::{Shard, Sweeper},
    wire::{Introduction, Requests, Wire, WireDialer},
};
use crate::{Capability, Error, Result, TrafficOptions, TrafficSample, url::Endpoint};

/// Looks at the traffic of the primaries.
#[derive(Clone, Debug)]
pub(crate) struct RedisTraffic {
    sweeper: Sweeper,
}

/// A round ends with so many bytes: values go over the connection too.
const MOST_BYTES: u64 = 8 << 20;
/// How much room there is for one reading of the socket.
const READ_BYTES: usize = 64 << 10;

impl RedisTraffic {
    pub(crate) fn new(sweeper: Sweeper) -> Self {
        Self { sweeper }
    }

    pub(crate) async fn sample(
        &self,
        options: &TrafficOptions,
    ) -> Result<Vec<(NodeAddress, Result<TrafficSample>)>> {
        let shards = self.sweeper.shards.shards().await?;
        let samples = shards
            .iter()
            .map(|shard| async move { (shard.primary.clone(), self.sample_shard(shard, options).await) });
        Ok(future::join_all(samples).await)
    }

    async fn sample_shard(&self, shard: &Shard, options: &TrafficOptions) -> Result<TrafficSample> {
        let (Some(dialer), Some(endpoint)) = (&self.sweeper.dialer, &shard.endpoint) else {
            let reason = "the connection belongs to the service, and MONITOR needs one of its own".to_owned();
            let node = shard.primary.clone();
            return Err(Error::Unsupported { node, capability: Capability::Monitor, reason });
        };
        rights::may_run(shard.link.as_ref(), &["MONITOR"]).await?;
        let places = KeyPlaces::read(shard.link.run(cmd("COMMAND"), Effect::Read).await?);
        let mut sample = TrafficSample::default();
        let rounds = options.rounds.max(1);
        let (each, commands) = (options.time / rounds, options.commands.div_ceil(u64::from(rounds)));
        let begun = Instant::now();
        for round in 0..rounds {
            let until = begun + each * (round + 1);
            sample.begin_round();
            let enough = options.commands.min(sample.commands + commands);
            Round::open(dialer, endpoint, until).await?.count(&places, enough, &mut sample).await?;
            if round + 1 < rounds {
                sleep_until(until).await;
            }
        }
        Ok(sample)
    }
}

/// A connection that is told every command. It ends with this value, whatever is still on the way.
struct Round {
    wire: Wire,
    until: Instant,
}

impl Round {
    async fn open(dialer: &WireDialer, endpoint: &Endpoint, until: Instant) -> Result<Self> {
        let mut wire = dialer.dial(endpoint, Introduction::default()).await?;
        let mut requests = Requests::default();
        requests.add(&[b"MONITOR"]);
        wire.send(&mut requests).await?;
        wire.answer("MONITOR", |answer, request| answer.accepted(request).map(drop)).await?;
        Ok(Self { wire, until })
    }

    /// Counts until the sample has enough commands, or the time is over.
    async fn count(self, places: &KeyPlaces, enough: u64, sample: &mut TrafficSample) -> Result<()> {
        let node = self.wire.node().clone();
        let (mut carrier, mut incoming) = self.wire.into_parts();
        let (begun, mut heads, mut received) = (Instant::now(), Heads::default(), 0);
        let ended = loop {
            while sample.commands < enough
                && let Some(head) = heads.next(&mut incoming)
            {
                count_line(&head.text, head.is_whole, places, sample);
            }
            if sample.commands >= enough || received >= MOST_BYTES {
                break Ok(());
            }
            incoming.reserve(READ_BYTES);
            match timeout_at(self.until, carrier.read_buf(&mut incoming)).await {
                Err(_) => break Ok(()),
                Ok(Ok(0)) => {
                    break Err(Error::Unreachable { node, source: said("the server hung up") });
                }
                Ok(Ok(bytes)) => received += bytes as u64,
                Ok(Err(error)) => {
                    let request = Request { node: &node, command: "MONITOR", timeout: Duration::ZERO };
                    break Err(request.failed(error.into()));
                }
            }
        };
        sample.time += begun.elapsed();
        ended
    }
}

fn count_line(text: &[u8], is_whole: bool, places: &KeyPlaces, sample: &mut TrafficSample) {
    let Some(line) = Line::parse(text) else { return };
    sample.commands += 1;
    let (keys, is_write) = places.keys(&line.words, is_whole);
    for key in keys {
        sample.count(line.database, key, is_write);
    }
}
