//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// Begins a table with plain headings, as wide as the terminal, and without limit where there is none.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// Writes a table without blanks at the ends of its lines.
pub(crate) fn written(table: &Table) -> String {
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
