//! What a backup consists of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use larder_cache_client::DumpMethod;
use larder_metrics_model::{NodeAddress, Role, Skipped};
use larder_rdb::DataDigest;
use serde::{Deserialize, Serialize};

use crate::BackupId;

/// What is missing of a dump in the guide's layout that has no manifest.
pub(crate) const NO_MANIFEST: &str = "manifest";

/// What a backup consists of, and what is known of it. It is written last: a backup without one is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// How it is called.
    pub id: BackupId,
    /// Why it was made.
    pub kind: Kind,
    /// When it was begun.
    pub began_at: DateTime<Utc>,
    /// When its last artifact was stored.
    pub finished_at: DateTime<Utc>,
    /// The cache, by its URL without credentials.
    pub cache: String,
    /// The version of Larder that made it; of a backup that the guide's script made, `None`.
    pub larder: Option<String>,
    /// The shards, in the order of their slots.
    pub shards: Vec<ShardImage>,
    /// Configuration files, metrics and logs.
    pub archives: Vec<SideArchive>,
    /// What could not be taken, and why.
    pub missing: Vec<Skipped>,
    /// To whom it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encryption: Option<Encryption>,
    /// How far apart in time the images of the shards are at the most, in milliseconds.
    pub apart_ms: u64,
    /// What is in all shards together; unknown of a backup that the guide's script made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counts: Option<Counts>,
    /// The digest of the data of all shards, TTLs included: the sum of theirs, but that a function library, which every shard
    /// has, counts once.
    #[serde(with = "as_text", skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<DataDigest>,
    /// The same without TTLs.
    #[serde(with = "as_text", skip_serializing_if = "Option::is_none", default)]
    pub values_digest: Option<DataDigest>,
}

/// Why a backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// To have one.
    Regular,
    /// To have a way back from a restore.
    Safety {
        /// The backup that was about to be restored.
        before_restore_of: BackupId,
    },
    /// The guide's script made it.
    Guide,
}

/// The image of one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShardImage {
    /// The node that it was taken from.
    pub node: NodeAddress,
    /// The role of that node.
    pub role: Option<Role>,
    /// Line and version of the server, such as `Valkey 9.1.2`.
    pub server: Option<String>,
    /// The slots that the shard held; empty where there is one shard.
    pub slots: Vec<SlotRange>,
    /// How the image was taken; of a guide's backup, `None`.
    pub method: Option<DumpMethod>,
    /// The moment whose data it is, by the clock of the server: when its fork was made. Taken key by key, when that began.
    pub taken_at: Option<DateTime<Utc>>,
    /// How long taking and storing it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Where in the stream of changes it is.
    pub replication: Option<ReplicationPoint>,
    /// Version of the RDB format, such as `redis 12`.
    pub format: Option<String>,
    /// Bytes of the RDB file before compression.
    pub rdb_bytes: Option<u64>,
    /// Whether the server wrote a checksum at its end, which was compared.
    #[serde(default)]
    pub has_checksum: Option<bool>,
    /// What is in it.
    pub counts: Option<Counts>,
    /// Digest of its data, TTLs included.
    #[serde(with = "as_text")]
    pub digest: Option<DataDigest>,
    /// The same without TTLs.
    #[serde(with = "as_text")]
    pub values_digest: Option<DataDigest>,
    /// The RDB file.
    pub artifact: Artifact,
}

/// Slots of a cluster, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotRange(pub u16, pub u16);

/// A place in a stream of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationPoint {
    /// The id of the stream.
    pub id: String,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// An archive of files that belong with the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideArchive {
    /// `config` or `metrics`.
    pub name: String,
    /// Files in it.
    pub files: Option<u64>,
    /// The archive (tar).
    pub artifact: Artifact,
}

/// An object of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Artifact {
    /// Its path from the root of the repository.
    pub path: String,
    /// Its bytes, as stored.
    pub bytes: u64,
    /// SHA-256 of its bytes, as stored, in hexadecimal; unknown of a guide's backup.
    pub sha256: Option<String>,
    /// How it is compressed.
    pub compression: Compression,
    /// Whether it is encrypted (age), after compression.
    pub encrypted: bool,
}

/// How an artifact is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// It is not.
    None,
    /// Zstandard.
    #[default]
    Zstd,
    /// gzip, as the guide does it.
    Gzip,
}

/// To whom a backup is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Encryption {
    /// The recipients' public keys (age).
    pub recipients: Vec<String>,
}

/// What is in a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// Keys.
    pub keys: u64,
    /// Keys with a TTL.
    pub expiring: u64,
    /// Function libraries.
    pub functions: u64,
    /// Keys by the number of their database.
    pub by_database: BTreeMap<u64, u64>,
    /// Keys by type, as TYPE says it.
    pub by_type: BTreeMap<String, u64>,
    /// Keys by family. Left out of an encrypted backup, because names of families are parts of names of keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_family: BTreeMap<String, FamilyCount>,
}

/// What is in one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FamilyCount {
    /// Keys.
    pub keys: u64,
    /// Bytes that they take in the RDB file.
    pub bytes: u64,
}

impl Manifest {
    /// Returns every object that belongs to the backup, but for the manifest.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.shards
            .iter()
            .map(|shard| &shard.artifact)
            .chain(self.archives.iter().map(|archive| &archive.artifact))
    }

    /// Tells whether it is a way back from a restore.
    #[must_use]
    pub fn is_safety(&self) -> bool {
        matches!(self.kind, Kind::Safety { .. })
    }

    /// Tells whether it is a dump in the guide's layout that has no manifest: the backup that it is of did not end, or its
    /// manifest was lost. It may be good, and nothing says so.
    #[must_use]
    pub fn is_without_manifest(&self) -> bool {
        self.kind == Kind::Guide && self.missing.iter().any(|part| part.what == NO_MANIFEST)
    }

    /// Returns how many bytes it takes in the repository, the manifest left aside.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.artifacts().map(|artifact| artifact.bytes).sum()
    }
}

impl Counts {
    /// Adds what is in another dump.
    pub fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.expiring += other.expiring;
        self.functions += other.functions;
        for (database, keys) in &other.by_database {
            *self.by_database.entry(*database).or_default() += keys;
        }
        for (kind, keys) in &other.by_type {
            *self.by_type.entry(kind.clone()).or_default() += keys;
        }
        for (family, count) in &other.by_family {
            let sum = self.by_family.entry(family.clone()).or_default();
            sum.keys += count.keys;
            sum.bytes += count.bytes;
        }
    }
}

/// Digests as text.
mod as_text {
    use larder_rdb::DataDigest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<DataDigest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        digest.map(|digest| digest.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DataDigest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
