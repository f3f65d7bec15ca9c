//! The families that the history knows, with the figures that each had last.

use std::collections::HashMap;

use anyhow::Result;
use larder_metrics_model::FamilyFigures;
use larder_metrics_store::{Damage, MetricsStore, Query, SeriesName, Take};

/// A family of one cache.
pub(super) type FamilyName = (Option<String>, String);

/// What the newest keyspace snapshot of each cache says of its families.
#[derive(Debug, Default)]
pub(super) struct Families {
    newest: HashMap<FamilyName, FamilyFigures>,
    pub(super) damaged: Vec<Damage>,
}

impl Families {
    /// Reads the newest figures of every family that has a series.
    pub(super) async fn read(store: &dyn MetricsStore, names: &[SeriesName]) -> Result<Self> {
        let mut caches: Vec<&Option<String>> =
            names.iter().filter(|name| name.family.is_some()).map(|name| &name.cache).collect();
        caches.sort_unstable();
        caches.dedup();
        let mut families = Self::default();
        for cache in caches {
            let mut query = Query::default().take(Take::Newest(1));
            query.cache.clone_from(cache);
            let history = store.read_keyspaces(&query).await?;
            for snapshot in history.snapshots.into_iter().filter(|snapshot| snapshot.cache == *cache) {
                let of_cache = snapshot.families.into_iter();
                let of_cache = of_cache.map(|family| ((cache.clone(), family.name.clone()), family));
                families.newest.extend(of_cache);
            }
            families.damaged.extend(history.damaged);
        }
        Ok(families)
    }

    /// Returns the newest figures of a family; `None` where the newest snapshot does not have it.
    pub(super) fn figures(&self, name: &FamilyName) -> Option<&FamilyFigures> {
        self.newest.get(name)
    }

    /// Orders families by size, the biggest first.
    pub(super) fn sort(&self, names: &mut [FamilyName]) {
        let size = |name: &FamilyName| self.figures(name).map(|family| (family.bytes, family.keys));
        names.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.cmp(b)));
    }
}

/// Returns the families of these series, each once.
pub(super) fn names<'a>(series: impl IntoIterator<Item = &'a SeriesName>) -> Vec<FamilyName> {
    let families = series.into_iter().filter_map(|name| Some((name.cache.clone(), name.family.clone()?)));
    let mut names: Vec<FamilyName> = families.collect();
    names.sort_unstable();
    names.dedup();
    names
}
