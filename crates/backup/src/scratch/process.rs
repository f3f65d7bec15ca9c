//! A server of our own.

use std::{fs, process::Stdio, time::Duration};

use larder_cache_client::{CacheClient, CacheUrl, ConnectOptions, DumpMethod, DumpOptions};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::{ScratchFolder, ServerProgram};
use crate::{Error, Result};

/// A server of our own, on a Unix socket in a folder that nobody else can look into, without a port. It ends, and its folder
/// goes, when this is dropped; where its owner is killed, the next one who makes such a server ends it.
///
/// It is a replica of nothing: a server that is one does not drop keys whose time is up, neither when it loads them nor
/// later, so that what it holds can be compared with the dump to the last key.
#[derive(Debug)]
pub struct ScratchServer {
    child: Child,
    program: String,
    folder: ScratchFolder,
    client: CacheClient,
}

/// How a scratch server is started.
#[derive(Clone, Debug)]
pub(crate) struct ScratchOptions {
    /// How long it may take to load.
    pub(crate) patience: Duration,
}

/// What servers say of a dump that they do not take (Redis 7.0 `src/rdb.c`); whatever else ends them is not its fault.
const BLAMES_DUMP: [&str; 6] = [
    "Short read or OOM loading DB",
    "Wrong RDB checksum",
    "Wrong signature trying to load DB",
    "Can't handle RDB format",
    "Internal error in RDB",
    "Unknown RDB",
];
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// Lines of its log that are told where it does not start.
const LOG_LINES: usize = 5;

impl ScratchServer {
    /// Starts a server with the dump in its folder, and waits until it has loaded it.
    pub(crate) async fn boot(
        program: &ServerProgram,
        folder: ScratchFolder,
        options: &ScratchOptions,
    ) -> Result<Self> {
        let config = folder.write_configuration()?;
        let name = program.to_string();
        let child = Command::new(&program.path)
            .arg(&config)
            .current_dir(folder.path())
            // It needs none of what may be secret there.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::Scratch {
                program: name.clone(),
                what: format!("does not start: {error}"),
            })?;
        let client = reach(&folder).await?;
        let mut server = Self { child, program: name, folder, client };
        server.wait(options.patience).await?;
        Ok(server)
    }

    /// Waits until it takes commands; a damaged dump ends it before that.
    async fn wait(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        let mut wait = Duration::from_millis(5);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(&format!("ended with {status}")));
            }
            if let Ok(info) = self.info().await
                && info.flag("loading") == Some(false)
            {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err(self.failed(&format!("has not loaded the dump within {patience:?}")));
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn info(&self) -> larder_cache_client::Result<larder_metrics_model::Info> {
        let topology = self.client.nodes().discover().await?;
        match topology.nodes.first() {
            Some(node) => node.info().await,
            None => Ok(larder_metrics_model::Info::default()),
        }
    }

    fn failed(&self, what: &str) -> Error {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(LOG_LINES).collect();
        let told: Vec<&str> = lines.into_iter().rev().map(str::trim).collect();
        if BLAMES_DUMP.iter().any(|words| log.contains(words)) {
            let what = format!("{what}; its log ends with: {}", told.join(" | "));
            return Error::Unloadable { program: self.program.clone(), what };
        }
        Error::Scratch {
            program: self.program.clone(),
            what: format!("{what}; its log ends with: {}", told.join(" | ")),
        }
    }

    /// Returns a client of it.
    #[must_use]
    pub fn client(&self) -> &CacheClient {
        &self.client
    }

    /// Returns which program it is.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Takes an image of what it holds.
    pub(crate) async fn image(&self) -> Result<larder_cache_client::Dump> {
        let shards = self.client.dump_shards(&DumpOptions::default()).await?;
        let source = shards.first().and_then(|shard| shard.source(DumpMethod::Save));
        match source {
            Some(source) => Ok(source.open().await?),
            None => Err(self.failed("gives no image")),
        }
    }

    /// Ends it.
    pub async fn end(mut self) {
        // It holds nothing that is not elsewhere, and its folder goes with it.
        if let Err(error) = self.child.kill().await {
            tracing::debug!(%error, "the scratch server has ended by itself");
        }
    }
}

async fn reach(folder: &ScratchFolder) -> Result<CacheClient> {
    let socket = folder.socket();
    let url: CacheUrl = format!("unix://{}", socket.display()).parse().map_err(|_| Error::File {
        path: socket,
        what: "named in a URL",
        source: std::io::ErrorKind::InvalidInput.into(),
    })?;
    let mut options = ConnectOptions::default();
    options.response_timeout = Duration::from_secs(10);
    Ok(larder_cache_client::open(&url, &options).await?)
}
