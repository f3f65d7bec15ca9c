//! Why something failed, in words that say each thing once.

use std::{error::Error as StdError, fmt, path::Path};

use rusqlite::ffi;

/// What the operating system or SQLite said.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// What SQLite said, once: its own error says it again as its source, and names a file that is named already.
#[derive(Debug)]
pub(crate) struct SqliteCause {
    words: String,
    code: Option<i32>,
}

/// An error with its causes, each in the words that none before it has said.
pub(crate) struct WithCauses<'a>(pub(crate) &'a (dyn StdError + 'static));

impl SqliteCause {
    pub(crate) fn new(path: &Path, source: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, words) = source else {
            return Self { words: source.to_string(), code: None };
        };
        let code = failure.extended_code;
        let words = words.clone().unwrap_or_else(|| ffi::code_to_str(code).to_owned());
        let file = format!(": {}", path.display());
        let words = words.strip_suffix(&file).unwrap_or(&words).to_owned();
        Self { words, code: Some(code) }
    }
}

impl fmt::Display for SqliteCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        self.code.map_or(Ok(()), |code| write!(f, " (SQLite error {code})"))
    }
}

impl StdError for SqliteCause {}

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let words = cause.to_string();
            if !said.contains(&words) {
                said = format!("{said}: {words}");
            }
            next = cause.source();
        }
        f.write_str(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_said_is_said_once_and_names_no_file_again() {
        let failure = |code, words: Option<&str>| {
            rusqlite::Error::SqliteFailure(ffi::Error::new(code), words.map(ToOwned::to_owned))
        };
        for (error, expected) in [
            (failure(13, Some("database or disk is full")), "database or disk is full (SQLite error 13)"),
            (failure(13, None), "database or disk is full (SQLite error 13)"),
            (
                failure(14, Some("unable to open database file: a.db")),
                "unable to open database file (SQLite error 14)",
            ),
            (rusqlite::Error::InvalidQuery, "Query is not read-only"),
        ] {
            let cause = SqliteCause::new(Path::new("a.db"), &error);
            assert_eq!(WithCauses(&cause).to_string(), expected);
        }
    }
}
