//! `larder policy init`.

use std::{fs::OpenOptions, io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use larder_keyspace::{
    FamilyReport, KeyReport, ObservedFamily, Policy, ProposalOptions, ReportOptions, TtlReport,
    propose_policy,
};

use crate::{
    command_error::UsageError,
    commands::keys::{
        live::PaceArgs,
        report::{RuleArgs, Way, code, of_cache, of_dump},
        target::{Named, Target, path_of},
        wanted::WantedArgs,
    },
    global::Global,
    output::{message, stdout},
};

/// Write a policy from what is in a cache, or in an RDB file
///
/// Families are found by their prefixes, TTLs by what is usual there. Look at what it says before you clean up by it.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// A cache, or an RDB file [default: the cache that is configured]
    #[arg(value_name = "URL|FILE.rdb")]
    target: Option<Named>,
    /// Where it is written; must not be there yet [default: stdout]
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the built-in policy of the guide instead, an example to begin with
    #[arg(long, conflicts_with_all = ["target", "sample"])]
    guide: bool,
    #[command(flatten)]
    rule: RuleArgs,
    #[command(flatten)]
    wanted: WantedArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

pub(super) async fn run(args: &InitArgs, global: &Global) -> Result<ExitCode> {
    if let Some(path) = args.file.as_ref().filter(|path| path.exists()) {
        return Err(UsageError(format!("{} is there already", path.display())).into());
    }
    if args.guide {
        write(args, Policy::guide_text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rule = args.rule.rule()?;
    let options = ReportOptions::by_rule(rule);
    let report = match Target::of(args.target.as_deref(), global)? {
        Target::Dump(source) => {
            of_dump(&source, &path_of(args.target.as_deref()), options, global.quiet).await?
        }
        Target::Cache(settings) => {
            let way = Way { pace: &args.pace, wanted: &args.wanted, resume: None };
            of_cache(&settings, options, way).await?
        }
        Target::Report(report) => *report,
    };
    write(args, &proposal(&report))?;
    Ok(code(&report))
}

fn write(args: &InitArgs, text: &str) -> Result<()> {
    let Some(path) = &args.file else { return stdout::text(text) };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("the policy {} cannot be written", path.display()))?;
    message::note(&format!("written to {}", path.display()));
    message::hint("`larder policy check` says what breaks it");
    Ok(())
}

fn proposal(report: &KeyReport) -> String {
    let observed: Vec<ObservedFamily> = report.families.iter().filter_map(observed).collect();
    let mut options = ProposalOptions::default();
    options.source = Some(report.source.clone());
    propose_policy(&observed, &options)
}

/// Keys without a prefix, and those past the families that are told apart, make no family.
fn observed(family: &FamilyReport) -> Option<ObservedFamily> {
    if family.name.starts_with('(') && family.name.ends_with(')') {
        return None;
    }
    let figures = &family.figures;
    let mut observed = ObservedFamily::new(family.name.parse().ok()?, figures.keys);
    observed.without_ttl = figures.without_ttl.unwrap_or(figures.keys);
    observed.types = family.types.iter().map(|(name, keys)| (name.clone(), *keys)).collect();
    observed.biggest_bytes = family.biggest_bytes;
    observed.typical_bytes =
        figures.bytes.zip(Some(figures.keys)).and_then(|(bytes, keys)| bytes.checked_div(keys));
    if let Some(ttl) = &family.ttl {
        let longest = up_to(ttl, 1.0);
        // Of keys that were written at any time, half have less than half of their TTL left.
        let usual = Duration::from_secs_f64(ttl.median_s * 2.0);
        observed.ttl_p50 = Some(Duration::from_secs_f64(ttl.median_s));
        observed.ttl_p95 = Some(up_to(ttl, 0.95).map_or(usual, |longest| longest.min(usual)));
        observed.ttl_max = longest.or(Some(usual));
    }
    Some(observed)
}

/// The end of the stretch of the histogram below which this share of the keys lies; `None` where it has none.
#[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^53")]
fn up_to(ttl: &TtlReport, share: f64) -> Option<Duration> {
    let all: u64 = ttl.histogram.iter().map(|span| span.keys).sum();
    let mut below = 0;
    for span in &ttl.histogram {
        below += span.keys;
        if below as f64 >= share * all as f64 {
            return span.up_to_s.map(Duration::from_secs);
        }
    }
    None
}
