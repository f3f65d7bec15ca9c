//! Bytes that come over a network, for a reader that waits for them on a thread of its own.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream::BoxStream};
use larder_cache_client::Error;
use tokio::{sync::mpsc, task::JoinSet};

/// How many pieces may wait until they are read, each of some 100 KiB.
const WAITING_PIECES: usize = 8;

/// Bytes as they come, piece by piece; what fails is the cause of an error that is read.
#[derive(Debug)]
pub(super) struct Incoming {
    pieces: mpsc::Receiver<Result<Bytes, Error>>,
    piece: Bytes,
}

impl Incoming {
    /// Takes a stream of pieces. What takes them from it ends when the set is dropped, and the reader then sees an end.
    pub(super) fn of(bytes: BoxStream<'static, Result<Bytes, Error>>) -> (Self, JoinSet<()>) {
        let (sender, pieces) = mpsc::channel(WAITING_PIECES);
        let mut feeding = JoinSet::new();
        feeding.spawn(feed(bytes, sender));
        (Self { pieces, piece: Bytes::new() }, feeding)
    }
}

async fn feed(
    mut bytes: BoxStream<'static, Result<Bytes, Error>>,
    sender: mpsc::Sender<Result<Bytes, Error>>,
) {
    while let Some(piece) = bytes.next().await {
        if sender.send(piece).await.is_err() {
            break;
        }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.piece.has_remaining() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use larder_metrics_model::NodeAddress;

    use super::*;

    async fn read(pieces: Vec<Result<Bytes, Error>>) -> (Vec<u8>, io::Result<usize>) {
        let (mut incoming, _feeding) = Incoming::of(stream::iter(pieces).boxed());
        let read = move || {
            let mut all = Vec::new();
            let end = incoming.read_to_end(&mut all);
            (all, end)
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_an_error_is_found_again() {
        let piece = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
        let (all, end) = read(vec![piece("ab"), piece(""), piece("c")]).await;
        assert_eq!((all.as_slice(), end.unwrap()), (b"abc".as_slice(), 3));
        assert_eq!(read(Vec::new()).await.1.unwrap(), 0);
        let lost = Error::Loading { node: NodeAddress::new("a:1") };
        let (all, end) = read(vec![piece("ab"), Err(lost)]).await;
        assert_eq!(all, b"ab");
        assert!(matches!(end.unwrap_err().downcast::<Error>(), Ok(Error::Loading { .. })));
    }
}
