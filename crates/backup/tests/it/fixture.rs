//! Backups to store.

use std::sync::OnceLock;

use age::x25519::Identity;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use larder_backup::{
    Artifact, ArtifactSpec, BackupId, Keyring, Layout, Manifest, Part, Recipients, Repository, RepositoryUrl,
    StorageOptions,
};
use larder_test_support::TestS3;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

pub(crate) fn id(text: &str) -> BackupId {
    text.parse().unwrap()
}

pub(crate) fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Bytes that no compression would shorten much, and of which no two blocks are alike.
pub(crate) fn noise(bytes: usize, seed: u64) -> Bytes {
    const BLOCK: usize = 64 << 10;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let block: Vec<u8> = std::iter::repeat_with(&mut word).take(BLOCK / 8).flatten().collect();
    let mut noise = Vec::with_capacity(bytes + BLOCK);
    while noise.len() < bytes {
        noise.extend_from_slice(&word());
        noise.extend_from_slice(&block);
    }
    noise.truncate(bytes);
    noise.into()
}

/// A manifest of one shard, as JSON has it.
pub(crate) fn manifest(id: &BackupId, shard: &Artifact) -> Manifest {
    let at = id.began_at();
    serde_json::from_value(json!({
        "id": id, "kind": "regular", "began_at": at, "finished_at": at, "cache": "redis://10.0.0.1:6379",
        "larder": "0.1.0", "archives": [], "missing": [{"what": "a \"checksum\": \"", "reason": "ä \\ ünïcode"}],
        "apart_ms": 0,
        "shards": [{
            "node": "10.0.0.1:6379", "role": null, "server": "Valkey 9.1.2", "slots": [], "method": null,
            "taken_at": at, "duration_ms": 5, "replication": null, "format": "redis 12", "rdb_bytes": 77,
            "counts": {"keys": 3, "by_database": {"0": 2, "7": 1}, "by_type": {"string": 3}},
            "digest": null, "values_digest": null, "artifact": shard,
        }],
    }))
    .unwrap()
}

pub(crate) fn shard(id: &BackupId) -> ArtifactSpec {
    ArtifactSpec::new(Part::Shard(0), Layout::of(id).compression())
}

pub(crate) async fn store(
    repository: &Repository,
    id: &BackupId,
    data: &Bytes,
) -> Result<Artifact, larder_backup::Error> {
    let mut writer = repository.writer(id, shard(id)).await?;
    // Pieces of several sizes, some of them across the ends of parts.
    let mut rest = data.clone();
    for size in [1, 1000, 70_000, 300_000, 9 << 20].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        writer.write(rest.split_to(rest.len().min(size))).await?;
    }
    writer.finish().await
}

pub(crate) async fn back_up(repository: &Repository, id: &BackupId, data: &Bytes) -> Manifest {
    let manifest = manifest(id, &store(repository, id, data).await.unwrap());
    repository.commit(&manifest).await.unwrap();
    manifest
}

pub(crate) async fn read(repository: &Repository, id: &BackupId, artifact: &Artifact) -> Vec<u8> {
    let pieces: Vec<Bytes> = repository.reader(id, artifact).await.unwrap().try_collect().await.unwrap();
    pieces.concat()
}

pub(crate) fn in_folder(path: &std::path::Path) -> Repository {
    Repository::open(&RepositoryUrl::folder(path), &StorageOptions::default()).unwrap()
}

pub(crate) fn options(server: &TestS3) -> StorageOptions {
    let mut options = StorageOptions::default()
        .with_setting("aws_access_key_id", TestS3::ACCESS_KEY_ID)
        .with_environment([("AWS_SECRET_ACCESS_KEY", TestS3::SECRET_ACCESS_KEY), ("AWS_PROFILE", "none")]);
    options.endpoint = Some(server.endpoint());
    options.allow_http = true;
    options
}

pub(crate) fn in_bucket(server: &TestS3) -> Repository {
    let url = format!("s3://{}/some/prefix", TestS3::BUCKET).parse().unwrap();
    Repository::open(&url, &options(server)).unwrap()
}

/// What opens what is encrypted to [`recipients`].
pub(crate) fn identity() -> Keyring {
    Keyring::parse(&SecretString::from(secret())).unwrap()
}

/// The text of the same, as `age-keygen` writes it.
pub(crate) fn secret() -> String {
    let line = the_identity().to_string();
    format!("# created: 2026-11-24\n# public key: {}\n{}\n", the_identity().to_public(), line.expose_secret())
}

/// An identity that opens nothing of these tests.
pub(crate) fn stranger() -> Keyring {
    Keyring::parse(&Identity::generate().to_string()).unwrap()
}

pub(crate) fn recipients() -> Recipients {
    Recipients::parse(&[the_identity().to_public().to_string()]).unwrap()
}

fn the_identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(Identity::generate)
}
