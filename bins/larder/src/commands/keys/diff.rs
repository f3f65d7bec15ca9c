//! `larder keys diff`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_keyspace::{FamilyRule, KeyReport, ReportOptions};

use super::{
    diff_table,
    live::PaceArgs,
    report::{RuleArgs, Way, of_cache, of_dump},
    target::{Named, Target, form, path_of},
    wanted::{Field, WantedArgs},
};
use crate::{
    command_error::PARTIAL,
    config::Settings,
    global::{Global, OutputForm},
    output::{message, stdout},
};

/// Two moments compared: families that are new, gone, grown or shrunk
///
/// Each side is a cache, an RDB file, or a report that `larder --output json keys report` printed.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// The earlier one
    #[arg(value_name = "URL|FILE.rdb|REPORT.json")]
    before: Named,
    /// The later one
    #[arg(value_name = "URL|FILE.rdb|REPORT.json")]
    after: Named,
    /// How many families the table shows; JSON has all of them
    #[arg(long, default_value_t = 30, value_name = "N")]
    families: usize,
    #[command(flatten)]
    rule: RuleArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

pub(super) async fn run(args: &DiffArgs, global: &Global) -> Result<ExitCode> {
    let (output, quiet) = form(global)?;
    let targets =
        [Target::or_report(Some(&args.before), global)?, Target::or_report(Some(&args.after), global)?];
    let rule = rule(args, &targets)?;
    let mut reports = Vec::with_capacity(targets.len());
    for (target, name) in targets.into_iter().zip([&args.before, &args.after]) {
        let options = ReportOptions::by_rule(rule.clone());
        reports.push(match target {
            Target::Report(report) => *report,
            Target::Dump(source) => of_dump(&source, &path_of(Some(name)), options, quiet).await?,
            Target::Cache(settings) => cache(&settings, options, &args.pace).await?,
        });
    }
    let [before, after] = reports.as_slice() else { return Ok(ExitCode::FAILURE) };
    let diff = before.diff(after)?;
    match output {
        OutputForm::Json => stdout::json(&diff)?,
        OutputForm::Table | OutputForm::Nagios => {
            stdout::text(&diff_table::for_people(&diff, args.families))?;
        }
    }
    if before.complete && after.complete {
        return Ok(ExitCode::SUCCESS);
    }
    message::warning("a part of the keyspace is not in the figures");
    Ok(ExitCode::from(PARTIAL))
}

/// What is counted now is told as in the report that it is compared with, if nothing else is said.
fn rule(args: &DiffArgs, targets: &[Target]) -> Result<FamilyRule> {
    let stored = targets.iter().find_map(|target| match target {
        Target::Report(report) => report.family_rule.clone(),
        _ => None,
    });
    match stored {
        Some(rule) if !args.rule.is_given() => Ok(rule),
        _ => args.rule.rule(),
    }
}

async fn cache(settings: &Settings, options: ReportOptions, pace: &PaceArgs) -> Result<KeyReport> {
    let wanted = WantedArgs { fields: Some(vec![Field::Ttl, Field::Bytes]), sample: None };
    let report = of_cache(settings, options, Way { pace, wanted: &wanted, resume: None }).await?;
    for skipped in &report.skipped {
        message::warning(&skipped.to_string());
    }
    Ok(report)
}
