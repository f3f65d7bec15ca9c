//! `larder metrics list`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_metrics_model::metrics;
use larder_metrics_store::SeriesName;
use serde_json::json;

use super::{end, families, families::Families};
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, message, stdout, table},
};

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// List the families that the history knows, with the figures that each had last
    #[arg(long)]
    families: bool,
}

pub(super) async fn run(args: &ListArgs, settings: &Settings) -> Result<ExitCode> {
    if args.families {
        return list_families(settings).await;
    }
    // The list itself needs no history.
    let known = match known(settings).await {
        Ok(known) => Some(known),
        Err(error) => {
            message::warning(&format!("{error:#}"));
            None
        }
    };
    let series =
        |metric: &str| known.as_ref().map(|known| known.iter().filter(|name| name.metric == metric).count());
    if settings.output == OutputForm::Json {
        let list = metrics().iter().map(|metric| {
            json!({
                "name": metric.name, "unit": metric.unit, "kind": metric.kind, "scope": metric.scope(),
                "help": metric.help, "series": series(metric.name),
            })
        });
        stdout::json(&list.collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table::table(&["metric", "unit", "kind", "series", "meaning"]);
    for metric in metrics() {
        let words = |value: String| value.to_lowercase();
        table.add_row([
            metric.name.to_owned(),
            words(format!("{:?}", metric.unit)),
            words(format!("{:?}", metric.kind)),
            format::or_dash(series(metric.name), |count| count.to_string()),
            metric.help.to_owned(),
        ]);
    }
    stdout::text(&table::written(&table))?;
    Ok(ExitCode::SUCCESS)
}

/// The series of the cache that is named; those that name no cache belong to whichever is asked for.
async fn known(settings: &Settings) -> Result<Vec<SeriesName>> {
    let mut names = settings.history_to_read()?.series_names().await?;
    if settings.names_cache {
        let cache = settings.url.name();
        names.retain(|name| name.cache.as_ref().is_none_or(|known| *known == cache));
    }
    Ok(names)
}

async fn list_families(settings: &Settings) -> Result<ExitCode> {
    let known = known(settings).await?;
    let families = Families::read(settings.history_to_read()?.as_ref(), &known).await?;
    let mut names = families::names(&known);
    families.sort(&mut names);
    if settings.output == OutputForm::Json {
        let list = names.iter().map(|name| {
            let figures = families.figures(name);
            json!({
                "cache": name.0, "family": name.1,
                "keys": figures.map(|family| family.keys), "bytes": figures.and_then(|family| family.bytes),
                "without_ttl": figures.and_then(|family| family.without_ttl),
                "idle_median_s": figures.and_then(|family| family.idle_median_s),
            })
        });
        stdout::json(&list.collect::<Vec<_>>())?;
        return Ok(end(&families.damaged));
    }
    let mut table = table::table(&["family", "keys", "bytes", "without ttl", "idle", "cache"]);
    for name in &names {
        let figures = families.figures(name);
        let idle = figures.and_then(|family| family.idle_median_s);
        table.add_row([
            name.1.clone(),
            format::or_dash(figures, |family| family.keys.to_string()),
            format::or_dash(figures.and_then(|family| family.bytes), format::bytes),
            format::or_dash(figures.and_then(|family| family.without_ttl), |keys| keys.to_string()),
            format::or_dash(idle, |seconds| format!("{} s", format::number(seconds))),
            format::or_dash(name.0.as_ref(), ToString::to_string),
        ]);
    }
    stdout::text(&table::written(&table))?;
    Ok(end(&families.damaged))
}
