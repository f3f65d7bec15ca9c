//! `larder keys report`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use chrono::{DateTime, Local};
use clap::Args;
use larder_cache_client::KeyFields;
use larder_keyspace::{
    About, BytesSource, Classifier, FamilyId, FamilyRow, FamilyRule, KeyReport, KeySource, ReportOptions,
    SweepIdentity, Wanted,
};
use larder_metrics_model::{FamilyFigures, KeyspaceSnapshot};

use super::{
    images::{Images, Via},
    live::{Live, PaceArgs},
    report_table,
    resume::Counting,
    sweep::{Ended, through_cache, through_dump, through_images},
    target::{Named, Target, form, path_of},
    wanted::WantedArgs,
};
use crate::{
    command_error::{PARTIAL, UsageError},
    commands::clean::policy,
    config::Settings,
    global::{Global, OutputForm},
    output::{message, progress, stdout},
};

/// What the keyspace is made of: families, types, TTLs, idle times, expiry bursts to come
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// A cache, an RDB file, or a report that was printed as JSON [default: the cache that is configured]
    #[arg(value_name = "URL|FILE.rdb|REPORT.json")]
    target: Option<Named>,
    /// How many families the table shows; JSON has all of them
    #[arg(long, default_value_t = 30, value_name = "N")]
    families: usize,
    #[command(flatten)]
    rule: RuleArgs,
    #[command(flatten)]
    wanted: WantedArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// How the keys of a cache are read
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    via: Via,
    /// Families as a policy tells them: a policy file, or `guide` for the built-in one
    #[arg(long, value_name = "FILE|guide", conflicts_with_all = ["depth", "delimiter"])]
    policy: Option<String>,
    /// Write the report as one HTML page with charts as well, which needs nothing but itself
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Store families and their figures in the metrics history, so that each has a time series
    #[arg(long)]
    store: bool,
    /// Keep what was counted in a file while the sweep goes on, and go on where it says; removed when the report is complete
    #[arg(long, value_name = "FILE", conflicts_with = "replica")]
    resume: Option<PathBuf>,
}

/// How families are told.
#[derive(Args, Debug)]
pub(crate) struct RuleArgs {
    /// How many segments of a name tell its family at the most [default: 2]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// What parts the segments of names [default: `:`]
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,
}

impl RuleArgs {
    pub(crate) fn rule(&self) -> Result<FamilyRule> {
        let (delimiter, depth) = (self.delimiter.as_deref().unwrap_or(":"), self.depth.unwrap_or(2));
        FamilyRule::new(delimiter, depth).map_err(|error| UsageError(error.to_string()).into())
    }

    /// Whether anything was said.
    pub(crate) fn is_given(&self) -> bool {
        self.depth.is_some() || self.delimiter.is_some()
    }
}

pub(crate) async fn run(args: &ReportArgs, global: &Global) -> Result<ExitCode> {
    let (output, _) = form(global)?;
    let options = match &args.policy {
        Some(named) => ReportOptions::by_classifier(by_policy(named, &Settings::resolve(global)?)?),
        None => ReportOptions::by_rule(args.rule.rule()?),
    };
    let report = match Target::or_report(args.target.as_deref(), global)? {
        Target::Dump(source) => {
            args.via.refuse_for_files()?;
            refuse_for_files(args)?;
            let name = path_of(args.target.as_deref());
            of_dump(&source, &name, options, global.quiet).await?
        }
        Target::Cache(settings) if args.via == Via::Dump => {
            refuse_for_files(args)?;
            of_images(&settings, options, args).await?
        }
        Target::Cache(settings) => {
            let way = Way { pace: &args.pace, wanted: &args.wanted, resume: args.resume.as_ref() };
            of_cache(&settings, options, way).await?
        }
        Target::Report(report) => {
            args.via.refuse_for_files()?;
            refuse_for_files(args)?;
            *report
        }
    };
    if let Some(path) = &args.html {
        let page = report.to_html()?;
        std::fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))?;
        message::note(&format!("written to {}", path.display()));
    }
    if args.store {
        store(&report, global).await?;
    }
    match output {
        OutputForm::Json => stdout::json(&report)?,
        OutputForm::Table | OutputForm::Nagios => {
            stdout::text(&report_table::for_people(&report, args.families))?;
        }
    }
    Ok(code(&report))
}

/// Tells families as a policy does.
fn by_policy(named: &str, settings: &Settings) -> Result<Classifier> {
    let policy = policy(Some(named), settings)?;
    let families = policy.families().map(|(_, family)| family.name.clone()).collect();
    let matcher = policy.matcher().clone();
    Ok(Classifier::new(families, move |key| matcher.family(key).map(FamilyId::index)))
}

