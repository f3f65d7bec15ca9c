//! How a file is to be read.

use crate::Limits;

/// How a file or payload is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Limits checked before anything is allocated.
    pub limits: Limits,
    /// Compares the checksum at the end with the bytes. Default true. Without it nothing is computed.
    pub verify_checksum: bool,
    /// Length of the data, where the caller knows it: lengths in it are then checked against what is left.
    pub total_bytes: Option<u64>,
    /// What may stand behind the end of the file.
    pub after_end: AfterEnd,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            verify_checksum: true,
            total_bytes: None,
            after_end: AfterEnd::Nothing,
        }
    }
}

/// What may stand behind the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AfterEnd {
    /// Nothing: the source is read to its end, and a byte more is an error.
    #[default]
    Nothing,
    /// Anything: it is left alone, for [`Reader::into_parts`](crate::Reader::into_parts). So in an append-only file
    /// with an RDB preamble, or on a replication link.
    Anything,
}

/// What became of the checksum at the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// The end was not reached yet.
    Pending,
    /// It matches.
    Verified(u64),
    /// The writer had checksums switched off and stored zero.
    Off,
    /// The format has none (versions 1 to 4).
    Absent,
    /// The caller did not want it compared.
    Skipped,
}
