//! From pieces that arrive to bytes that are read, and from bytes that are written to pieces that leave: between tasks that
//! wait and threads that work.

use std::{
    io::{self, Read, Write},
    mem,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::mpsc;

/// Pieces that may wait for whoever takes them.
const WAITING: usize = 16;
/// The size of pieces that are made here.
const PIECE_BYTES: usize = 256 << 10;

/// Where pieces go in that a thread reads.
#[derive(Debug)]
pub(crate) struct Feed(mpsc::Sender<Passing>);

/// What a thread reads.
#[derive(Debug)]
pub(crate) struct PieceReader {
    pieces: mpsc::Receiver<Passing>,
    current: Bytes,
    ended: bool,
}

/// Where a thread writes.
#[derive(Debug)]
pub(crate) struct PieceWriter {
    pieces: mpsc::Sender<Passing>,
    gathered: BytesMut,
}

/// The pieces that a thread wrote.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Passing>);

/// What passes through. A passage that is closed before its end broke off.
#[derive(Debug)]
enum Passing {
    Piece(Bytes),
    Failure(String),
    End,
}

/// Makes a passage from a task to a thread.
pub(crate) fn to_thread() -> (Feed, PieceReader) {
    let (sender, pieces) = mpsc::channel(WAITING);
    (Feed(sender), PieceReader { pieces, current: Bytes::new(), ended: false })
}

/// Makes a passage from a thread to a task.
pub(crate) fn from_thread() -> (PieceWriter, Pieces) {
    let (pieces, receiver) = mpsc::channel(WAITING);
    (PieceWriter { pieces, gathered: BytesMut::new() }, Pieces(receiver))
}

impl Feed {
    /// Hands a piece on; `false` where nobody reads any more.
    pub(crate) async fn send(&self, piece: Bytes) -> bool {
        self.0.send(Passing::Piece(piece)).await.is_ok()
    }

    /// Says that there will be no more, and why.
    pub(crate) async fn fail(self, words: String) {
        // Who does not read any more does not mind.
        let _ = self.0.send(Passing::Failure(words)).await;
    }

    /// Says that this was all.
    pub(crate) async fn end(self) {
        // Who does not read any more knows without that.
        let _ = self.0.send(Passing::End).await;
    }
}

impl PieceReader {
    /// Waits until there is something to read, or the end.
    fn fill(&mut self) -> io::Result<()> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Passing::Piece(piece)) => self.current = piece,
                Some(Passing::Failure(words)) => return Err(io::Error::other(words)),
                Some(Passing::End) => self.ended = true,
                None => return Err(broke_off()),
            }
        }
        Ok(())
    }

    /// Gives the next piece as it came; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        self.fill()?;
        Ok(Some(mem::take(&mut self.current)).filter(|piece| !piece.is_empty()))
    }
}

impl Read for PieceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let length = out.len().min(self.current.len());
        out[..length].copy_from_slice(&self.current[..length]);
        self.current.advance(length);
        Ok(length)
    }
}

impl PieceWriter {
    fn hand_on(&mut self) -> io::Result<()> {
        let piece = mem::take(&mut self.gathered).freeze();
        if piece.is_empty() {
            return Ok(());
        }
        self.pieces.blocking_send(Passing::Piece(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Hands on what is left, and says that this was all.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.hand_on()?;
        self.pieces.blocking_send(Passing::End).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gathered.is_empty() {
            self.gathered.reserve(PIECE_BYTES.max(bytes.len()));
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE_BYTES {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    /// Pieces leave when they are full, or at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pieces {
    /// Gives the next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.0.recv().await {
            Some(Passing::Piece(piece)) => Some(Ok(piece)),
            Some(Passing::Failure(words)) => Some(Err(io::Error::other(words))),
            Some(Passing::End) => None,
            None => Some(Err(broke_off())),
        }
    }
}

fn broke_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "what came broke off before its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_out_as_they_went_in() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (feed, mut reader) = to_thread();
        let (mut writer, mut pieces) = from_thread();
        let copying = tokio::task::spawn_blocking(move || {
            io::copy(&mut reader, &mut writer).unwrap();
            writer.end().unwrap();
        });
        let source = bytes.clone();
        let feeding = tokio::spawn(async move {
            for piece in source.chunks(77_777) {
                assert!(feed.send(Bytes::copy_from_slice(piece)).await);
            }
            feed.end().await;
        });
        let mut out = Vec::new();
        while let Some(piece) = pieces.next().await {
            out.extend_from_slice(&piece.unwrap());
        }
        assert!(out == bytes);
        copying.await.unwrap();
        feeding.await.unwrap();
    }

    #[tokio::test]
    async fn a_passage_that_is_closed_early_is_no_end() {
        let (feed, mut reader) = to_thread();
        assert!(feed.send(Bytes::from_static(b"abc")).await);
        drop(feed);
        let read = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()));
        assert!(read.await.unwrap().is_err());

        let (writer, mut pieces) = from_thread();
        drop(writer);
        assert!(pieces.next().await.unwrap().is_err());
    }
}
