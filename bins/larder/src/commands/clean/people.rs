//! A clean-up in words.

use std::fmt::Write;

use larder_keyspace::{Action, CleanTask, PlanLine, Reclaim};
use larder_maintenance::{CleanReport, TaskReport};

use crate::output::{format, table};

/// What would be done.
pub(super) fn plan(report: &CleanReport) -> String {
    let mut text = format!("{} by {}: {} keys seen\n", report.cache, report.policy, report.seen_keys);
    for task in &report.tasks {
        let _ = write!(text, "\n{}", of_task(report, task));
    }
    for exceeded in &report.limits_exceeded {
        let _ = writeln!(text, "\nover a limit: {exceeded}");
    }
    text
}

fn of_task(report: &CleanReport, task: &TaskReport) -> String {
    let mut text = format!("{}: {}\n", task.task.as_str(), headline(report, task));
    if !task.lines.is_empty() {
        text += &lines(&task.lines);
    }
    match task.task {
        CleanTask::Memory => text += &memory(report),
        CleanTask::History => text += &history(report),
        _ => {}
    }
    for skipped in &task.skipped {
        let _ = writeln!(text, "  skipped: {skipped}");
    }
    text
}

fn headline(report: &CleanReport, task: &TaskReport) -> String {
    let keys = |what: &str| format!("{} {what}, {}", task.keys, format::bytes(task.bytes));
    match task.task {
        CleanTask::Ttl => keys("keys would get a TTL"),
        CleanTask::Orphans => keys("keys of no family would be removed"),
        CleanTask::Memory => {
            let acted = report
                .memory
                .iter()
                .filter(|plan| matches!(plan.action, Reclaim::Purge | Reclaim::Defragment));
            format!("{} of {} nodes would be relieved", acted.count(), report.memory.len())
        }
        CleanTask::History => format!("{} things are past their retention", task.keys),
        _ => {
            let found: u64 = task.lines.iter().map(|line| line.keys).sum();
            format!("{found} findings, which are only named")
        }
    }
}

/// Lines of a plan, as a table.
pub(crate) fn lines(lines: &[PlanLine]) -> String {
    let mut table = table::table(&["family", "keys", "bytes", "reason", "what is done", "for example"]);
    for line in lines {
        let done = match (line.protected, line.action, line.ttl_s) {
            (true, ..) => "protected: left alone".to_owned(),
            (_, Action::SetTtl, Some(seconds)) => format!("TTL of {}", time(seconds)),
            (_, Action::Report, _) => String::new(),
            (_, action, _) => action.to_string(),
        };
        let owner = line.owner.as_ref().map_or_else(String::new, |owner| format!(" ({owner})"));
        let example = line.examples.first().map_or_else(String::new, |key| shortened(&key.to_string()));
        table.add_row([
            format!("{}{owner}", line.family),
            line.keys.to_string(),
            if line.bytes > 0 { format::bytes(line.bytes) } else { "-".to_owned() },
            line.reason.to_string(),
            done,
            example,
        ]);
    }
    table::written(&table)
}

fn time(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

fn memory(report: &CleanReport) -> String {
    let mut text = String::new();
    for plan in &report.memory {
        let what = match plan.action {
            Reclaim::Purge => "empty pages are given back (MEMORY PURGE)",
            Reclaim::Defragment => "values are moved together for a while (activedefrag)",
            Reclaim::AdviseRestart => "advice",
            Reclaim::Defragments | Reclaim::Nothing => "nothing to do",
            _ => "unknown",
        };
        let _ = writeln!(text, "  {}: {what}: {}", plan.node, plan.reason);
    }
    text
}

fn history(report: &CleanReport) -> String {
    let Some(plan) = &report.history else { return String::new() };
    let mut text = String::new();
    for (count, what) in [
        (plan.snapshots, "snapshots"),
        (plan.keyspaces, "snapshots of families"),
        (plan.samples, "samples"),
        (plan.hours, "hours of series"),
        (plan.days, "days of series"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  {count} {what}");
        }
    }
    for file in plan.files.iter().take(MOST_FILES) {
        let _ = writeln!(text, "  {}", file.display());
    }
    if plan.files.len() > MOST_FILES {
        let _ = writeln!(text, "  and {} more files", plan.files.len() - MOST_FILES);
    }
    text
}

const MOST_FILES: usize = 10;
const MOST_SHOWN: usize = 60;

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// What was done.
pub(super) fn outcome(report: &CleanReport) -> String {
    let mut table = table::table(&["task", "planned", "done", "left alone", "failed"]);
    for task in &report.tasks {
        let Some(outcome) = &task.outcome else { continue };
        let left: Vec<String> =
            outcome.left_alone.iter().map(|(reason, keys)| format!("{keys} {reason}")).collect();
        let marked =
            if outcome.marked > 0 { format!(" and {} marked", outcome.marked) } else { String::new() };
        table.add_row([
            task.task.as_str().to_owned(),
            task.keys.to_string(),
            format!("{}{marked}", outcome.done),
            if left.is_empty() { "0".to_owned() } else { left.join(", ") },
            outcome.failed.to_string(),
        ]);
    }
    let mut text = format!("done\n{}", table::written(&table));
    for reclaimed in report.reclaimed.iter().filter(|reclaimed| reclaimed.failure.is_none()) {
        let bytes = |bytes| format::or_dash(bytes, format::bytes);
        let _ = writeln!(
            text,
            "{}: resident memory was {}, is {}",
            reclaimed.node,
            bytes(reclaimed.rss_before_bytes),
            bytes(reclaimed.rss_after_bytes)
        );
    }
    match &report.undo_file {
        Some(path) => {
            let path = path.display();
            let _ = writeln!(
                text,
                "{} keys are kept in {path}; `larder undo {path} --apply` gives them back",
                report.kept_keys
            );
        }
        None => text += "no key was changed\n",
    }
    text
}
