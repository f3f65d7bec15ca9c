//! Reading rows of a table that may be damaged in places.

use rusqlite::{Connection, Row, ToSql};

use crate::error::is_sqlite_damage;

/// Times that occur: 285 years around 1970, in microseconds. A range is halved from there.
pub(super) const LIMIT: i64 = 1 << 53;
/// How often a range is halved around a damage: down to about half an hour.
const DEPTH: u32 = 24;
/// How many damaged places are gone around before the rest is given up.
const PLACES: usize = 500;

/// Which rows: a statement with `?1` for the beginning of the time and `?2` for its end, ordered by time.
pub(super) struct Rows<'a, T> {
    pub(super) sql: &'a str,
    /// The key of a row: the column with the time.
    pub(super) time: usize,
    /// What follows `?2`.
    pub(super) more: &'a [&'a dyn ToSql],
    /// How a row is read.
    pub(super) read: fn(&Row<'_>) -> rusqlite::Result<T>,
}

/// What could be read.
#[derive(Debug)]
pub(super) struct Gathered<T> {
    pub(super) rows: Vec<T>,
    /// Rows that are there and make no sense.
    pub(super) senseless: usize,
    /// Stretches of time in which something may be missing.
    pub(super) gaps: Vec<(i64, i64)>,
    /// How often something could not be reached.
    places: usize,
    /// What was wrong, first.
    pub(super) reason: Option<rusqlite::Error>,
}

impl<T> Rows<'_, T> {
    /// Reads all rows in a range of time, going around what is damaged.
    pub(super) fn gather(
        &self,
        connection: &Connection,
        (from, until): (i64, i64),
    ) -> rusqlite::Result<Gathered<T>> {
        let mut found =
            Gathered { rows: Vec::new(), senseless: 0, gaps: Vec::new(), places: 0, reason: None };
        let range = (from.max(-LIMIT), until.min(LIMIT));
        self.go_on(connection, range, DEPTH, &mut found)?;
        Ok(found)
    }

    fn go_on(
        &self,
        connection: &Connection,
        (from, until): (i64, i64),
        depth: u32,
        found: &mut Gathered<T>,
    ) -> rusqlite::Result<()> {
        let mut next = from;
        let Err(error) = self.run(connection, &mut next, until, found) else { return Ok(()) };
        if !is_sqlite_damage(&error) {
            return Err(error);
        }
        found.reason.get_or_insert(error);
        found.places += 1;
        if depth == 0 || until - next < 2 || found.places >= PLACES {
            match found.gaps.last_mut() {
                Some(gap) if gap.1 == next => gap.1 = until,
                _ => found.gaps.push((next, until)),
            }
            return Ok(());
        }
        let middle = next + (until - next) / 2;
        self.go_on(connection, (next, middle), depth - 1, found)?;
        self.go_on(connection, (middle, until), depth - 1, found)
    }

    /// Reads rows until the end or the first that cannot be reached; `next` is the time after the last one read.
    fn run(
        &self,
        connection: &Connection,
        next: &mut i64,
        until: i64,
        found: &mut Gathered<T>,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(self.sql)?;
        let mut parameters: Vec<&dyn ToSql> = vec![next, &until];
        parameters.extend(self.more);
        let mut rows = statement.query(parameters.as_slice())?;
        let mut after = *next;
        let done = loop {
            match rows.next() {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
                Ok(Some(row)) => match (row.get::<_, i64>(self.time), (self.read)(row)) {
                    (Ok(time), Ok(value)) => {
                        after = time.saturating_add(1).clamp(after, until);
                        found.rows.push(value);
                    }
                    _ => found.senseless += 1,
                },
            }
        };
        *next = after;
        done
    }
}
