//! What verifications found.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use serde::{Deserialize, Serialize};

use super::{Repository, layout::verification_path, storage};
use crate::{BackupId, Result};

const MOST_BYTES: u64 = 4 << 20;

/// What a verification found. One that could not be made (no server to load into, no key) is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verification {
    /// How deep it went.
    pub level: VerificationLevel,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Whether all was well.
    pub ok: bool,
    /// What was not, with artifact and offset.
    pub problems: Vec<String>,
    /// The server that it was loaded into, such as `Valkey 9.1.2`.
    pub server: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How deep a verification went; a later one includes the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationLevel {
    /// The bytes are those that were stored.
    Checksum,
    /// The dump is decoded, and holds what the manifest says.
    Structure,
    /// A server loads it, and holds what the manifest says.
    Load,
    /// A rehearsal of recovery succeeded with it.
    Drill,
}

impl Verification {
    /// Records a verification that found nothing wrong.
    #[must_use]
    pub fn passed(level: VerificationLevel, at: DateTime<Utc>) -> Self {
        Self { level, at, ok: true, problems: Vec::new(), server: None, took_ms: 0 }
    }

    /// Records a verification that found something wrong.
    #[must_use]
    pub fn failed(level: VerificationLevel, at: DateTime<Utc>, problems: Vec<String>) -> Self {
        Self { level, at, ok: false, problems, server: None, took_ms: 0 }
    }
}

impl fmt::Display for VerificationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Checksum => "checksum",
            Self::Structure => "structure",
            Self::Load => "load",
            Self::Drill => "drill",
        })
    }
}

impl Repository {
    /// Returns the last verification of each level, the deepest one last.
    ///
    /// # Errors
    /// The store fails. A record that cannot be read counts as none: it proves nothing.
    pub async fn verifications(&self, id: &BackupId) -> Result<Vec<Verification>> {
        let text = self.read_small(&verification_path(id), MOST_BYTES).await?;
        Ok(text.map(|text| read(id, &text)).unwrap_or_default())
    }

    /// Keeps what a verification found, in the place of the last one of its level. Two that end at once may lose one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn write_verification(&self, id: &BackupId, verification: &Verification) -> Result<()> {
        let mut kept = self.verifications(id).await?;
        kept.retain(|other| other.level != verification.level);
        kept.push(verification.clone());
        kept.sort_by_key(|one| one.level);
        let path = verification_path(id);
        let failed = storage(format!("write {path}"));
        let text = match serde_json::to_vec_pretty(&kept) {
            Ok(text) => text,
            Err(error) => {
                return Err(failed(object_store::Error::Generic { store: "JSON", source: error.into() }));
            }
        };
        let payload = PutPayload::from(Bytes::from(text));
        self.store.inner.put(&Path::from(path), payload).await.map(drop).map_err(failed)
    }
}

fn read(id: &BackupId, text: &[u8]) -> Vec<Verification> {
    serde_json::from_slice(text).unwrap_or_else(|error| {
        tracing::warn!(%id, %error, "the record of its verifications cannot be read");
        Vec::new()
    })
}
