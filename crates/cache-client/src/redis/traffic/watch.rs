//! One round of looking.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};

use super::{Known, calls::Calls, heads::Heads};
use crate::{
    Error, Result,
    redis::{
        failure::{Request, said},
        wire::{Introduction, Requests, Wire, WireDialer},
    },
    traffic::Round,
    url::Endpoint,
};

/// A round ends with so many bytes: values go over the connection too.
const MOST_BYTES: u64 = 8 << 20;
/// A command of so many bytes keeps the server from its work while it is told.
const LARGE_BYTES: usize = 1 << 20;
/// How much room there is for one reading of the socket.
const READ_BYTES: usize = 64 << 10;

/// A connection that is told every command. It ends with this value, whatever is still on the way.
pub(super) struct Watch {
    wire: Wire,
}

/// Why a round is over.
pub(super) enum End {
    /// It has its share.
    Enough,
    /// Its time is over.
    TimeOver,
    /// A command was so large that there should be no other round.
    Large,
    /// The server went away.
    Failed(Error),
}

impl Watch {
    pub(super) async fn open(dialer: &WireDialer, endpoint: &Endpoint) -> Result<Self> {
        let mut wire = dialer.dial(endpoint, Introduction::default()).await?;
        let mut requests = Requests::default();
        requests.add(&[b"MONITOR"]);
        wire.send(&mut requests).await?;
        wire.answer("MONITOR", |answer, request| answer.accepted(request).map(drop)).await?;
        Ok(Self { wire })
    }

    /// Counts until there are enough commands, or the time is over.
    pub(super) async fn count(self, known: &Known, enough: u64, until: Instant) -> (Round, End) {
        let node = self.wire.node().clone();
        let (mut carrier, mut incoming) = self.wire.into_parts();
        let (begun, mut heads, mut received) = (Instant::now(), Heads::default(), 0);
        let mut calls = Calls::new(&known.places, known.marks_words);
        let end = loop {
            while calls.count() < enough
                && let Some(head) = heads.next(&mut incoming)
            {
                calls.take(&head);
            }
            if heads.passed() >= LARGE_BYTES {
                break End::Large;
            }
            if calls.count() >= enough || received >= MOST_BYTES {
                break End::Enough;
            }
            incoming.reserve(READ_BYTES);
            match timeout_at(until, carrier.read_buf(&mut incoming)).await {
                // Its end may be long in coming.
                Err(_) if heads.passed() + incoming.len() >= LARGE_BYTES / 4 => break End::Large,
                Err(_) => break End::TimeOver,
                Ok(Ok(0)) => {
                    break End::Failed(Error::Unreachable { node, source: said("the server hung up") });
                }
                Ok(Ok(bytes)) => received += bytes as u64,
                Ok(Err(error)) => {
                    let request = Request { node: &node, command: "MONITOR", timeout: Duration::ZERO };
                    break End::Failed(request.failed(error.into()));
                }
            }
        };
        (round(calls, begun.elapsed(), &end), end)
    }
}

/// What a round that ended by itself saw a second is told by the server's clock: how soon it was read here says nothing.
fn round(calls: Calls<'_>, elapsed: Duration, end: &End) -> Round {
    let (mut round, seconds) = calls.finish();
    round.time = elapsed;
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    let commands = round.commands as f64;
    round.rate = match (end, seconds) {
        (End::TimeOver, _) | (_, None) => commands / elapsed.as_secs_f64().max(1e-6),
        (_, Some(seconds)) => (commands - 1.0) / seconds,
    };
    round
}
