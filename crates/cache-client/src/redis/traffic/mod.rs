//! What clients ask the primaries for.

mod calls;
mod heads;
mod key_places;
mod line;
mod watch;

use std::time::Duration;

use futures_util::future;
use larder_metrics_model::{Info, NodeAddress, ServerFacts, ServerLine, ServerVersion};
use redis::cmd;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::{
    key_places::KeyPlaces,
    watch::{End, Watch},
};
use super::{
    answer::read,
    failure::Request,
    link::{Effect, Link},
    rights,
    sweep::{Shard, Sweeper},
    wire::WireDialer,
};
use crate::{Capability, EarlyEnd, Error, Result, TrafficOptions, TrafficSample, url::Endpoint};

/// Looks at the traffic of the primaries.
#[derive(Clone, Debug)]
pub(crate) struct RedisTraffic {
    sweeper: Sweeper,
}

/// What has to be known before the first look.
#[derive(Debug)]
struct Known {
    places: KeyPlaces,
    /// Whether the server marks where words end.
    marks_words: bool,
}

impl RedisTraffic {
    pub(crate) fn new(sweeper: Sweeper) -> Self {
        Self { sweeper }
    }

    pub(crate) async fn sample(
        &self,
        options: &TrafficOptions,
    ) -> Result<Vec<(NodeAddress, Result<TrafficSample>)>> {
        let mut shards = self.sweeper.shards.shards().await?;
        shards.sort_by(|one, other| one.primary.cmp(&other.primary));
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
        let patience = options.patience;
        let late = || Error::Timeout { node: shard.primary.clone(), after: patience };
        let known = timeout_at(Instant::now() + patience, Known::of(shard.link.as_ref()));
        let known = known.await.map_err(|_| late())??;
        let look = Look { dialer, endpoint, known: &known, options };
        look.rounds(&late).await
    }
}

impl Known {
    async fn of(link: &dyn Link) -> Result<Self> {
        rights::may_run(link, &["MONITOR"]).await?;
        let places = KeyPlaces::read(link.run(cmd("COMMAND"), Effect::Read).await?);
        let mut question = cmd("INFO");
        question.arg("server");
        let marks_words = match link.run(question, Effect::Read).await {
            Ok(answer) => {
                let request = Request { node: link.node(), command: "INFO", timeout: Duration::ZERO };
                marks_words(&Info::parse(&read::<String>(answer, request)?))
            }
            // Who does not know takes no risk.
            Err(error) if error.is_blocked() => false,
            Err(error) => return Err(error),
        };
        Ok(Self { places, marks_words })
    }
}

/// Valkey 8.1.0 and 8.1.1 put no backslash before quotes in what MONITOR tells, so that a value can look like several words
/// (<https://github.com/valkey-io/valkey/pull/2036>).
fn marks_words(server: &Info) -> bool {
    let identity = ServerFacts::from(server).identity;
    let faulty = ServerVersion::new(8, 1, 0)..ServerVersion::new(8, 1, 2);
    match (identity.line, identity.version) {
        (ServerLine::Valkey, Some(version)) => !faulty.contains(&version),
        (_, version) => version.is_some(),
    }
}

/// The rounds of one primary.
struct Look<'a> {
    dialer: &'a WireDialer,
    endpoint: &'a Endpoint,
    known: &'a Known,
    options: &'a TrafficOptions,
}

/// How long a server takes to answer. One that is busy for once may be so again by chance.
#[derive(Debug, Default)]
struct Answers {
    fastest: Option<Duration>,
    slow: u32,
}

/// An answer is slow that takes so long, and so many times the fastest one.
const SLOW: Duration = Duration::from_millis(100);
const SLOW_TIMES: u32 = 3;
const MOST_SLOW: u32 = 2;

impl Look<'_> {
    /// What was seen before a fault is kept.
    async fn rounds(&self, late: &impl Fn() -> Error) -> Result<TrafficSample> {
        let rounds = self.options.rounds.max(1);
        let each = self.options.time / rounds;
        let begun = Instant::now();
        let last = begun + self.options.time + self.options.patience;
        let (mut sample, mut answers) = (TrafficSample::default(), Answers::default());
        for round in 0..rounds {
            let opening = Instant::now();
            let watch = match self.open(last).await.unwrap_or_else(|| Err(late())) {
                Ok(watch) => watch,
                Err(error) if sample.rounds == 0 => return Err(error),
                Err(error) => return Ok(sample.ending(EarlyEnd::Failed(error))),
            };
            if let Some(slow) = answers.slow(opening.elapsed()) {
                return Ok(sample.ending(EarlyEnd::Slow(slow)));
            }
            let (seen, end) = watch.count(self.known, self.enough(&sample), Instant::now() + each).await;
            sample.add(seen);
            match end {
                End::Enough | End::TimeOver => {}
                End::Large => return Ok(sample.ending(EarlyEnd::LargeCommand)),
                End::Failed(error) => return Ok(sample.ending(EarlyEnd::Failed(error))),
            }
            if round + 1 < rounds {
                sleep_until(begun + each * (round + 1)).await;
            }
        }
        Ok(sample)
    }

    /// `None` where the server did not answer in time.
    async fn open(&self, last: Instant) -> Option<Result<Watch>> {
        let patient = (Instant::now() + self.options.patience).min(last);
        timeout_at(patient, Watch::open(self.dialer, self.endpoint)).await.ok()
    }

    fn enough(&self, sample: &TrafficSample) -> u64 {
        let share = self.options.commands.div_ceil(u64::from(self.options.rounds.max(1)));
        share.min(self.options.commands.saturating_sub(sample.commands))
    }
}

impl Answers {
    /// Takes an answer into account, and returns how long it took where it is one slow answer too many.
    fn slow(&mut self, took: Duration) -> Option<Duration> {
        let fastest = *self.fastest.get_or_insert(took);
        self.fastest = Some(fastest.min(took));
        self.slow += u32::from(took >= SLOW && took >= fastest * SLOW_TIMES);
        (self.slow >= MOST_SLOW).then_some(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_slow_answer_is_one_too_many() {
        let slow = |milliseconds: &[u64]| {
            let mut answers = Answers::default();
            milliseconds
                .iter()
                .map(|took| answers.slow(Duration::from_millis(*took)).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(slow(&[2, 400, 3, 500, 2]), [false, false, false, true, true]);
        assert_eq!(slow(&[20, 99, 60, 99]), [false; 4], "fast enough");
        assert_eq!(slow(&[300, 400, 500, 600]), [false; 4], "it is far away");
        assert_eq!(slow(&[900, 2, 300, 300]), [false, false, false, true], "the first was slow as well");
    }

    #[test]
    fn versions_that_do_not_mark_words_are_known() {
        for (info, expected) in [
            ("redis_version:7.0.15", true),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.0.4", true),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.0", false),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.1", false),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.2", true),
            ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2", true),
            ("uptime_in_seconds:1", false),
        ] {
            assert_eq!(marks_words(&Info::parse(&format!("# Server\n{info}\n"))), expected, "{info}");
        }
    }
}
