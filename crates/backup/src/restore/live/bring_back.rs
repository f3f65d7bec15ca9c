//! Bringing one batch back.

use larder_cache_client::{CacheClient, DumpedValue, Error, KeyChange, PacedSteps, RestoreItem, StepSize};
use larder_rdb::KeyName;

use super::{
    Existing, LiveOutcome,
    batches::{BATCH_KEYS, Batch},
    same::{Comparer, Ends, Verdict},
};

const ANOTHER_VALUE: &str = "another value is there";
const ANOTHER_TTL: &str = "the same value is there with another TTL";
const UNKNOWN: &str = "a module's value is there, which cannot be compared";

/// Values of the cache that are fetched at once, to compare.
pub(super) const FETCHED_KEYS: usize = 100;
/// What fetching a value gives.
pub(super) type Found = larder_cache_client::Result<Option<DumpedValue>>;
/// Commands that fetching one takes.
pub(super) const FETCH_COMMANDS: usize = 4;

/// How a batch is brought back.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) database: u64,
    pub(super) existing: Existing,
    pub(super) ends: Ends,
    /// This moment by the clock of the cache.
    pub(super) now_ms: i64,
}

/// Restores what is not there, and looks at what is.
pub(super) async fn bring_back(
    client: &CacheClient,
    batch: Batch,
    paced: &PacedSteps,
    way: &Way,
) -> LiveOutcome {
    let mut outcome = LiveOutcome::default();
    let _held = batch.held;
    let is_over = |item: &RestoreItem| item.value.expires_at_ms.is_some_and(|at| at <= way.now_ms);
    let (over, items): (Vec<_>, Vec<_>) = batch.items.into_iter().partition(is_over);
    outcome.expired += over.len() as u64;
    let answers = restore(client, paced, &items).await;
    outcome.stopped |= answers.len() < items.len();
    let mut there = Vec::new();
    for (item, answer) in items.into_iter().zip(answers) {
        match answer {
            Ok(KeyChange::Exists) => there.push(item),
            Ok(_) => outcome.restored += 1,
            Err(error) => fail(&mut outcome, &item, &error),
        }
    }
    if outcome.ended_by.is_none() && !there.is_empty() {
        compare(client, there, paced, way, &mut outcome).await;
    }
    outcome
}

async fn restore(
    client: &CacheClient,
    paced: &PacedSteps,
    items: &[RestoreItem],
) -> Vec<larder_cache_client::Result<KeyChange>> {
    paced.take(items, StepSize::new(BATCH_KEYS, 1), |items| client.keys().restore(items)).await
}

/// Keys that are there: those that are as in the backup are counted, the others left or overwritten.
async fn compare(
    client: &CacheClient,
    there: Vec<RestoreItem>,
    paced: &PacedSteps,
    way: &Way,
    outcome: &mut LiveOutcome,
) {
    let keys: Vec<_> = there.iter().map(|item| item.key.clone()).collect();
    let fetch = |keys| client.keys().dump(keys);
    let found = paced.take(&keys, StepSize::new(FETCHED_KEYS, FETCH_COMMANDS), fetch).await;
    outcome.stopped |= found.len() < there.len();
    let judging = way.clone();
    // Values are decoded to be compared.
    let judged = tokio::task::spawn_blocking(move || judge(there, found, &judging)).await;
    let (compared, again) = judged.unwrap_or_else(|broken| {
        let failed = keys.len() as u64;
        let failures = vec![format!("{failed} keys could not be compared: {broken}")];
        (LiveOutcome { failed, failures, ..LiveOutcome::default() }, Vec::new())
    });
    outcome.add(compared);
    let answers = restore(client, paced, &again).await;
    outcome.stopped |= answers.len() < again.len();
    for (item, answer) in again.into_iter().zip(answers) {
        match answer {
            Ok(KeyChange::Exists) => outcome.leave(ANOTHER_VALUE),
            Ok(_) if item.overwrite => outcome.overwritten += 1,
            Ok(_) => outcome.restored += 1,
            Err(error) => fail(outcome, &item, &error),
        }
    }
}

/// What becomes of keys that are there, and those of them that are to be restored.
fn judge(there: Vec<RestoreItem>, found: Vec<Found>, way: &Way) -> (LiveOutcome, Vec<RestoreItem>) {
    let (mut outcome, mut again) = (LiveOutcome::default(), Vec::new());
    let mut comparer = Comparer::new(way.database, way.ends);
    for (mut item, found) in there.into_iter().zip(found) {
        let verdict = match found {
            Ok(Some(found)) => comparer.compare(&item, &found),
            // It has gone meanwhile.
            Ok(None) => {
                again.push(item);
                continue;
            }
            Err(error) => {
                fail(&mut outcome, &item, &error);
                continue;
            }
        };
        let why = match verdict {
            Verdict::Same(_) => {
                outcome.there_already += 1;
                continue;
            }
            Verdict::AnotherValue => ANOTHER_VALUE,
            Verdict::AnotherEnd => ANOTHER_TTL,
            Verdict::Unknown => UNKNOWN,
        };
        match way.existing {
            Existing::Leave => outcome.leave(why),
            Existing::Overwrite => {
                item.overwrite = true;
                again.push(item);
            }
        }
    }
    (outcome, again)
}

/// What fails one key for a reason of the cache's fails all.
fn fail(outcome: &mut LiveOutcome, item: &RestoreItem, error: &Error) {
    outcome.fail(&KeyName::from(item.key.as_ref()), error);
    let is_of_the_cache = error.is_retryable()
        || matches!(error, Error::OutOfMemory { .. } | Error::Authentication { .. })
        || matches!(error, Error::UnknownCommand { .. } | Error::TooManyClients { .. });
    if is_of_the_cache && outcome.ended_by.is_none() {
        outcome.ended_by = Some(error.with_causes());
    }
}
