//! A plan of capacity for people.

use std::fmt::Write;

use larder_analysis::{Backtest, Capacity, Growth, MonthOverMonth, Passing, ResourceKind, ResourceOutlook};

use super::{format, skipped, table, verdict};

/// Writes a plan for people: when what is full, what to do, what of the history was not used; with `explain`, how each was foretold.
pub(crate) fn for_people(capacity: &Capacity, explain: bool) -> String {
    let mut text = format!(
        "{}, as of {}, {} days ahead\n\n",
        capacity.cache.as_deref().unwrap_or("the cache"),
        capacity.now.format("%F %H:%M UTC"),
        capacity.horizon_days
    );
    text.push_str(&resources(capacity));
    if capacity.resources.iter().any(|it| it.growth.is_some_and(|it| it.share_per_month.is_some())) {
        text.push_str("growth in % is that of a month over the median of the last week, which need not be what is now\n");
    }
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
        for (what, reason) in skipped::by_reason(&capacity.skipped) {
            let _ = writeln!(text, "  {what}: {reason}");
        }
    }
    text
}

fn resources(capacity: &Capacity) -> String {
    let mut table =
        table::table(&["resource", "of", "now", "growth a month", "limit", "nearly full", "full"]);
    for resource in &capacity.resources {
        let when = |passing: Option<&Passing>| {
            let share = passing.filter(|passing| passing.share < 1.0);
            let share = share.map_or_else(String::new, |it| format!("{:.0} %: ", it.share * 100.0));
            let words = passing.map(|passing| passing.words(capacity.now));
            words.map_or_else(|| "-".to_owned(), |words| share + &words)
        };
        let nearly = resource.nearly_full().filter(|passing| passing.share < 1.0);
        table.add_row([
            resource.resource.to_string(),
            subject(resource, capacity),
            latest(resource, capacity),
            resource.growth.map_or_else(|| "not enough data".to_owned(), |it| growth(&it, resource.resource)),
            limit(resource),
            when(nearly),
            when(resource.full()),
        ]);
    }
    table::written(&table)
}

/// What is not of now bears its day.
fn latest(resource: &ResourceOutlook, capacity: &Capacity) -> String {
    let value = format::or_dash(resource.latest, |value| amount(value, resource.resource));
    match resource.measured_at.filter(|_| resource.is_stale(capacity.now)) {
        Some(at) => format!("{value} on {}", at.format("%F")),
        None => value,
    }
}

fn limit(resource: &ResourceOutlook) -> String {
    match (resource.limit, resource.limit_source) {
        (Some(limit), Some(source)) => format!("{} ({})", amount(limit, resource.resource), source.as_str()),
        _ => "none known".to_owned(),
    }
}

/// The cache is named above the table.
fn subject(resource: &ResourceOutlook, capacity: &Capacity) -> String {
    if capacity.cache.as_ref() == Some(&resource.subject) {
        return "cache".to_owned();
    }
    resource.subject.clone()
}

/// `+1.2 GiB (+1.0 to +1.4 GiB), +9.1 %`.
fn growth(growth: &Growth, kind: ResourceKind) -> String {
    let (lower, upper) = (signed(growth.lower, kind), signed(growth.upper, kind));
    let unit = upper.split_once(' ').map_or("", |(_, unit)| unit);
    let lower = lower.strip_suffix(unit).map_or(lower.as_str(), str::trim_end);
    let share =
        growth.share_per_month.map_or_else(String::new, |share| format!(", {}", format::change(share)));
    format!("{} ({lower} to {upper}){share}", signed(growth.per_month, kind))
}

