//! What a server answers to questions other than INFO.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// One client connection: a line of `CLIENT LIST`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its number, unique while the server runs.
    pub id: Option<u64>,
    /// Where it comes from.
    pub address: String,
    /// The name it gave itself.
    pub name: String,
    /// The user it is logged in as (since Redis 6).
    pub user: String,
    /// Seconds since it connected.
    pub age_seconds: Option<u64>,
    /// Seconds since its last command.
    pub idle_seconds: Option<u64>,
    /// Its last command.
    pub command: String,
    /// Every field as the server gave it.
    pub fields: BTreeMap<String, String>,
}

/// One entry of `SLOWLOG GET`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowLogEntry {
    /// Its number.
    pub id: u64,
    /// When it ran, seconds since the Unix epoch.
    pub at_unix_seconds: u64,
    /// How long it ran on the server.
    pub duration: Duration,
    /// The command's name. Its arguments are values of users, and are not kept.
    pub command: String,
    /// How many arguments there were, as far as the server kept them.
    pub arguments: usize,
}

/// One entry of `LATENCY LATEST`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencyEvent {
    /// What took long, such as `fork` or `expire-cycle`.
    pub event: String,
    /// When it last happened, seconds since the Unix epoch.
    pub at_unix_seconds: u64,
    /// How long the last one took.
    pub latest: Duration,
    /// How long the longest one took.
    pub longest: Duration,
}

/// The numbers of `MEMORY STATS`, by name; nested ones as `db.0.overhead.hashtable.main`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemoryReport {
    /// Bytes, counts, and shares, as the server gave them.
    pub figures: BTreeMap<String, f64>,
}

impl ClientInfo {
    /// Reads one line of `CLIENT LIST`.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let fields: BTreeMap<String, String> = line
            .split_ascii_whitespace()
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let number = |name: &str| fields.get(name)?.parse().ok();
        Self {
            id: number("id"),
            address: text("addr"),
            name: text("name"),
            user: text("user"),
            age_seconds: number("age"),
            idle_seconds: number("idle"),
            command: text("cmd"),
            fields,
        }
    }
}

impl SlowLogEntry {
    /// Records an entry.
    #[must_use]
    pub fn new(id: u64, at_unix_seconds: u64, duration: Duration, command: String, arguments: usize) -> Self {
        Self { id, at_unix_seconds, duration, command, arguments }
    }
}

impl LatencyEvent {
    /// Records an event.
    #[must_use]
    pub fn new(event: String, at_unix_seconds: u64, latest: Duration, longest: Duration) -> Self {
        Self { event, at_unix_seconds, latest, longest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_client_list() {
        let line = "id=3 addr=127.0.0.1:5 laddr=127.0.0.1:6379 name= age=7 idle=0 cmd=client|list user=default resp=2";
        let client = ClientInfo::parse(line);
        assert_eq!((client.id, client.age_seconds, client.idle_seconds), (Some(3), Some(7), Some(0)));
        assert_eq!((client.name.as_str(), client.command.as_str()), ("", "client|list"));
        assert_eq!(client.fields["resp"], "2");
        assert_eq!(ClientInfo::parse(""), ClientInfo::default());
    }
}
