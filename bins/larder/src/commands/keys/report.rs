//! `larder keys report`.

use std::{fmt::Write, path::PathBuf};

use anyhow::Result;
use clap::Args;
use larder_keyspace::{KeyReport, ReportBuilder};
use larder_metrics_model::Ratio;

use super::read;
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, stdout, table},
};

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The RDB file
    #[arg(value_name = "FILE.rdb")]
    file: PathBuf,
    /// How many families the table shows; JSON has all of them
    #[arg(long, default_value_t = 30, value_name = "N")]
    families: usize,
}

pub(super) fn run(args: &ReportArgs, settings: &Settings) -> Result<()> {
    let mut builder = ReportBuilder::new();
    let dump = read(&args.file, settings, |key| builder.add(key))?;
    let report = builder.finish(&args.file.display().to_string(), &dump);
    match settings.output {
        OutputForm::Json => stdout::json(&report),
        OutputForm::Table | OutputForm::Nagios => stdout::text(&for_people(&report, args.families)),
    }
}

fn for_people(report: &KeyReport, most: usize) -> String {
    let mut text = String::new();
    let share = |part: u64| format::or_dash(Ratio::of(part, report.total_keys), |ratio| ratio.to_string());
    let _ = writeln!(
        text,
        "{}: {}, {} keys ({} with a TTL), {}",
        report.source,
        report.format,
        report.total_keys,
        share(report.expiring_keys),
        format::bytes(report.bytes)
    );
    let mut types = table::table(&["type", "keys", "share", "bytes"]);
    for (name, keys) in &report.types {
        let bytes = report.bytes_by_type.get(name).copied().unwrap_or(0);
        types.add_row([(*name).to_owned(), keys.to_string(), share(*keys), format::bytes(bytes)]);
    }
    let mut families = table::table(&["family", "keys", "share", "bytes", "biggest", "without ttl"]);
    for family in report.families.iter().take(most) {
        families.add_row([
            family.name.clone(),
            family.keys.to_string(),
            share(family.keys),
            format::bytes(family.bytes),
            format::bytes(family.biggest_bytes),
            family.without_ttl.to_string(),
        ]);
    }
    if report.total_keys > 0 {
        let _ = write!(text, "\n{}\n{}", table::written(&types), table::written(&families));
    }
    if report.families.len() > most {
        let _ = writeln!(text, "and {} smaller families", report.families.len() - most);
    }
    text
}
