//! The files of the guide's script.

use std::{fs, io::Write, path::Path, sync::Arc};

use chrono::{FixedOffset, TimeDelta};
use flate2::{Compression as Level, read::GzDecoder, write::GzEncoder};
use larder_backup::{
    BackupOptions, Compression, Error, KeepPolicy, Kind, Layout, Repository, Verification, VerificationLevel,
    Wanted, create_backup, plan_prune,
};
use larder_cache_client::{ConnectOptions, open};
use larder_test_support::{TestServer, seed, server_programs};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::breaking::Breaking;
use crate::fixture::{back_up, id, in_folder, manifest, moment, noise, read, store};

const RDB: &[u8] = b"REDIS0011 whatever";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn archive(name: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    archive.append_data(&mut header, name, &b"x=1"[..]).unwrap();
    gzip(&archive.into_inner().unwrap())
}

/// Leaves what the script leaves.
fn script(folder: &Path, date: &str) {
    let put = |name: String, data: &[u8]| fs::write(folder.join(name), data).unwrap();
    put(format!("redis_{date}.rdb.gz"), &gzip(RDB));
    put(format!("config_{date}.tar.gz"), &archive(".env"));
    put(format!("metrics_{date}.tar.gz"), &archive("metrics/a.json"));
    let manifest = json!({
        "backup_date": date, "backup_type": "automated",
        "files": {
            "redis_data": format!("redis_{date}.rdb"),
            "configuration": format!("config_{date}.tar.gz"),
            "metrics_logs": format!("metrics_{date}.tar.gz"),
        },
        "system_info": {"hostname": "db1", "redis_version": "7.4.1", "backup_size": "1.2M"},
    });
    put(format!("manifest_{date}.json"), manifest.to_string().as_bytes());
}

#[tokio::test]
async fn the_scripts_backups_are_listed_and_read() {
    let folder = tempdir().unwrap();
    script(folder.path(), "20261124_165256");
    let repository = in_folder(folder.path());
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.foreign), (1, 0));
    let found = &listing.backups[0];
    assert_eq!((&found.manifest.kind, &found.manifest.larder), (&Kind::Guide, &None));
    assert_eq!(found.manifest.began_at, moment("2026-11-24T16:52:56Z"));
    assert_eq!((found.manifest.cache.as_str(), found.manifest.missing.len()), ("db1", 0));
    let [shard] = &found.manifest.shards[..] else { panic!("one shard") };
    assert_eq!(shard.server.as_deref(), Some("Redis 7.4.1"));
    assert_eq!(shard.artifact.compression, Compression::Gzip);
    let names: Vec<&str> = found.manifest.archives.iter().map(|archive| archive.name.as_str()).collect();
    assert_eq!(names, ["config", "metrics"]);
    let compressed = read(&repository, &found.manifest.id, &shard.artifact).await;
    assert_eq!(std::io::read_to_string(GzDecoder::new(&compressed[..])).unwrap().as_bytes(), RDB);
    assert_eq!(repository.manifest(&found.manifest.id).await.unwrap(), found.manifest);
    let verification = Verification::passed(VerificationLevel::Structure, moment("2026-11-25T00:00:00Z"));
    repository.write_verification(&found.manifest.id, &verification).await.unwrap();
    assert!(repository.list().await.unwrap().backups[0].is_proven());
    repository.remove(&found.manifest.id).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_the_script_left_out_is_said() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let date = "20261124_165256";
    let has = |name: &str| folder.path().join(name).exists();
    script(folder.path(), date);
    for part in ["manifest_20261124_165256.json", "config_20261124_165256.tar.gz"] {
        fs::remove_file(folder.path().join(part)).unwrap();
    }
    let found = repository.list().await.unwrap().backups.remove(0).manifest;
    let missing: Vec<&str> = found.missing.iter().map(|part| part.what.as_str()).collect();
    assert_eq!(missing, ["manifest", "config"]);
    assert_eq!(found.shards[0].server, None);
    // Without the dump there is nothing to restore.
    fs::remove_file(folder.path().join(format!("redis_{date}.rdb.gz"))).unwrap();
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len()), (0, 1));
    assert!(matches!(repository.manifest(&id(date)).await, Err(Error::NoBackup { .. })));
    // The script was cut off between the manifest and the end of gzip.
    script(folder.path(), date);
    fs::write(folder.path().join(format!("redis_{date}.rdb")), RDB).unwrap();
    let found = repository.list().await.unwrap().backups.remove(0).manifest;
    let artifact = &found.shards[0].artifact;
    assert_eq!(
        (artifact.compression, artifact.path.as_str()),
        (Compression::None, "redis_20261124_165256.rdb")
    );
    // And before the manifest, while the dump was being copied.
    fs::remove_file(folder.path().join(format!("manifest_{date}.json"))).unwrap();
    assert_eq!(repository.list().await.unwrap().unfinished.len(), 1);
    assert!(has("redis_20261124_165256.rdb"));
    // A manifest that is none does not hide itself.
    script(folder.path(), date);
    fs::write(folder.path().join(format!("manifest_{date}.json")), b"{").unwrap();
    let damaged = repository.list().await.unwrap().damaged.remove(0);
    assert!(damaged.reason.contains("without it"), "{}", damaged.reason);
}

