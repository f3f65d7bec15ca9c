//! The contents of one daily file: the newest snapshot in the guide's form, with the earlier ones of the day added.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{Error, Result, body, measured::Measured, moment};

/// The field that is added to the guide's form.
pub(crate) const EARLIER: &str = "earlier";

/// The snapshots of one day.
#[derive(Debug, Default)]
pub(crate) struct DayFile<T> {
    /// Ordered by time.
    entries: Vec<Entry<T>>,
    /// Elements of `earlier` that are no snapshots; they are kept as they are.
    unreadable: Vec<Value>,
}

/// Which snapshots of a day are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    /// Of each cache the first of every stretch of this length, and its newest one; all of them where it is zero.
    Spaced(Duration),
    /// Of each cache its newest one.
    Newest,
}

#[derive(Debug)]
struct Entry<T> {
    at: i64,
    snapshot: T,
    /// What the file said, to the letter; `None` where the snapshot has not been in a file yet.
    stored: Option<Value>,
}

/// What a file is found to be.
#[derive(Debug)]
pub(crate) struct Parsed<T> {
    /// What could be read.
    pub(crate) day: DayFile<T>,
    /// Elements that could not be read, each with the reason. They are kept.
    pub(crate) unreadable: Vec<(String, String)>,
    /// Why the file as a whole cannot be read; what was read all the same is in `day`.
    pub(crate) broken: Option<String>,
}

#[derive(Serialize)]
struct Page<'a, T> {
    #[serde(flatten)]
    newest: Form<'a, T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Form<'a, T>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Form<'a, T> {
    New(&'a T),
    Stored(&'a Value),
}

impl<T: Measured> Parsed<T> {
    /// Reads a file. Of one that is broken, whatever can be read.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match read_whole(bytes) {
            Ok(parsed) => parsed,
            Err(reason) => {
                let entries = recover(&String::from_utf8_lossy(bytes));
                Self { day: DayFile::of(entries, Vec::new()), unreadable: Vec::new(), broken: Some(reason) }
            }
        }
    }
}

impl<T: Measured> DayFile<T> {
    fn of(mut entries: Vec<Entry<T>>, unreadable: Vec<Value>) -> Self {
        entries.sort_by_key(|entry| entry.at);
        Self { entries, unreadable }
    }

    pub(crate) fn into_snapshots(self) -> impl Iterator<Item = T> {
        self.entries.into_iter().map(|entry| entry.snapshot)
    }

    /// Adds a snapshot; `false` where this moment of this cache is there already.
    pub(crate) fn insert(&mut self, at: i64, snapshot: T) -> bool {
        if self.holds(at, snapshot.cache()) {
            return false;
        }
        let place = self.entries.partition_point(|entry| entry.at <= at);
        self.entries.insert(place, Entry { at, snapshot, stored: None });
        true
    }

    /// Tells whether a moment of a cache is there.
    pub(crate) fn holds(&self, at: i64, cache: Option<&str>) -> bool {
        self.entries.iter().any(|entry| entry.at == at && entry.snapshot.cache() == cache)
    }

    /// Removes what is not kept, and returns how many that were.
    ///
    /// The first of a stretch is the first in whichever order they came, so the order does not matter in the end.
    pub(crate) fn thin(&mut self, kept: Kept) -> u64 {
        let width = match kept {
            Kept::Spaced(Duration::ZERO) => return 0,
            Kept::Spaced(spacing) => Some(i64::try_from(spacing.as_micros()).unwrap_or(i64::MAX).max(1)),
            Kept::Newest => None,
        };
        let before = self.entries.len();
        let cache_of = |entry: &Entry<T>| entry.snapshot.cache().map(ToOwned::to_owned);
        let newest: HashMap<_, _> = self.entries.iter().map(|entry| (cache_of(entry), entry.at)).collect();
        let mut last_kept: HashMap<Option<String>, i64> = HashMap::new();
        self.entries.retain(|entry| {
            let cache = cache_of(entry);
            let is_newest = newest.get(&cache) == Some(&entry.at);
            let Some(width) = width else { return is_newest };
            let stretch = moment::floor(entry.at, width);
            last_kept.insert(cache, stretch) != Some(stretch) || is_newest
        });
        (before - self.entries.len()) as u64
    }

    /// Writes the file: pretty, indented by two, as the guide's collector does.
    pub(crate) fn render(&self) -> Result<Vec<u8>> {
        let Some((newest, earlier)) = self.entries.split_last() else { return Ok(Vec::new()) };
        let earlier = earlier.iter().map(Entry::form).chain(self.unreadable.iter().map(Form::Stored));
        let page = Page { newest: newest.form(), earlier: earlier.collect() };
        serde_json::to_vec_pretty(&page).map_err(|source| Error::Json { source })
    }
}

impl<T: Measured> Entry<T> {
    fn of(value: Value) -> std::result::Result<Self, (Value, String)> {
        let read = body::decode(&value).and_then(|snapshot: T| {
            Ok((moment::of(&snapshot).map_err(|error| error.to_string())?, snapshot))
        });
        match read {
            Ok((at, snapshot)) => Ok(Self { at, snapshot, stored: Some(value) }),
            Err(reason) => Err((value, reason)),
        }
    }

    fn form(&self) -> Form<'_, T> {
        self.stored.as_ref().map_or(Form::New(&self.snapshot), Form::Stored)
    }
}

