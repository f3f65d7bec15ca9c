//! Images that the server saves, and whose file is read.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use redis::Value;
use tokio::time::Instant;

use super::{
    Origin,
    saved_file::{Found, SavedFile},
};
use crate::{
    Dump, DumpFacts, DumpMethod, DumpOptions, DumpSource, Error, Result,
    dump::Clock,
    redis::{
        answer::read,
        failure::{Request, said},
        link::Effect,
        persistence::Persistence,
        rights::{self, command},
    },
};

/// Has the server save (BGSAVE), and reads the file.
#[derive(Debug)]
pub(super) struct SaveSource {
    origin: Arc<Origin>,
    /// Where the file is on this machine, where that was said.
    file: Option<PathBuf>,
    patience: Duration,
}

impl SaveSource {
    pub(super) fn new(origin: &Arc<Origin>, options: &DumpOptions) -> Self {
        Self { origin: Arc::clone(origin), file: options.rdb_file.clone(), patience: options.save_patience }
    }

    /// What the server says of its file, unless it was said where this machine sees it.
    async fn path(&self) -> Result<PathBuf> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.setting("dir").await?.join(self.setting("dbfilename").await?)),
        }
    }

    async fn setting(&self, name: &str) -> Result<PathBuf> {
        let request = self.request("CONFIG GET");
        let answer = self.origin.link.run(command(&["CONFIG", "GET", name]), Effect::Read).await;
        let pairs: Vec<(String, String)> = read(answer.map_err(advised)?, request)?;
        let value = pairs.into_iter().find_map(|(found, value)| (found == name).then_some(value));
        value.map(PathBuf::from).ok_or_else(|| {
            let source = said(&format!("it does not tell `{name}`; {ADVICE}"));
            let command = "CONFIG GET".to_owned();
            Error::NotPermitted { node: self.origin.node.clone(), command, source }
        })
    }

    async fn persistence(&self) -> Result<Persistence> {
        // One after the other: servers before 7.0 give one section at a time.
        let commands = vec![command(&["INFO", "persistence"]), command(&["INFO", "server"])];
        let answers = self.origin.link.run_all(commands, Effect::Read).await;
        let texts = answers.into_iter().map(|answer| read::<String>(answer?, self.request("INFO")));
        let texts: Vec<String> = texts.collect::<Result<_>>()?;
        let [persistence, server] = texts.as_slice() else {
            return Err(self.request("INFO").unexpected("no answer"));
        };
        let persistence = Persistence::parse(persistence, server).ok_or_else(|| {
            self.request("INFO").unexpected("its section persistence does not say whether the server saves")
        })?;
        if persistence.is_loading {
            return Err(Error::Loading { node: self.origin.node.clone() });
        }
        Ok(persistence)
    }

    /// Waits until the server has no child that saves or rewrites; it makes one at a time.
    async fn idle(&self, deadline: Instant) -> Result<Persistence> {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_delay(Duration::from_millis(500))
            .without_max_times()
            .build();
        loop {
            let persistence = self.persistence().await?;
            if !persistence.is_busy {
                return Ok(persistence);
            }
            if Instant::now() > deadline {
                return Err(Error::Timeout { node: self.origin.node.clone(), after: self.patience });
            }
            tokio::time::sleep(waits.next().unwrap_or_default()).await;
        }
    }

    /// Begins a save as soon as the server can, and returns the moment by its clock. A save that is under way is of an
    /// earlier moment, and is waited for.
    async fn begin(&self, deadline: Instant) -> Result<i64> {
        loop {
            self.idle(deadline).await?;
            // In one packet, so that the moment is that of the fork.
            let commands = vec![command(&["TIME"]), command(&["BGSAVE"])];
            // Not sent again by itself: what is not answered may have been done, and is then found to be under way.
            let mut answers = self.origin.link.run_all(commands, Effect::Write).await.into_iter();
            let (Some(time), Some(save)) = (answers.next(), answers.next()) else {
                return Err(self.request("BGSAVE").unexpected("no answer"));
            };
            match save {
                Ok(_) => return self.moment(time),
                Err(Error::Server { source, .. }) if is_busy(&source.to_string()) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() > deadline {
                return Err(Error::Timeout { node: self.origin.node.clone(), after: self.patience });
            }
        }
    }

    fn moment(&self, time: Result<Value>) -> Result<i64> {
        match time {
            Ok(time) => {
                let (seconds, microseconds): (i64, i64) = read(time, self.request("TIME"))?;
                Ok(seconds.saturating_mul(1000).saturating_add(microseconds / 1000))
            }
            // The file is on this machine, so this clock is that of the server.
            Err(error) if error.is_blocked() => Ok(Clock::of_this_machine().now_ms()),
            Err(error) => Err(error),
        }
    }

    fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: &self.origin.node, command, timeout: self.patience }
    }
}

#[async_trait]
impl DumpSource for SaveSource {
    fn method(&self) -> DumpMethod {
        DumpMethod::Save
    }

    async fn check(&self) -> Result<()> {
        rights::may_run(self.origin.link.as_ref(), &["BGSAVE"]).await?;
        let persistence = self.persistence().await?;
        SavedFile::new(&self.origin.node, self.path().await?).look(persistence).await.map(drop)
    }

    async fn open(&self) -> Result<Dump> {
        let deadline = Instant::now() + self.patience;
        let file = SavedFile::new(&self.origin.node, self.path().await?);
        // What is not on this machine need not be saved first.
        let before = file.look(self.persistence().await?).await?;
        let began_ms = self.begin(deadline).await?;
        let after = self.idle(deadline).await?;
        if !after.is_saved {
            let source = said(
                "the save failed (rdb_last_bgsave_status:err); the server's log says why: most often the disk is \
                 full, the folder is not writable, or there is no memory for the fork",
            );
            let command = "BGSAVE".to_owned();
            return Err(Error::Server { node: self.origin.node.clone(), command, source });
        }
        let Found { length, taken_at_ms, replication, bytes } = file.open(began_ms, before).await?;
        let mut facts = DumpFacts::new(DumpMethod::Save, self.origin.node.clone(), taken_at_ms);
        facts.total_bytes = Some(length);
        facts.replication = replication;
        Ok(Dump { facts, bytes })
    }
}

/// What to do where the file cannot be had.
pub(super) const ADVICE: &str =
    "name the file where this machine sees it (--rdb-file), or take another source";

/// `Background save already in progress`, `Another child process is active (AOF?)`, and of older servers
/// `Can't BGSAVE while AOF log rewriting is in progress` (Redis 5.0 to 8.0 `src/rdb.c`, `bgsaveCommand`).
fn is_busy(words: &str) -> bool {
    ["already in progress", "nother child process", "AOF log rewriting"]
        .iter()
        .any(|busy| words.contains(busy))
}

fn advised(error: Error) -> Error {
    match error {
        Error::NotPermitted { node, command, source } => {
            Error::NotPermitted { node, command, source: said(&format!("{source}; {ADVICE}")) }
        }
        Error::UnknownCommand { node, command, source } => {
            Error::UnknownCommand { node, command, source: said(&format!("{source}; {ADVICE}")) }
        }
        error => error,
    }
}
