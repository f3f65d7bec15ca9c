//! `larder.toml`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use larder_analysis::{Acceptance, FindingId, HealthThresholds, OptimizeThresholds, audit_finding_ids};
use larder_keyspace::CleanTask;
use serde::{Deserialize, Serialize};

use super::{backup::Backup, capacity::Capacity, nearest::with_nearest};
use crate::{command_error::UsageError, global::OutputForm, pace::Rate};

/// What `larder.toml` can hold. A key that is not known is refused.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) cache: Option<String>,
    pub(crate) output: Option<OutputForm>,
    #[serde(with = "humantime_serde")]
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) username: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) password_command: Option<String>,
    pub(crate) monitoring_config: Option<PathBuf>,
    pub(crate) sentinel: Sentinel,
    pub(crate) tls: Tls,
    pub(crate) application: Application,
    pub(crate) machine: Machine,
    pub(crate) containers: Containers,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) clean: Clean,
    pub(crate) backup: Backup,
    pub(crate) audit: Audit,
    pub(crate) optimize: Optimize,
    pub(crate) capacity: Capacity,
}

/// The audit.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) accept: Vec<Acceptance>,
}

/// The optimizer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Optimize {
    pub(crate) sample_traffic: bool,
    pub(crate) thresholds: OptimizeThresholds,
}

/// The login of the Sentinels.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sentinel {
    pub(crate) username: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) password_command: Option<String>,
}

/// Certificates.
#[expect(clippy::struct_field_names, reason = "the names are the keys of the file")]
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
}

/// The service that uses the cache.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) url: Option<String>,
}

/// The machine that the check runs on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) enabled: bool,
    pub(crate) disks: Vec<PathBuf>,
}

/// Containers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Containers {
    pub(crate) enabled: bool,
    pub(crate) socket: PathBuf,
    pub(crate) names: Vec<String>,
}

/// Where trouble begins.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) thresholds: HealthThresholds,
}

/// The metrics history.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) folder: PathBuf,
    pub(crate) daily_files: bool,
    pub(crate) series: bool,
    pub(crate) retention: MetricsRetention,
}

/// How long the metrics history is kept, and how fine.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsRetention {
    #[serde(with = "humantime_serde")]
    pub(crate) snapshots: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) raw: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) hourly: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) daily: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub(crate) daily_files: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub(crate) earlier_spacing: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) reports: Option<Duration>,
}

/// Clean-up.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Clean {
    pub(crate) policy: Option<String>,
    pub(crate) apply: bool,
    pub(crate) tasks: Vec<CleanTask>,
    pub(crate) rate: Option<RateValue>,
    pub(crate) undo_folder: PathBuf,
    pub(crate) audit: bool,
}

/// A rate as it may be written: a number, or a word.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum RateValue {
    Number(u32),
    Word(String),
}

impl Default for Clean {
    fn default() -> Self {
        Self {
            policy: None,
            apply: false,
            tasks: CleanTask::ALL.to_vec(),
            rate: None,
            undo_folder: PathBuf::from("undo"),
            audit: true,
        }
    }
}

impl Clean {
    pub(crate) fn rate(&self) -> Result<Option<Rate>> {
        let words = match &self.rate {
            None => return Ok(None),
            Some(RateValue::Number(rate)) => rate.to_string(),
            Some(RateValue::Word(word)) => word.clone(),
        };
        let rate = words.parse().map_err(|why| UsageError(format!("clean.rate is `{words}`: {why}")))?;
        Ok(Some(rate))
    }

    pub(crate) fn audit_path(&self) -> PathBuf {
        self.undo_folder.join("audit.jsonl")
    }

    /// Each cache has marks of its own: what its name has that a file's may not is left out.
    pub(crate) fn marks_path(&self, cache: &str) -> PathBuf {
        let plain: String = cache
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
            .collect();
        self.undo_folder.join(format!("marks_{plain}.jsonl"))
    }

    /// Makes the folder of undo files, which hold values: only its owner can look into it.
    pub(crate) fn make_folder(&self) -> Result<()> {
        let folder = &self.undo_folder;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))
    }
}

