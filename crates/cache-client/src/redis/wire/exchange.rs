//! Requests and their answers at the same time.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::timeout,
};

use super::{
    Answer, Wire,
    scanner::{Scanned, Scanner},
};
use crate::{Result, redis::failure::Request};

/// What is to be written, piece by piece.
pub(crate) trait Outgoing {
    /// The bytes that come next; none at the end.
    fn next(&mut self) -> &[u8];

    /// Takes note of how many of them were written.
    fn written(&mut self, bytes: usize);
}

/// How much room there is for one reading of short answers.
const ANSWERS_BYTES: usize = 8 << 10;
/// What almost every command is answered with.
const OK: &[u8] = b"+OK\r\n";

impl Wire {
    /// Writes requests while the answers to those before are read, and hands on so many answers.
    ///
    /// Neither side has to wait until the other has taken what it has to say, so however small the buffers between the two
    /// are, none of them is full for ever. An error comes after what was answered before it has been handed on.
    pub(crate) async fn exchange(
        &mut self,
        outgoing: &mut (impl Outgoing + Send),
        command: &str,
        mut answers: usize,
        mut read: impl FnMut(Answer<'_>, Request<'_>) + Send,
    ) -> Result<()> {
        let patience = self.patience;
        while answers > 0 {
            let turn = poll_fn(|context| self.turn(context, outgoing));
            match timeout(patience, turn).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.unreachable(error)),
                Err(_) => return Err(self.request(command).timed_out()),
            }
            answers -= self.hand_on(command, answers, &mut read)?;
        }
        Ok(())
    }

    /// Tells whether a connection that waits for nothing is still there.
    pub(crate) fn is_quiet(&mut self) -> bool {
        // What comes without a question is the end, or the server's word that it is near.
        self.incoming.is_empty() && self.carrier.read_buf(&mut self.incoming).now_or_never().is_none()
    }

    /// Writes what the other side takes and reads what it has given; is ready when one of the two went on.
    fn turn(&mut self, context: &mut Context<'_>, outgoing: &mut impl Outgoing) -> Poll<io::Result<()>> {
        let mut carrier = Pin::new(&mut self.carrier);
        let next = outgoing.next();
        let wrote = if next.is_empty() {
            if let Poll::Ready(Err(error)) = carrier.as_mut().poll_flush(context) {
                return Poll::Ready(Err(error));
            }
            false
        } else {
            match carrier.as_mut().poll_write(context, next) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    outgoing.written(bytes);
                    true
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => false,
            }
        };
        let mut room = [0; ANSWERS_BYTES];
        let mut came = ReadBuf::new(&mut room);
        match carrier.poll_read(context, &mut came) {
            Poll::Pending if wrote => Poll::Ready(Ok(())),
            reading => {
                ready!(reading)?;
                if came.filled().is_empty() {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the server hung up",
                    )));
                }
                self.incoming.extend_from_slice(came.filled());
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Hands the answers on that are there, no more than so many, and tells how many they were.
    fn hand_on(
        &mut self,
        command: &str,
        most: usize,
        read: &mut impl FnMut(Answer<'_>, Request<'_>),
    ) -> Result<usize> {
        let request = Request { node: &self.node, command, timeout: self.patience };
        let no_answer = || request.unexpected("it is no answer of the protocol");
        let (mut at, mut count) = (0, 0);
        while count < most {
            let rest = &self.incoming[at..];
            let length = if rest.starts_with(OK) {
                OK.len()
            } else {
                match Scanner::default().scan(rest) {
                    Scanned::Whole(length) => length,
                    Scanned::Partly => break,
                    Scanned::Broken => return Err(no_answer()),
                }
            };
            read(Answer::parse(&rest[..length]).ok_or_else(no_answer)?, request);
            at += length;
            count += 1;
        }
        self.incoming.advance(at);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_metrics_model::NodeAddress;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// So many commands of so many bytes.
    struct Blocks {
        bytes: Vec<u8>,
        at: usize,
    }

    impl Outgoing for Blocks {
        fn next(&mut self) -> &[u8] {
            &self.bytes[self.at..]
        }

        fn written(&mut self, bytes: usize) {
            self.at += bytes;
        }
    }

    fn wire(carrier: DuplexStream, patience: Duration) -> Wire {
        Wire::new(Box::new(carrier), NodeAddress::new("n"), patience)
    }

    /// Answers each block of ten bytes before it reads the next, as a server does that has no room for answers left.
    async fn server(mut carrier: DuplexStream, answer: &'static [u8]) {
        let mut block = [0; 10];
        while carrier.read_exact(&mut block).await.is_ok() {
            if carrier.write_all(answer).await.is_err() {
                return;
            }
        }
    }

    #[tokio::test]
    async fn buffers_that_are_full_on_both_sides_are_no_deadlock() {
        let (ours, theirs) = duplex(16);
        tokio::spawn(server(theirs, b"-ERR an answer that is longer than what it answers\r\n"));
        let mut outgoing = Blocks { bytes: vec![0; 10 * 1000], at: 0 };
        let mut wire = wire(ours, Duration::from_secs(10));
        let mut errors = 0;
        let read =
            |answer: Answer<'_>, _: Request<'_>| errors += u32::from(matches!(answer, Answer::Error(_)));
        wire.exchange(&mut outgoing, "RESTORE", 1000, read).await.unwrap();
        assert_eq!(errors, 1000);
        assert!(wire.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_go_on_ends_with_the_patience() {
        let (ours, theirs) = duplex(16);
        let mut outgoing = Blocks { bytes: vec![0; 100], at: 0 };
        let error = wire(ours, Duration::from_secs(2)).exchange(&mut outgoing, "RESTORE", 1, |_, _| {}).await;
        assert!(matches!(error, Err(crate::Error::Timeout { .. })), "{error:?}");
        drop(theirs);
    }

    #[tokio::test]
    async fn what_was_answered_before_the_end_is_handed_on() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"+OK\r\n-BUSYKEY there\r\n+O").await.unwrap();
        drop(theirs);
        let (mut wire, mut seen) = (wire(ours, Duration::from_secs(2)), 0);
        let mut outgoing = Blocks { bytes: Vec::new(), at: 0 };
        let error = wire.exchange(&mut outgoing, "RESTORE", 3, |_, _| seen += 1).await;
        assert!(matches!(error, Err(crate::Error::Unreachable { .. })), "{error:?}");
        assert_eq!(seen, 2);
        assert!(!wire.is_quiet());
    }
}
