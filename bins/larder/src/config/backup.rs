//! `[backup]` of `larder.toml`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use larder_backup::{
    CheckThresholds, KeepPolicy, Keyring, Layout, Recipients, Repository, RepositoryUrl, ServerPrograms,
    StorageOptions,
};
use larder_cache_client::DumpMethod;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::secret;
use crate::{command_error::UsageError, config::Settings};

/// Backups: where they are kept, how they are made, how long they stay.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Backup {
    pub(crate) repository: Option<String>,
    pub(crate) source: Option<DumpMethod>,
    pub(crate) guide_layout: bool,
    pub(crate) compression_level: u32,
    pub(crate) recipients: Vec<String>,
    pub(crate) identity_file: Option<PathBuf>,
    pub(crate) identity_command: Option<String>,
    pub(crate) rdb_file: Option<PathBuf>,
    pub(crate) configuration: Vec<PathBuf>,
    pub(crate) metrics: Vec<PathBuf>,
    pub(crate) servers: Vec<PathBuf>,
    pub(crate) scratch_folder: Option<PathBuf>,
    pub(crate) report_folder: PathBuf,
    pub(crate) storage: Storage,
    pub(crate) keep: Keep,
    pub(crate) check: Check,
}

/// How a store is reached that is no folder.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Storage {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: Option<bool>,
    pub(crate) allow_http: bool,
}

/// How long backups stay.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keep {
    pub(crate) last: Option<u32>,
    pub(crate) hourly: Option<u32>,
    pub(crate) daily: Option<u32>,
    pub(crate) weekly: Option<u32>,
    pub(crate) monthly: Option<u32>,
    pub(crate) yearly: Option<u32>,
    #[serde(with = "humantime_serde")]
    pub(crate) within: Option<Duration>,
    /// Whether `larder maintain daily` removes what is past it.
    pub(crate) apply: bool,
}

/// When a backup, or the proof of it, is too old.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Check {
    #[serde(with = "humantime_serde")]
    pub(crate) age_warning: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) age_critical: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) verified_warning: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) verified_critical: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drill_warning: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub(crate) drill_critical: Option<Duration>,
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// The guide keeps backups for thirty days.
const GUIDES_RETENTION: Duration = Duration::from_hours(30 * 24);

impl Default for Backup {
    fn default() -> Self {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Self {
            repository: None,
            source: None,
            guide_layout: false,
            compression_level: 2,
            recipients: Vec::new(),
            identity_file: None,
            identity_command: None,
            rdb_file: None,
            configuration: paths(&[".env*", "docker-compose*.yml", "configs", "certs"]),
            metrics: paths(&["metrics", "logs"]),
            servers: Vec::new(),
            scratch_folder: None,
            report_folder: PathBuf::from("recovery"),
            storage: Storage::default(),
            keep: Keep::default(),
            check: Check::default(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            last: None,
            hourly: None,
            daily: None,
            weekly: None,
            monthly: None,
            yearly: None,
            within: Some(GUIDES_RETENTION),
            apply: false,
        }
    }
}

impl Default for Check {
    fn default() -> Self {
        Self {
            age_warning: 26 * HOUR,
            age_critical: 50 * HOUR,
            verified_warning: 8 * DAY,
            verified_critical: 15 * DAY,
            drill_warning: None,
            drill_critical: None,
        }
    }
}

impl Keep {
    pub(crate) fn policy(&self) -> KeepPolicy {
        let mut policy = KeepPolicy::default();
        policy.last = self.last;
        policy.hourly = self.hourly;
        policy.daily = self.daily;
        policy.weekly = self.weekly;
        policy.monthly = self.monthly;
        policy.yearly = self.yearly;
        policy.within = self.within;
        policy
    }
}

impl Check {
    pub(crate) fn thresholds(&self) -> CheckThresholds {
        let mut thresholds = CheckThresholds::default();
        (thresholds.age.warn, thresholds.age.crit) = (self.age_warning, self.age_critical);
        (thresholds.verification.warn, thresholds.verification.crit) =
            (self.verified_warning, self.verified_critical);
        thresholds.expects_drills = self.drill_warning.is_some() || self.drill_critical.is_some();
        thresholds.drill.warn = self.drill_warning.unwrap_or(thresholds.drill.warn);
        thresholds.drill.crit = self.drill_critical.unwrap_or(thresholds.drill.crit);
        thresholds
    }
}

/// A repository, and how it is called.
#[derive(Debug)]
pub(crate) struct RepositoryPlace {
    pub(crate) repository: Repository,
    pub(crate) name: String,
    folder: Option<PathBuf>,
}

impl RepositoryPlace {
    /// What is to be looked at has to be there; whoever makes a backup makes the folder as well.
    pub(crate) fn that_exists(self) -> Result<Self> {
        match &self.folder {
            Some(folder) if !folder.exists() => Err(UsageError(format!(
                "there is no repository {}: is the path right, and its disk mounted? The first `larder backup create` makes \
                 the folder",
                self.name
            ))
            .into()),
            _ => Ok(self),
        }
    }
}

impl Settings {
    /// Opens the repository that is named, or configured.
    pub(crate) fn repository(&self, named: Option<&str>) -> Result<RepositoryPlace> {
        let configured = self.file.backup.repository.as_deref();
        let Some(place) = named.or(configured).filter(|place| !place.is_empty()) else {
            let words = "no repository is named: give --repository (a folder, s3://bucket/path, gs://, az://), \
                         LARDER_REPOSITORY, or backup.repository in the configuration";
            return Err(UsageError(words.to_owned()).into());
        };
        let url: RepositoryUrl = place.parse().context(UsageError("no repository".to_owned()))?;
        let folder = url.as_folder().map(PathBuf::from);
        if folder.as_ref().is_some_and(|path| path.exists() && !path.is_dir()) {
            let words = format!("the repository {url} is a file; name a folder, or s3://, gs:// or az://");
            return Err(UsageError(words).into());
        }
        let storage = &self.file.backup.storage;
        let mut options = StorageOptions::default().with_environment(std::env::vars());
        options.endpoint.clone_from(&storage.endpoint);
        options.region.clone_from(&storage.region);
        options.path_style = storage.path_style;
        options.allow_http = storage.allow_http;
        let repository = Repository::open(&url, &options).context(UsageError("no repository".to_owned()))?;
        Ok(RepositoryPlace { repository, name: url.to_string(), folder })
    }

