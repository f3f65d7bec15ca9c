//! Images over the replication stream.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use larder_metrics_model::NodeAddress;
use tokio::{io::AsyncReadExt, time::timeout};

use super::{
    Origin,
    transfer::{Came, Refusal, Transfer},
};
use crate::{
    Dump, DumpFacts, DumpMethod, DumpOptions, DumpSource, Error, Result, Server,
    dump::{Clock, PIECE_BYTES},
    redis::{
        failure::{Request, said},
        rights,
        wire::{Carrier, Introduction, Requests, Wire, WireDialer, server_error},
    },
    url::Endpoint,
};

/// Takes an image as a replica takes it.
///
/// Like `redis-cli --rdb`, it says that it takes an image whose length is not known (`REPLCONF capa eof`), so that the server
/// may send what its fork writes, without a file. A server then waits `repl-diskless-sync-delay` (5 seconds) for other
/// replicas before it forks. To the server this is a replica with a port that is none, until the connection ends. Servers cut
/// a replica off that takes nothing for `repl-timeout` (60 seconds).
#[derive(Debug)]
pub(super) struct ReplicationSource {
    origin: Arc<Origin>,
    dialer: WireDialer,
    endpoint: Endpoint,
    patience: Duration,
}

impl ReplicationSource {
    /// `None` where no connection of our own can be made.
    pub(super) fn new(origin: &Arc<Origin>, options: &DumpOptions) -> Option<Self> {
        let (dialer, endpoint) = origin.own.clone()?;
        Some(Self { origin: Arc::clone(origin), dialer, endpoint, patience: options.transfer_patience })
    }
}

#[async_trait]
impl DumpSource for ReplicationSource {
    fn method(&self) -> DumpMethod {
        DumpMethod::Replication
    }

    /// A replica without its primary refuses, and so does a server that is loading.
    async fn check(&self) -> Result<()> {
        let link = self.origin.link.as_ref();
        rights::may_run(link, &["PSYNC", "?", "-1"]).await.map_err(needs_rights)?;
        rights::may_run(link, &["REPLCONF", "capa", "eof"]).await.map_err(needs_rights)?;
        let info = match self.origin.server().info().await {
            Ok(info) => info,
            // Who may not ask does not know.
            Err(error) if error.is_blocked() => return Ok(()),
            Err(error) => return Err(error),
        };
        if info.flag("loading") == Some(true) {
            return Err(Error::Loading { node: self.origin.node.clone() });
        }
        if info.field("master_link_status").is_some_and(|status| status != "up") {
            return Err(without_primary(&self.origin.node));
        }
        Ok(())
    }

    async fn open(&self) -> Result<Dump> {
        let mut wire = self.dialer.dial(&self.endpoint, Introduction::default()).await?;
        let clock = introduce(&mut wire).await?;
        let mut requests = Requests::default();
        requests.add(&[b"PSYNC", b"?", b"-1"]);
        wire.send(&mut requests).await?;
        let (carrier, incoming) = wire.into_parts();
        let mut receiver = Receiver {
            node: self.origin.node.clone(),
            carrier,
            incoming,
            transfer: Transfer::default(),
            patience: self.patience,
        };
        let mut replication = None;
        let mut announced_ms = None;
        let total_bytes = loop {
            match receiver.next().await? {
                Came::KeepAlive => {}
                Came::Announced { replication_id, offset } => {
                    replication = Some((replication_id, offset));
                    announced_ms = Some(clock.now_ms());
                }
                Came::Begins(total_bytes) => break total_bytes,
                Came::Piece(_) | Came::End => return Err(receiver.unexpected("an image without a beginning")),
            }
        };
        // An image of known length was saved to the server's disk first, by a fork made when it was announced; one without was
        // begun just now.
        let taken_at_ms = announced_ms.filter(|_| total_bytes.is_some()).unwrap_or_else(|| clock.now_ms());
        let mut facts = DumpFacts::new(DumpMethod::Replication, self.origin.node.clone(), taken_at_ms);
        facts.replication = replication;
        facts.total_bytes = total_bytes;
        Ok(Dump { facts, bytes: stream::unfold(Some(receiver), piece).boxed() })
    }
}

/// What is said of this end; servers that do not know one of it answer with an error, and go on.
const INTRODUCTION: [&[&[u8]]; 4] = [
    // Sentinels take every replica in the primary's INFO for one of theirs, keep it for good, and may make it the primary;
    // without this it would be one with port 0. A port that is none is the one thing that they do not take (Redis 7.0
    // `src/sentinel.c`, `createSentinelAddr`).
    &[b"REPLCONF", b"listening-port", b"65536"],
    &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"],
    // Valkey 9 sends RDB version 11 to a replica that does not say that it is newer, whatever `repl-diskless-sync` says, and
    // fails where a field of a hash expires ("Can't store key in RDB version 11").
    &[b"REPLCONF", b"version", b"255.255.255"],
    // Without the stream of changes behind the image (Redis 7.0, Valkey).
    &[b"REPLCONF", b"rdb-only", b"1"],
];