fn read_whole<T: Measured>(bytes: &[u8]) -> std::result::Result<Parsed<T>, String> {
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    let mut newest: Value = serde_json::from_slice(bytes).map_err(|error| format!("is no JSON: {error}"))?;
    let earlier = newest.as_object_mut().and_then(|fields| fields.remove(EARLIER));
    let mut entries = vec![Entry::of(newest).map_err(|(_, reason)| reason)?];
    let elements = match earlier {
        None => Vec::new(),
        Some(Value::Array(elements)) => elements,
        Some(other) => vec![other],
    };
    let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
    for (index, element) in elements.into_iter().enumerate() {
        match Entry::of(element) {
            Ok(entry) => entries.push(entry),
            Err((element, reason)) => {
                kept.push(element);
                unreadable.push((format!("{EARLIER}[{index}]"), reason));
            }
        }
    }
    Ok(Parsed { day: DayFile::of(entries, kept), unreadable, broken: None })
}

/// Reads what can be read of a broken file, by the lines that the format puts around each snapshot.
fn recover<T: Measured>(text: &str) -> Vec<Entry<T>> {
    let start = format!("\n  \"{EARLIER}\": [\n");
    let Some((newest, earlier)) = text.split_once(&start) else { return Vec::new() };
    let newest = format!("{}\n}}", newest.trim_end().trim_end_matches(','));
    let mut found = vec![newest];
    let mut element: Option<String> = None;
    for line in earlier.lines() {
        match (line, &mut element) {
            ("    {", _) => element = Some("{".to_owned()),
            ("    }" | "    },", Some(lines)) => {
                found.push(std::mem::take(lines) + "}");
                element = None;
            }
            (line, Some(lines)) => lines.push_str(line),
            (_, None) => {}
        }
    }
    found.iter().filter_map(|text| Entry::of(serde_json::from_str(text).ok()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use larder_metrics_model::Snapshot;
    use serde_json::json;

    use super::*;

    fn file(times: &[i64]) -> DayFile<Snapshot> {
        let mut day = DayFile::default();
        for at in times {
            day.insert(at * 1_000_000, snapshot(*at));
        }
        day
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn snapshot(at: i64) -> Snapshot {
        serde_json::from_value(json!({"timestamp": at as f64, "date": "1970-01-01T00:00:00"})).unwrap()
    }

    fn times(day: &DayFile<Snapshot>) -> Vec<i64> {
        day.entries.iter().map(|entry| entry.at / 1_000_000).collect()
    }

    #[test]
    fn the_newest_is_on_top_whatever_the_order() {
        let text = file(&[3, 1, 2]).render().unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["timestamp"], 3.0);
        assert_eq!(value[EARLIER][0]["timestamp"], 1.0);
        assert_eq!(times(&Parsed::of(&text).day), [1, 2, 3]);
        assert!(text.starts_with(b"{\n  \"timestamp\": 3.0,\n  \"date\""), "in the guide's order");
    }

    #[test]
    fn thinning_keeps_the_first_of_a_stretch_and_the_newest() {
        for order in [[0, 5, 10, 11, 14, 19], [19, 14, 11, 10, 5, 0], [14, 0, 19, 5, 11, 10]] {
            let mut day = DayFile::default();
            for at in order {
                day.insert(at * 1_000_000, snapshot(at));
                day.thin(Kept::Spaced(Duration::from_secs(10)));
            }
            assert_eq!(times(&day), [0, 10, 19], "{order:?}");
        }
        let mut all = file(&[0, 1, 2]);
        assert_eq!(all.thin(Kept::Spaced(Duration::ZERO)), 0);
        assert_eq!(times(&all), [0, 1, 2]);
        assert_eq!(file(&[]).thin(Kept::Spaced(Duration::from_secs(1))), 0);
        assert_eq!(file(&[]).thin(Kept::Newest), 0);
    }

    #[test]
    fn the_newest_of_each_cache_is_kept() {
        let mut day = file(&[1, 5, 3]);
        for at in [4, 2] {
            let mut other = snapshot(at);
            other.cache = Some("redis://other".to_owned());
            day.insert(at * 1_000_000, other);
        }
        assert_eq!(day.thin(Kept::Newest), 3);
        assert_eq!(times(&day), [4, 5]);
    }

    #[test]
    fn an_element_that_is_no_snapshot_is_named_and_kept() {
        let text = json!({"timestamp": 9, "date": "x", EARLIER: [{"timestamp": 3, "date": "x"}, {"odd": 1}]});
        let mut parsed = Parsed::of(text.to_string().as_bytes());
        assert_eq!(parsed.unreadable[0].0, "earlier[1]");
        assert!(parsed.broken.is_none());
        parsed.day.insert(10_000_000, snapshot(10));
        let again: Value = serde_json::from_slice(&parsed.day.render().unwrap()).unwrap();
        assert_eq!(again[EARLIER][2], json!({"odd": 1}));
    }

    #[test]
    fn every_truncation_gives_what_is_whole_in_it() {
        let text = file(&[1, 2, 3]).render().unwrap();
        for length in 0..text.len() {
            let parsed: Parsed<Snapshot> = Parsed::of(&text[..length]);
            assert!(parsed.broken.is_some(), "{length}");
            assert!(parsed.day.entries.len() <= 3);
        }
        let nearly = Parsed::of(&text[..text.len() - 1]);
        assert_eq!(times(&nearly.day), [1, 2, 3], "only the last brace is missing");
    }

    #[test]
    fn a_flipped_byte_costs_at_most_one_snapshot() {
        let text = file(&[1, 2, 3, 4]).render().unwrap();
        let start = String::from_utf8(text.clone()).unwrap().find(EARLIER).unwrap() + 14;
        for place in start..text.len() {
            let mut flipped = text.clone();
            flipped[place] ^= 0x80;
            let parsed: Parsed<Snapshot> = Parsed::of(&flipped);
            assert!(parsed.broken.is_some() || !parsed.unreadable.is_empty(), "{place}");
            assert!(parsed.day.entries.len() >= 2, "{place}: {:?}", times(&parsed.day));
        }
    }
}