    /// What opens encrypted backups: the file that is named, or `LARDER_BACKUP_IDENTITY`, or what is configured.
    pub(crate) fn keyring(&self, file: Option<&PathBuf>) -> Result<Keyring> {
        let backup = &self.file.backup;
        let text = match (file, std::env::var("LARDER_BACKUP_IDENTITY").ok().filter(|text| !text.is_empty()))
        {
            (Some(path), _) => Some(secret::whole_file(path)?),
            (None, Some(text)) => Some(SecretString::from(text)),
            (None, None) => match (&backup.identity_file, &backup.identity_command) {
                (Some(_), Some(_)) => {
                    let words = "backup.identity_file and backup.identity_command exclude each other";
                    return Err(UsageError(words.to_owned()).into());
                }
                (Some(path), None) => Some(secret::whole_file(path)?),
                (None, Some(command)) => Some(secret::all_from_command(command, self.timeout)?),
                (None, None) => None,
            },
        };
        let Some(text) = text.filter(|text| !text.expose_secret().is_empty()) else {
            return Ok(Keyring::default());
        };
        Keyring::parse(&text).map_err(|why| UsageError(format!("the identity of backups: {why}")).into())
    }

    /// To whom backups are encrypted: what is named, or what is configured.
    pub(crate) fn recipients(&self, named: &[String]) -> Result<Recipients> {
        let keys = if named.is_empty() { &self.file.backup.recipients } else { named };
        Recipients::parse(keys).map_err(|why| UsageError(why).into())
    }

    pub(crate) fn layout(&self, asked: bool) -> Layout {
        if asked || self.file.backup.guide_layout { Layout::Guide } else { Layout::Ours }
    }

    /// The server programs of this machine: those that are named and configured first, then those in the folders of PATH.
    ///
    /// # Errors
    /// A place that is named, or configured, has none.
    pub(crate) async fn server_programs(&self, named: &[PathBuf]) -> Result<ServerPrograms> {
        let asked_for: Vec<PathBuf> = named.iter().chain(&self.file.backup.servers).cloned().collect();
        for place in &asked_for {
            if ServerPrograms::find(std::slice::from_ref(place)).await.found.is_empty() {
                return Err(UsageError(format!(
                    "{} is no server program, and no folder with one: name redis-server or valkey-server, or its folder",
                    place.display()
                ))
                .into());
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places: Vec<PathBuf> = asked_for.into_iter().chain(std::env::split_paths(&path)).collect();
        Ok(ServerPrograms::find(&places).await)
    }
}
