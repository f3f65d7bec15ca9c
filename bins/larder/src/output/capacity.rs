//! A plan of capacity for people.

use std::fmt::Write;

use larder_analysis::{Capacity, Growth, Passing, ResourceKind, ResourceOutlook};
use larder_metrics_model::Skipped;

use super::{format, table, verdict};

/// Writes a plan for people: when what is full, what to do, what of the history was not used; with `explain`, how each was foretold.
pub(crate) fn for_people(capacity: &Capacity, explain: bool) -> String {
    let mut text = format!(
        "{}, as of {}, {} days ahead\n\n",
        capacity.cache.as_deref().unwrap_or("the cache"),
        capacity.now.format("%F %H:%M UTC"),
        capacity.horizon_days
    );
    text.push_str(&resources(capacity));
    verdict::write_all(&mut text, &capacity.findings);
    if explain {
        for resource in &capacity.resources {
            text.push('\n');
            text.push_str(&explained(resource));
        }
    }
    write_notes(&mut text, capacity);
    if !capacity.skipped.is_empty() {
        text.push_str("\nskipped\n");
        for Skipped { what, reason } in &capacity.skipped {
            let _ = writeln!(text, "  {what}: {reason}");
        }
    }
    text
}

fn resources(capacity: &Capacity) -> String {
    let mut table =
        table::table(&["resource", "of", "now", "growth a month", "limit", "nearly full", "full"]);
    for resource in &capacity.resources {
        let write = |value| amount(value, resource.resource);
        let when = |passing: Option<&Passing>| {
            let share = passing.filter(|passing| passing.share < 1.0);
            let share = share.map_or_else(String::new, |it| format!("{:.0} %: ", it.share * 100.0));
            let words = passing.map(|passing| passing.words(capacity.now));
            words.map_or_else(|| "-".to_owned(), |words| share + &words)
        };
        let nearly = resource.nearly_full().filter(|passing| passing.share < 1.0);
        table.add_row([
            resource.resource.to_string(),
            resource.subject.clone(),
            format::or_dash(resource.latest, write),
            resource.growth.map_or_else(|| "not enough data".to_owned(), |it| growth(&it, resource.resource)),
            limit(resource),
            when(nearly),
            when(resource.full()),
        ]);
    }
    table::written(&table)
}

fn limit(resource: &ResourceOutlook) -> String {
    match (resource.limit, resource.limit_source) {
        (Some(limit), Some(source)) => format!("{} ({})", amount(limit, resource.resource), source.as_str()),
        _ => "none known".to_owned(),
    }
}

/// `+1.2 GiB (1.0 to 1.4)`, and what that is of the whole.
fn growth(growth: &Growth, kind: ResourceKind) -> String {
    let share = growth.share_per_month.map_or_else(String::new, |share| format!(", {:+.1} %", share * 100.0));
    format!(
        "{} ({} to {}){share}",
        signed(growth.per_month, kind),
        signed(growth.lower, kind),
        signed(growth.upper, kind)
    )
}

fn signed(value: f64, kind: ResourceKind) -> String {
    let sign = if value < 0.0 { "-" } else { "+" };
    format!("{sign}{}", amount(value.abs(), kind))
}

fn amount(value: f64, kind: ResourceKind) -> String {
    let rate = match kind {
        ResourceKind::Operations | ResourceKind::NetworkIn | ResourceKind::NetworkOut => "/s",
        _ => "",
    };
    // A part of a key is none.
    let value = if kind == ResourceKind::Operations && value < 100.0 { value } else { value.round() };
    format!("{}{rate}", format::metric(value, Some(kind.unit())))
}

/// Writes how a resource was foretold, and how well that would have done on its own past.
fn explained(resource: &ResourceOutlook) -> String {
    let mut text = format!("{} of {}\n", resource.resource, resource.subject);
    if let Some(months) = &resource.month_over_month {
        let write = |value| amount(value, resource.resource);
        let (before, after) = (&months.before, &months.after);
        let share =
            months.change_share.map_or_else(String::new, |share| format!(" ({:+.1} %)", share * 100.0));
        let _ = writeln!(
            text,
            "  months: {} in {}, {} in {}{share}",
            write(before.median),
            before.month,
            write(after.median),
            after.month
        );
    }
    if let Some(why) = &resource.why_no_limit {
        let _ = writeln!(text, "  no limit: {why}");
    }
    let Some(model) = &resource.model else {
        let why = resource.why_not_foretold.as_deref().unwrap_or("-");
        let _ = writeln!(text, "  not foretold: {why}");
        return text;
    };
    let unit = if model.step_seconds == 86_400 { "days" } else { "hours" };
    let from = format::or_dash(resource.used_from, |from| from.format("%F").to_string());
    let _ = writeln!(
        text,
        "  model: {} of {} {unit} from {from} on, {} of them measured; seasons: {}",
        model.method.as_str(),
        model.steps,
        format::percent(model.measured_share),
        model.seasons_in_words()
    );
    match &model.backtest {
        None => text.push_str("  backtest: the past is too short to leave its end out\n"),
        Some(test) => {
            let _ = writeln!(
                text,
                "  backtest: {} times {} {unit}; error {} of what repeating would have (MASE), {} of the value; \
                 {} of the values in the {:.0} % interval (in that of theory {})",
                test.origins,
                test.horizon,
                format::or_dash(test.scaled_error, |error| format!("{error:.2}")),
                format::or_dash(test.relative_error, format::percent),
                format::percent(test.coverage),
                model.confidence * 100.0,
                format::percent(test.coverage_of_theory),
            );
        }
    }
    for month in &model.foretold {
        let write = |value| amount(value, resource.resource);
        let _ = writeln!(
            text,
            "  {}: {} ({} to {})",
            month.on,
            write(month.expected),
            write(month.lower),
            write(month.upper)
        );
    }
    text
}

/// Notes that several resources share are said once.
fn write_notes(text: &mut String, capacity: &Capacity) {
    let mut notes: Vec<(&str, Vec<String>)> =
        capacity.notes.iter().map(|note| (note.as_str(), Vec::new())).collect();
    for resource in &capacity.resources {
        let why = resource.why_not_foretold.iter();
        let no_limit = resource.why_no_limit.iter().filter(|_| resource.resource == ResourceKind::Memory);
        for note in resource.notes.iter().chain(why).chain(no_limit) {
            let name = short_name(resource, capacity);
            match notes.iter_mut().find(|(known, _)| known == note) {
                Some((_, names)) if names.contains(&name) => {}
                Some((_, names)) => names.push(name),
                None => notes.push((note, vec![name])),
            }
        }
    }
    if !notes.is_empty() {
        text.push_str("\nnotes\n");
    }
    for (note, names) in notes {
        let place = match names.len() {
            0 => String::new(),
            all if all > 1 && all == capacity.resources.len() => "all: ".to_owned(),
            _ => format!("{}: ", names.join(", ")),
        };
        let _ = writeln!(text, "  {place}{note}");
    }
}

/// What a resource is, and of which node where there are several of its kind.
fn short_name(resource: &ResourceOutlook, capacity: &Capacity) -> String {
    let alike = capacity.resources.iter().filter(|it| it.resource == resource.resource);
    if alike.count() == 1 {
        return resource.resource.to_string();
    }
    format!("{} of {}", resource.resource, resource.subject)
}
