//! The command line. Its comments are the help that is printed.
#![expect(clippy::doc_markdown, reason = "help is no Markdown")]

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        audit, backup, capacity, clean, collect, completions, config, drill, health, keys, maintain, metrics,
        optimize, policy, restore, undo, watch,
    },
    global::Global,
};

/// Keeps a Redis or Valkey query cache healthy.
///
/// A cache is named by URL: redis://, rediss://, valkey://, valkeys://, unix://, redis-sentinel://HOST,HOST/SERVICE,
/// redis-cluster://HOST,HOST, or memory:sample to try everything without a server.
#[derive(Debug, Parser)]
#[command(name = "larder", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Health(health::HealthArgs),
    Audit(audit::AuditArgs),
    Optimize(optimize::OptimizeArgs),
    Capacity(capacity::CapacityArgs),
    Watch(watch::WatchArgs),
    Collect(collect::CollectArgs),
    Keys(keys::KeysArgs),
    Policy(policy::PolicyArgs),
    Clean(clean::CleanArgs),
    Undo(undo::UndoArgs),
    Backup(backup::BackupArgs),
    Restore(Box<restore::RestoreArgs>),
    Drill(drill::DrillArgs),
    Metrics(metrics::MetricsArgs),
    Maintain(maintain::MaintainArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

/// The commands whose exit code is a monitoring plugin's, by the words that name them.
const CHECKS: [&[&str]; 3] = [&["health"], &["audit"], &["backup", "check"]];

impl Command {
    pub(crate) fn is_check(&self) -> bool {
        match self {
            Self::Health(_) | Self::Audit(_) => true,
            Self::Backup(args) => args.is_check(),
            _ => false,
        }
    }
}

/// Tells whether a command line that could not be read was meant for a check.
pub(crate) fn names_check(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let given: Vec<_> = arguments.skip(1).collect();
    CHECKS.iter().any(|check| {
        let mut places = given.iter();
        check.iter().all(|word| places.any(|argument| argument == word))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn checks_are_known_by_their_name() {
        let line = |words: &[&str]| names_check(words.iter().map(Into::into));
        assert!(line(&["larder", "--cahce", "x", "health"]));
        assert!(line(&["larder", "backup", "--output", "nagios", "check", "--bogus"]));
        assert!(!line(&["larder", "collect", "--bogus"]));
        assert!(!line(&["larder", "backup", "create", "--bogus"]));
    }
}
