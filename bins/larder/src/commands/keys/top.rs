//! `larder keys top`.

use std::path::PathBuf;

use anyhow::Result;
use chrono::DateTime;
use clap::Args;
use larder_keyspace::{BigKey, Biggest, TopKeys};
use serde_json::json;

use super::read;
use crate::{
    config::Settings,
    global::OutputForm,
    output::{format, stdout, table},
};

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// The RDB file
    #[arg(value_name = "FILE.rdb")]
    file: PathBuf,
    /// How many keys in each order
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Only keys of this type, as TYPE answers
    #[arg(long = "type", value_name = "TYPE", value_parser = ["string", "list", "set", "zset", "hash", "stream", "array", "module"])]
    kind: Option<String>,
    /// Every type for itself as well, not only all together; JSON always has them
    #[arg(long, conflicts_with = "kind")]
    each_type: bool,
}

pub(super) fn run(args: &TopArgs, settings: &Settings) -> Result<()> {
    let mut top = TopKeys::new(args.count as usize);
    let dump = read(&args.file, settings, |key| top.add(key))?;
    let (all, mut types) = top.finish();
    let chosen = match &args.kind {
        Some(kind) => {
            let chosen = types.remove(kind.as_str()).unwrap_or_default();
            types.clear();
            chosen
        }
        None => all,
    };
    if settings.output == OutputForm::Json {
        return stdout::json(&json!({
            "source": args.file.display().to_string(), "format": dump.format.to_string(), "total_keys": dump.keys, "bytes_source": "serialised",
            "by_bytes": chosen.by_bytes, "by_elements": chosen.by_elements, "types": types,
        }));
    }
    stdout::text(&for_people(args.kind.as_deref().unwrap_or("all types"), &chosen))?;
    if args.each_type {
        for (kind, biggest) in &types {
            stdout::text(&for_people(kind, biggest))?;
        }
    }
    Ok(())
}

fn for_people(of: &str, biggest: &Biggest) -> String {
    let by_bytes = keys("by bytes", &biggest.by_bytes);
    // Strings have one element each, which says nothing of their order.
    let counted = biggest.by_elements.iter().any(|key| key.elements > 1);
    let by_elements = if counted { keys("by elements", &biggest.by_elements) } else { String::new() };
    format!("biggest keys of {of}\n\n{by_bytes}\n{by_elements}")
}

fn keys(order: &str, keys: &[BigKey]) -> String {
    let mut table = table::table(&["bytes", "elements", "type", "layout", "db", "expires", order]);
    for key in keys {
        let elements =
            if key.elements_exact { key.elements.to_string() } else { format!("{}+", key.elements) };
        table.add_row([
            format::bytes(key.bytes),
            elements,
            key.kind.to_owned(),
            key.layout.to_owned(),
            key.database.to_string(),
            format::or_dash(key.expires_at_ms, expiry),
            name(key),
        ]);
    }
    table::written(&table)
}

/// A long name is cut, and its length is said; `--output json` has more of it.
fn name(key: &BigKey) -> String {
    let shown = key.key.to_string();
    match shown.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &shown[..end], key.key_bytes),
        None if shown.is_empty() => "(empty)".to_owned(),
        None => shown,
    }
}

const MOST_SHOWN: usize = 200;

/// A moment that no calendar has is shown as the number that it is.
fn expiry(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .map_or_else(|| at_ms.to_string(), |at| at.format("%Y-%m-%d %H:%M:%SZ").to_string())
}
