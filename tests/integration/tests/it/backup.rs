//! Backups of real servers: made in every way, proven, and brought back to the last key.

mod data;
mod preflight;
mod reached;
mod round_trip;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use larder_backup::{
    BackupOptions, FolderOptions, LiveRestore, LiveRestoreOptions, LiveSource, LiveTarget, Manifest,
    ReadingOptions, Repository, RepositoryUrl, ServerPrograms, StorageOptions, VerificationLevel,
    VerifyOptions, create_backup, plan_folder, restore_to_folder, verify_backup,
};
use larder_cache_client::{CacheClient, DumpMethod, open};
use larder_rdb::DataDigest;
use larder_test_support::{ServerProgram, TestCluster, TestServer, server_programs};
use tempfile::TempDir;

use crate::dump::reach;

const EVERY_WAY: [DumpMethod; 3] = [DumpMethod::Replication, DumpMethod::Save, DumpMethod::Keys];

/// A backup, and where it is.
struct Made {
    repository: Repository,
    manifest: Manifest,
    notes: Vec<String>,
}

/// Data folders of a restored backup, one a shard, in a folder that goes when this is dropped.
struct Folders {
    homes: Vec<PathBuf>,
    _folder: TempDir,
}

fn in_memory() -> Result<Repository> {
    Ok(Repository::open(&"memory:tests".parse::<RepositoryUrl>()?, &StorageOptions::default())?)
}

fn by(method: DumpMethod) -> BackupOptions {
    let mut options = BackupOptions::default();
    options.method = Some(method);
    options
}

async fn back_up(client: &CacheClient, options: &BackupOptions) -> Result<Made> {
    let repository = in_memory()?;
    let made = create_backup(client, &repository, options, Utc::now()).await?;
    // What is listed is what was made.
    let listed = repository.manifest(&made.manifest.id).await?;
    ensure!(listed == made.manifest, "{listed:#?} is not {:#?}", made.manifest);
    Ok(Made { repository, manifest: made.manifest, notes: made.notes })
}

/// Makes a backup in every way; they must be of the same data.
async fn back_up_in_every_way(client: &CacheClient, servers: &[&TestServer]) -> Result<Vec<Made>> {
    let mut all: Vec<Made> = Vec::new();
    for method in EVERY_WAY {
        let made = back_up(client, &by(method)).await.with_context(|| format!("by {method}"))?;
        ensure_counted(&made.manifest, servers).with_context(|| format!("by {method}"))?;
        ensure!(made.manifest.shards.iter().all(|shard| shard.method == Some(method)));
        if let Some(first) = all.first() {
            let digests = |manifest: &Manifest| (manifest.digest, manifest.values_digest);
            ensure!(digests(&made.manifest) == digests(&first.manifest), "by {method} it is other data");
        }
        all.push(made);
    }
    Ok(all)
}

/// Looks that a manifest says what the servers say that they hold.
fn ensure_counted(manifest: &Manifest, servers: &[&TestServer]) -> Result<()> {
    let counts = manifest.counts.clone().context("counts")?;
    let (mut keys, mut expiring) = (0, 0);
    for (database, found) in data::keyspaces(servers)? {
        ensure!(counts.by_database.get(&database) == Some(&found.keys), "database {database}: {counts:?}");
        keys += found.keys;
        expiring += found.expiring;
    }
    ensure!((counts.keys, counts.expiring) == (keys, expiring), "{counts:?} is not {keys} and {expiring}");
    ensure!(counts.by_type.values().sum::<u64>() == keys, "{:?}", counts.by_type);
    ensure!(counts.functions == servers.len() as u64, "{} function libraries", counts.functions);
    Ok(())
}

/// The digest of what is in a cache now.
async fn digest_of(url: &str) -> Result<Option<DataDigest>> {
    Ok(back_up(&reach(url).await?, &by(DumpMethod::Keys)).await?.manifest.digest)
}

