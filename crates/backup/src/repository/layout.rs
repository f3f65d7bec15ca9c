//! How the objects of a backup are called.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{BackupId, Compression, Error, Result};

/// Where backups of ours are.
pub(crate) const BACKUPS: &str = "backups";

/// How the objects of a backup are called, and where they are. The [`BackupId`] tells it: with a mark it is ours, without
/// one it is the guide's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// A folder a backup: `backups/20261124_165256-3f9a/shard-0.rdb.zst`.
    #[default]
    Ours,
    /// The files of the guide's script, side by side at the root: `redis_20261124_165256.rdb.gz`. For one shard,
    /// compressed with gzip, not encrypted.
    Guide,
}

/// Which object of a backup it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The RDB file of the shard of this place, from 0.
    Shard(usize),
    /// The archive of configuration files.
    Config,
    /// The archive of metrics and logs.
    Metrics,
}

/// What is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactSpec {
    /// Which object it is.
    pub part: Part,
    /// How it is compressed.
    pub compression: Compression,
    /// Whether it is encrypted (age), after compression.
    pub encrypted: bool,
}

impl Layout {
    /// Names a backup that begins at this moment; the guide's layout leaves the mark away.
    ///
    /// The guide's script takes the local time of its machine; ours is UTC in both.
    #[must_use]
    pub fn id(self, at: DateTime<Utc>, mark: u16) -> BackupId {
        match self {
            Self::Ours => BackupId::new(at, mark),
            Self::Guide => BackupId::of_guide(at),
        }
    }

    /// Returns the layout of a backup.
    #[must_use]
    pub fn of(id: &BackupId) -> Self {
        if id.is_guides() { Self::Guide } else { Self::Ours }
    }

    /// Returns how the layout compresses.
    #[must_use]
    pub fn compression(self) -> Compression {
        match self {
            Self::Ours => Compression::Zstd,
            Self::Guide => Compression::Gzip,
        }
    }
}

impl ArtifactSpec {
    /// Names an object that is compressed so, and not encrypted.
    #[must_use]
    pub fn new(part: Part, compression: Compression) -> Self {
        Self { part, compression, encrypted: false }
    }

    /// Says that it is encrypted.
    #[must_use]
    pub fn encrypted(mut self, encrypted: bool) -> Self {
        self.encrypted = encrypted;
        self
    }

    /// Returns its path from the root of the repository.
    pub(crate) fn path(self, id: &BackupId) -> Result<String> {
        match Layout::of(id) {
            Layout::Ours => Ok(format!("{BACKUPS}/{id}/{}{}", self.part, self.ending())),
            Layout::Guide => self.guides_path(id),
        }
    }

    fn ending(self) -> String {
        let compression = match self.compression {
            Compression::None => "",
            Compression::Zstd => ".zst",
            Compression::Gzip => ".gz",
        };
        format!("{compression}{}", if self.encrypted { ".age" } else { "" })
    }

    fn guides_path(self, id: &BackupId) -> Result<String> {
        let mut reasons = Vec::new();
        if self.compression != Compression::Gzip {
            reasons.push("it compresses with gzip".to_owned());
        }
        if self.encrypted {
            reasons.push("it has no encryption".to_owned());
        }
        let front = match self.part {
            Part::Shard(0) => "redis",
            Part::Shard(place) => {
                reasons.push(format!("it has room for one shard, and this is shard {place}"));
                "redis"
            }
            Part::Config => "config",
            Part::Metrics => "metrics",
        };
        if !reasons.is_empty() {
            return Err(Error::Refused { what: "the guide's layout".to_owned(), reasons });
        }
        let ending = if matches!(self.part, Part::Shard(_)) { "rdb.gz" } else { "tar.gz" };
        Ok(format!("{front}_{id}.{ending}"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(place) => write!(f, "shard-{place}.rdb"),
            Self::Config => f.write_str("config.tar"),
            Self::Metrics => f.write_str("metrics.tar"),
        }
    }
}

/// Returns the path of the manifest.
pub(crate) fn manifest_path(id: &BackupId) -> String {
    match Layout::of(id) {
        Layout::Ours => format!("{BACKUPS}/{id}/manifest.json"),
        Layout::Guide => format!("manifest_{id}.json"),
    }
}

/// Returns the path of what verifications found.
pub(crate) fn verification_path(id: &BackupId) -> String {
    match Layout::of(id) {
        Layout::Ours => format!("{BACKUPS}/{id}/verification.json"),
        Layout::Guide => format!("verification_{id}.json"),
    }
}

/// Tells whose object it is; `None` where it is none of a backup.
pub(crate) fn owner(path: &str) -> Option<BackupId> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [BACKUPS, id, name] => {
            let id: BackupId = id.parse().ok()?;
            (!id.is_guides() && is_ours(name)).then_some(id)
        }
        [name] => guides_owner(name),
        _ => None,
    }
}

fn is_ours(name: &str) -> bool {
    const FRONTS: [&str; 3] = ["shard-", "config.tar", "metrics.tar"];
    matches!(name, "manifest.json" | "verification.json")
        || FRONTS.iter().any(|front| name.starts_with(front))
}

fn guides_owner(name: &str) -> Option<BackupId> {
    let (front, rest) = name.split_once('_')?;
    let (date, ending) = rest.split_once('.')?;
    let known = matches!(
        (front, ending),
        ("redis", "rdb" | "rdb.gz")
            | ("config" | "metrics", "tar.gz")
            | ("manifest" | "verification", "json")
    );
    let id: BackupId = known.then(|| date.parse().ok())??;
    id.is_guides().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> BackupId {
        text.parse().unwrap()
    }

    #[test]
    fn objects_are_told_by_their_paths() {
        let ours = id("20261124_165256-3f9a");
        let spec = ArtifactSpec::new(Part::Shard(2), Compression::Zstd).encrypted(true);
        let path = spec.path(&ours).unwrap();
        assert_eq!(path, "backups/20261124_165256-3f9a/shard-2.rdb.zst.age");
        assert_eq!(owner(&path), Some(ours.clone()));
        assert_eq!(owner(&manifest_path(&ours)), Some(ours.clone()));
        assert_eq!(owner(&verification_path(&ours)), Some(ours));
        let guides = id("20261124_165256");
        let path = ArtifactSpec::new(Part::Config, Compression::Gzip).path(&guides).unwrap();
        assert_eq!((path.as_str(), owner(&path)), ("config_20261124_165256.tar.gz", Some(guides)));
        for foreign in [
            "notes.txt",
            "redis_latest.rdb.gz",
            "redis_20261124_165256-3f9a.rdb.gz",
            "backups/20261124_165256/manifest.json",
            "backups/20261124_165256-3f9a/notes.txt",
            "backups/20261124_165256-3f9a/x/manifest.json",
            "",
        ] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_guides_layout_takes_what_it_has_names_for() {
        let guides = id("20261124_165256");
        let shard = |place, compression| ArtifactSpec::new(Part::Shard(place), compression);
        assert!(shard(0, Compression::Gzip).path(&guides).is_ok());
        assert!(shard(1, Compression::Gzip).path(&guides).is_err());
        assert!(shard(0, Compression::Zstd).path(&guides).is_err());
        assert!(shard(0, Compression::Gzip).encrypted(true).path(&guides).is_err());
    }
}
