//! Bringing values back, over connections of our own where there may be some.
//!
//! The commands of a call are written while its answers are read, and nothing is allocated for one of them. A call has each
//! connection to itself: several calls at once keep the server busy while one of them waits for its last answers.

mod command;
mod wires;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use self::{
    command::{RestoreCommands, restored},
    wires::Wires,
};
use super::{
    by_slot::{shard_of, slot_of},
    failure::Request,
    link::{Effect, Link},
    sweep::{Shard, Shards, Sweeper},
    wire::Answer,
};
use crate::{Error, KeyChange, RestoreItem, Result, url::Endpoint};

/// Brings values back into one cache.
pub(crate) struct Restorer {
    /// A link that leads to each key.
    link: Arc<dyn Link>,
    shards: Arc<dyn Shards>,
    /// Connections of our own; without them, everything goes over the link.
    wires: Option<Wires>,
    known: Mutex<Option<Arc<[Shard]>>>,
}

impl fmt::Debug for Restorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restorer").field("link", &self.link).finish_non_exhaustive()
    }
}

/// What became of a key; `None` for what was not sent.
type Outcomes = Vec<Option<Result<KeyChange>>>;

impl Restorer {
    /// Goes to the shards that a sweep goes to.
    pub(crate) fn of(sweeper: &Sweeper) -> Self {
        Self {
            link: Arc::clone(&sweeper.link),
            shards: Arc::clone(&sweeper.shards),
            wires: sweeper.dialer.clone().map(Wires::new),
            known: Mutex::new(None),
        }
    }

    /// Brings values back. What a node sends elsewhere, and what could not be sent, goes over the link; what was sent and not
    /// answered may have been done, and is not sent again.
    pub(crate) async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>> {
        let Some(wires) = &self.wires else { return self.over_link(items.iter()).await };
        let mut outcomes = self.over_wires(wires, items).await;
        let rest: Vec<usize> =
            (0..items.len()).filter(|index| may_go_over_link(outcomes[*index].as_ref())).collect();
        if !rest.is_empty() {
            *self.known() = None;
            let again = self.over_link(rest.iter().map(|index| &items[*index])).await;
            for (index, outcome) in rest.into_iter().zip(again) {
                outcomes[index] = Some(outcome);
            }
        }
        let unanswered = || Request { node: self.link.node(), command: "RESTORE", timeout: Duration::ZERO };
        let settle = |outcome: Option<_>| outcome.unwrap_or_else(|| Err(unanswered().unexpected("nothing")));
        outcomes.into_iter().map(settle).collect()
    }

    async fn over_link(&self, items: impl Iterator<Item = &RestoreItem> + Send) -> Vec<Result<KeyChange>> {
        let commands = items.map(command::of).collect();
        self.link.run_all(commands, Effect::Write).await.into_iter().map(restored).collect()
    }

    /// All shards at once.
    async fn over_wires(&self, wires: &Wires, items: &[RestoreItem]) -> Outcomes {
        let mut outcomes: Outcomes = items.iter().map(|_| None).collect();
        if items.is_empty() {
            return outcomes;
        }
        let shards = self.shards().await;
        let parts = sorted(&shards, items).into_iter().zip(shards.iter()).filter_map(|(indexes, shard)| {
            let endpoint = shard.endpoint.as_ref().filter(|_| !indexes.is_empty())?;
            let part = indexes.iter().map(|index| &items[*index]).collect();
            Some(async move { (indexes, over_wire(wires, endpoint, part).await) })
        });
        for (indexes, part) in join_all(parts).await {
            for (index, outcome) in indexes.into_iter().zip(part) {
                outcomes[index] = outcome;
            }
        }
        outcomes
    }

    async fn shards(&self) -> Arc<[Shard]> {
        let known = self.known().clone();
        if let Some(known) = known {
            return known;
        }
        // Where they cannot be found out, everything goes over the link, which says why.
        let Ok(found) = self.shards.shards().await else { return Arc::from([]) };
        let found: Arc<[Shard]> = found.into();
        *self.known() = Some(Arc::clone(&found));
        found
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<[Shard]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of each shard, by their places; those of no shard are left out.
fn sorted(shards: &[Shard], items: &[RestoreItem]) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = shards.iter().map(|_| Vec::new()).collect();
    if let ([shard], [part]) = (shards, parts.as_mut_slice())
        && shard.slots.is_empty()
    {
        part.extend(0..items.len());
        return parts;
    }
    for (index, item) in items.iter().enumerate() {
        if let Some(shard) = shard_of(shards, slot_of(&item.key)) {
            parts[shard].push(index);
        }
    }
    parts
}

/// Sends one shard its part.
async fn over_wire(wires: &Wires, endpoint: &Endpoint, part: Vec<&RestoreItem>) -> Outcomes {
    let mut outcomes: Outcomes = Vec::with_capacity(part.len());
    let count = part.len();
    let mut commands = RestoreCommands::new(part);
    let lost = match wires.take(endpoint).await {
        Ok(mut wire) => {
            let read = |answer: Answer<'_>, request: Request<'_>| {
                let answer = answer.accepted(request).map(drop);
                outcomes.push(Some(restored(answer)));
            };
            let done = wire.exchange(&mut commands, "RESTORE", count, read).await;
            done.map(|()| wires.give_back(wire)).err()
        }
        // Nothing was sent.
        Err(error) => Some(error),
    };
    if let Some(error) = lost {
        let answered = outcomes.len();
        outcomes.extend((answered..commands.begun()).map(|_| Some(Err(error.clone()))));
        outcomes.resize(count, None);
    }
    outcomes
}

/// A node that sends elsewhere, or refuses for a passing reason, has done nothing.
fn may_go_over_link(outcome: Option<&Result<KeyChange>>) -> bool {
    match outcome {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => error.is_elsewhere() || (error.is_retryable() && error.was_refused()),
    }
}

impl Error {
    /// Tells whether RESTORE says that there is a key of that name already (`BUSYKEY`).
    pub(super) fn is_busy_key(&self) -> bool {
        matches!(self, Self::Server { source, .. } if source.to_string().contains("BUSYKEY"))
    }
}
