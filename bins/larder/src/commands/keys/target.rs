//! What the keys are of: a cache, a file, or a report that was stored.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use larder_cache_client::CacheUrl;
use larder_keyspace::{DumpOptions, DumpSource, Error, KeyReport};

use crate::{
    command_error::UsageError,
    config::Settings,
    context::now,
    global::{Global, OutputForm},
};

/// What the keys are of.
pub(crate) enum Target {
    Cache(Box<Settings>),
    Dump(DumpSource),
    Report(Box<KeyReport>),
}

impl Target {
    /// Reads what was named; where nothing was, the cache that is configured. What is no URL is the path of a file.
    pub(crate) fn of(named: Option<&OsStr>, global: &Global) -> Result<Self> {
        let Some(named) = named else {
            return Ok(Self::Cache(Box::new(Settings::resolve(global)?)));
        };
        match named.to_str().map(|text| (text, text.parse::<CacheUrl>())) {
            Some((text, Ok(_))) => {
                let mut global = global.clone();
                global.cache = Some(text.to_owned());
                Ok(Self::Cache(Box::new(Settings::resolve(&global)?)))
            }
            Some((text, Err(error))) if text.contains("://") || text.starts_with("memory:") => {
                Err(error.into())
            }
            _ => dump(Path::new(named)).map(Self::Dump),
        }
    }

    /// The same, but the file may also hold a report that `--output json keys report` printed.
    pub(crate) fn or_report(named: Option<&OsStr>, global: &Global) -> Result<Self> {
        let Some(path) = named.map(Path::new).filter(|path| begins_like_json(path)) else {
            return Self::of(named, global);
        };
        let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let report = serde_json::from_reader(std::io::BufReader::new(file));
        let report =
            report.with_context(|| UsageError(format!("{} holds no report of keys", path.display())))?;
        Ok(Self::Report(Box::new(report)))
    }
}

/// What is in force for output where no cache is reached.
pub(crate) fn form(global: &Global) -> Result<(OutputForm, bool)> {
    let settings = Settings::resolve(global)?;
    if settings.output == OutputForm::Nagios {
        return Err(
            UsageError("only `health`, `audit` and `backup check` have the form nagios".to_owned()).into()
        );
    }
    Ok((settings.output, settings.quiet))
}

fn begins_like_json(path: &Path) -> bool {
    let mut first = [0];
    let is_file = path.is_file();
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"{"
}

fn dump(path: &Path) -> Result<DumpSource> {
    match DumpSource::open(path, DumpOptions::at(now().timestamp_millis())) {
        Err(error @ Error::Open { .. }) => {
            Err(anyhow::Error::new(error).context(UsageError("no dump".to_owned())))
        }
        source => Ok(source?),
    }
}

/// The argument that names a target; a path need not be UTF-8.
pub(crate) type Named = OsString;

/// Writes a path as a report names it.
pub(crate) fn path_of(named: Option<&OsStr>) -> String {
    PathBuf::from(named.unwrap_or_default()).display().to_string()
}
