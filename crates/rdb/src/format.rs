//! Which fork wrote the data, and in which version of the format.

use std::fmt;

use crate::{Error, Result};

/// The fork whose meaning of types and opcodes applies.
///
/// Up to version 11 both forks write the same format under the magic `REDIS`. From there on opcode 243 and
/// types 22 and 23 mean different things, so the dialect is settled before anything is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dialect {
    /// Magic `REDIS`, versions 1 to 15 (Redis 1 to 8.10; Valkey 7.2 to 8.1 write version 11).
    Redis,
    /// Magic `VALKEY`, versions 80 and 81 (Valkey 9.0 and 9.2; Valkey `src/rdb.h`, `RDB_VERSION_MAP`).
    Valkey,
}

/// Dialect and version of an RDB file or DUMP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Format {
    dialect: Dialect,
    version: u16,
}

/// Bytes of the magic and the version together, in either dialect.
pub(crate) const HEADER_LEN: usize = 9;

impl Format {
    /// Newest version of each dialect that this crate reads.
    pub const NEWEST_REDIS: u16 = 15;
    /// Newest version of Valkey's dialect that this crate reads.
    pub const NEWEST_VALKEY: u16 = 81;

    /// The format that a version number stands for where there is no magic, as in a DUMP payload: 80 and up are
    /// Valkey's, 12 to 79 are Redis's, and up to 11 both forks agree (Valkey 9 `src/rdb.h`).
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] outside of 1 to 15 and 80 to 81.
    pub fn from_version(version: u16) -> Result<Self> {
        Self::of_server(version).checked()
    }

    /// Reads the nine bytes that a file starts with: `REDIS` and four digits, or `VALKEY` and three.
    ///
    /// # Errors
    /// [`Error::NotRdb`] for any other bytes, [`Error::UnsupportedVersion`] for a version nobody documented.
    pub fn from_header(header: &[u8; 9]) -> Result<Self> {
        let (dialect, digits) = if let Some(digits) = header.strip_prefix(b"REDIS") {
            (Dialect::Redis, digits)
        } else if let Some(digits) = header.strip_prefix(b"VALKEY") {
            (Dialect::Valkey, digits)
        } else {
            return Err(Error::NotRdb { start: header[..].into() });
        };
        let mut version = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err(Error::NotRdb { start: header[..].into() });
            }
            version = version * 10 + u16::from(digit - b'0');
        }
        Self { dialect, version }.checked()
    }

    /// The format of a version that is known to be one, as those that servers write are.
    pub(crate) fn of_server(version: u16) -> Self {
        Self { dialect: if version >= 80 { Dialect::Valkey } else { Dialect::Redis }, version }
    }

    fn checked(self) -> Result<Self> {
        let known = match self.dialect {
            Dialect::Redis => 1..=Self::NEWEST_REDIS,
            Dialect::Valkey => 80..=Self::NEWEST_VALKEY,
        };
        if known.contains(&self.version) { Ok(self) } else { Err(Error::UnsupportedVersion { format: self }) }
    }

    /// The nine bytes that a file of this format starts with.
    #[must_use]
    pub fn header(self) -> [u8; 9] {
        let text = match self.dialect {
            Dialect::Redis => format!("REDIS{:04}", self.version),
            Dialect::Valkey => format!("VALKEY{:03}", self.version),
        };
        let mut header = [0; HEADER_LEN];
        header.copy_from_slice(&text.as_bytes()[..HEADER_LEN]);
        header
    }

    /// The fork whose meaning of types and opcodes applies.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Version of the format, as in the header.
    #[must_use]
    pub fn version(self) -> u16 {
        self.version
    }

    /// True where the file ends in a checksum: since version 5 (Redis 2.6, `src/rdb.c`).
    #[must_use]
    pub fn has_checksum(self) -> bool {
        self.version >= 5
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.dialect {
            Dialect::Redis => "Redis",
            Dialect::Valkey => "Valkey",
        };
        write!(f, "{name} RDB version {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_written_back() {
        for (header, dialect, version) in [
            (b"REDIS0001", Dialect::Redis, 1),
            (b"REDIS0015", Dialect::Redis, 15),
            (b"VALKEY080", Dialect::Valkey, 80),
            (b"VALKEY081", Dialect::Valkey, 81),
        ] {
            let format = Format::from_header(header).unwrap();
            assert_eq!((format.dialect(), format.version()), (dialect, version));
            assert_eq!(&format.header(), header);
        }
    }

    #[test]
    fn other_headers_are_refused() {
        for header in [b"REDIS0000", b"REDIS0016", b"REDIS0080", b"VALKEY011", b"VALKEY082"] {
            assert!(matches!(Format::from_header(header), Err(Error::UnsupportedVersion { .. })));
        }
        for header in [b"REDISabcd", b"redis0009", b"\x1f\x8b\x08\0\0\0\0\0\0", b"VALKEY 80"] {
            assert!(matches!(Format::from_header(header), Err(Error::NotRdb { .. })));
        }
    }
}
