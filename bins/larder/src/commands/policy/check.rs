//! `larder policy check`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_cache_client::{KeyBatch, KeyFields};
use larder_keyspace::{PlanLine, Policy, PolicyCheck};
use serde::Serialize;

use crate::{
    command_error::{PARTIAL, UsageError},
    commands::{
        clean::{people, policy},
        keys::{
            live::{Live, PaceArgs},
            sweep::{Consumer, through_cache, through_dump},
            target::{Named, Target, path_of},
        },
    },
    config::Settings,
    global::{Global, OutputForm},
    output::{progress, stdout},
};

/// Say what breaks a policy, in a cache or an RDB file
///
/// Nothing is changed: `larder clean` does what the policy asks for. Exit code: 0 checked, whatever was found; 2 for a policy
/// that is wrong, with the line and the reason; 4 where a part of the keyspace was not seen.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// A cache, or an RDB file [default: the cache that is configured]
    #[arg(value_name = "URL|FILE.rdb")]
    target: Option<Named>,
    /// The policy file, or `guide` for the built-in one [default: `clean.policy`, then policy.toml where there is one]
    #[arg(long, value_name = "FILE|guide")]
    policy: Option<String>,
    /// How many keys of each line are named
    #[arg(long, default_value_t = 3, value_name = "N")]
    examples: usize,
    #[command(flatten)]
    pace: PaceArgs,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    source: &'a str,
    policy: &'a str,
    families: usize,
    seen_keys: u64,
    complete: bool,
    findings: u64,
    lines: &'a [PlanLine],
}

/// Judges the batches of a sweep.
struct Judging(PolicyCheck);

impl Consumer for Judging {
    fn take(&mut self, batch: &KeyBatch, _counted_from_ms: i64) {
        self.0.add(batch);
    }
}

pub(super) async fn run(args: &CheckArgs, global: &Global) -> Result<ExitCode> {
    let settings = Settings::resolve(global)?;
    // Read first: a policy that is wrong is said without reaching anything.
    let policy = policy(args.policy.as_deref(), &settings)?;
    let mut judging = Judging(PolicyCheck::new(policy.clone(), args.examples));
    let wanted = judging.0.wanted();
    let (source, complete) = match Target::of(args.target.as_deref(), global)? {
        Target::Dump(source) => {
            let name = path_of(args.target.as_deref());
            let read = through_dump(&source, wanted, &name, global.quiet, &mut judging).await?;
            (name, read.is_some())
        }
        Target::Cache(settings) => {
            let live = Live::of(&settings, &args.pace, KeyFields::empty()).await?;
            let bar = progress::of_keys(live.survey.keys, settings.quiet);
            let ended = through_cache(&live.source(None), wanted, bar, &mut judging).await?;
            (live.client.name().to_owned(), ended.is_complete())
        }
        Target::Report(_) => {
            return Err(UsageError("a report names no keys that could be judged".to_owned()).into());
        }
    };
    print(&settings, &policy, &source, complete, &judging.0)?;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

fn print(
    settings: &Settings,
    policy: &Policy,
    source: &str,
    complete: bool,
    check: &PolicyCheck,
) -> Result<()> {
    let lines = check.lines();
    let findings = lines.iter().map(|line| line.keys).sum();
    if settings.output == OutputForm::Json {
        return stdout::json(&Printed {
            source,
            policy: policy.origin(),
            families: policy.families().len(),
            seen_keys: check.seen_keys(),
            complete,
            findings,
            lines: &lines,
        });
    }
    let mut text = format!(
        "{source} by {} ({} families): {} keys seen, {findings} findings\n",
        policy.origin(),
        policy.families().len(),
        check.seen_keys()
    );
    if !lines.is_empty() {
        text += &people::lines(&lines);
    }
    stdout::text(&text)
}
