//! `larder metrics plot`.

mod limit;
mod plotted;

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use larder_maintenance::HistorySeries;
use larder_metrics_model::{Metric, NodeAddress, Scope, metric};

use self::plotted::Plotted;
use super::{metric_name, moment, unknown_cache};
use crate::{
    command_error::{PARTIAL, UsageError},
    config::Settings,
    global::OutputForm,
    output::{message, stdout},
};

#[derive(Args, Debug)]
pub(crate) struct PlotArgs {
    /// The metric, see `larder metrics list`
    #[arg(value_name = "METRIC", value_parser = metric_name)]
    metric: String,
    /// From then on: an age such as 7d, a date, or a date with time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Up to then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Of this node, such as 127.0.0.1:6379; needed where there are several
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Of this family of keys, see `larder metrics list --families`
    #[arg(long, value_name = "FAMILY", conflicts_with = "node")]
    family: Option<String>,
    /// Foretell so much time, such as 30d, with a band
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    forecast: Option<Duration>,
    /// Draw a limit: 4GiB, 95%, 250 [default: maxmemory, for the memory of a node]
    #[arg(long, value_name = "VALUE")]
    limit: Option<String>,
    /// Write the picture there [default: stdout]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// How many pixels wide
    #[arg(long, default_value_t = 960, value_parser = clap::value_parser!(u32).range(320..=8_000))]
    width: u32,
    /// How many pixels high
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(200..=8_000))]
    height: u32,
}

/// What is plotted, of what the history has.
struct Wanted<'a> {
    metric: &'static Metric,
    of: Subject,
    args: &'a PlotArgs,
}

/// Whose metric it is.
enum Subject {
    Cache,
    Node(NodeAddress),
    Family(String),
}

pub(super) async fn run(args: &PlotArgs, settings: &Settings) -> Result<ExitCode> {
    let is_picture = settings.output != OutputForm::Json;
    if is_picture && args.to.is_none() && std::io::stdout().is_terminal() {
        return Err(UsageError("a picture is not for a terminal; --to FILE.svg writes it".to_owned()).into());
    }
    let store = settings.history_to_read()?;
    let named = settings.names_cache.then(|| settings.url.name());
    let history = HistorySeries::new(store, named.clone());
    let known = history.caches().await?;
    let cache = one_cache(named, &known)?;
    let metric = metric(&args.metric).context("the metric was looked up before")?;
    let wanted = Wanted { metric, of: subject(args, metric, &history).await?, args };
    let plotted = Plotted::read(&wanted, &history).await?;
    if plotted.is_empty() {
        return Err(nothing(args, &wanted));
    }
    for note in &plotted.notes {
        message::warning(note);
    }
    let svg = plotted.chart(&wanted, cache.as_deref()).to_svg(args.width, args.height)?;
    if let Some(path) = &args.to {
        write(path, &svg)?;
        message::note(&format!("written to {}", path.display()));
    }
    if !is_picture {
        stdout::json(&plotted.as_json(&wanted, cache.as_deref()))?;
    } else if args.to.is_none() {
        stdout::text(&svg)?;
    }
    let is_whole = args.forecast.is_none() || plotted.forecast.is_some();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
}

/// The cache that is named, or the only one that there is.
fn one_cache(named: Option<String>, known: &[String]) -> Result<Option<String>, UsageError> {
    match named {
        // Files of the guide's collector name no cache.
        Some(named) if known.contains(&named) || known.is_empty() => Ok(Some(named)),
        Some(named) => Err(unknown_cache(&named, known)),
        None if known.len() > 1 => Err(UsageError(format!(
            "the history has several caches; --cache names the one to plot: {}",
            known.join(", ")
        ))),
        None => Ok(known.first().cloned()),
    }
}

async fn subject(args: &PlotArgs, metric: &Metric, history: &HistorySeries) -> Result<Subject> {
    let name = metric.name;
    match (metric.scope(), &args.node, &args.family) {
        (Scope::Node, None, None) => one_node(name, &history.nodes().await?),
        (Scope::Node, Some(node), None) => named_node(node, &history.nodes().await?),
        (Scope::Family, None, Some(family)) => named_family(family, &history.families().await?),
        (Scope::Family, ..) => Err(UsageError(format!(
            "{name} is told of each family of keys; --family names one (`larder metrics list --families`)"
        ))
        .into()),
        (_, None, None) => Ok(Subject::Cache),
        (scope, ..) => {
            let of = if scope == Scope::Node { "of each node" } else { "of the cache as a whole" };
            let wrong = if args.node.is_some() { "--node" } else { "--family" };
            Err(UsageError(format!("{name} is told {of}; leave {wrong} out")).into())
        }
    }
}

fn one_node(metric: &str, nodes: &[NodeAddress]) -> Result<Subject> {
    match nodes {
        [] => Err(anyhow::anyhow!("the history has nothing of {metric}; `larder collect` measures")),
        [node] => Ok(Subject::Node(node.clone())),
        many => {
            let many: Vec<&str> = many.iter().map(NodeAddress::as_str).collect();
            let words = format!("{metric} is told of each node; --node names one: {}", many.join(", "));
            Err(UsageError(words).into())
        }
    }
}

fn named_node(named: &str, nodes: &[NodeAddress]) -> Result<Subject> {
    if let Some(node) = nodes.iter().find(|node| node.as_str() == named) {
        return Ok(Subject::Node(node.clone()));
    }
    let known: Vec<&str> = nodes.iter().map(NodeAddress::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(UsageError(format!("the history has nothing of node {named}; it has {known}")).into())
}

fn named_family(named: &str, families: &[String]) -> Result<Subject> {
    if families.iter().any(|family| family == named) {
        return Ok(Subject::Family(named.to_owned()));
    }
    let nearest = families.iter().min_by_key(|known| strsim::damerau_levenshtein(known, named));
    let meant = nearest.map_or_else(
        || "`larder keys report --store` keeps families".to_owned(),
        |nearest| format!("is `{nearest}` meant? `larder metrics list --families` shows all"),
    );
    Err(UsageError(format!("the history has no family `{named}`; {meant}")).into())
}

fn nothing(args: &PlotArgs, wanted: &Wanted<'_>) -> anyhow::Error {
    let name = wanted.metric.name;
    if args.since.is_some() || args.until.is_some() {
        return anyhow::anyhow!(
            "the history has nothing of {name} in that time; `larder metrics show {name}` says of when it has something"
        );
    }
    anyhow::anyhow!(
        "the history has nothing of {name} that can be drawn; `larder collect` measures, a counter takes two of it"
    )
}

/// The file is complete or absent.
fn write(path: &Path, svg: &str) -> Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(anyhow::anyhow!("there is no folder {}", folder.display())).with_context(failed);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".larder-").suffix(".svg");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A picture is for others too: it gets the usual permissions, less the umask.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(|error| error_of(&error)).with_context(failed)?;
    file.as_file_mut().write_all(svg.as_bytes()).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

/// Without the name of the temporary file, which nobody asked for.
fn error_of(error: &std::io::Error) -> std::io::Error {
    std::io::Error::from(error.kind())
}
