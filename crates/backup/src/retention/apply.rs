//! Removing what a plan removes.

use super::{PruneFate, PrunePlan, plan_prune};
use crate::{BackupId, Error, Repository, Result};

/// What was removed.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PruneOutcome {
    /// What is gone.
    pub removed: Vec<BackupId>,
    /// The bytes of it.
    pub freed_bytes: u64,
    /// What was to be removed and stays, because its reason does not hold any more.
    pub spared: Vec<(BackupId, String)>,
    /// What could not be removed.
    pub failed: Vec<(BackupId, Error)>,
}

/// Removes what the plan removes, the oldest first. Before each removal it looks at what is there, plans again, and spares
/// what the plan would keep now. Cut off at any moment, it leaves nothing listed that is not whole.
///
/// # Errors
/// None: what fails is part of the outcome.
pub async fn prune(repository: &Repository, plan: &PrunePlan) -> PruneOutcome {
    let mut outcome = PruneOutcome::default();
    for decision in plan.removals() {
        let id = &decision.id;
        match why_spared(repository, plan, id).await {
            Ok(Some(reason)) => outcome.spared.push((id.clone(), reason)),
            Ok(None) => match repository.remove(id).await {
                Ok(()) => {
                    outcome.removed.push(id.clone());
                    outcome.freed_bytes += decision.bytes;
                }
                Err(error) => outcome.failed.push((id.clone(), error)),
            },
            Err(error) => outcome.failed.push((id.clone(), error)),
        }
    }
    outcome
}

async fn why_spared(repository: &Repository, plan: &PrunePlan, id: &BackupId) -> Result<Option<String>> {
    let listing = repository.list().await?;
    let again = plan_prune(&listing.backups, &plan.policy, plan.now, plan.offset);
    Ok(match again.decision(id) {
        Some(decision) if decision.fate == PruneFate::Remove => None,
        Some(decision) => Some(decision.reasons.join(", ")),
        None => Some("it is not listed any more".to_owned()),
    })
}
