//! Backups for the tests of the planners.

use chrono::{DateTime, Utc};
use larder_metrics_model::NodeAddress;

use crate::{
    Artifact, BackupId, Compression, Kind, ListedBackup, Manifest, ShardImage, Verification,
    VerificationLevel,
};

/// A backup of one shard that was begun at this moment.
pub(crate) fn backup(began_at: DateTime<Utc>, mark: u16) -> ListedBackup {
    let id = BackupId::new(began_at, mark);
    let artifact = Artifact {
        path: format!("backups/{id}/shard-0.rdb.zst"),
        bytes: 1000,
        sha256: None,
        compression: Compression::Zstd,
        encrypted: false,
    };
    let shard = ShardImage {
        node: NodeAddress::new("10.0.0.1:6379"),
        role: None,
        server: None,
        slots: Vec::new(),
        method: None,
        has_checksum: None,
        taken_at: None,
        duration_ms: None,
        replication: None,
        format: None,
        rdb_bytes: None,
        counts: None,
        digest: None,
        values_digest: None,
        artifact,
    };
    let manifest = Manifest {
        id,
        kind: Kind::Regular,
        began_at,
        finished_at: began_at,
        cache: "redis://10.0.0.1:6379".to_owned(),
        larder: Some("0.1.0".to_owned()),
        shards: vec![shard],
        archives: Vec::new(),
        missing: Vec::new(),
        encryption: None,
        apart_ms: 0,
        counts: None,
        digest: None,
        values_digest: None,
    };
    ListedBackup::new(manifest, Vec::new())
}

/// The same, verified when it was made.
pub(crate) fn verified(mut backup: ListedBackup, level: VerificationLevel, ok: bool) -> ListedBackup {
    let at = backup.manifest.began_at;
    backup.verifications.push(if ok {
        Verification::passed(level, at)
    } else {
        Verification::failed(level, at, vec!["it is not".to_owned()])
    });
    backup
}

/// The same, as a way back from a restore.
pub(crate) fn safety(mut backup: ListedBackup) -> ListedBackup {
    backup.manifest.kind = Kind::Safety { before_restore_of: backup.manifest.id.clone() };
    backup
}
