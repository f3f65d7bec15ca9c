//! Servers: which formats and types each version loads and writes.

use std::fmt;
use std::str::FromStr;

use crate::{Dialect, Error, Format, ValueType};

/// The two lines of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ServerLine {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// A server's line and version; what it loads, writes and takes in memory follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    line: ServerLine,
    major: u16,
    minor: u16,
}

/// First version of each line that writes a version of the format, the newest first (`RDB_VERSION` in `src/rdb.h`
/// of each release; Valkey's is listed in `RDB_VERSION_MAP`).
const REDIS: &[(u16, u16, u16)] = &[
    (8, 10, 15),
    (8, 8, 14),
    (8, 6, 13),
    (7, 4, 12),
    (7, 2, 11),
    (7, 0, 10),
    (5, 0, 9),
    (4, 0, 8),
    (3, 2, 7),
    (2, 6, 6),
    (2, 4, 2),
    (0, 0, 1),
];
const VALKEY: &[(u16, u16, u16)] = &[(9, 2, 81), (9, 0, 80), (0, 0, 11)];

impl Server {
    /// A server of the Redis line.
    #[must_use]
    pub fn redis(major: u16, minor: u16) -> Self {
        Self { line: ServerLine::Redis, major, minor }
    }

    /// A server of the Valkey line.
    #[must_use]
    pub fn valkey(major: u16, minor: u16) -> Self {
        Self { line: ServerLine::Valkey, major, minor }
    }

    /// The oldest server that writes a format.
    #[must_use]
    pub fn writing(format: Format) -> Self {
        let (line, table) = match format.dialect() {
            Dialect::Valkey => (ServerLine::Valkey, VALKEY),
            Dialect::Redis => (ServerLine::Redis, REDIS),
        };
        let oldest = table.iter().rev().find(|(_, _, version)| *version >= format.version());
        let (major, minor) = oldest.or(table.first()).map_or((0, 0), |(major, minor, _)| (*major, *minor));
        Self { line, major, minor }
    }

    /// The line.
    #[must_use]
    pub fn line(self) -> ServerLine {
        self.line
    }

    /// Major and minor version.
    #[must_use]
    pub fn version(self) -> (u16, u16) {
        (self.major, self.minor)
    }

    /// The format that the server writes.
    #[must_use]
    pub fn format(self) -> Format {
        let table = if self.line == ServerLine::Redis { REDIS } else { VALKEY };
        let found = table.iter().find(|(major, minor, _)| (self.major, self.minor) >= (*major, *minor));
        let version = found.map_or(1, |(_, _, version)| *version);
        Format::of_server(version)
    }

    /// True if the server takes a file or payload of this format at all.
    ///
    /// Redis refuses versions newer than its own and does not know the magic `VALKEY`; Valkey refuses versions 12
    /// to 79 as well (`rdb-version-check strict`, Valkey 9.0 `src/rdb.c`).
    #[must_use]
    pub fn loads_format(self, format: Format) -> bool {
        let own = self.format();
        match (self.line, format.dialect()) {
            (ServerLine::Redis, Dialect::Valkey) => false,
            (ServerLine::Valkey, Dialect::Redis) => format.version() <= 11,
            (ServerLine::Redis, Dialect::Redis) | (ServerLine::Valkey, Dialect::Valkey) => {
                format.version() <= own.version()
            }
        }
    }

    /// True if the server loads values of this type, whatever file they stand in.
    ///
    /// Whether it knows a module is not known here: module values count as loadable where the format has them.
    #[must_use]
    pub fn loads_type(self, value_type: ValueType) -> bool {
        match value_type {
            // Only release candidates of Redis 4.0 wrote it, and servers refuse it.
            ValueType::ModulePreGa => false,
            ValueType::ValkeyHash2 => self.line == ServerLine::Valkey && self.format().version() >= 80,
            _ if value_type.byte() <= 21 => value_type.since_version() <= self.format().version(),
            _ => self.line == ServerLine::Redis && value_type.since_version() <= self.format().version(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self.line {
            ServerLine::Redis => "Redis",
            ServerLine::Valkey => "Valkey",
        };
        write!(f, "{line} {}.{}", self.major, self.minor)
    }
}

impl FromStr for Server {
    type Err = Error;

    /// Reads `redis 7.0`, `valkey-8.1`, `Valkey 9`, `redis_version:7.0.15`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::ServerName { text: text.to_owned() };
        let lower = text.trim().to_ascii_lowercase();
        let (line, rest) = if let Some(rest) = lower.strip_prefix("redis") {
            (ServerLine::Redis, rest)
        } else if let Some(rest) = lower.strip_prefix("valkey") {
            (ServerLine::Valkey, rest)
        } else {
            return Err(unknown());
        };
        let version = rest.trim_start_matches("_version").trim_start_matches([' ', '-', ':', '=', 'v']);
        let mut numbers = version.split('.').map(str::parse::<u16>);
        let major = numbers.next().and_then(Result::ok).ok_or_else(unknown)?;
        let minor = numbers.next().unwrap_or(Ok(0)).map_err(|_| unknown())?;
        Ok(Self { line, major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_version_is_one_that_is_read() {
        for (major, minor, version) in REDIS {
            let format = Format::from_version(*version).unwrap();
            assert_eq!(Server::redis(*major, *minor).format(), format);
            assert_eq!(Server::writing(format), Server::redis(*major, *minor));
        }
        for (major, minor, version) in VALKEY {
            assert_eq!(Server::valkey(*major, *minor).format(), Format::from_version(*version).unwrap());
        }
    }

    #[test]
    fn a_format_that_no_listed_server_wrote_is_written_by_the_next_one() {
        let format = |version| Format::from_version(version).unwrap();
        assert_eq!(Server::writing(format(4)), Server::redis(2, 6));
        assert_eq!(Server::writing(format(80)), Server::valkey(9, 0));
        assert_eq!(Server::writing(format(81)), Server::valkey(9, 2));
    }

    #[test]
    fn the_forks_part_at_version_12() {
        let format = |version| Format::from_version(version).unwrap();
        assert!(Server::redis(7, 0).loads_format(format(10)));
        assert!(!Server::redis(7, 0).loads_format(format(11)));
        assert!(Server::redis(8, 0).loads_format(format(12)));
        assert!(!Server::redis(8, 0).loads_format(format(80)));
        assert!(Server::valkey(8, 1).loads_format(format(11)));
        assert!(!Server::valkey(8, 1).loads_format(format(12)));
        assert!(Server::valkey(9, 0).loads_format(format(80)));
        assert!(!Server::valkey(9, 0).loads_format(format(12)));
        assert!(Server::valkey(9, 0).loads_type(ValueType::ValkeyHash2));
        assert!(!Server::valkey(9, 0).loads_type(ValueType::HashMetadata));
        assert!(Server::redis(8, 0).loads_type(ValueType::HashMetadata));
        assert!(!Server::redis(7, 0).loads_type(ValueType::SetListpack));
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, server) in [
            ("redis 7.0", Server::redis(7, 0)),
            ("Valkey-8.1.1", Server::valkey(8, 1)),
            ("valkey 9", Server::valkey(9, 0)),
            ("redis_version:7.0.15", Server::redis(7, 0)),
        ] {
            assert_eq!(text.parse::<Server>().unwrap(), server);
        }
        for text in ["", "redis", "7.0", "keydb 6.3", "redis x", "redis 7.x"] {
            assert!(text.parse::<Server>().is_err(), "{text:?}");
        }
    }
}
