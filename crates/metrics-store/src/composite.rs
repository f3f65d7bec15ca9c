//! Several histories that are kept side by side.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use larder_metrics_model::{KeyspaceSnapshot, Snapshot};

use crate::{
    Appended, Damage, Error, History, MetricsStore, Query, Result, RetentionOutcome, Series, SeriesName,
    SeriesQuery, measured::Measured, moment,
};

/// Several histories that are kept side by side: what is stored goes to all of them, what is read comes from wherever it
/// is. One that fails does not keep the others from their work; what it said is in the outcome.
///
/// The order is the preference: a series is answered by the first that has any of it.
#[derive(Clone, Debug)]
pub struct Histories {
    stores: Vec<Arc<dyn MetricsStore>>,
}

impl Histories {
    /// Puts histories side by side, the preferred one first.
    pub fn new(stores: impl IntoIterator<Item = Arc<dyn MetricsStore>>) -> Self {
        Self { stores: stores.into_iter().collect() }
    }
}

#[async_trait]
impl MetricsStore for Histories {
    async fn append(&self, snapshot: &Snapshot) -> Result<Appended> {
        let mut done = Vec::new();
        for store in &self.stores {
            done.push(store.append(snapshot).await);
        }
        appended(done)
    }

    async fn append_keyspace(&self, snapshot: &KeyspaceSnapshot) -> Result<Appended> {
        let mut done = Vec::new();
        for store in &self.stores {
            done.push(store.append_keyspace(snapshot).await);
        }
        appended(done)
    }

    async fn read(&self, query: &Query) -> Result<History> {
        let mut found = Vec::new();
        for store in &self.stores {
            found.push(store.read(query).await);
        }
        merged(found, query)
    }

    async fn read_keyspaces(&self, query: &Query) -> Result<History<KeyspaceSnapshot>> {
        let mut found = Vec::new();
        for store in &self.stores {
            found.push(store.read_keyspaces(query).await);
        }
        merged(found, query)
    }

    async fn series(&self, query: &SeriesQuery) -> Result<Series> {
        let mut failures = Vec::new();
        let mut answer: Option<Series> = None;
        for store in &self.stores {
            match store.series(query).await {
                Ok(series) => match &mut answer {
                    Some(known) => {
                        known.damaged.extend(series.damaged);
                        (known.resolution, known.points) = (series.resolution, series.points);
                    }
                    None => answer = Some(series),
                },
                Err(error) => failures.push(error),
            }
            if answer.as_ref().is_some_and(|known| !known.points.is_empty()) {
                break;
            }
        }
        let Some(mut answer) = answer else { return Err(unreadable(failures)) };
        answer.damaged.extend(failures.iter().map(Damage::of));
        Ok(answer)
    }

    async fn series_names(&self) -> Result<Vec<SeriesName>> {
        let mut names = BTreeSet::new();
        let mut failures = Vec::new();
        for store in &self.stores {
            match store.series_names().await {
                Ok(found) => names.extend(found),
                Err(error) => failures.push(error),
            }
        }
        named(failures, self.stores.len())?;
        Ok(names.into_iter().collect())
    }

    /// What a store could not say is in `failed`, an error or more for each, even where none of them could.
    async fn plan_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let mut outcome = RetentionOutcome::default();
        for store in &self.stores {
            outcome.add_or_fail(store.plan_retention(now).await);
        }
        Ok(outcome)
    }

    /// What a store could not remove is in `failed`, an error or more for each, even where none of them could.
    async fn apply_retention(&self, now: DateTime<Utc>) -> Result<RetentionOutcome> {
        let mut outcome = RetentionOutcome::default();
        for store in &self.stores {
            outcome.add_or_fail(store.apply_retention(now).await);
        }
        Ok(outcome)
    }
}

/// Puts together what became of a snapshot in each store.
fn appended(done: Vec<Result<Appended>>) -> Result<Appended> {
    let mut outcome = Appended::default();
    let mut is_stored = false;
    for done in done {
        match done {
            Ok(done) => {
                outcome.is_new |= done.is_new;
                outcome.damaged.extend(done.damaged);
                outcome.written_to.extend(done.written_to);
                outcome.failed.extend(done.failed);
                is_stored = true;
            }
            Err(error) => outcome.failed.push(error),
        }
    }
    if is_stored {
        return Ok(outcome);
    }
    Err(Error::AllFailed { what: "nothing was stored", failures: outcome.failed })
}

/// Puts together what each store has; of what several have, the first one's.
fn merged<T: Measured>(found: Vec<Result<History<T>>>, query: &Query) -> Result<History<T>> {
    let stores = found.len();
    let mut merged = History::default();
    let mut failures = Vec::new();
    for found in found {
        match found {
            Ok(history) => {
                merged.snapshots.extend(history.snapshots);
                merged.damaged.extend(history.damaged);
            }
            Err(error) => failures.push(error),
        }
    }
    merged.damaged.extend(named(failures, stores)?);
    let key =
        |snapshot: &T| (moment::of(snapshot).unwrap_or(i64::MIN), snapshot.cache().map(ToOwned::to_owned));
    merged.snapshots.sort_by_cached_key(key);
    merged.snapshots.dedup_by(|a, b| key(a) == key(b));
    query.take.shorten(&mut merged.snapshots, |snapshot| key(snapshot).0);
    Ok(merged)
}

/// Makes damage of failures, unless all failed.
fn named(failures: Vec<Error>, stores: usize) -> Result<Vec<Damage>> {
    if failures.len() == stores {
        return Err(unreadable(failures));
    }
    Ok(failures.iter().map(Damage::of).collect())
}

fn unreadable(failures: Vec<Error>) -> Error {
    Error::AllFailed { what: "the history cannot be read", failures }
}
