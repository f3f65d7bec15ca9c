//! What an audit is made from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use larder_metrics_model::{NodeAddress, NodeKind, Observed, ServerFacts, Skipped};

use super::{AclUser, SettingsFile};

/// Everything that an audit is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditFacts {
    /// The nodes of the cache, found or not.
    pub nodes: Observed<Vec<AuditedNode>>,
    /// Nodes of the cache that could not be looked for: with any of them the audit is not whole.
    pub skipped: Vec<Skipped>,
    /// What belongs to the cache but not to what was named, such as the replicas of one server that was named by itself.
    pub beside: Vec<Skipped>,
}

/// What one node gave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditedNode {
    /// Which node.
    pub node: NodeAddress,
    /// What it does in the cache.
    pub kind: NodeKind,
    /// Its INFO.
    pub facts: Observed<ServerFacts>,
    /// Its settings (CONFIG GET), without those that hold secrets.
    pub settings: Observed<BTreeMap<String, String>>,
    /// Its users (ACL LIST).
    pub users: Observed<Vec<AclUser>>,
    /// Whether `requirepass` is set; what it is set to is not known here.
    pub password_is_set: Observed<bool>,
    /// Those of the commands in [`DANGEROUS_COMMANDS`] that the default user may run, as the server itself says (ACL DRYRUN).
    pub default_may_run: Observed<Vec<&'static str>>,
    /// What is set on the machine that it runs on.
    pub machine: Observed<MachineTuning>,
    /// The configuration file that it was started with; skipped where it has none, or is not on this machine.
    pub settings_file: Observed<SettingsFile>,
    /// When the certificate ends that it shows where it listens with TLS; skipped where it does not.
    pub certificate_ends: Observed<DateTime<Utc>>,
}

/// Settings of the operating system, seen where the server runs on the machine that looks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MachineTuning {
    /// The chosen word of `/sys/kernel/mm/transparent_hugepage/enabled`: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// The number in `/proc/sys/vm/overcommit_memory`: 0, 1 or 2.
    pub overcommit: Option<u8>,
    /// How many files the server's process may have open (`/proc/PID/limits`, the soft limit).
    pub open_files: Option<u64>,
}

/// A command that empties, blocks or takes over a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DangerousCommand {
    /// The command in a form that can be asked about (ACL DRYRUN counts the arguments).
    pub words: &'static [&'static str],
    /// The category that it is in: `@dangerous` or `@scripting`; no command is in both.
    pub category: &'static str,
    /// The setting by which the server refuses it whatever the rights say, where it has one.
    pub guard: Option<&'static str>,
}

const DANGEROUS: &str = "@dangerous";
const SCRIPTING: &str = "@scripting";
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// The commands that an audit asks about. A script runs any command that its caller may, for as long as it likes.
pub const DANGEROUS_COMMANDS: [DangerousCommand; 15] = [
    DangerousCommand::of(DANGEROUS, &["KEYS", "*"]),
    DangerousCommand::of(DANGEROUS, &["FLUSHALL"]),
    DangerousCommand::of(DANGEROUS, &["FLUSHDB"]),
    DangerousCommand::of(DANGEROUS, &["CONFIG", "SET", "maxmemory", "0"]),
    DangerousCommand::of(DANGEROUS, &["DEBUG", "SLEEP", "0"]).unless("enable-debug-command"),
    DangerousCommand::of(DANGEROUS, &["SHUTDOWN"]),
    DangerousCommand::of(DANGEROUS, &["MODULE", "LOAD", "/none"]).unless("enable-module-command"),
    DangerousCommand::of(SCRIPTING, &["EVAL", "return 1", "0"]),
    DangerousCommand::of(SCRIPTING, &["EVAL_RO", "return 1", "0"]),
    DangerousCommand::of(SCRIPTING, &["EVALSHA", NO_SCRIPT, "0"]),
    DangerousCommand::of(SCRIPTING, &["EVALSHA_RO", NO_SCRIPT, "0"]),
    DangerousCommand::of(SCRIPTING, &["FCALL", "none", "0"]),
    DangerousCommand::of(SCRIPTING, &["FCALL_RO", "none", "0"]),
    DangerousCommand::of(SCRIPTING, &["FUNCTION", "LOAD", "none"]),
    DangerousCommand::of(SCRIPTING, &["SCRIPT", "LOAD", "return 1"]),
];

impl DangerousCommand {
    const fn of(category: &'static str, words: &'static [&'static str]) -> Self {
        Self { words, category, guard: None }
    }

    const fn unless(mut self, setting: &'static str) -> Self {
        self.guard = Some(setting);
        self
    }

    /// Returns its name, without arguments.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.words.first().copied().unwrap_or_default()
    }
}

impl AuditFacts {
    /// Makes facts of which nothing is known yet.
    #[must_use]
    pub fn unseen() -> Self {
        let nodes = Observed::skipped("the nodes were not looked for");
        Self { nodes, skipped: Vec::new(), beside: Vec::new() }
    }
}

impl AuditedNode {
    /// Makes a node of which nothing is known yet.
    #[must_use]
    pub fn unseen(node: NodeAddress, kind: NodeKind) -> Self {
        fn not_asked<T>() -> Observed<T> {
            Observed::skipped("it was not asked for")
        }
        Self {
            node,
            kind,
            facts: not_asked(),
            settings: not_asked(),
            users: not_asked(),
            password_is_set: not_asked(),
            default_may_run: not_asked(),
            machine: not_asked(),
            settings_file: not_asked(),
            certificate_ends: not_asked(),
        }
    }
}

impl MachineTuning {
    /// Makes it of what was read; `None` for what could not be.
    #[must_use]
    pub fn new(huge_pages: Option<String>, overcommit: Option<u8>, open_files: Option<u64>) -> Self {
        Self { huge_pages, overcommit, open_files }
    }
}
