//! Two moments of a keyspace for people.

use std::fmt::Write;

use larder_keyspace::{Change, ChangeKind, DiffSide, KeyDiff};

use super::report_table::moment;
use crate::output::{format, table};

pub(super) fn for_people(diff: &KeyDiff, most: usize) -> String {
    let mut text = format!("from {}\nto   {}\n\n", side(&diff.before), side(&diff.after));
    let mut table = table::table(&["family", "", "bytes", "was", "is", "keys", "was", "is", "without ttl"]);
    table.add_row(row("(all)", "", [diff.bytes, diff.keys, diff.without_ttl]));
    for family in diff.families.iter().take(most) {
        table.add_row(row(
            &family.name,
            word(family.change),
            [family.bytes, family.keys, family.without_ttl],
        ));
    }
    text.push_str(&table::written(&table));
    if diff.families.len() > most {
        let _ = writeln!(text, "and {} more families that changed", diff.families.len() - most);
    }
    let _ = writeln!(text, "{} families are what they were", diff.unchanged_families);
    text
}

fn side(side: &DiffSide) -> String {
    let mut text = format!("{} at {}, bytes {}", side.source, moment(side.at_ms), side.bytes_source);
    if side.sampled {
        text.push_str(", a sample");
    }
    if !side.complete {
        text.push_str(", a part only");
    }
    text
}

fn word(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::New => "new",
        ChangeKind::Gone => "gone",
        ChangeKind::Grown => "grown",
        ChangeKind::Shrunk => "shrunk",
        _ => "changed",
    }
}

fn row(name: &str, change: &str, [bytes, keys, without_ttl]: [Change; 3]) -> Vec<String> {
    let number = |keys: u64| keys.to_string();
    vec![
        name.to_owned(),
        change.to_owned(),
        by(bytes, format::bytes),
        format::or_dash(bytes.before, format::bytes),
        format::or_dash(bytes.after, format::bytes),
        by(keys, number),
        format::or_dash(keys.before, number),
        format::or_dash(keys.after, number),
        by(without_ttl, number),
    ]
}

fn by(change: Change, write: fn(u64) -> String) -> String {
    format::or_dash(change.by, |by| {
        let sign = if by < 0 { "-" } else { "+" };
        format!("{sign}{}", write(by.unsigned_abs()))
    })
}