/// Says what is wanted, and asks for the time. Every answer is waited for: servers refuse PSYNC while one is on its way.
async fn introduce(wire: &mut Wire) -> Result<Clock> {
    let mut requests = Requests::default();
    for words in INTRODUCTION {
        requests.add(words);
    }
    requests.add(&[b"TIME"]);
    wire.send(&mut requests).await?;
    for words in INTRODUCTION {
        let answer = wire.answer("REPLCONF", |answer, request| answer.accepted(request).map(drop)).await;
        match answer.map_err(needs_rights) {
            Err(Error::Server { node, source, .. }) => {
                tracing::debug!(%node, option = %words[1].escape_ascii(), reason = %source, "REPLCONF");
            }
            answer => answer?,
        }
    }
    let answer = wire.frame("TIME").await?;
    // A user may not be allowed to ask.
    Ok(time(&answer).map_or_else(Clock::of_this_machine, Clock::saying))
}

/// Seconds and microseconds, each a string.
fn time(answer: &[u8]) -> Option<i64> {
    let (seconds, microseconds): (i64, i64) =
        redis::from_redis_value(redis::parse_redis_value(answer).ok()?).ok()?;
    seconds.checked_mul(1000)?.checked_add(microseconds / 1000)
}

/// The other end of a transfer.
struct Receiver {
    node: NodeAddress,
    carrier: Box<dyn Carrier>,
    incoming: BytesMut,
    transfer: Transfer,
    patience: Duration,
}

impl Receiver {
    /// Waits for what comes next.
    async fn next(&mut self) -> Result<Came> {
        loop {
            match self.transfer.next(&mut self.incoming) {
                Ok(Some(came)) => return Ok(came),
                Ok(None) => self.read().await?,
                Err(Refusal::Error(line)) => return Err(self.refused(&line)),
                Err(Refusal::Unexpected(detail)) => return Err(self.unexpected(detail)),
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        self.incoming.reserve(PIECE_BYTES);
        let node = self.node.clone();
        let error = match timeout(self.patience, self.carrier.read_buf(&mut self.incoming)).await {
            Ok(Ok(0)) => io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"),
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => return Err(Error::Timeout { node, after: self.patience }),
        };
        let received = self.transfer.received();
        let words = format!("{error}; {received} bytes of the image had come");
        Err(Error::Unreachable { node, source: Arc::new(io::Error::new(error.kind(), words)) })
    }

    fn request(&self) -> Request<'_> {
        Request { node: &self.node, command: "PSYNC", timeout: self.patience }
    }

    fn unexpected(&self, detail: impl Into<String>) -> Error {
        self.request().unexpected(detail)
    }

    fn refused(&self, line: &[u8]) -> Error {
        let error = self.request().failed(server_error(&[line, b"\r\n"].concat()));
        match error {
            Error::Server { node, source, .. } if source.to_string().contains("NOMASTERLINK") => {
                without_primary(&node)
            }
            error => needs_rights(error),
        }
    }
}

/// What servers answer with `-NOMASTERLINK`.
fn without_primary(node: &NodeAddress) -> Error {
    let source = said(
        "it is a replica whose link to its primary is down, so that its data may be old (NOMASTERLINK); \
         take the image from the primary",
    );
    Error::Server { node: node.clone(), command: "PSYNC".to_owned(), source }
}

/// Adds the rights that are needed to the server's words, which name only the first that is missing.
fn needs_rights(error: Error) -> Error {
    match error {
        Error::NotPermitted { node, command, source } => {
            let source = said(&format!("{source}; the user needs +psync and +replconf"));
            Error::NotPermitted { node, command, source }
        }
        error => error,
    }
}

/// The next piece of an image; the receiver is gone, and with it the connection, after the last one.
async fn piece(receiver: Option<Receiver>) -> Option<(Result<Bytes>, Option<Receiver>)> {
    let mut receiver = receiver?;
    loop {
        return match receiver.next().await {
            Ok(Came::Piece(piece)) => Some((Ok(piece), Some(receiver))),
            Ok(Came::KeepAlive) => continue,
            Ok(Came::End) => None,
            Ok(Came::Announced { .. } | Came::Begins(_)) => {
                Some((Err(receiver.unexpected("a second image")), None))
            }
            Err(error) => Some((Err(error), None)),
        };
    }
}
