//! The bytes of a file: buffered, counted, checksummed, and copied where a copy is asked for.

use std::io::{self, Read};

use crate::crc::Crc64;
use crate::narrow::in_memory;
use crate::{Error, Limits, ReadOptions, Result};

/// Bytes read from the source at a time. Small enough to stay in a second-level cache until it is checksummed.
const BUFFER_LEN: usize = 128 << 10;

/// A buffered reader that knows where it is.
#[derive(Debug)]
pub(crate) struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    /// The next byte to be consumed.
    pos: usize,
    /// End of what is filled.
    end: usize,
    /// Bytes before this one are in the checksum.
    summed: usize,
    /// Bytes before this one are in the copy.
    copied: usize,
    /// Offset of `buffer[0]` in the data.
    base: u64,
    crc: Option<Crc64>,
    /// Length of the data, where it is known.
    total: Option<u64>,
    copy: Option<Vec<u8>>,
    pub(crate) limits: Limits,
}

impl<'a> Input<&'a [u8]> {
    /// Reads what is in memory, without a checksum.
    pub(crate) fn of_slice(bytes: &'a [u8], limits: Limits) -> Self {
        let total_bytes = Some(bytes.len() as u64);
        Self::new(
            bytes,
            &ReadOptions { limits, total_bytes, verify_checksum: false, ..ReadOptions::default() },
        )
    }
}

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R, options: &ReadOptions) -> Self {
        let total = options.total_bytes;
        let len = total.map_or(BUFFER_LEN, |total| in_memory(total).min(BUFFER_LEN));
        Self {
            source,
            buffer: vec![0; len.max(64)],
            pos: 0,
            end: 0,
            summed: 0,
            copied: 0,
            base: 0,
            crc: options.verify_checksum.then(Crc64::new),
            total,
            copy: None,
            limits: options.limits,
        }
    }

    /// Offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// Bytes that are left, where that is known.
    fn left(&self) -> Option<u64> {
        self.total.map(|total| total.saturating_sub(self.offset()))
    }

    /// Refuses a length that reaches past the end of the data.
    pub(crate) fn check_len(&self, len: u64, what: &'static str) -> Result<()> {
        match self.left() {
            Some(left) if len > left => Err(Error::truncated(self.offset(), what)),
            _ => Ok(()),
        }
    }

    /// Refuses a count of things of at least `each` bytes that cannot be there, or that is over the limit.
    pub(crate) fn check_count(&self, count: u64, each: u64, what: &'static str) -> Result<()> {
        if count > self.limits.max_elements {
            return Err(Error::limit(self.offset(), what, self.limits.max_elements, count));
        }
        self.check_len(count.saturating_mul(each), what)
    }

    /// What is buffered and not yet consumed.
    #[inline]
    pub(crate) fn peek(&self) -> &[u8] {
        &self.buffer[self.pos..self.end]
    }

    /// Makes at least `len` bytes available to [`Self::peek`].
    #[inline]
    pub(crate) fn need(&mut self, len: usize, what: &'static str) -> Result<()> {
        if self.end - self.pos >= len { Ok(()) } else { self.fill(len, what) }
    }

    #[inline]
    pub(crate) fn consume(&mut self, len: usize) {
        debug_assert!(len <= self.end - self.pos, "only what is buffered is consumed");
        self.pos += len;
    }

    #[inline]
    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8> {
        self.need(1, what)?;
        let byte = self.buffer[self.pos];
        self.pos += 1;
        Ok(byte)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        self.need(N, what)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.buffer[self.pos..self.pos + N]);
        self.pos += N;
        Ok(array)
    }

    /// Consumes `len` bytes without keeping them.
    #[inline]
    pub(crate) fn skip(&mut self, len: u64, what: &'static str) -> Result<()> {
        if len <= (self.end - self.pos) as u64 {
            self.pos += in_memory(len);
            Ok(())
        } else {
            self.skip_far(len, what)
        }
    }

    fn skip_far(&mut self, mut len: u64, what: &'static str) -> Result<()> {
        self.check_len(len, what)?;
        while len > 0 {
            self.need(1, what)?;
            let step = len.min((self.end - self.pos) as u64);
            self.pos += in_memory(step);
            len -= step;
        }
        Ok(())
    }

    /// Replaces the content of `out` with the next `len` bytes; memory grows with what really arrives.
    pub(crate) fn read_into(&mut self, len: u64, out: &mut Vec<u8>, what: &'static str) -> Result<()> {
        out.clear();
        self.check_len(len, what)?;
        let mut left = len;
        while left > 0 {
            self.need(1, what)?;
            let step = in_memory(left).min(self.end - self.pos);
            out.extend_from_slice(&self.buffer[self.pos..self.pos + step]);
            self.pos += step;
            left -= step as u64;
        }
        Ok(())
    }

    /// Moves what is left to the front and reads until `len` bytes are there.
    #[cold]
    fn fill(&mut self, len: usize, what: &'static str) -> Result<()> {
        self.settle()?;
        self.buffer.copy_within(self.pos..self.end, 0);
        self.base += self.pos as u64;
        self.end -= self.pos;
        self.pos = 0;
        self.summed = 0;
        self.copied = 0;
        if len > self.buffer.len() {
            self.buffer.resize(len, 0);
        }
        while self.end < len {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(Error::truncated(self.base + self.end as u64, what)),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::read(self.base + self.end as u64, error)),
            }
        }
        Ok(())
    }

    /// Brings checksum and copy up to what is consumed.
    fn settle(&mut self) -> Result<()> {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer[self.summed..self.pos]);
        }
        self.summed = self.pos;
        if let Some(copy) = &mut self.copy {
            let fresh = &self.buffer[self.copied..self.pos];
            let found = copy.len() as u64 + fresh.len() as u64;
            if found > self.limits.max_payload_bytes {
                let allowed = self.limits.max_payload_bytes;
                return Err(Error::limit(self.base + self.pos as u64, "serialised value", allowed, found));
            }
            copy.extend_from_slice(fresh);
        }
        self.copied = self.pos;
        Ok(())
    }

    /// Checksum of everything consumed so far; `None` where it is not computed.
    pub(crate) fn checksum(&mut self) -> Result<Option<u64>> {
        self.settle()?;
        Ok(self.crc.as_ref().map(Crc64::value))
    }

    /// Stops computing the checksum.
    pub(crate) fn drop_checksum(&mut self) {
        self.crc = None;
    }

    /// Copies everything that is consumed from here on.
    pub(crate) fn start_copy(&mut self, mut into: Vec<u8>) {
        into.clear();
        self.copied = self.pos;
        self.copy = Some(into);
    }

    /// Ends copying and gives what was consumed since it started.
    pub(crate) fn end_copy(&mut self) -> Result<Vec<u8>> {
        self.settle()?;
        Ok(self.copy.take().unwrap_or_default())
    }

    /// True if not a byte is left.
    pub(crate) fn at_end(&mut self) -> Result<bool> {
        match self.need(1, "the end") {
            Ok(()) => Ok(false),
            Err(Error::Truncated { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The source, and what was read from it and not consumed.
    pub(crate) fn into_parts(mut self) -> (R, Vec<u8>) {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.pos);
        (self.source, self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, with an interruption before each.
    struct Drip<'a>(&'a [u8], bool);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            out[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn copy_and_checksum_cover_exactly_what_is_consumed() {
        let data: Vec<u8> = (0..300_000u32).map(|i| (i % 253) as u8).collect();
        let mut input = Input::new(&data[..], &ReadOptions::default());
        input.skip(10, "x").unwrap();
        input.start_copy(Vec::new());
        input.skip(200_000, "x").unwrap();
        assert_eq!(input.byte("x").unwrap(), data[200_010]);
        assert!(input.end_copy().unwrap() == data[10..200_011]);
        assert_eq!(input.checksum().unwrap(), Some(Crc64::of(&data[..200_011])));
        assert_eq!(input.offset(), 200_011);
        let (mut rest, buffered) = input.into_parts();
        let mut all = buffered;
        rest.read_to_end(&mut all).unwrap();
        assert!(all == data[200_011..]);
    }

    #[test]
    fn a_byte_at_a_time_is_enough() {
        let data = b"0123456789abcdef";
        let mut input = Input::new(Drip(data, false), &ReadOptions::default());
        assert_eq!(input.array::<4>("x").unwrap(), *b"0123");
        let mut out = Vec::new();
        input.read_into(12, &mut out, "x").unwrap();
        assert_eq!(out, b"456789abcdef");
        assert!(input.at_end().unwrap());
        assert_eq!(input.checksum().unwrap(), Some(Crc64::of(data)));
        assert!(matches!(input.byte("a byte"), Err(Error::Truncated { .. })));
    }

    #[test]
    fn a_length_past_the_end_is_refused_before_anything_is_read() {
        let mut input = Input::of_slice(b"abc", Limits::default());
        let mut out = Vec::new();
        assert!(matches!(input.read_into(1 << 40, &mut out, "a string"), Err(Error::Truncated { .. })));
        assert_eq!(out.capacity(), 0);
        assert!(matches!(input.skip(4, "a string"), Err(Error::Truncated { .. })));
    }
}
