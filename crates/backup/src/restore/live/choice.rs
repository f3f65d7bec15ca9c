//! What becomes of a key of the dump.

use larder_rdb::{KeyMeta, Kind};

use super::{LiveRestoreOptions, TtlChoice};

/// What becomes of a key of the dump, by its name, its type and what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is brought into this database, and ends at this moment.
    Comes { database: u64, expires_at_ms: Option<i64> },
    /// It was not asked for.
    LeftOut(&'static str),
    /// Its time is up.
    Expired,
    /// Its TTL cannot count from now, because it is not known when the dump was taken.
    Undated,
}

pub(super) const OTHER_DATABASE: &str = "another database than those that were asked for";
pub(super) const OTHER_TYPE: &str = "another type than those that were asked for";
pub(super) const OTHER_NAME: &str = "another name than those that were asked for";

pub(super) const SAME_NAME: &str = "a key of the same name comes from another database";

/// Decides for one pass.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) options: LiveRestoreOptions,
    /// This moment by the clock of the cache.
    pub(super) now_ms: i64,
}

impl Choice {
    pub(super) fn fate(&self, key: &[u8], kind: Kind, meta: &KeyMeta, taken_at_ms: Option<i64>) -> Fate {
        let filter = &self.options.filter;
        if filter.databases.as_ref().is_some_and(|wanted| !wanted.contains(&meta.db)) {
            return Fate::LeftOut(OTHER_DATABASE);
        }
        if filter.types.as_ref().is_some_and(|wanted| !wanted.contains(&kind)) {
            return Fate::LeftOut(OTHER_TYPE);
        }
        if filter.keys.as_ref().is_some_and(|holds| !holds(key)) {
            return Fate::LeftOut(OTHER_NAME);
        }
        let database = self.options.databases.of(meta.db);
        let comes = |expires_at_ms| Fate::Comes { database, expires_at_ms };
        let Some(at_ms) = meta.expires_at_ms else { return comes(None) };
        let was_over = taken_at_ms.is_some_and(|taken| at_ms <= taken);
        match (self.options.ttl, taken_at_ms) {
            (TtlChoice::Keep, _) if at_ms <= self.now_ms => Fate::Expired,
            (TtlChoice::Keep, _) => comes(Some(at_ms)),
            (TtlChoice::Rebase | TtlChoice::Drop, _) if was_over => Fate::Expired,
            (TtlChoice::Drop, _) => comes(None),
            (TtlChoice::Rebase, None) => Fate::Undated,
            (TtlChoice::Rebase, Some(taken)) => {
                comes(Some(at_ms.saturating_sub(taken).saturating_add(self.now_ms)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_or_count_from_now_or_go() {
        use TtlChoice::{Drop, Keep, Rebase};
        let comes = |expires_at_ms| Fate::Comes { database: 0, expires_at_ms };
        // The dump is of 1,000, and it is 2,000 now.
        for (ttl, taken, at, expected) in [
            (Keep, Some(1000), None, comes(None)),
            (Keep, Some(1000), Some(2001), comes(Some(2001))),
            (Keep, None, Some(2000), Fate::Expired),
            (Rebase, Some(1000), None, comes(None)),
            (Rebase, Some(1000), Some(1500), comes(Some(2500))),
            (Rebase, Some(1000), Some(1000), Fate::Expired),
            (Rebase, None, Some(1500), Fate::Undated),
            (Rebase, None, None, comes(None)),
            (Drop, Some(1000), Some(1500), comes(None)),
            (Drop, Some(1000), Some(999), Fate::Expired),
            (Drop, None, Some(1), comes(None)),
        ] {
            let options = LiveRestoreOptions { ttl, ..LiveRestoreOptions::default() };
            let choice = Choice { options, now_ms: 2000 };
            let mut meta = KeyMeta::in_db(0);
            meta.expires_at_ms = at;
            assert_eq!(choice.fate(b"k", Kind::String, &meta, taken), expected, "{ttl:?} {taken:?} {at:?}");
        }
    }
}
