//! A sweep that was begun, on disk, so that it can go on.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use larder_cache_client::ScanPosition;
use larder_metrics_model::NodeAddress;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, FamilyRule, ReportBuilder, Result};

/// What a sweep is a sweep of. It goes on only where all of this is as it was: a cursor means nothing to another server,
/// not even to the same one after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepIdentity {
    /// The name of the cache.
    pub cache: String,
    /// The number of the database.
    pub database: u32,
    /// What is fetched of keys, in words.
    pub wanted: String,
    /// How families are told.
    pub rule: FamilyRule,
    /// The process that each primary is.
    pub run_ids: BTreeMap<NodeAddress, String>,
}

/// A sweep that was begun.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What it is a sweep of.
    pub identity: SweepIdentity,
    /// Where it goes on.
    pub position: ScanPosition,
    /// What was counted so far.
    pub builder: ReportBuilder,
}

/// The form of the file.
const VERSION: u64 = 1;
const WHAT: &str = "an unfinished larder keys report";

/// The file. Each field has a line of its own, so that what is wrong can be told by its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    what: String,
    version: u64,
    cache: String,
    database: u32,
    wanted: String,
    rule: FamilyRule,
    run_ids: BTreeMap<NodeAddress, String>,
    position: ScanPosition,
    report: ReportBuilder,
}

#[derive(Deserialize)]
struct Version {
    what: Option<String>,
    version: Option<Value>,
}

impl SweepIdentity {
    /// Names a sweep.
    pub fn new(cache: impl Into<String>, database: u32, run_ids: BTreeMap<NodeAddress, String>) -> Self {
        let (wanted, rule) = (String::new(), FamilyRule::default());
        Self { cache: cache.into(), database, wanted, rule, run_ids }
    }
}

impl Checkpoint {
    /// Takes a sweep as it is.
    #[must_use]
    pub fn new(identity: SweepIdentity, position: ScanPosition, builder: ReportBuilder) -> Self {
        Self { identity, position, builder }
    }

    /// Writes it. The file is complete or as it was before: written beside, synced, renamed.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub async fn save(self, path: PathBuf) -> Result<()> {
        let write = move || {
            let beside = beside(&path);
            let all = || -> io::Result<()> {
                let mut file = File::create(&beside)?;
                file.write_all(self.text()?.as_bytes())?;
                file.sync_all()?;
                fs::rename(&beside, &path)
            };
            all().map_err(|source| {
                // What is left of the attempt helps no one; that it cannot be removed is not the fault to tell.
                let _ = fs::remove_file(&beside);
                Error::Write { path: path.clone(), source }
            })
        };
        tokio::task::spawn_blocking(write).await.map_err(|source| Error::Broken { source })?
    }

    /// Reads the one that is there; `None` where there is no file.
    ///
    /// # Errors
    /// [`Error::Open`] where the file cannot be read; [`Error::Checkpoint`], with the line and the reason, where it is
    /// damaged, of another version, or not of this sweep.
    pub fn load(path: &Path, expected: &SweepIdentity) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Open { path: path.to_path_buf(), source }),
        };
        let damaged =
            |error: &serde_json::Error| refused(path, error.line(), format!("it is damaged: {error}"));
        let version: Version = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        if version.what.as_deref() != Some(WHAT) {
            return Err(refused(path, 1, format!("it is not {WHAT}")));
        }
        if version.version != Some(Value::from(VERSION)) {
            let reason = format!("it is of another version of larder; this one reads version {VERSION}");
            return Err(refused(path, line_of(&text, "version"), reason));
        }
        let written: Written = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        debug_assert!(written.what == WHAT && written.version == VERSION, "looked at above");
        let identity = SweepIdentity {
            cache: written.cache,
            database: written.database,
            wanted: written.wanted,
            rule: written.rule,
            run_ids: written.run_ids,
        };
        if let Some((field, reason)) = identity.difference(expected) {
            return Err(refused(path, line_of(&text, field), reason));
        }
        Ok(Some(Self { identity, position: written.position, builder: written.report }))
    }

    /// Removes the file of a sweep that is through; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove(path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Write { path: path.to_path_buf(), source })
            }
            _ => Ok(()),
        }
    }

    fn text(&self) -> serde_json::Result<String> {
        let SweepIdentity { cache, database, wanted, rule, run_ids } = &self.identity;
        let fields = [
            ("what", serde_json::to_string(WHAT)?),
            ("version", VERSION.to_string()),
            ("cache", serde_json::to_string(cache)?),
            ("database", database.to_string()),
            ("wanted", serde_json::to_string(wanted)?),
            ("rule", serde_json::to_string(rule)?),
            ("run_ids", serde_json::to_string(run_ids)?),
            ("position", serde_json::to_string(&self.position)?),
            ("report", serde_json::to_string(&self.builder)?),
        ];
        let lines = fields.map(|(name, value)| format!("\"{name}\": {value}"));
        Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
    }
}

