//! A connection of our own for a sweep, or a restore: requests are written and answers read without an allocation a command.
//!
//! The client library makes a value of every command and every answer, which costs more than the server takes for them.
//! A sweep asks millions of small questions whose answers are numbers and words, and a restore sends millions of values that
//! are answered with one word, so they speak the protocol (RESP2) themselves.

mod answer;
mod certificate;
mod dial;
mod exchange;
mod request;
mod scanner;
mod tls;

pub use certificate::certificate_end;

pub(crate) use answer::{Answer, SweepAnswer, server_error};
pub(crate) use dial::{Introduction, WireDialer};
pub(crate) use exchange::Outgoing;
pub(crate) use request::{Requests, prefix};

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use larder_metrics_model::NodeAddress;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use self::scanner::{Scanned, Scanner};
use super::failure::{Request, said};
use crate::{Error, Result};

/// Whatever carries the bytes: TCP, TLS, a Unix socket.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Carrier for T {}

/// How much room there is for one reading of the socket.
const READ_BYTES: usize = 128 << 10;

/// A connection to one server.
pub(crate) struct Wire {
    carrier: Box<dyn Carrier>,
    node: NodeAddress,
    incoming: BytesMut,
    patience: Duration,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Wire {
    pub(crate) fn new(carrier: Box<dyn Carrier>, node: NodeAddress, patience: Duration) -> Self {
        Self { carrier, node, incoming: BytesMut::with_capacity(READ_BYTES), patience }
    }

    pub(crate) fn node(&self) -> &NodeAddress {
        &self.node
    }

    /// Waits so long for an answer from now on.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Gives up the connection for something that is no question and answer: what carries it, and what came already.
    pub(crate) fn into_parts(self) -> (Box<dyn Carrier>, BytesMut) {
        (self.carrier, self.incoming)
    }

    /// Sends what was gathered, and begins to gather anew.
    pub(crate) async fn send(&mut self, requests: &mut Requests) -> Result<()> {
        let sent = timeout(self.patience, async {
            self.carrier.write_all(requests.bytes()).await?;
            self.carrier.flush().await
        });
        match sent.await {
            Ok(Ok(())) => {
                requests.clear();
                Ok(())
            }
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(self.request("").timed_out()),
        }
    }

    /// Waits for one answer, and hands it on where it lies.
    pub(crate) async fn answer<T>(
        &mut self,
        command: &str,
        read: impl FnOnce(Answer<'_>, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let length = self.whole_answer(command).await?;
        let request = Request { node: &self.node, command, timeout: self.patience };
        let done = match Answer::parse(&self.incoming[..length]) {
            Some(answer) => read(answer, request),
            None => Err(request.unexpected("it is no answer of the protocol")),
        };
        bytes::Buf::advance(&mut self.incoming, length);
        done
    }

    /// Waits for one answer, and gives its bytes, which stay where they are.
    pub(crate) async fn frame(&mut self, command: &str) -> Result<Bytes> {
        let length = self.whole_answer(command).await?;
        Ok(self.incoming.split_to(length).freeze())
    }

    /// Reads until a whole answer is there, and gives its length.
    async fn whole_answer(&mut self, command: &str) -> Result<usize> {
        let mut scanner = Scanner::default();
        loop {
            match scanner.scan(&self.incoming) {
                Scanned::Whole(length) => return Ok(length),
                Scanned::Broken => {
                    return Err(self.request(command).unexpected("it is no answer of the protocol"));
                }
                Scanned::Partly => self.read(command).await?,
            }
        }
    }

    async fn read(&mut self, command: &str) -> Result<()> {
        if self.incoming.capacity() - self.incoming.len() < READ_BYTES / 4 {
            self.incoming.reserve(READ_BYTES);
        }
        match timeout(self.patience, self.carrier.read_buf(&mut self.incoming)).await {
            Ok(Ok(0)) => {
                Err(Error::Unreachable { node: self.node.clone(), source: said("the server hung up") })
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(self.request(command).timed_out()),
        }
    }

    pub(crate) fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: &self.node, command, timeout: self.patience }
    }

    fn unreachable(&self, error: std::io::Error) -> Error {
        Error::Unreachable { node: self.node.clone(), source: std::sync::Arc::new(error) }
    }
}
