//! What is wrong with a policy, and where.

use std::fmt;

use crate::KeyName;

/// What is wrong with a policy, where, and what to do. It is shown as `FILE:LINE:COLUMN: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}:{column}: {what}; {remedy}")]
#[non_exhaustive]
pub struct PolicyError {
    /// The name of the file, or what else the text came from.
    pub origin: String,
    /// The line, from 1 on.
    pub line: usize,
    /// The column, from 1 on, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// The text of a policy, and the name of what it came from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    origin: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, origin: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, origin, lines: std::iter::once(0).chain(ends).collect() }
    }

    /// Says what is wrong at an offset, and what to do.
    pub(super) fn error(
        &self,
        offset: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> PolicyError {
        let (line, column) = self.place(offset);
        PolicyError { origin: self.origin.to_owned(), line, column, what: what.into(), remedy: remedy.into() }
    }

    /// Returns the line of an offset.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line(offset);
        (line, self.text[self.lines[line - 1]..offset].chars().count() + 1)
    }
}

/// Words of the file, in an error: short, and with nothing that is not seen.
pub(super) struct Quoted<'a>(pub(super) &'a str);

const MOST_QUOTED: usize = 60;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.floor_char_boundary(MOST_QUOTED);
        let rest = if end < self.0.len() { "…" } else { "" };
        write!(f, "`{}{rest}`", visible(&self.0[..end]))
    }
}

/// Shows text as it is, but for what is not seen.
pub(super) fn visible(text: &str) -> String {
    let parts: Vec<String> = text.split('\\').map(|part| KeyName::new(part.as_bytes()).to_string()).collect();
    parts.join("\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters() {
        let source = Source::new("ä = 1\nöö = 2\n", "p.toml");
        for (offset, place) in [(0, (1, 1)), (2, (1, 2)), (6, (1, 6)), (7, (2, 1)), (8, (2, 1)), (99, (3, 1))]
        {
            assert_eq!(source.place(offset), place, "{offset}");
        }
        assert_eq!(source.error(7, "a", "b").to_string(), "p.toml:2:1: a; b");
    }

    #[test]
    fn words_are_quoted_short_and_visible() {
        assert_eq!(Quoted("a\u{1b}b\\*").to_string(), "`a\\u{1b}b\\*`");
        assert_eq!(Quoted(&"é".repeat(100)).to_string(), format!("`{}…`", "é".repeat(30)));
    }
}
