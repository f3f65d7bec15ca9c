//! What commands about backups have in common.
#![expect(clippy::doc_markdown, reason = "help is no Markdown")]

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use chrono::{FixedOffset, Local};
use clap::Args;
use larder_backup::{KeyFamilies, Manifest, ServerPrograms, Wanted};
use larder_keyspace::{FamilyRule, Policy};

use crate::{
    command_error::UsageError,
    commands::clean,
    config::{RepositoryPlace, Settings},
};

/// Which repository.
#[derive(Args, Debug)]
pub(crate) struct RepositoryArgs {
    /// Where backups are kept: a folder, s3://bucket/path, gs://bucket/path, az://container/path
    #[arg(long, env = "LARDER_REPOSITORY", hide_env_values = true, value_name = "URL")]
    repository: Option<String>,
}

/// Which backup.
#[derive(Args, Debug)]
pub(crate) struct WhichArgs {
    /// `latest`, an id, or a date: the newest backup before it
    #[arg(value_name = "ID|latest|DATE", default_value = "latest")]
    wanted: String,
}

/// What opens encrypted backups.
#[derive(Args, Debug)]
pub(crate) struct UnlockArgs {
    /// A file with the identity that opens encrypted backups (age); or set LARDER_BACKUP_IDENTITY
    #[arg(long, env = "LARDER_BACKUP_IDENTITY_FILE", value_name = "FILE")]
    pub(crate) identity_file: Option<PathBuf>,
}

/// Which servers backups are loaded with.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// A server program, or a folder with redis-server or valkey-server; beside the configuration and PATH
    #[arg(long = "server", value_name = "PATH")]
    servers: Vec<PathBuf>,
    /// Where such a server has its folder, which takes as much as the data [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scratch_folder: Option<PathBuf>,
}

impl RepositoryArgs {
    pub(crate) fn open(&self, settings: &Settings) -> Result<RepositoryPlace> {
        settings.repository(self.repository.as_deref())
    }

    /// The same, where it is only looked at.
    pub(crate) fn open_existing(&self, settings: &Settings) -> Result<RepositoryPlace> {
        self.open(settings)?.that_exists()
    }
}

impl WhichArgs {
    /// Where a repository has backups of several caches, the one in force is meant.
    pub(crate) async fn find(&self, place: &RepositoryPlace, settings: &Settings) -> Result<Manifest> {
        self.find_of(place, &settings.url.name()).await
    }

    pub(crate) async fn find_of(&self, place: &RepositoryPlace, cache: &str) -> Result<Manifest> {
        let found = place.repository.find_of(&self.wanted()?, Some(cache)).await;
        found.with_context(|| format!("repository {}", place.name))
    }

    /// The same, where data is to be brought back from it.
    pub(crate) async fn find_to_restore(&self, place: &RepositoryPlace, cache: &str) -> Result<Manifest> {
        let found = place.repository.find_to_restore(&self.wanted()?, Some(cache)).await;
        found.with_context(|| format!("repository {}", place.name))
    }

    fn wanted(&self) -> Result<Wanted> {
        Wanted::parse(&self.wanted, &Local).map_err(|why| UsageError(why.to_string()).into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.wanted
    }
}

impl ServerArgs {
    /// # Errors
    /// A place that is named, or configured, has no server program.
    pub(crate) async fn programs(&self, settings: &Settings) -> Result<ServerPrograms> {
        settings.server_programs(&self.servers).await
    }
}

/// The time zone of this machine, in which people write dates.
pub(crate) fn offset() -> FixedOffset {
    *Local::now().offset()
}

/// Keys are counted by the families of the policy that is configured, or by their names.
pub(crate) fn families(settings: &Settings) -> Result<KeyFamilies> {
    let family_of = family_of(settings)?;
    Ok(KeyFamilies::new(move |key| family_of(key)))
}

type FamilyOf = dyn for<'k> Fn(&'k [u8]) -> Cow<'k, str> + Send + Sync;

/// Tells the family of a key.
pub(crate) fn family_of(settings: &Settings) -> Result<Arc<FamilyOf>> {
    if clean::has_policy(settings) {
        let policy: Policy = clean::policy(None, settings)?;
        return Ok(Arc::new(move |key| {
            let family = policy.matcher().family(key).and_then(|id| policy.family(id));
            Cow::Owned(family.map_or_else(|| "(none)".to_owned(), |family| family.name.clone()))
        }));
    }
    let rule = FamilyRule::default();
    Ok(Arc::new(move |key| String::from_utf8_lossy(rule.family_of(key))))
}
