//! Keys that something is to be done about, kept outside of memory.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use larder_cache_client::ValueStamp;
use serde::{Deserialize, Serialize};

/// A key that something is to be done about, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) key: Vec<u8>,
    pub(super) action: Intent,
    /// Which line of the plan it is in.
    pub(super) line: u32,
    /// The number of the shard it came from, and of the round in which it came.
    pub(super) shard: u32,
    pub(super) round: u32,
    pub(super) database: u64,
    pub(super) seen_at_ms: i64,
    pub(super) idle_s: Option<u32>,
    /// When its time is up, about; `None` for a key without TTL.
    pub(super) expires_at_ms: Option<i64>,
    pub(super) bytes: u64,
    /// By which its value is known again, where its idle time is no help.
    pub(super) stamp: Option<ValueStamp>,
}

/// What is to be done about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Intent {
    /// It gets a TTL of so many milliseconds.
    SetTtl(u64),
    /// It is removed.
    Remove,
    /// It is marked, to be removed when it stays unused.
    Mark,
}

/// Candidates in a file that has no name: the memory that they take does not grow with their number, and nothing of them is
/// left when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Spill {
    file: BufWriter<File>,
    count: u64,
}

impl Spill {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(256 << 10, tempfile::tempfile()?), count: 0 })
    }

    pub(super) fn add(&mut self, candidate: &Candidate) -> io::Result<()> {
        let bytes = postcard::to_stdvec(candidate).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&bytes)?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads the candidates in the order in which they were added.
    pub(super) fn read(&mut self) -> io::Result<impl Iterator<Item = io::Result<Candidate>> + use<>> {
        self.file.flush()?;
        // The same open file, so the place has to be set anew; nothing is added while it is read.
        let mut file = self.file.get_ref().try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut file = BufReader::with_capacity(256 << 10, file);
        let mut left = self.count;
        Ok(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            Some(next(&mut file))
        }))
    }
}

fn next(file: &mut impl Read) -> io::Result<Candidate> {
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    file.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_come_back_in_their_order_and_more_than_once() {
        let mut spill = Spill::new().unwrap();
        let candidates: Vec<Candidate> = (0..5_000_u32)
            .map(|number| Candidate {
                key: vec![b'k'; number as usize % 300],
                action: if number % 2 == 0 { Intent::Remove } else { Intent::SetTtl(u64::from(number)) },
                line: number % 7,
                shard: number % 3,
                round: 0,
                database: 1,
                seen_at_ms: i64::from(number),
                idle_s: (number % 5 == 0).then_some(number),
                expires_at_ms: None,
                bytes: 10,
                stamp: Some(ValueStamp { bytes: 1, checksum: u64::MAX }),
            })
            .collect();
        for candidate in &candidates {
            spill.add(candidate).unwrap();
        }
        for _ in 0..2 {
            let read: Vec<Candidate> = spill.read().unwrap().collect::<io::Result<_>>().unwrap();
            assert_eq!(read, candidates);
        }
    }
}
