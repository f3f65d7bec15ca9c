//! Looking through a whole file for damage.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use rusqlite::Connection;

use super::missing::words_for;
use crate::{Damage, Error, Result, cause::SqliteCause, error::is_sqlite_damage};

/// What is said of a part: the first of it, and how much more there is.
type Findings = BTreeMap<Option<String>, (String, usize)>;

/// What the parts of a file are called.
struct Parts {
    /// By the page that a table or an index begins on.
    by_root: HashMap<i64, String>,
    /// By the name of the index.
    by_index: HashMap<String, String>,
}

pub(super) fn check(connection: &Connection, path: &Path) -> Result<Vec<Damage>> {
    let failed = |source| Error::sqlite(path, "check the file", source);
    // What the parts are called is no use where the page that says so is damaged.
    let parts = Parts::of(connection).unwrap_or_else(|_| Parts::none());
    let mut found = Findings::new();
    let mut statement = match connection.prepare("PRAGMA quick_check") {
        Ok(statement) => statement,
        Err(error) => return whole(path, error).map(|damage| vec![damage]),
    };
    let mut rows = statement.query([]).map_err(failed)?;
    let stopped = loop {
        match rows.next() {
            Ok(None) => break None,
            Ok(Some(row)) => note(&mut found, &parts, &row.get::<_, String>(0).map_err(failed)?),
            Err(error) => break Some(whole(path, error)?),
        }
    };
    // It stops where it can go no further for the sake of what it has named.
    let stopped = stopped.filter(|_| found.is_empty());
    Ok(found.into_iter().map(|(part, finding)| damage(path, part, &finding)).chain(stopped).collect())
}

fn whole(path: &Path, error: rusqlite::Error) -> Result<Damage> {
    if is_sqlite_damage(&error) {
        return Ok(Damage::new(path, SqliteCause::new(path, &error)));
    }
    Err(Error::sqlite(path, "check the file", error))
}

fn note(found: &mut Findings, parts: &Parts, message: &str) {
    for line in message.lines().filter(|line| *line != "ok" && !line.starts_with("***")) {
        let (_, more) = found.entry(parts.named_in(line)).or_insert_with(|| (line.to_owned(), 0));
        *more += 1;
    }
}

fn damage(path: &Path, part: Option<String>, (first, count): &(String, usize)) -> Damage {
    let reason = match count {
        1 => format!("damaged (SQLite: {first})"),
        count => format!("damaged in {count} places (SQLite, of the first: {first})"),
    };
    let damage = Damage::new(path, reason);
    match part {
        Some(part) => damage.in_part(part),
        None => damage,
    }
}

impl Parts {
    fn none() -> Self {
        Self { by_root: HashMap::new(), by_index: HashMap::new() }
    }

    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut parts = Self::none();
        let mut statement = connection.prepare("SELECT name, tbl_name, rootpage FROM sqlite_schema")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, table, root): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let words = words_for(&table).to_owned();
            parts.by_index.insert(name, words.clone());
            parts.by_root.insert(root, words);
        }
        Ok(parts)
    }

    /// Returns which part a message of SQLite is about: it names the first page of a table, or an index.
    fn named_in(&self, line: &str) -> Option<String> {
        let mut words = line.split_whitespace();
        if words.next() == Some("Tree") {
            return self.by_root.get(&words.next()?.parse().ok()?).cloned();
        }
        words.find_map(|word| self.by_index.get(word).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_part_is_named_once() {
        let connection = super::super::schema::empty("a".as_ref()).unwrap();
        let parts = Parts::of(&connection).unwrap();
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'hourly'";
        let root: i64 = connection.query_row(root, [], |row| row.get(0)).unwrap();
        let mut found = Findings::new();
        let message = format!("*** in database main ***\nTree {root} page 3: gone\nTree {root} page 4: gone");
        note(&mut found, &parts, &message);
        note(&mut found, &parts, "row 1 missing from index sqlite_autoindex_snapshots_1");
        note(&mut found, &parts, "Page 7: never used");
        let named: Vec<String> = found
            .into_iter()
            .map(|(part, finding)| damage("a".as_ref(), part, &finding).to_string())
            .collect();
        assert_eq!(
            named,
            [
                "a: damaged (SQLite: Page 7: never used)".to_owned(),
                format!("a (hours): damaged in 2 places (SQLite, of the first: Tree {root} page 3: gone)"),
                "a (snapshots): damaged (SQLite: row 1 missing from index sqlite_autoindex_snapshots_1)"
                    .to_owned(),
            ]
        );
    }
}
