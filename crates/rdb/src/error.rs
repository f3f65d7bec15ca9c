//! What can go wrong, always with the byte offset and, once a key is known, the key.

use std::fmt;
use std::io;

use crate::{Format, Incompatible};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A key's name in an error or a report: any bytes, shown with the unprintable ones escaped.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(Box<[u8]>);

impl KeyName {
    /// The exact bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How much of a name is shown; [`KeyName::as_bytes`] has the rest.
const MOST_SHOWN_BYTES: usize = 128;

impl From<&[u8]> for KeyName {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..MOST_SHOWN_BYTES) {
            Some(start) if self.0.len() > MOST_SHOWN_BYTES => {
                write!(f, "\"{}…\" ({} bytes)", start.escape_ascii(), self.0.len())
            }
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where in the data something was found: the byte offset and the key it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Bytes from the start of the file or payload.
    pub offset: u64,
    /// The key whose value was being read, where one was.
    pub key: Option<KeyName>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        match &self.key {
            Some(key) => write!(f, ", key {key}"),
            None => Ok(()),
        }
    }
}

/// Everything that reading, writing and judging RDB data can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source of the bytes failed.
    #[error("{place}: reading failed")]
    Read {
        /// How far reading came.
        place: Place,
        /// What the source said.
        source: io::Error,
    },
    /// The sink of the bytes failed.
    #[error("writing failed after {written} bytes")]
    Write {
        /// Bytes handed to the sink before it failed.
        written: u64,
        /// What the sink said.
        source: io::Error,
    },
    /// The data ends, or a length points past its end.
    #[error("{place}: the data ends inside {what}")]
    Truncated {
        /// Where the unfinished thing starts or where the data ends.
        place: Place,
        /// What was being read.
        what: &'static str,
    },
    /// The data does not start with `REDIS` or `VALKEY` and a version.
    #[error("not an RDB file: it starts with {start}")]
    NotRdb {
        /// The first bytes.
        start: KeyName,
    },
    /// The version is one that this crate knows nothing certain about.
    #[error("{format} is not a version this library reads")]
    UnsupportedVersion {
        /// Dialect and version found.
        format: Format,
    },
    /// A type or opcode byte has no meaning in this dialect and version.
    #[error("{place}: byte {byte} is neither a type nor an opcode of {format}")]
    UnknownType {
        /// Where the byte is.
        place: Place,
        /// The byte.
        byte: u8,
        /// Dialect and version of the data.
        format: Format,
    },
    /// The bytes break the rules of the format.
    #[error("{place}: {what}")]
    Malformed {
        /// Where.
        place: Place,
        /// Which rule.
        what: &'static str,
    },
    /// A length or count is over the limit that the caller set.
    #[error("{place}: {what} asks for {found}, over the limit of {allowed}")]
    Limit {
        /// Where.
        place: Place,
        /// What is limited.
        what: &'static str,
        /// The limit.
        allowed: u64,
        /// What the data asks for.
        found: u64,
    },
    /// A value of the first module format, which only its module can find the end of.
    #[error(
        "{place}: the value belongs to module type {module}, saved in a format that only the module can read"
    )]
    OpaqueModule {
        /// Where.
        place: Place,
        /// The module type's nine-letter name.
        module: String,
    },
    /// The checksum at the end does not match the bytes before it.
    #[error("checksum mismatch: {stored:016x} is stored, {computed:016x} was computed over {bytes} bytes")]
    Checksum {
        /// The checksum in the data.
        stored: u64,
        /// The checksum of the data.
        computed: u64,
        /// Bytes that the checksum covers.
        bytes: u64,
    },
    /// There are bytes behind the end of the file.
    #[error("byte {offset}: there is data behind the end of the file")]
    TrailingData {
        /// Where the file ends.
        offset: u64,
    },
    /// The data cannot be loaded by the server it is meant for.
    #[error(transparent)]
    Incompatible(Box<Incompatible>),
    /// A value handed to the writer cannot be written.
    #[error("key {key}: {what}")]
    Unwritable {
        /// The key.
        key: KeyName,
        /// Why.
        what: &'static str,
    },
    /// The text names no server line and version.
    #[error(
        "{text:?} names no server: write the line and the version, as in \"redis 7.0\" or \"valkey 8.1\""
    )]
    ServerName {
        /// The text.
        text: String,
    },
}

impl Error {
    /// Byte offset of the fault, where the error has one.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::TrailingData { offset } => Some(*offset),
            _ => self.place().map(|place| place.offset),
        }
    }

    /// Key whose value holds the fault, where the error has one.
    #[must_use]
    pub fn key(&self) -> Option<&KeyName> {
        match self {
            Self::Unwritable { key, .. } => Some(key),
            Self::Incompatible(why) => Some(&why.key),
            _ => self.place().and_then(|place| place.key.as_ref()),
        }
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Read { place, .. }
            | Self::Truncated { place, .. }
            | Self::UnknownType { place, .. }
            | Self::Malformed { place, .. }
            | Self::Limit { place, .. }
            | Self::OpaqueModule { place, .. } => Some(place),
            _ => None,
        }
    }

    fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Self::Read { place, .. }
            | Self::Truncated { place, .. }
            | Self::UnknownType { place, .. }
            | Self::Malformed { place, .. }
            | Self::Limit { place, .. }
            | Self::OpaqueModule { place, .. } => Some(place),
            _ => None,
        }
    }

    /// Names the key, unless one is named already.
    #[cold]
    pub(crate) fn in_key(mut self, name: &[u8]) -> Self {
        if let Some(place) = self.place_mut() {
            place.key.get_or_insert_with(|| name.into());
        }
        self
    }

    /// Counts the offset from `start` bytes further back.
    #[cold]
    pub(crate) fn moved(mut self, start: u64) -> Self {
        if let Some(place) = self.place_mut() {
            place.offset += start;
        }
        self
    }

    #[cold]
    pub(crate) fn truncated(offset: u64, what: &'static str) -> Self {
        Self::Truncated { place: Place { offset, key: None }, what }
    }

    #[cold]
    pub(crate) fn malformed(offset: u64, what: &'static str) -> Self {
        Self::Malformed { place: Place { offset, key: None }, what }
    }

    #[cold]
    pub(crate) fn limit(offset: u64, what: &'static str, allowed: u64, found: u64) -> Self {
        Self::Limit { place: Place { offset, key: None }, what, allowed, found }
    }

    #[cold]
    pub(crate) fn read(offset: u64, source: io::Error) -> Self {
        Self::Read { place: Place { offset, key: None }, source }
    }

    #[cold]
    pub(crate) fn opaque_module(offset: u64, module: String) -> Self {
        Self::OpaqueModule { place: Place { offset, key: None }, module }
    }

    #[cold]
    pub(crate) fn unknown_type(offset: u64, byte: u8, format: Format) -> Self {
        Self::UnknownType { place: Place { offset, key: None }, byte, format }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_named_stays() {
        let error = Error::malformed(7, "broken").in_key(b"a").in_key(b"b");
        assert_eq!(error.key().map(KeyName::as_bytes), Some(&b"a"[..]));
        assert_eq!(error.to_string(), "byte 7, key \"a\": broken");
    }

    #[test]
    fn unprintable_bytes_of_a_key_are_escaped() {
        assert_eq!(KeyName::from(&b"k\n\xff"[..]).to_string(), "\"k\\n\\xff\"");
    }
}
