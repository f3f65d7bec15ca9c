//! Data on stdout.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// Prints text as it is; colours are dropped where stdout is no terminal or `NO_COLOR` is set.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Prints one JSON document, indented.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string_pretty(value)?)
}

/// Prints one line of a stream of JSON documents.
pub(crate) fn json_line(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string(value)?)
}
