//! How a test server is set up.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    Certificates, ServerProgram, TestServer, free_port,
    poll::until,
    process::{ServerProcess, log_tail},
};

/// The harness's own user, which is added where a test sets up users.
pub(crate) const HARNESS_USER: (&str, &str) = ("larder-harness", "only-for-tests");

const ATTEMPTS: u32 = 20;
const LOADING_KEYS: usize = 3_000;

/// How a test server is set up. Without more it is one server that persists nothing and has no password.
#[derive(Clone, Debug)]
pub struct TestServerBuilder {
    pub(crate) program: ServerProgram,
    pub(crate) lines: Vec<String>,
    pub(crate) arguments: Vec<&'static str>,
    pub(crate) password: Option<String>,
    pub(crate) users: Vec<String>,
    pub(crate) tls: Option<bool>,
    pub(crate) cluster: bool,
    pub(crate) data: Option<PathBuf>,
}

impl TestServerBuilder {
    pub(crate) fn new(program: &ServerProgram) -> Self {
        Self {
            program: program.clone(),
            lines: Vec::new(),
            arguments: Vec::new(),
            password: None,
            users: Vec::new(),
            tls: None,
            cluster: false,
            data: None,
        }
    }

    /// Adds a line of configuration, such as `maxclients 5`.
    #[must_use]
    pub fn config(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Asks for a password (`requirepass`).
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Adds a user, as a line of an ACL: `user NAME on >PASSWORD ~* +ping +info`.
    #[must_use]
    pub fn user(mut self, line: impl Into<String>) -> Self {
        self.users.push(line.into());
        self
    }

    /// Listens with TLS only; clients need no certificate.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = Some(false);
        self
    }

    /// Listens with TLS only, and asks clients for a certificate.
    #[must_use]
    pub fn tls_with_client_certificates(mut self) -> Self {
        self.tls = Some(true);
        self
    }

    /// Boots with what is in a folder: `dump.rdb`, `appendonlydir`. The server gets a copy of it.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Starts the server and waits until it takes commands.
    pub fn start(self) -> Result<TestServer> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let folder = TempDir::with_prefix("larder-")?;
            let port = free_port()?;
            let bus_port = if self.cluster { free_port()? } else { 0 };
            let certificates = self.tls.map(|_| Certificates::make(folder.path())).transpose()?;
            let mut server = self.spawn(folder, port, bus_port, certificates)?;
            match server.wait_until_ready() {
                Ok(()) => return Ok(server),
                Err(error) => last = format!("{error:#}\n{}", server.log_tail()),
            }
            if !last.contains("Address already in use") && !last.contains("bind:") {
                break;
            }
        }
        bail!("{} did not start: {last}", self.program)
    }

    /// Starts a server that goes on loading its data set until [`TestServer::finish_loading`], and answers LOADING.
    pub fn start_loading(self) -> Result<TestServer> {
        let mut server = self.config("loading-process-events-interval-bytes 1024").start()?;
        let mut admin = server.admin()?;
        let mut pipeline = redis::pipe();
        for number in 0..LOADING_KEYS {
            pipeline.set(format!("loading:{number}"), "x".repeat(1100)).ignore();
        }
        pipeline.query::<()>(&mut admin).context("keys to load")?;
        redis::cmd("CONFIG").arg(&["SET", "rdbcompression", "no"]).query::<()>(&mut admin)?;
        redis::cmd("SAVE").query::<()>(&mut admin).context("SAVE")?;
        drop(admin);
        server.add_config("key-load-delay 20000")?;
        server.kill()?;
        server.spawn_again()?;
        until("LOADING", || Ok(server.info("loading")?.filter(|flag| flag == "1")))?;
        Ok(server)
    }

    fn spawn(
        &self,
        folder: TempDir,
        port: u16,
        bus_port: u16,
        certificates: Option<Certificates>,
    ) -> Result<TestServer> {
        if let Some(data) = &self.data {
            copy_folder(data, folder.path())
                .with_context(|| format!("the data in {} cannot be copied", data.display()))?;
        }
        let socket = folder.path().join("s");
        let config = folder.path().join("server.conf");
        let log = folder.path().join("server.log");
        fs::write(&config, self.render(&folder, port, bus_port, certificates.as_ref(), &socket)?)?;
        let process = ServerProcess::spawn(&self.program, &config, &self.arguments, &log)?;
        Ok(TestServer {
            options: self.clone(),
            process,
            port,
            bus_port,
            socket,
            config,
            log,
            certificates,
            folder,
        })
    }

    fn render(
        &self,
        folder: &TempDir,
        port: u16,
        bus_port: u16,
        certificates: Option<&Certificates>,
        socket: &Path,
    ) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "bind 127.0.0.1\nprotected-mode no\ndaemonize no\nlogfile \"\"")?;
        writeln!(text, "dir {}\nunixsocket {}", folder.path().display(), socket.display())?;
        if let (Some(made), Some(ask_clients)) = (certificates, self.tls) {
            let ask = if ask_clients { "yes" } else { "no" };
            writeln!(text, "port 0\ntls-port {port}\ntls-auth-clients {ask}\ntls-replication yes")?;
            writeln!(text, "tls-ca-cert-file {}", made.ca_file.display())?;
            writeln!(text, "tls-cert-file {}", made.server_cert_file.display())?;
            writeln!(text, "tls-key-file {}", made.server_key_file.display())?;
        } else {
            writeln!(text, "port {port}")?;
        }
        if !self.arguments.contains(&"--sentinel") {
            writeln!(text, "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nshutdown-timeout 0")?;
        }
        if self.cluster {
            writeln!(text, "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port {bus_port}")?;
        }
        if let Some(password) = &self.password {
            writeln!(text, "requirepass {password}\nmasterauth {password}")?;
        }
        for line in self.users.iter().chain(&self.lines) {
            writeln!(text, "{line}")?;
        }
        if !self.users.is_empty() {
            let (user, password) = HARNESS_USER;
            writeln!(text, "user {user} on >{password} ~* &* +@all")?;
        }
        Ok(text)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl TestServer {
    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.log)
    }
}
