//! What a server lets a user do.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Something that a server lets a user do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Capability {
    /// PING.
    Ping,
    /// INFO.
    Info,
    /// INFO with command statistics.
    CommandStatistics,
    /// CONFIG GET.
    Config,
    /// CLIENT LIST.
    Clients,
    /// SLOWLOG GET.
    SlowLog,
    /// LATENCY LATEST.
    Latency,
    /// MEMORY STATS (Redis 4.0 and later).
    MemoryStatistics,
    /// CLUSTER INFO and CLUSTER NODES.
    Cluster,
    /// SCAN.
    Scan,
    /// GET and the like.
    ReadKeys,
    /// MEMORY USAGE of a key (Redis 4.0 and later).
    KeyMemory,
    /// OBJECT IDLETIME, FREQ and ENCODING.
    KeyObject,
    /// SET and the like.
    WriteKeys,
    /// EXPIRE and PERSIST.
    Expire,
    /// UNLINK (Redis 4.0 and later), or DEL where it is missing.
    Unlink,
    /// DUMP.
    Dump,
    /// RESTORE.
    Restore,
    /// CLIENT NO-TOUCH (Redis 7.2 and later, Valkey).
    NoTouch,
    /// MONITOR.
    Monitor,
}

/// Whether a capability is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Availability {
    /// It is there.
    Available,
    /// It is blocked or missing, because …
    Blocked(String),
    /// It could not be found out, because …
    Unknown(String),
}

/// What a server lets a user do, as far as it could be found out without changing anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeMap<Capability, Availability>);

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 20] = [
        Self::Ping,
        Self::Info,
        Self::CommandStatistics,
        Self::Config,
        Self::Clients,
        Self::SlowLog,
        Self::Latency,
        Self::MemoryStatistics,
        Self::Cluster,
        Self::Scan,
        Self::ReadKeys,
        Self::KeyMemory,
        Self::KeyObject,
        Self::WriteKeys,
        Self::Expire,
        Self::Unlink,
        Self::Dump,
        Self::Restore,
        Self::NoTouch,
        Self::Monitor,
    ];
}

impl Capabilities {
    /// Records what was found out of a capability.
    pub fn record(&mut self, capability: Capability, availability: Availability) {
        self.0.insert(capability, availability);
    }

    /// Tells whether a capability is known to be there.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.0.get(&capability) == Some(&Availability::Available)
    }

    /// Returns what is known of a capability; one that was not asked for is unknown.
    #[must_use]
    pub fn get(&self, capability: Capability) -> Availability {
        let unknown = || Availability::Unknown("it was not asked for".to_owned());
        self.0.get(&capability).cloned().unwrap_or_else(unknown)
    }

    /// Returns every capability that was asked for.
    pub fn iter(&self) -> impl Iterator<Item = (Capability, &Availability)> {
        self.0.iter().map(|(capability, availability)| (*capability, availability))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ping => "PING",
            Self::Info => "INFO",
            Self::CommandStatistics => "command statistics",
            Self::Config => "CONFIG GET",
            Self::Clients => "CLIENT LIST",
            Self::SlowLog => "SLOWLOG",
            Self::Latency => "LATENCY",
            Self::MemoryStatistics => "MEMORY STATS",
            Self::Cluster => "CLUSTER",
            Self::Scan => "SCAN",
            Self::ReadKeys => "reading of keys",
            Self::KeyMemory => "MEMORY USAGE",
            Self::KeyObject => "OBJECT",
            Self::WriteKeys => "writing of keys",
            Self::Expire => "EXPIRE",
            Self::Unlink => "UNLINK",
            Self::Dump => "DUMP",
            Self::Restore => "RESTORE",
            Self::NoTouch => "CLIENT NO-TOUCH",
            Self::Monitor => "MONITOR",
        })
    }
}
