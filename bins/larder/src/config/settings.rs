//! What is in force: flags over environment over file over defaults.

use std::{
    env::VarError,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use larder_analysis::{AuditOptions, HealthThresholds};
use larder_cache_client::{ApplicationEndpoints, CacheUrl, ConnectOptions};
use larder_maintenance::{ContainerOptions, HealthOptions, MachineOptions};
use larder_metrics_store::{DailyRetention, Retention};
use secrecy::SecretString;

use super::{
    file::{ConfigFile, Metrics, find, read},
    guide, secret,
};
use crate::{
    command_error::UsageError,
    global::{Global, OutputForm},
    output::message,
};

const DEFAULT_CACHE: &str = "redis://127.0.0.1:6379";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// The guide keeps its configuration here; it is read where it lies.
const GUIDE_CONFIG: &str = "monitoring_config.json";

/// What is in force.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The file that was read.
    pub(crate) source: Option<PathBuf>,
    pub(crate) url: CacheUrl,
    /// Whether a cache was named at all, by flag, environment or file.
    pub(crate) names_cache: bool,
    pub(crate) output: OutputForm,
    /// Whether nothing but data and errors is to be printed.
    pub(crate) quiet: bool,
    pub(crate) timeout: Duration,
    pub(crate) connect: ConnectOptions,
    pub(crate) application: Option<ApplicationEndpoints>,
    pub(crate) thresholds: HealthThresholds,
    pub(crate) file: ConfigFile,
}

impl Settings {
    /// Puts together what is in force.
    pub(crate) fn resolve(global: &Global) -> Result<Self> {
        let source = find(global.config.as_deref());
        let (file, table) = source.as_deref().map_or_else(|| Ok(Default::default()), read)?;
        file.audit.check()?;
        file.capacity.check()?;
        let url = url(global, &file)?;
        let timeout = global.timeout.or(file.timeout).unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() {
            return Err(UsageError("the timeout must be longer than nothing".to_owned()).into());
        }
        let application = file.application.url.as_deref().map(|url| ApplicationEndpoints::new(url, timeout));
        let application = application.transpose().context(UsageError("application.url".to_owned()))?;
        Ok(Self {
            url,
            names_cache: named_cache(global).is_some() || file.cache.is_some(),
            quiet: global.quiet,
            output: global.output.or(file.output).unwrap_or_default(),
            timeout,
            connect: connect(global, &file, timeout)?,
            application,
            thresholds: thresholds(&file, &table)?,
            source,
            file,
        })
    }

    /// Looks at what is only used when the cache is reached.
    pub(crate) fn check(&self) -> Result<()> {
        self.connect.tls.check()?;
        let Some(missing) =
            self.file.machine.disks.iter().find(|disk| self.file.machine.enabled && !disk.exists())
        else {
            return Ok(());
        };
        Err(UsageError(format!("machine.disks: there is no {}", missing.display())).into())
    }

    /// Returns what an audit does not count.
    pub(crate) fn audit(&self) -> AuditOptions {
        let mut options = AuditOptions::default();
        options.accepted.clone_from(&self.file.audit.accept);
        options
    }

    /// Returns what is looked at for health.
    pub(crate) fn health(&self) -> HealthOptions {
        let (machine, containers) = (&self.file.machine, &self.file.containers);
        let mut options = HealthOptions::default();
        options.timeout = self.timeout;
        options.machine = MachineOptions::default();
        options.machine.enabled = machine.enabled;
        options.machine.disks.clone_from(&machine.disks);
        options.application.clone_from(&self.application);
        options.containers = containers.enabled.then(|| {
            let mut options = ContainerOptions::default();
            options.socket.clone_from(&containers.socket);
            options.names.clone_from(&containers.names);
            options
        });
        options.thresholds = self.thresholds.clone();
        options
    }
}

impl Metrics {
    pub(crate) fn series_path(&self) -> PathBuf {
        self.folder.join("metrics.sqlite")
    }

    pub(crate) fn series_retention(&self) -> Retention {
        let mut retention = Retention::default();
        retention.snapshots = self.retention.snapshots;
        retention.raw = self.retention.raw;
        retention.hourly = self.retention.hourly;
        retention.daily = self.retention.daily;
        retention
    }

