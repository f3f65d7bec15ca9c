//! One Redis or Valkey server.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder_metrics_model::{
    ClientInfo, ClusterState, Info, LatencyEvent, MemoryReport, NodeAddress, NodeKind, Role, SlowLogEntry,
};
use redis::{Cmd, FromRedisValue, Value, cmd};

use super::{
    answer::read,
    failure::Request,
    functions,
    link::{Effect, Link},
    probe,
};
use crate::{Capabilities, Error, FunctionLibrary, KeyChange, Nodes, Result, Server, Topology};

/// One server over a link of its own.
#[derive(Clone, Debug)]
pub(crate) struct RedisServer {
    link: Arc<dyn Link>,
    kind: NodeKind,
    role: Option<Role>,
}

/// A cache of one server.
#[derive(Debug)]
pub(crate) struct SingleNode(pub(crate) RedisServer);

#[async_trait]
impl Nodes for SingleNode {
    async fn discover(&self) -> Result<Topology> {
        Ok(Topology::new(vec![Arc::new(self.0.clone())], Vec::new()))
    }
}

/// Settings whose values are passwords (Redis 7.4 and Valkey redact none of them in CONFIG GET).
const SECRETS: [&str; 7] = [
    "requirepass",
    "masterauth",
    "primaryauth",
    "masteruser",
    "primaryuser",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

impl RedisServer {
    pub(crate) fn new(link: Arc<dyn Link>, kind: NodeKind) -> Self {
        Self { link, kind, role: None }
    }

    pub(crate) fn with_role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd, name: &str) -> Result<T> {
        let answer = self.link.run(command, Effect::Read).await?;
        read(answer, self.request(name))
    }

    async fn pong(&self) -> Result<()> {
        let answer: String = self.ask(cmd("PING"), "PING").await?;
        if answer == "PONG" { Ok(()) } else { Err(self.request("PING").unexpected("it is not PONG")) }
    }

    fn request<'a>(&'a self, command: &'a str) -> Request<'a> {
        Request { node: self.link.node(), command, timeout: Duration::ZERO }
    }
}

/// Fields of which every server, and every managed service, gives one at least.
const KNOWN_FIELDS: [&str; 7] = [
    "redis_version",
    "valkey_version",
    "uptime_in_seconds",
    "connected_clients",
    "used_memory",
    "role",
    "total_commands_processed",
];

/// INFO with the statistics of every command and module is some ten thousand bytes long.
const LONGEST_INFO: usize = 8 << 20;

fn words(words: &[&str]) -> Cmd {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command
}

#[async_trait]
impl Server for RedisServer {
    fn node(&self) -> &NodeAddress {
        self.link.node()
    }

    fn kind(&self) -> NodeKind {
        self.kind
    }

    fn known_role(&self) -> Option<Role> {
        self.role
    }

    /// The first PING makes the connection where there is none, so the second one is timed.
    async fn ping(&self) -> Result<Duration> {
        self.pong().await?;
        let begun = Instant::now();
        self.pong().await?;
        Ok(begun.elapsed())
    }

    async fn info(&self) -> Result<Info> {
        let text: Vec<u8> = self.ask(words(&["INFO", "all"]), "INFO").await?;
        if text.len() > LONGEST_INFO {
            let detail =
                format!("it has {} bytes, and no server has more than {LONGEST_INFO} to say", text.len());
            return Err(self.request("INFO").unexpected(detail));
        }
        let info = Info::parse_bytes(&text);
        if KNOWN_FIELDS.iter().any(|field| info.field(field).is_some()) {
            Ok(info)
        } else {
            Err(self.request("INFO").unexpected("it has none of the fields that servers give"))
        }
    }

    async fn config(&self, pattern: &str) -> Result<BTreeMap<String, String>> {
        let mut settings: BTreeMap<String, String> =
            self.ask(words(&["CONFIG", "GET", pattern]), "CONFIG GET").await?;
        settings.retain(|name, _| !SECRETS.contains(&name.as_str()));
        Ok(settings)
    }

    async fn clients(&self) -> Result<Vec<ClientInfo>> {
        let list: String = self.ask(words(&["CLIENT", "LIST"]), "CLIENT LIST").await?;
        Ok(list.lines().filter(|line| !line.trim().is_empty()).map(ClientInfo::parse).collect())
    }

    async fn slow_log(&self, limit: usize) -> Result<Vec<SlowLogEntry>> {
        let mut command = words(&["SLOWLOG", "GET"]);
        command.arg(limit);
        let entries: Vec<Vec<Value>> = self.ask(command, "SLOWLOG GET").await?;
        entries.into_iter().map(|entry| slow_log_entry(entry, self.request("SLOWLOG GET"))).collect()
    }

    async fn latency(&self) -> Result<Vec<LatencyEvent>> {
        let events: Vec<Vec<Value>> = self.ask(words(&["LATENCY", "LATEST"]), "LATENCY LATEST").await?;
        events.into_iter().map(|event| latency_event(event, self.request("LATENCY LATEST"))).collect()
    }

    async fn memory(&self) -> Result<MemoryReport> {
        let answer = self.link.run(words(&["MEMORY", "STATS"]), Effect::Read).await?;
        let mut report = MemoryReport::default();
        memory_figures("", answer, &mut report);
        Ok(report)
    }

