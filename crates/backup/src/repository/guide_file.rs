//! The manifest of the guide's script.

use bytesize::ByteSize;
use larder_metrics_model::{NodeAddress, Skipped};
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{
    layout::{ArtifactSpec, Part, manifest_path},
    record::Sealed,
};
use crate::{
    Artifact, BackupId, Compression, Error, Kind, Manifest, Result, ShardImage, SideArchive,
    manifest::NO_MANIFEST,
};

/// `manifest_DATE.json`; whatever is missing is not known.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GuideFile {
    system_info: SystemInfo,
    /// Ours, where we wrote it.
    pub(super) larder: Option<Box<Manifest>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SystemInfo {
    hostname: Option<String>,
    redis_version: Option<String>,
    backup_size: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Written<'a> {
    backup_date: &'a BackupId,
    backup_type: &'static str,
    files: Files<'a>,
    system_info: SystemInfo,
    larder: Sealed<'a>,
}

#[derive(Serialize)]
struct Files<'a> {
    redis_data: &'a str,
    configuration: Option<&'a str>,
    metrics_logs: Option<&'a str>,
}

/// Tells whether a text has the key under which our manifest is.
pub(super) fn bears_ours(text: &[u8]) -> bool {
    const KEY: &[u8] = b"\"larder\":";
    text.windows(KEY.len()).any(|window| window == KEY)
}

/// Returns what the guide's manifest says of a backup of ours, and ours within it.
pub(super) fn written<'a>(manifest: &'a Manifest, ours: Sealed<'a>) -> Result<Written<'a>> {
    let [shard] = &manifest.shards[..] else {
        return Err(Error::Refused {
            what: "the guide's layout".to_owned(),
            reasons: vec![format!("it has room for one shard, and there are {}", manifest.shards.len())],
        });
    };
    let archive = |name: &str| {
        let named = manifest.archives.iter().find(|archive| archive.name == name);
        named.map(|archive| archive.artifact.path.as_str())
    };
    let version = shard.server.as_deref().and_then(|server| server.rsplit(' ').next());
    Ok(Written {
        backup_date: &manifest.id,
        backup_type: "automated",
        files: Files {
            redis_data: &shard.artifact.path,
            configuration: archive("config"),
            metrics_logs: archive("metrics"),
        },
        system_info: SystemInfo {
            hostname: Some(shard.node.to_string()),
            redis_version: version.map(str::to_owned),
            backup_size: Some(ByteSize::b(manifest.stored_bytes()).to_string()),
        },
        larder: ours,
    })
}

/// Describes what the guide's script left at the root; `None` where there is no complete dump.
///
/// gzip takes the `.rdb` away when the `.rdb.gz` is complete, and the script compresses after it has written the manifest:
/// with a manifest, a `.rdb` is whole, and a `.rdb.gz` beside it is not. Both the script and Larder write the manifest after
/// the dump: a dump without one is of a backup that did not end.
pub(super) fn described(id: &BackupId, file: Option<GuideFile>, objects: &[ObjectMeta]) -> Option<Manifest> {
    let plain = format!("redis_{id}.rdb");
    let find = |path: &str| objects.iter().find(|object| object.location.as_ref() == path);
    let dump = match (find(&plain), find(&format!("{plain}.gz"))) {
        (Some(plain), _) if file.is_some() => artifact(plain, Compression::None),
        (None, Some(compressed)) => artifact(compressed, Compression::Gzip),
        _ => return None,
    };
    let mut missing = Vec::new();
    if file.is_none() {
        missing.push(Skipped::new(NO_MANIFEST, format!("{} is not there", manifest_path(id))));
    }
    let mut archives = Vec::new();
    for (name, part) in [("config", Part::Config), ("metrics", Part::Metrics)] {
        let path = ArtifactSpec::new(part, Compression::Gzip).path(id).ok()?;
        match find(&path) {
            Some(object) => archives.push(SideArchive {
                name: name.to_owned(),
                files: None,
                artifact: artifact(object, Compression::Gzip),
            }),
            None => missing.push(Skipped::new(name, format!("{path} is not there"))),
        }
    }
    let about = file.unwrap_or_default().system_info;
    let host = about.hostname.filter(|host| !host.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    Some(Manifest {
        id: id.clone(),
        kind: Kind::Guide,
        began_at: id.began_at(),
        finished_at: id.began_at(),
        cache: host.clone(),
        larder: None,
        shards: vec![image(host, about.redis_version, dump)],
        archives,
        missing,
        encryption: None,
        apart_ms: 0,
        counts: None,
        digest: None,
        values_digest: None,
    })
}

fn image(host: String, version: Option<String>, artifact: Artifact) -> ShardImage {
    let version = version.map(|version| version.trim().to_owned()).filter(|version| !version.is_empty());
    ShardImage {
        node: NodeAddress::new(host),
        role: None,
        server: version.map(|version| format!("Redis {version}")),
        slots: Vec::new(),
        method: None,
        has_checksum: None,
        taken_at: None,
        duration_ms: None,
        replication: None,
        format: None,
        rdb_bytes: (artifact.compression == Compression::None).then_some(artifact.bytes),
        counts: None,
        digest: None,
        values_digest: None,
        artifact,
    }
}

fn artifact(object: &ObjectMeta, compression: Compression) -> Artifact {
    let path = object.location.to_string();
    Artifact { path, bytes: object.size, sha256: None, compression, encrypted: false }
}