    pub(crate) fn file_retention(&self) -> DailyRetention {
        let mut retention = DailyRetention::default();
        retention.keep = self.retention.daily_files;
        retention.earlier_spacing = self.retention.earlier_spacing;
        retention.reports = self.retention.reports;
        retention
    }
}

/// An empty variable is one that is not set.
fn named_cache(global: &Global) -> Option<&str> {
    global.cache.as_deref().filter(|cache| !cache.is_empty())
}

fn url(global: &Global, file: &ConfigFile) -> Result<CacheUrl> {
    let named = named_cache(global).or(file.cache.as_deref()).unwrap_or(DEFAULT_CACHE);
    let url: CacheUrl = named.parse()?;
    let on_command_line = std::env::args_os().any(|argument| argument.to_string_lossy().contains(named));
    if url.has_password() && on_command_line {
        message::warning(
            "the password in the URL can be read by everyone who lists processes; \
             put the URL into LARDER_CACHE, or the password into LARDER_PASSWORD or --password-file",
        );
    }
    Ok(url)
}

fn connect(global: &Global, file: &ConfigFile, timeout: Duration) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::default();
    // Less than the whole, so that there is time to find out why no connection was made.
    options.connect_timeout = timeout.mul_f64(0.75);
    options.response_timeout = timeout;
    options.retries = file.retries.unwrap_or(options.retries);
    options.username = global.username.clone().or_else(|| file.username.clone());
    options.password = match (password_of_environment()?, global.password_file.as_deref()) {
        // A flag goes before the environment; LARDER_PASSWORD_FILE is the flag's own environment.
        (_, Some(path)) => Some(secret::from_file(path)?),
        (Some(password), None) => Some(password),
        (None, None) => configured(file.password_file.as_deref(), file.password_command.as_deref(), timeout)?,
    };
    options.sentinel_username.clone_from(&file.sentinel.username);
    options.sentinel_password = configured(
        file.sentinel.password_file.as_deref(),
        file.sentinel.password_command.as_deref(),
        timeout,
    )?;
    options.tls.ca_file = global.tls_ca.clone().or_else(|| file.tls.ca_file.clone());
    options.tls.cert_file = global.tls_cert.clone().or_else(|| file.tls.cert_file.clone());
    options.tls.key_file = global.tls_key.clone().or_else(|| file.tls.key_file.clone());
    Ok(options)
}

fn password_of_environment() -> Result<Option<SecretString>> {
    match std::env::var("LARDER_PASSWORD") {
        Ok(password) => Ok(Some(password).filter(|password| !password.is_empty()).map(SecretString::from)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(UsageError("LARDER_PASSWORD is not UTF-8".to_owned()).into()),
    }
}

fn configured(file: Option<&Path>, command: Option<&str>, timeout: Duration) -> Result<Option<SecretString>> {
    match (file, command) {
        (Some(_), Some(_)) => {
            Err(UsageError("password_file and password_command exclude each other".to_owned()).into())
        }
        (Some(path), None) => secret::from_file(path).map(Some),
        (None, Some(command)) => secret::from_command(command, timeout).map(Some),
        (None, None) => Ok(None),
    }
}

/// The thresholds of `larder.toml`, over those of the guide's file, over the defaults.
fn thresholds(file: &ConfigFile, table: &toml::Table) -> Result<HealthThresholds> {
    let guide = match &file.monitoring_config {
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(GUIDE_CONFIG)).filter(|path| path.exists()),
    };
    let Some(guide) = guide else { return Ok(file.health.thresholds.clone()) };
    let base = guide::thresholds(&guide)?;
    let own = table.get("health").and_then(|health| health.get("thresholds")).and_then(toml::Value::as_table);
    let Some(own) = own else { return Ok(base) };
    let mut merged = serde_json::to_value(base)?;
    for (name, value) in own {
        merged[name] = serde_json::to_value(value)?;
    }
    serde_json::from_value(merged).context(UsageError("health.thresholds".to_owned()))
}