async fn programs() -> ServerPrograms {
    let places: Vec<PathBuf> = server_programs().into_iter().map(|program| program.path).collect();
    ServerPrograms::find(&places).await
}

/// Proves a backup on every level; it is loaded by the version that it was taken from.
async fn prove(made: &Made, program: &ServerProgram) -> Result<()> {
    for level in [VerificationLevel::Checksum, VerificationLevel::Structure, VerificationLevel::Load] {
        let mut options = VerifyOptions::at(level);
        options.programs = programs().await;
        let verified = verify_backup(&made.repository, &made.manifest, &options, Utc::now()).await?;
        ensure!(verified.ok, "{level}: {:?}", verified.problems);
        if level == VerificationLevel::Load {
            let loaded_by = verified.server.context("the server that loaded it")?.to_lowercase();
            ensure!(loaded_by.replace(' ', "-") == program.name(), "{loaded_by} loaded what is of {program}");
        }
    }
    Ok(())
}

async fn restored_to_folder(made: &Made, append_only: bool) -> Result<Folders> {
    let folder = tempfile::tempdir()?;
    let mut options = FolderOptions::default();
    options.append_only = append_only;
    let plan = plan_folder(&made.manifest, folder.path(), &options, Utc::now());
    let outcome = restore_to_folder(&made.repository, &made.manifest, &plan, &options).await?;
    ensure!(Some(outcome.keys) == made.manifest.counts.as_ref().map(|counts| counts.keys), "{outcome:?}");
    ensure!(outcome.aside.is_none() && outcome.written.len() == made.manifest.shards.len(), "{outcome:?}");
    let homes = outcome.written.iter().filter_map(|dump| Some(dump.parent()?.to_path_buf())).collect();
    Ok(Folders { homes, _folder: folder })
}

fn boot(program: &ServerProgram, home: &std::path::Path, append_only: bool) -> Result<TestServer> {
    let builder = TestServer::builder(program).config("enable-debug-command yes").data(home);
    if append_only { builder.config("appendonly yes") } else { builder }.start()
}

fn into_server(server: &TestServer) -> LiveTarget {
    let url = server.url();
    LiveTarget::new(move |database| {
        let url = format!("{url}/{database}");
        async move { Ok(open(&url.parse()?, &larder_cache_client::ConnectOptions::default()).await?) }
    })
}

fn into_cluster(cluster: &TestCluster) -> LiveTarget {
    let url = cluster.url();
    LiveTarget::new(move |database| {
        let url = url.clone();
        async move {
            let url: larder_cache_client::CacheUrl = url.parse()?;
            let url = url.with_database(u32::try_from(database).unwrap_or(u32::MAX));
            Ok(open(&url, &larder_cache_client::ConnectOptions::default()).await?)
        }
    })
}

fn live(made: &Made, target: LiveTarget) -> LiveRestore {
    let source = LiveSource::of_backup(&made.repository, &made.manifest, &ReadingOptions::default());
    LiveRestore::new(source, target, LiveRestoreOptions::default())
}

/// Brings all of a backup into a cache, and looks that it is there: the sum of the digests of what is there is the digest that
/// the manifest had when the backup was made.
async fn bring_all_back(made: &Made, target: LiveTarget) -> Result<()> {
    let restore = live(made, target);
    let plan = restore.plan().await?;
    ensure!(plan.may_go(), "{:?}", plan.refusals);
    let outcome = restore.apply(&plan).await?;
    let keys = made.manifest.counts.as_ref().context("counts")?.keys;
    ensure!(outcome.is_whole() && outcome.restored == keys, "{keys} keys: {outcome:?}");
    ensure!(outcome.functions == 1, "{outcome:?}");
    let verified = restore.verify().await?;
    ensure!(verified.is_whole() && verified.equal == keys && verified.unknown == 0, "{verified:?}");
    ensure!(Some(verified.digest) == made.manifest.digest, "the digest is another");
    Ok(())
}
