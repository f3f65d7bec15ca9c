//! One server of a test's own.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use larder_metrics_model::NodeAddress;
use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo,
};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    Certificates, ServerProgram, TestServerBuilder,
    builder::HARNESS_USER,
    poll::{PATIENCE, until},
    process::{ServerProcess, log_tail},
};

const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A running server on 127.0.0.1 in a temporary folder; it is killed when this is dropped.
#[derive(Debug)]
pub struct TestServer {
    pub(crate) options: TestServerBuilder,
    pub(crate) process: ServerProcess,
    pub(crate) port: u16,
    pub(crate) bus_port: u16,
    pub(crate) socket: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) folder: TempDir,
}

impl TestServer {
    /// Sets up a server.
    #[must_use]
    pub fn builder(program: &ServerProgram) -> TestServerBuilder {
        TestServerBuilder::new(program)
    }

    /// Starts a server with nothing special.
    pub fn start(program: &ServerProgram) -> Result<Self> {
        Self::builder(program).start()
    }

    /// Starts a replica of this server with nothing else special, and waits until it has what this server has.
    pub fn start_replica(&self) -> Result<Self> {
        let mut builder = Self::builder(self.program()).config(format!("replicaof 127.0.0.1 {}", self.port));
        if let Some(password) = &self.options.password {
            builder = builder.password(password);
        }
        let replica = builder.start()?;
        replica.wait_for_link()?;
        Ok(replica)
    }

    pub(crate) fn wait_for_link(&self) -> Result<()> {
        until("the replica's link", || Ok(self.info("master_link_status")?.filter(|status| status == "up")))?;
        Ok(())
    }

    /// Returns the program that it runs.
    #[must_use]
    pub fn program(&self) -> &ServerProgram {
        &self.options.program
    }

    /// Returns its URL, with the password where it has one.
    #[must_use]
    pub fn url(&self) -> String {
        let login =
            self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{}://{login}{}", self.scheme(), self.node())
    }

    /// Returns its URL for a user.
    #[must_use]
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}", self.scheme(), self.node())
    }

    /// Returns the URL of its Unix socket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        let login =
            self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("unix://{login}{}", self.socket.display())
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn node(&self) -> NodeAddress {
        NodeAddress::from_host_port("127.0.0.1", self.port)
    }

    /// Returns the port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns its folder, which holds its configuration, its log and what it saves.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns its certificates, where it listens with TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Returns what it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Opens a connection that may do everything, over the Unix socket. It counts among the clients while it is held.
    pub fn admin(&self) -> Result<Connection> {
        let info = if self.is_sentinel() {
            self.url().into_connection_info()?
        } else {
            let address = ConnectionAddr::Unix(self.socket.clone());
            let info: ConnectionInfo = address.into_connection_info()?;
            info.set_redis_settings(self.admin_login())
        };
        // CLIENT SETINFO counts as an error on servers before 7.2, and tests look at what is counted.
        let login = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(login);
        let connection = Client::open(info)?.get_connection_with_timeout(ADMIN_TIMEOUT)?;
        connection.set_read_timeout(Some(ADMIN_TIMEOUT))?;
        Ok(connection)
    }

    /// Runs a command with all rights, given as words.
    pub fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let (name, arguments) = words.split_first().context("a command has a name")?;
        let answer = redis::cmd(name).arg(arguments).query(&mut self.admin()?);
        answer.with_context(|| format!("{} {words:?}", self.program()))
    }

    /// Returns a field of its INFO.
    pub fn info(&self, field: &str) -> Result<Option<String>> {
        let text: String = self.run(&["INFO", "everything"])?;
        let info = larder_metrics_model::Info::parse(&text);
        Ok(info.field(field).map(str::to_owned))
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Freezes it (SIGSTOP): its connections stay open, and nothing is answered.
    pub fn pause(&mut self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on after [`TestServer::pause`].
    pub fn resume(&mut self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Kills it and starts it again on the same port with what it has saved, and waits until it takes commands.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.spawn_again()?;
        self.wait_until_ready()
    }

    /// Lets a server of [`TestServerBuilder::start_loading`] load the rest at once, and waits until it has.
    pub fn finish_loading(&self) -> Result<()> {
        self.run::<()>(&["CONFIG", "SET", "key-load-delay", "0"])?;
        until("the end of LOADING", || Ok(self.info("loading")?.filter(|flag| flag == "0")))?;
        Ok(())
    }

    pub(crate) fn add_config(&self, line: &str) -> Result<()> {
        writeln!(fs::File::options().append(true).open(&self.config)?, "{line}")?;
        Ok(())
    }

    pub(crate) fn spawn_again(&mut self) -> Result<()> {
        let arguments = &self.options.arguments;
        self.process = ServerProcess::spawn(self.program(), &self.config, arguments, &self.log)?;
        Ok(())
    }

    /// Waits until it takes commands. That it is this process which answers is asked for, because another server may
    /// have got the port first.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let log = self.log.clone();
        let id = self.process.id().to_string();
        let deadline = Instant::now() + PATIENCE;
        loop {
            ensure!(Instant::now() < deadline, "it did not answer within {PATIENCE:?}");
            ensure!(self.process.is_running(), "the server has ended:\n{}", log_tail(&log));
            if self.info("process_id").is_ok_and(|found| found.as_ref() == Some(&id)) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        until("PING", || Ok(Some(self.run::<String>(&["PING"])?)))?;
        Ok(())
    }

    pub(crate) fn is_sentinel(&self) -> bool {
        self.options.arguments.contains(&"--sentinel")
    }

    fn scheme(&self) -> &'static str {
        match (&self.options.tls, self.program().product.as_str()) {
            (Some(_), "valkey") => "valkeys",
            (Some(_), _) => "rediss",
            (None, "valkey") => "valkey",
            (None, _) => "redis",
        }
    }

    fn admin_login(&self) -> RedisConnectionInfo {
        let login = RedisConnectionInfo::default();
        if !self.options.users.is_empty() {
            let (user, password) = HARNESS_USER;
            return login.set_username(user).set_password(password);
        }
        match &self.options.password {
            Some(password) => login.set_password(password),
            None => login,
        }
    }
}

impl Drop for TestServer {
    #[expect(clippy::print_stderr, reason = "libtest captures only what is printed this way")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {} at {}, end of its log:\n{}", self.program(), self.node(), self.log_tail());
        }
    }
}