impl Audit {
    /// Refuses what no audit can find, and names what was probably meant.
    pub(crate) fn check(&self) -> Result<()> {
        for one in &self.accept {
            if audit_finding_ids().any(|id| id.as_str() == one.id) {
                continue;
            }
            let distance = |id: &&str| strsim::damerau_levenshtein(&one.id, id);
            let nearest = audit_finding_ids().map(FindingId::as_str).min_by_key(distance).unwrap_or_default();
            let words = format!("audit.accept: there is no finding `{}`; is `{nearest}` meant?", one.id);
            return Err(UsageError(words).into());
        }
        Ok(())
    }
}

impl Default for Machine {
    fn default() -> Self {
        let options = larder_maintenance::MachineOptions::default();
        Self { enabled: options.enabled, disks: options.disks }
    }
}

impl Default for Containers {
    fn default() -> Self {
        let options = larder_maintenance::ContainerOptions::default();
        Self { enabled: true, socket: options.socket, names: options.names }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let folder = PathBuf::from("metrics");
        Self { folder, daily_files: true, series: true, retention: MetricsRetention::default() }
    }
}

impl Default for MetricsRetention {
    fn default() -> Self {
        let series = larder_metrics_store::Retention::default();
        let files = larder_metrics_store::DailyRetention::default();
        Self {
            snapshots: series.snapshots,
            raw: series.raw,
            hourly: series.hourly,
            daily: series.daily,
            daily_files: files.keep,
            earlier_spacing: files.earlier_spacing,
            reports: files.reports,
        }
    }
}

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["larder.toml", "/etc/larder/larder.toml"];

/// Finds the configuration file: the one that is named, or the first of the usual places that is there.
pub(crate) fn find(named: Option<&Path>) -> Option<PathBuf> {
    named.map(Path::to_path_buf).or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists()))
}

/// Reads a configuration file.
pub(crate) fn read(path: &Path) -> Result<(ConfigFile, toml::Table)> {
    let text = fs::read_to_string(path)
        .with_context(|| UsageError(format!("the configuration {} cannot be read", path.display())))?;
    parse(&text).map_err(|words| UsageError(format!("{}{words}", path.display())).into())
}

/// Reads a configuration; an error begins with `:LINE:COLUMN: `.
fn parse(text: &str) -> Result<(ConfigFile, toml::Table), String> {
    let words = |error: &toml::de::Error| {
        let place = error.span().map_or(String::new(), |span| place(text, span.start));
        format!("{place}: {}", with_nearest(error.message()))
    };
    let config = toml::from_str(text).map_err(|error| words(&error))?;
    let table = toml::from_str(text).map_err(|error| words(&error))?;
    Ok((config, table))
}

fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    format!(":{line}:{column}")
}

/// A configuration to begin with, every key with its default.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid_and_says_the_defaults() {
        parse(TEMPLATE).unwrap();
        // With its comment signs taken off, every key is known, and has the value that is the default.
        let uncommented: String =
            TEMPLATE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let (config, _) = parse(&uncommented).unwrap();
        let (written, default) = (toml_of(&config.metrics), toml_of(&Metrics::default()));
        assert_eq!(written, default);
        assert_eq!(toml_of(&config.machine), toml_of(&Machine::default()));
        assert_eq!(toml_of(&config.clean), toml_of(&Clean::default()));
        assert_eq!(toml_of(&config.backup), toml_of(&Backup::default()));
        assert_eq!(toml_of(&config.capacity), toml_of(&Capacity::default()));
        assert_eq!(toml_of(&config.containers), toml_of(&Containers::default()));
        assert_eq!(config.health.thresholds, HealthThresholds::default());
        assert_eq!(config.optimize.thresholds, OptimizeThresholds::default());
    }

    fn toml_of(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, words) in [
            ("\ntimout = \"2s\"\n", ":2:1: unknown key `timout`; is `timeout` meant?"),
            ("[metrics]\nfoldr = \"x\"\n", ":2:1: unknown key `foldr`; is `folder` meant?"),
            ("timeout = \"soon\"\n", ":1:11: "),
            ("[health.thresholds]\nhit_rate_min = 70\n", "must lie between 0 and 1"),
            (
                "[optimize.thresholds]\nhit_rate = 0.7\n",
                ":2:1: unknown key `hit_rate`; is `hit_rate_min` meant?",
            ),
            ("[optimize.thresholds]\nlatency_max_ms = -1\n", ":2:"),
            ("cache = \n", ":1:"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
