//! Which server line, and which version of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A line of servers that speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerLine {
    /// Redis.
    Redis,
    /// Valkey, which reports `redis_version:7.2.4` for compatibility and its own in `valkey_version`.
    Valkey,
    /// Larder's own in-memory cache.
    Larder,
    /// A server that names itself something else in `server_name`, or gives no version at all.
    Other,
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::Larder => "Larder",
            Self::Other => "server",
        })
    }
}

/// `major.minor.patch` of a server; what follows is dropped (`8.0.2-rc1` is 8.0.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerVersion {
    /// The first number.
    pub major: u16,
    /// The second number, 0 where it is missing.
    pub minor: u16,
    /// The third number, 0 where it is missing.
    pub patch: u16,
}

/// A text that does not begin with a version number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionError(String);

impl ServerVersion {
    /// Makes a version of its three numbers.
    #[must_use]
    pub fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for ServerVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| -> Option<u16> {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            part[..digits].parse().ok()
        };
        let mut parts = text.trim().splitn(3, '.');
        let major = parts.next().and_then(number).ok_or_else(|| VersionError(text.to_owned()))?;
        let minor = parts.next().and_then(number).unwrap_or(0);
        let patch = parts.next().and_then(number).unwrap_or(0);
        Ok(Self { major, minor, patch })
    }
}

impl TryFrom<String> for ServerVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<ServerVersion> for String {
    fn from(version: ServerVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a server version (such as 7.2.4)", self.0)
    }
}

impl std::error::Error for VersionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_servers_write_them() {
        for (text, expected) in [
            ("7.0.15", (7, 0, 15)),
            ("8.0.2-rc1", (8, 0, 2)),
            ("255.255.255", (255, 255, 255)),
            ("6.2", (6, 2, 0)),
            ("7", (7, 0, 0)),
            ("5.0.5-Azure", (5, 0, 5)),
        ] {
            let version: ServerVersion = text.parse().unwrap();
            assert_eq!((version.major, version.minor, version.patch), expected, "{text}");
        }
        for wrong in ["", "x", "-1", ".1", "99999999.0"] {
            assert!(wrong.parse::<ServerVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number_not_by_text() {
        assert!(ServerVersion::new(7, 10, 0) > ServerVersion::new(7, 9, 9));
    }
}
