//! The facts that stand beside the keys of an undo file.
//!
//! An undo file is an RDB file that any server of its version loads. What else has to be known stands in aux fields, which
//! servers pass by: who wrote the file (`larder-undo`), what was done to the key that follows (`larder-act`), which keys were
//! left alone after all (`larder-left`, the number of the key in the file, from 0 on), and the checksum of everything in front of it (`larder-crc`), at which a file that
//! was cut short is still known to be sound.

use serde::{Deserialize, Serialize};

pub(super) const HEADER: &[u8] = b"larder-undo";
pub(super) const ACT: &[u8] = b"larder-act";
pub(super) const LEFT: &[u8] = b"larder-left";
pub(super) const CHECKSUM: &[u8] = b"larder-crc";

/// The newest form of undo files that is known.
pub(super) const VERSION: u32 = 1;

/// Who wrote an undo file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UndoHeader {
    /// The form of the file.
    pub version: u32,
    /// The cache that was changed, without credentials.
    pub cache: String,
    /// Where the policy came from by which it was changed.
    pub policy: String,
    /// When it was begun, in milliseconds since 1970.
    pub began_at_ms: i64,
}

impl UndoHeader {
    /// Names a cache and a policy.
    #[must_use]
    pub fn new(cache: impl Into<String>, policy: impl Into<String>, began_at_ms: i64) -> Self {
        Self { version: VERSION, cache: cache.into(), policy: policy.into(), began_at_ms }
    }
}

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It was removed.
    Removed,
    /// Its time was set to be up at this moment, in milliseconds since 1970.
    Expires(i64),
}

impl Act {
    pub(super) fn to_text(self) -> String {
        match self {
            Self::Removed => "removed".to_owned(),
            Self::Expires(at_ms) => format!("expires {at_ms}"),
        }
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match std::str::from_utf8(text).ok()? {
            "removed" => Some(Self::Removed),
            other => other.strip_prefix("expires ")?.parse().ok().map(Self::Expires),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_read_as_they_are_written() {
        for act in [Act::Removed, Act::Expires(0), Act::Expires(i64::MAX), Act::Expires(-1)] {
            assert_eq!(Act::parse(act.to_text().as_bytes()), Some(act));
        }
        for text in [&b""[..], b"removed ", b"expires", b"expires x", b"\xff"] {
            assert_eq!(Act::parse(text), None);
        }
    }
}
