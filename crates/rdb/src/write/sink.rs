//! Where the bytes go: gathered, counted and checksummed.

use std::io::Write;

use crate::crc::Crc64;
use crate::{Error, Result};

const BUFFER_LEN: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Sink<W: Write> {
    target: W,
    buffer: Vec<u8>,
    /// Bytes handed to the sink.
    flushed: u64,
    crc: Option<Crc64>,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(target: W, crc: Option<Crc64>) -> Self {
        Self { target, buffer: Vec::with_capacity(BUFFER_LEN), flushed: 0, crc }
    }

    pub(super) fn written(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() <= BUFFER_LEN {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        if bytes.len() < BUFFER_LEN {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.pass_on(bytes)
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.target
    }

    /// Checksum of everything so far; zero where none is wanted.
    pub(super) fn checksum(&mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.crc.as_ref().map_or(0, Crc64::value))
    }

    pub(super) fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.target.flush().map_err(|source| Error::Write { written: self.flushed, source })?;
        Ok(self.target)
    }

    fn flush(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let done = self.pass_on(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        done
    }

    fn pass_on(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.target.write_all(bytes).map_err(|source| Error::Write { written: self.flushed, source })?;
        self.flushed += bytes.len() as u64;
        Ok(())
    }
}
