//! `larder keys hot`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::Args;
use larder_cache_client::{KeyUses, TrafficOptions, TrafficSample, UsedKey};
use larder_keyspace::KeyName;
use larder_metrics_model::{NodeAddress, Skipped};
use serde::Serialize;
use serde_json::json;

use super::{
    target::{Named, Target, form},
    top::shortened,
};
use crate::{
    command_error::{PARTIAL, UsageError},
    global::{Global, OutputForm},
    output::{format, message, stdout, table},
};

/// The keys that clients ask for most, in a sample of the commands that each primary runs now
///
/// A server writes each command that it runs to whoever looks (MONITOR), whichever its policy is. So it is looked at in ten short rounds,
/// spread over a time, and each ends with its share of the commands. What commands say beside the names of keys is read and forgotten.
/// The user needs the rights +monitor and +command. What replicas are asked is not seen.
#[derive(Args, Debug)]
pub(crate) struct HotArgs {
    /// A cache [default: the cache that is configured]
    #[arg(value_name = "URL")]
    target: Option<Named>,
    /// How many keys of each primary
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// How many commands of each primary are looked at, at the most
    #[arg(long, default_value_t = TrafficOptions::default().commands, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    commands: u64,
    /// Over how long the rounds are spread
    #[arg(long = "for", default_value = "10s", value_parser = time, value_name = "TIME")]
    time: Duration,
}

const LONGEST: Duration = Duration::from_mins(10);

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time < Duration::from_secs(1) || time > LONGEST {
        return Err("from 1s to 10m".to_owned());
    }
    Ok(time)
}

/// What was seen of one primary.
#[derive(Serialize)]
struct Seen {
    node: NodeAddress,
    commands: u64,
    seconds: f64,
    commands_per_second: Option<f64>,
    rounds: u32,
    keys: Vec<HotKey>,
}

#[derive(Serialize)]
struct HotKey {
    key: KeyName,
    database: u32,
    commands: u64,
    writes: u64,
    rounds: u32,
    /// Of all commands that were seen.
    share: f64,
    per_second: Option<f64>,
}

pub(super) async fn run(args: &HotArgs, global: &Global) -> Result<ExitCode> {
    let (output, _) = form(global)?;
    let Target::Cache(settings) = Target::of(args.target.as_deref(), global)? else {
        return Err(UsageError("a file is asked for nothing; name a cache by its URL".to_owned()).into());
    };
    let client = settings.client().await?;
    let mut options = TrafficOptions::default();
    (options.commands, options.time) = (args.commands, args.time);
    message::note(&format!(
        "looking at up to {} commands of each primary for {}",
        args.commands,
        humantime::format_duration(args.time)
    ));
    let (mut seen, mut skipped) = (Vec::new(), Vec::new());
    for (node, sample) in client.sample_traffic(&options).await? {
        match sample {
            Ok(sample) => seen.push(Seen::of(node, &sample, args.count as usize)),
            Err(error) => skipped.push(Skipped::new(format!("commands of {node}"), error.with_causes())),
        }
    }
    if seen.is_empty() {
        let reasons: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        bail!("which keys are hot cannot be told: {}", reasons.join("; "));
    }
    match output {
        OutputForm::Json => {
            stdout::json(&json!({ "source": client.name(), "nodes": seen, "skipped": skipped }))?;
        }
        OutputForm::Table | OutputForm::Nagios => stdout::text(&for_people(&seen))?,
    }
    for skipped in &skipped {
        message::warning(&skipped.to_string());
    }
    Ok(if skipped.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

impl Seen {
    fn of(node: NodeAddress, sample: &TrafficSample, most: usize) -> Self {
        Self {
            node,
            commands: sample.commands,
            seconds: sample.time.as_secs_f64(),
            commands_per_second: sample.per_second(),
            rounds: sample.rounds,
            keys: sample.hottest(most).iter().map(|(key, uses)| HotKey::of(key, *uses, sample)).collect(),
        }
    }
}

impl HotKey {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    fn of(key: &UsedKey, uses: KeyUses, sample: &TrafficSample) -> Self {
        let share = uses.commands as f64 / sample.commands.max(1) as f64;
        Self {
            key: KeyName::new(&key.name),
            database: key.database,
            commands: uses.commands,
            writes: uses.writes,
            rounds: uses.rounds,
            share,
            per_second: sample.per_second().map(|rate| rate * share),
        }
    }
}

fn for_people(seen: &[Seen]) -> String {
    let nodes: Vec<String> = seen.iter().map(node).collect();
    nodes.join("\n")
}

fn node(seen: &Seen) -> String {
    let heading = format!(
        "{}: {} commands in {:.1} s, about {} a second\n",
        seen.node,
        seen.commands,
        seen.seconds,
        format::or_dash(seen.commands_per_second, |rate| format!("{rate:.0}")),
    );
    if seen.keys.is_empty() {
        return heading + "no key was named\n";
    }
    let mut table = table::table(&["share", "a second", "writes", "rounds", "db", "key"]);
    for key in &seen.keys {
        table.add_row([
            format::percent(key.share),
            format::or_dash(key.per_second, |rate| format!("{rate:.1}")),
            key.writes.to_string(),
            format!("{} of {}", key.rounds, seen.rounds),
            key.database.to_string(),
            shortened(&key.key),
        ]);
    }
    heading + &table::written(&table)
}