fn signed(value: f64, kind: ResourceKind) -> String {
    let text = amount(value.abs(), kind);
    let is_nothing = !text.contains(|digit| matches!(digit, '1'..='9'));
    let sign = match value {
        _ if is_nothing => "",
        _ if value < 0.0 => "-",
        _ => "+",
    };
    format!("{sign}{text}")
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
    let write = |value| amount(value, resource.resource);
    if let Some(MonthOverMonth { before, after, change_share, .. }) = &resource.month_over_month {
        let share = change_share.map_or_else(String::new, |share| format!(" ({})", format::change(share)));
        let (was, is) = (write(before.median), write(after.median));
        let _ = writeln!(text, "  months: {was} in {}, {is} in {}{share}", before.month, after.month);
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
    let tried = model.backtest.as_ref().map(|tried| backtest(tried, unit, model.confidence));
    let _ = writeln!(
        text,
        "  backtest: {}",
        tried.as_deref().unwrap_or("the past is too short to leave its end out")
    );
    for week in &model.foretold {
        let (lower, upper) = (write(week.lower), write(week.upper));
        let _ = writeln!(text, "  week to {}: {} ({lower} to {upper})", week.on, write(week.expected));
    }
    text
}

fn backtest(tried: &Backtest, unit: &str, confidence: f64) -> String {
    format!(
        "{} times {} {unit}; error {} of that of repeating what was (MASE), {} of the value; \
         {} of the values in the {:.0} % interval (in that of theory {})",
        tried.origins,
        tried.horizon,
        format::or_dash(tried.scaled_error, |error| format!("{error:.2}")),
        format::or_dash(tried.relative_error, format::percent),
        format::percent(tried.coverage),
        confidence * 100.0,
        format::percent(tried.coverage_of_theory),
    )
}

/// So many resources are named at a note.
const MOST_NAMES: usize = 3;

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
            all if all > MOST_NAMES => {
                format!("{} and {} more: ", names[..MOST_NAMES].join(", "), all - MOST_NAMES)
            }
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

#[cfg(test)]
mod tests {
    use larder_analysis::{
        CapacityFacts, CapacityOptions, LimitSource, ResourceFacts, ResourceLimit, plan_capacity,
    };

    use super::*;

    fn planned(per_day: f64) -> Capacity {
        let start = chrono::DateTime::UNIX_EPOCH;
        let day = chrono::TimeDelta::days(1);
        let mut memory = ResourceFacts::unseen(ResourceKind::Memory, "a:1");
        memory.series =
            (0..60).map(|at| (start + day * at, (1_000.0 + per_day * f64::from(at)) * 1_048_576.0)).collect();
        memory.limit = ResourceLimit::Known { value: 1_200.0 * 1_048_576.0, source: LimitSource::Maxmemory };
        let mut facts = CapacityFacts::unseen(Some("redis://a:1".to_owned()));
        facts.resources = vec![memory, ResourceFacts::unseen(ResourceKind::Keys, "redis://a:1")];
        plan_capacity(&facts, &CapacityOptions::default(), start + day * 60)
    }

    #[test]
    fn growth_says_its_unit_once_and_what_shrinks_has_a_sign() {
        let growth = |per_day: f64| {
            let text = for_people(&planned(per_day), false);
            text.lines().find(|line| line.contains("memory ")).unwrap_or_default().to_owned()
        };
        assert!(growth(1.0).contains("+30.4 MiB (+30.4 to +30.4 MiB), +2.9 %"), "{}", growth(1.0));
        assert!(growth(-1.0).contains("-30.4 MiB (-30.4 to -30.4 MiB), -3.2 %"), "{}", growth(-1.0));
        assert!(growth(0.0).contains(" 0 B (0 to 0 B), 0.0 %"), "{}", growth(0.0));
        assert!(growth(1.0).contains("85 %: passed already"), "{}", growth(1.0));
    }

    #[test]
    fn what_growth_is_a_share_of_is_said_and_a_note_of_many_names_three() {
        let mut planned = planned(1.0);
        let base = "over the median of the last week";
        assert!(for_people(&planned, false).contains(base));
        let mut other = planned.resources[0].clone();
        planned.resources[0].notes = vec!["a thing happened".to_owned()];
        let one = planned.resources[0].clone();
        let of_node = |node: u32| {
            let mut one = one.clone();
            one.subject = format!("a:{node}");
            one
        };
        planned.resources = (1..=5).map(of_node).collect();
        other.growth = None;
        planned.resources.push(other);
        let text = for_people(&planned, false);
        assert!(
            text.contains("memory of a:1, memory of a:2, memory of a:3 and 2 more: a thing happened"),
            "{text}"
        );
        planned.resources.retain(|resource| resource.growth.is_none());
        assert!(!for_people(&planned, false).contains(base));
    }

    #[test]
    fn a_resource_of_the_cache_is_not_named_again_and_one_without_data_says_so() {
        let text = for_people(&planned(1.0), true);
        let keys = text.lines().find(|line| line.contains(" keys ")).unwrap_or_default();
        assert_eq!(
            keys.split_whitespace().collect::<Vec<_>>().join(" "),
            "keys cache - not enough data none known - -"
        );
        assert!(text.contains("not foretold: nothing was measured"), "{text}");
        assert!(text.contains("keys: nothing was measured"), "{text}");
    }
}