/// Stores what the families are made of, under the moment and the cache of the report.
async fn store(report: &KeyReport, global: &Global) -> Result<()> {
    if !report.complete {
        let words = "a report of a part of the keyspace is not stored: it would look like a fall";
        message::warning(words);
        return Ok(());
    }
    let settings = Settings::resolve(global)?;
    let opened = settings.history()?;
    let at = DateTime::from_timestamp_millis(report.at_ms).unwrap_or_default();
    let mut snapshot = KeyspaceSnapshot::at(at.with_timezone(&Local).fixed_offset());
    snapshot.cache = Some(report.source.clone());
    snapshot.total_keys = report.total_keys;
    snapshot.sampled = report.sample.is_some();
    snapshot.bytes_source = serde_json::to_value(report.bytes_source)?.as_str().map(str::to_owned);
    snapshot.families = report.family_rows().into_iter().map(figures).collect();
    let appended = opened.store.append_keyspace(&snapshot).await?;
    for path in &appended.written_to {
        message::note(&format!("written to {}", path.display()));
    }
    for error in appended.failed {
        message::warning(&format!("{:#}", anyhow::Error::new(error)));
    }
    Ok(())
}

fn figures(row: FamilyRow) -> FamilyFigures {
    let name = if row.name.is_empty() { "(none)".to_owned() } else { row.name };
    let mut figures = FamilyFigures::new(name, row.keys);
    figures.bytes = row.bytes;
    figures.without_ttl = row.without_ttl;
    figures.idle_median_s = row.idle_median_s;
    figures.biggest_bytes = row.biggest_bytes;
    figures
}

/// What only makes sense where servers are asked.
fn refuse_for_files(args: &ReportArgs) -> Result<()> {
    if args.wanted.sample.is_some() || args.resume.is_some() {
        let words = "a file or image is read from its beginning to its end, so --sample and --resume mean nothing for it";
        return Err(UsageError(words.to_owned()).into());
    }
    Ok(())
}

/// 4 where a part was not seen.
pub(crate) fn code(report: &KeyReport) -> ExitCode {
    if report.complete { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) }
}

/// Reports a file.
pub(crate) async fn of_dump(
    source: &larder_keyspace::DumpSource,
    name: &str,
    options: ReportOptions,
    quiet: bool,
) -> Result<KeyReport> {
    let mut counting = Counting::new(options, None);
    let read = through_dump(source, Wanted::new(KeyFields::all()), name, quiet, &mut counting).await?;
    let mut about = About::new(name, BytesSource::Estimated);
    about.dump = read;
    about.complete = read.is_some();
    if read.is_none() {
        message::warning("stopped: the report is of the keys that were read so far");
    }
    Ok(counting.builder.report(&about))
}

/// Reports a cache by the images of its shards.
async fn of_images(settings: &Settings, options: ReportOptions, args: &ReportArgs) -> Result<KeyReport> {
    let images = Images::of(settings, &args.pace).await?;
    // An image has everything, like a file.
    let fields = args.wanted.fields.as_ref().map_or(KeyFields::all(), |_| args.wanted.fields());
    let mut counting = Counting::new(options, None);
    let ended = through_images(&images.source, Wanted::new(fields), settings.quiet, &mut counting).await?;
    if !ended.is_complete() {
        say_partial(&ended, false);
    }
    let mut about = About::new(images.client.name(), images.source.bytes_source());
    about.dump = images.read();
    about.complete = ended.is_complete();
    about.skipped = images.survey.skipped;
    about.not_seen = ended.not_seen;
    Ok(counting.builder.report(&about))
}

/// How a cache is gone through.
pub(crate) struct Way<'a> {
    pub(crate) pace: &'a PaceArgs,
    pub(crate) wanted: &'a WantedArgs,
    pub(crate) resume: Option<&'a PathBuf>,
}

/// Reports a cache.
pub(crate) async fn of_cache(settings: &Settings, options: ReportOptions, way: Way<'_>) -> Result<KeyReport> {
    let live = Live::of(settings, way.pace, way.wanted.fields()).await?;
    let plan = way.wanted.plan(&live.survey)?;
    let rule = options.rule.clone();
    let mut counting = Counting::new(options, plan.most_keys);
    if let Some(path) = way.resume {
        let run_ids = live.survey.run_ids.clone();
        let mut identity = SweepIdentity::new(live.client.name(), settings.url.database(), run_ids);
        (identity.wanted, identity.rule) = (plan.words, rule);
        counting = counting.resume(path.clone(), identity)?;
    }
    let bar = progress::of_keys(plan.most_keys.or(live.survey.keys), settings.quiet);
    bar.set_position(counting.builder.keys());
    let source = live.source(counting.position());
    let ended = through_cache(&source, plan.wanted, bar, &mut counting).await?;
    if ended.is_complete() {
        counting.forget()?;
    } else {
        say_partial(&ended, way.resume.is_some());
    }
    let mut about = About::new(live.client.name(), source.bytes_source());
    about.coverage = plan.coverage;
    about.complete = ended.is_complete();
    about.skipped.clone_from(&live.survey.skipped);
    about.not_seen = ended.not_seen;
    Ok(counting.builder.report(&about))
}

fn say_partial(ended: &Ended, keeps: bool) {
    let goes_on = if keeps { "; the same command goes on" } else { "" };
    if ended.interrupted {
        message::warning(&format!("stopped: the report is of the keys that were read so far{goes_on}"));
    } else {
        message::warning(&format!("a part of the keyspace was not seen{goes_on}"));
    }
}