#[tokio::test]
async fn our_backups_in_the_guides_layout_have_both_manifests() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let id = Layout::Guide.id(moment("2026-11-24T16:52:56Z"), 0x3f9a);
    assert!(id.is_guides());
    let written = back_up(&repository, &id, &noise(100, 1)).await;
    assert_eq!(repository.manifest(&id).await.unwrap(), written);
    let text = fs::read_to_string(folder.path().join("manifest_20261124_165256.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["backup_date"], "20261124_165256");
    assert_eq!(file["backup_type"], "automated");
    assert_eq!(file["files"]["redis_data"], "redis_20261124_165256.rdb.gz");
    assert_eq!(file["system_info"]["redis_version"], "9.1.2");
    assert_eq!(file["larder"]["shards"][0]["artifact"]["bytes"], 100);
    assert!(folder.path().join("redis_20261124_165256.rdb.gz").exists());
    // Its dump goes first, and with it the backup.
    fs::remove_file(folder.path().join("redis_20261124_165256.rdb.gz")).unwrap();
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len(), listing.damaged.len()), (0, 1, 0));
}

#[tokio::test]
async fn a_cluster_has_no_place_in_the_guides_layout() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let id = id("20261124_165256");
    let mut two = manifest(&id, &store(&repository, &id, &noise(10, 1)).await.unwrap());
    two.shards.push(two.shards[0].clone());
    let error = repository.commit(&two).await.unwrap_err();
    assert!(error.to_string().contains("one shard, and there are 2"), "{error}");
}

#[tokio::test]
async fn a_dump_without_a_manifest_is_the_latest_only_where_there_is_no_other() {
    let folder = tempdir().unwrap();
    let repository = in_folder(folder.path());
    let without = "20261124_165256";
    script(folder.path(), without);
    fs::remove_file(folder.path().join(format!("manifest_{without}.json"))).unwrap();
    let found = repository.list().await.unwrap().backups.remove(0);
    assert!(found.manifest.is_without_manifest());
    assert_eq!(repository.find(&Wanted::Latest).await.unwrap().id.as_str(), without, "better than none");
    // What was found of it does not make up for what nobody wrote.
    let proof = Verification::passed(VerificationLevel::Load, moment("2026-11-24T18:00:00Z"));
    repository.write_verification(&id(without), &proof).await.unwrap();
    assert!(!repository.list().await.unwrap().backups[0].is_proven());

    script(folder.path(), "20261120_101112");
    for wanted in [Wanted::Latest, Wanted::At(moment("2026-11-25T00:00:00Z"))] {
        let found = repository.find(&wanted).await.unwrap();
        assert_eq!(found.id.as_str(), "20261120_101112");
        assert!(!found.is_without_manifest());
    }
    assert_eq!(
        repository.manifest(&id(without)).await.unwrap().id.as_str(),
        without,
        "by its id it is found"
    );

    script(folder.path(), "20261119_101112");
    let mut policy = KeepPolicy::default();
    policy.last = Some(1);
    let backups = repository.list().await.unwrap().backups;
    let plan =
        plan_prune(&backups, &policy, moment("2026-11-24T20:00:00Z"), FixedOffset::east_opt(0).unwrap());
    let removed: Vec<&str> = plan.removals().map(|decision| decision.id.as_str()).collect();
    assert_eq!(removed, ["20261119_101112"]);
    let reasons = |date: &str| plan.decision(&id(date)).unwrap().reasons.join(", ");
    assert_eq!(reasons("20261120_101112"), "newest with a manifest");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dump_is_stored_directly_before_the_manifest() {
    let server = TestServer::start(&server_programs().remove(0)).unwrap();
    seed(&mut server.admin().unwrap(), 50).unwrap();
    let client = open(&server.url().parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let store = Breaking::after(usize::MAX);
    let repository = Repository::from_store(Arc::new(store.clone()), "");
    let mut options = BackupOptions::default();
    options.layout = Layout::Guide;
    options.packing.compression = Compression::Gzip;
    options.configuration.made = vec![("a.conf".to_owned(), b"x=1".to_vec())];
    options.metrics.made = vec![("a.json".to_owned(), b"{}".to_vec())];
    let at = moment("2026-11-24T16:52:56Z");

    // What does not come to be leaves nothing, the archives neither.
    store.refuse_to_write(Some("redis_"));
    let error = create_backup(&client, &repository, &options, at).await.unwrap_err().with_causes();
    assert!(error.contains("no more room"), "{error}");
    let listing = repository.list().await.unwrap();
    assert_eq!((listing.backups.len(), listing.unfinished.len()), (0, 0), "{listing:?}");

    store.refuse_to_write(Some("manifest_"));
    create_backup(&client, &repository, &options, at).await.unwrap_err();
    assert!(repository.list().await.unwrap().backups[0].manifest.is_without_manifest());

    store.refuse_to_write(None);
    let made =
        create_backup(&client, &repository, &options, at + TimeDelta::seconds(1)).await.unwrap().manifest;
    assert!(!made.is_without_manifest() && made.archives.len() == 2, "{made:?}");
    let parts = ["config_", "metrics_", "redis_", "manifest_"];
    let written = store.written();
    let last: Vec<&str> = written[written.len() - 4..].iter().map(String::as_str).collect();
    assert!(last.iter().zip(parts).all(|(path, part)| path.starts_with(part)), "{last:?}");

    // Its names are seconds: two of one second are both kept.
    let again = create_backup(&client, &repository, &options, made.began_at).await.unwrap().manifest;
    assert_eq!(again.id, id("20261124_165258"));
    let listing = repository.list().await.unwrap();
    let sound = |wanted| listing.backups.iter().any(|it| it.manifest.id == wanted && !it.is_bad());
    assert!(sound(made.id) && sound(again.id), "{listing:?}");
}