    async fn purge_memory(&self) -> Result<()> {
        self.ask::<String>(words(&["MEMORY", "PURGE"]), "MEMORY PURGE").await.map(drop)
    }

    async fn defragment(&self, on: bool) -> Result<()> {
        let setting = if on { "yes" } else { "no" };
        self.ask::<String>(words(&["CONFIG", "SET", "activedefrag", setting]), "CONFIG SET").await.map(drop)
    }

    async fn load_function(&self, code: &[u8], replaces: bool) -> Result<KeyChange> {
        let mut command =
            words(if replaces { &["FUNCTION", "LOAD", "REPLACE"] } else { &["FUNCTION", "LOAD"] });
        command.arg(code);
        match self.link.run(command, Effect::Write).await {
            Ok(_) => Ok(KeyChange::Done),
            Err(Error::Server { source, .. }) if source.to_string().contains("already exists") => {
                Ok(KeyChange::Exists)
            }
            Err(error) => Err(error),
        }
    }

    async fn functions(&self) -> Result<Vec<FunctionLibrary>> {
        let question = words(&["FUNCTION", "LIST", "WITHCODE"]);
        self.link.run(question, Effect::Read).await.map(functions::libraries)
    }

    async fn password_is_set(&self) -> Result<bool> {
        let answer: BTreeMap<String, String> =
            self.ask(words(&["CONFIG", "GET", "requirepass"]), "CONFIG GET").await?;
        let password = answer.get("requirepass");
        password
            .map(|password| !password.is_empty())
            .ok_or_else(|| self.request("CONFIG GET").unexpected("it has no requirepass"))
    }

    async fn user_rules(&self) -> Result<Vec<String>> {
        let lines: Vec<String> = self.ask(words(&["ACL", "LIST"]), "ACL LIST").await?;
        Ok(lines.iter().map(|line| without_hashes(line)).collect())
    }

    async fn user_may_run(&self, user: &str, command: &[&str]) -> Result<bool> {
        let mut question = words(&["ACL", "DRYRUN", user]);
        question.arg(command);
        match self.ask::<String>(question, "ACL DRYRUN").await {
            Ok(answer) => Ok(answer == "OK"),
            // It was renamed away, or is none of a Sentinel's.
            Err(Error::Server { source, .. }) if is_no_command(&source.to_string()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn cluster(&self) -> Result<ClusterState> {
        let text: String = self.ask(words(&["CLUSTER", "INFO"]), "CLUSTER INFO").await?;
        let state = ClusterState::parse(&text);
        // Where the map is blocked, what is on the move is unknown, and the rest is known all the same.
        let map: Result<String> = self.ask(words(&["CLUSTER", "NODES"]), "CLUSTER NODES").await;
        Ok(map.map_or_else(|_| state.clone(), |map| state.clone().with_nodes(&map)))
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        probe::capabilities(self.link.as_ref()).await
    }
}

/// `Command 'FLUSHALL' not found`, and not `User 'x' not found` (ACL DRYRUN, Redis 7.0 to Valkey 9).
fn is_no_command(words: &str) -> bool {
    words.contains("Command '") && words.contains("not found")
}

/// Passwords are there as `#` and their SHA-256, which can be guessed at.
fn without_hashes(line: &str) -> String {
    let kept: Vec<&str> = line.split(' ').filter(|word| !word.starts_with(['#', '>', '!'])).collect();
    kept.join(" ")
}

/// Id, time, microseconds, arguments, and since Redis 4.0 client address and name.
fn slow_log_entry(entry: Vec<Value>, request: Request<'_>) -> Result<SlowLogEntry> {
    let mut parts = entry.into_iter();
    let mut next = || parts.next().ok_or_else(|| request.unexpected("an entry is too short"));
    let (id, at, microseconds): (u64, u64, u64) =
        (read(next()?, request)?, read(next()?, request)?, read(next()?, request)?);
    let arguments: Vec<Vec<u8>> = read(next()?, request)?;
    let command =
        arguments.first().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
    let count = arguments.len().saturating_sub(1);
    Ok(SlowLogEntry::new(id, at, Duration::from_micros(microseconds), command, count))
}

/// Event, time, latest and longest in milliseconds; Valkey 8.1 adds a sum and a count.
fn latency_event(event: Vec<Value>, request: Request<'_>) -> Result<LatencyEvent> {
    let mut parts = event.into_iter();
    let mut next = || parts.next().ok_or_else(|| request.unexpected("an event is too short"));
    let name: String = read(next()?, request)?;
    let (at, latest, longest): (u64, u64, u64) =
        (read(next()?, request)?, read(next()?, request)?, read(next()?, request)?);
    Ok(LatencyEvent::new(name, at, Duration::from_millis(latest), Duration::from_millis(longest)))
}

/// Pairs of name and number; pairs within pairs get a dot. What is no number is left out.
fn memory_figures(prefix: &str, answer: Value, report: &mut MemoryReport) {
    let pairs: Vec<(Value, Value)> = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(items) => {
            let mut items = items.into_iter();
            std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in pairs {
        let Ok(name) = String::from_redis_value(name) else { continue };
        let name = format!("{prefix}{name}");
        match value {
            nested @ (Value::Map(_) | Value::Array(_)) => memory_figures(&format!("{name}."), nested, report),
            figure => {
                if let Ok(figure) = f64::from_redis_value(figure) {
                    report.figures.insert(name, figure);
                }
            }
        }
    }
}
