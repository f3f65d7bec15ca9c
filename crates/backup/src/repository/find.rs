//! Finding the backup that is meant.

use std::collections::BTreeSet;

use super::{DamagedBackup, ListedBackup, Listing, Repository, Wanted};
use crate::{BackupId, Error, Manifest, Result};

impl Repository {
    /// Finds a backup.
    ///
    /// # Errors
    /// [`Error::NoBackup`] where there is none, or none that can be read; [`Error::Manifest`] where it is named by its id and
    /// was altered; the store fails.
    pub async fn find(&self, wanted: &Wanted) -> Result<Manifest> {
        self.find_of(wanted, None).await
    }

    /// Finds a backup of a cache, by its name; one that is named by its id is found whichever cache it is of.
    ///
    /// # Errors
    /// As [`Repository::find`], and [`Error::Refused`] where no cache is named and there are backups of several: the newest of
    /// all need not be the one that is meant.
    pub async fn find_of(&self, wanted: &Wanted, cache: Option<&str>) -> Result<Manifest> {
        match wanted {
            Wanted::Id(id) => self.manifest(id).await,
            _ => choose(self.list().await?, wanted, cache).map(|chosen| chosen.meant.manifest),
        }
    }

    /// Finds a backup of a cache to bring data back from: as [`Repository::find_of`], but for one that is known to be of no use.
    /// One that is named by its id is returned as it is.
    ///
    /// # Errors
    /// As [`Repository::find_of`], and [`Error::Refused`] where an object of the backup is missing, or the last verification of
    /// it failed; with the newest one that is proven.
    pub async fn find_to_restore(&self, wanted: &Wanted, cache: Option<&str>) -> Result<Manifest> {
        let Chosen { meant, proven } = match wanted {
            Wanted::Id(id) => return self.manifest(id).await,
            _ => choose(self.list().await?, wanted, cache)?,
        };
        let Some(what) = meant.what_is_wrong() else { return Ok(meant.manifest) };
        let id = &meant.manifest.id;
        let instead = match proven {
            Some(proven) => format!("the newest that is proven is {proven}: name it by its id"),
            None => "there is no older one that is proven".to_owned(),
        };
        let reason =
            format!("{id} is known to be bad ({what}); {instead}, or name {id} to try it all the same");
        Err(Error::Refused { what: "choosing a backup".to_owned(), reasons: vec![reason] })
    }
}

/// The backup that is meant, and the newest of that cache until then which is proven.
struct Chosen {
    meant: ListedBackup,
    proven: Option<BackupId>,
}

fn choose(listing: Listing, wanted: &Wanted, cache: Option<&str>) -> Result<Chosen> {
    let until = match wanted {
        Wanted::At(moment) => Some(*moment),
        _ => None,
    };
    let is_meant = |backup: &ListedBackup| {
        !backup.manifest.is_safety() && until.is_none_or(|until| backup.manifest.began_at <= until)
    };
    let mut meant: Vec<ListedBackup> = listing.backups.into_iter().filter(is_meant).collect();
    // One whose backup did not end is better than none, and nothing more.
    if meant.iter().any(|backup| !backup.manifest.is_without_manifest()) {
        meant.retain(|backup| !backup.manifest.is_without_manifest());
    }
    keep_one_cache(&mut meant, cache)?;
    let proven = meant.iter().find(|backup| backup.is_proven()).map(|backup| backup.manifest.id.clone());
    let found = meant.into_iter().next();
    let is_passed_over = |damaged: &&DamagedBackup| {
        let began_at = damaged.id.began_at();
        until.is_none_or(|until| began_at <= until)
            && found.as_ref().is_none_or(|found| began_at > found.manifest.began_at)
    };
    let passed_over: Vec<&DamagedBackup> = listing.damaged.iter().filter(is_passed_over).collect();
    for damaged in &passed_over {
        tracing::warn!(id = %damaged.id, reason = damaged.reason, "a newer backup is passed over");
    }
    let nothing = match passed_over.first() {
        Some(damaged) => format!("{wanted} that can be read: of {}, {}", damaged.id, damaged.reason),
        None => wanted.to_string(),
    };
    let meant = found.ok_or(Error::NoBackup { wanted: nothing })?;
    Ok(Chosen { meant, proven })
}

fn keep_one_cache(meant: &mut Vec<ListedBackup>, cache: Option<&str>) -> Result<()> {
    let caches: BTreeSet<String> = meant.iter().map(|backup| backup.manifest.cache.clone()).collect();
    if caches.len() < 2 {
        return Ok(());
    }
    let Some(named) = cache.filter(|cache| caches.contains(*cache)) else {
        let all: Vec<String> = caches.into_iter().collect();
        let reason =
            format!("there are backups of several caches: {}; name the backup by its id", all.join(", "));
        return Err(Error::Refused { what: "choosing a backup".to_owned(), reasons: vec![reason] });
    };
    meant.retain(|backup| backup.manifest.cache == named);
    Ok(())
}