impl SweepIdentity {
    /// The field that is not as expected, and why the sweep does not go on.
    fn difference(&self, expected: &Self) -> Option<(&'static str, String)> {
        let other = |what: &str, this: &str, that: &str| format!("it is of {what} {this}, not of {that}");
        if self.cache != expected.cache {
            return Some(("cache", other("the cache", &self.cache, &expected.cache)));
        }
        if self.database != expected.database {
            let (this, that) = (self.database.to_string(), expected.database.to_string());
            return Some(("database", other("database", &this, &that)));
        }
        if self.wanted != expected.wanted {
            return Some((
                "wanted",
                format!("it was begun with {}, not with {}", self.wanted, expected.wanted),
            ));
        }
        if self.rule != expected.rule {
            return Some(("rule", "it was begun with another --depth or --delimiter".to_owned()));
        }
        for (node, run_id) in &expected.run_ids {
            let reason = match self.run_ids.get(node) {
                Some(known) if known == run_id => continue,
                Some(_) => format!("{node} was restarted since, and its cursors mean nothing any more"),
                None => format!("{node} was not a primary of the cache when it was begun"),
            };
            return Some(("run_ids", reason));
        }
        let gone = self.run_ids.keys().find(|node| !expected.run_ids.contains_key(*node))?;
        Some((
            "run_ids",
            format!("{gone} is not a primary of the cache any more, or does not say which process it is"),
        ))
    }
}

fn refused(path: &Path, line: usize, reason: String) -> Error {
    Error::Checkpoint { path: path.to_path_buf(), line: line.max(1), reason }
}

fn line_of(text: &str, field: &str) -> usize {
    let begins = format!("\"{field}\":");
    text.lines().position(|line| line.trim_start().starts_with(&begins)).map_or(1, |place| place + 1)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use larder_cache_client::ShardPosition;

    use super::*;

    fn identity() -> SweepIdentity {
        let run_ids = BTreeMap::from([(NodeAddress::new("a:1"), "abc".to_owned())]);
        SweepIdentity { wanted: "ttl".to_owned(), ..SweepIdentity::new("redis://a:1", 0, run_ids) }
    }

    fn checkpoint() -> Checkpoint {
        let mut position = ScanPosition::default();
        position.set_shard(NodeAddress::new("a:1"), ShardPosition::At("17".to_owned()));
        Checkpoint::new(identity(), position, ReportBuilder::default())
    }

    #[tokio::test]
    async fn it_is_read_as_it_was_written_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert!(Checkpoint::load(&path, &identity()).unwrap().is_none());
        for _ in 0..2 {
            checkpoint().save(path.clone()).await.unwrap();
        }
        let read = Checkpoint::load(&path, &identity()).unwrap().unwrap();
        assert_eq!((read.position, read.identity), (checkpoint().position, identity()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside");
        Checkpoint::remove(&path).unwrap();
        Checkpoint::remove(&path).unwrap();
        assert!(!path.exists());
        let nowhere = folder.path().join("no folder").join("state.json");
        assert!(matches!(checkpoint().save(nowhere).await, Err(Error::Write { .. })));
    }

    /// The words of the error with which a text is refused.
    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, text).unwrap();
        let words = Checkpoint::load(&path, &identity()).unwrap_err().to_string();
        words.replace(&folder.path().display().to_string(), "")
    }

    #[test]
    fn what_is_not_of_this_sweep_is_refused_with_line_and_reason() {
        let text = checkpoint().text().unwrap();
        for (from, to, words) in [
            ("\"version\": 1", "\"version\": 2", "/s:3: it is of another version"),
            ("redis://a:1", "redis://b:1", "/s:4: it is of the cache redis://b:1, not of redis://a:1"),
            ("\"database\": 0", "\"database\": 5", "/s:5: it is of database 5, not of 0"),
            ("\"ttl\"", "\"ttl,type\"", "/s:6: it was begun with ttl,type, not with ttl"),
            ("\"depth\":2", "\"depth\":3", "/s:7: it was begun with another --depth"),
            ("\"depth\":2", "\"depth\":0", "/s:7: it is damaged: families have 1 to 16 segments"),
            ("\"abc\"", "\"def\"", "/s:8: a:1 was restarted since"),
            ("{\"a:1\":\"abc\"}", "{}", "/s:8: a:1 was not a primary"),
            ("\"abc\"}", "\"abc\",\"b:1\":\"x\"}", "/s:8: b:1 is not a primary of the cache any more"),
            ("\"at\":\"17\"", "\"at\":17", "/s:9: it is damaged"),
            ("an unfinished", "a finished", "/s:1: it is not an unfinished larder keys report"),
            ("\"wanted\"", "\"wnated\"", "/s:6: it is damaged: unknown field"),
        ] {
            assert!(text.contains(from), "{from}: {text}");
            let said = refusal(&text.replacen(from, to, 1));
            assert!(said.starts_with(words), "{said}");
        }
        assert!(refusal("").starts_with("/s:1: it is damaged"));
        assert!(refusal("[]").starts_with("/s:1: it is damaged"));
        assert!(refusal(&text[..text.len() / 2]).contains(": it is damaged"));
    }
}
