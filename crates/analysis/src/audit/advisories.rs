//! The dated list of known advisories.
//!
//! Sources: each entry's own URL; affected and fixed versions from the CVE records (<https://www.cve.org>), the advisories and
//! release notes of Redis and Valkey, and, for older lines of Valkey, Bitnami's list (<https://github.com/bitnami/vulndb>). An
//! advisory for which no source told the fixed version of a line does not name that line. Left out is what needs a module or a
//! build of its own (GHSA-jcj7-v34w-v9vv, of RDMA), what is of a program beside the server (CVE-2025-27151, of redis-check-aof), and
//! what a release note names without an id. The day of the list is that up to which the pages of both products could be read;
//! some that were published later are in it too.

use std::fmt;

use larder_metrics_model::{ServerLine, ServerVersion};
use serde::Deserialize;

const LIST: &str = include_str!("advisories.json");

/// The list, as it is in the crate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdvisoryList {
    /// What was published later may be missing.
    pub(super) as_of: chrono::NaiveDate,
    covers: Vec<Covered>,
    advisories: Vec<Advisory>,
    unsupported: Vec<Unsupported>,
}

/// The lines of versions of which the list means to have every advisory that it could.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Covered {
    product: Product,
    /// The first two numbers of its versions.
    lines: Vec<ServerVersion>,
}

/// One advisory for one product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advisory {
    pub(super) id: String,
    product: Product,
    pub(super) severity: Rating,
    pub(super) title: String,
    pub(super) source: String,
    /// What must hold of a server, too.
    only_with: Option<Condition>,
    /// From a version on, and below the version that mends it.
    affected: Vec<(ServerVersion, ServerVersion)>,
}

/// What a server must do to be affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Condition {
    /// It listens with TLS.
    Tls,
    /// It is a node of a cluster.
    Cluster,
    /// It evicts clients (`maxmemory-clients` is not 0).
    ClientEviction,
}

/// Versions that get no fixes any more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unsupported {
    product: Product,
    from: ServerVersion,
    below: ServerVersion,
    pub(super) source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Product {
    Redis,
    Valkey,
}

/// How bad it is, as the CVE record rates it; where it has no rating, by what can be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rating {
    Low,
    Medium,
    High,
    Critical,
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

impl AdvisoryList {
    /// Reads the list; a test sees that it can be read.
    pub(super) fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(LIST)
    }

    /// Returns the advisories that a version is affected by, worst first, with the version that mends each.
    pub(super) fn of(
        &self,
        line: ServerLine,
        version: ServerVersion,
        holding: &[Condition],
    ) -> Vec<(&Advisory, ServerVersion)> {
        let mut found: Vec<_> = self
            .advisories
            .iter()
            .filter(|advisory| advisory.product.is(line))
            .filter(|advisory| advisory.only_with.is_none_or(|needed| holding.contains(&needed)))
            .filter_map(|advisory| {
                let (_, mended) =
                    advisory.affected.iter().find(|(from, mended)| version >= *from && version < *mended)?;
                Some((advisory, *mended))
            })
            .collect();
        found.sort_by_key(|(advisory, _)| std::cmp::Reverse(advisory.severity));
        found
    }

    /// Tells whether a version is of a line that the list covers; of another, finding nothing says nothing.
    pub(super) fn covers(&self, line: ServerLine, version: ServerVersion) -> bool {
        let is_of = |one: &ServerVersion| (one.major, one.minor) == (version.major, version.minor);
        self.covers.iter().any(|covered| covered.product.is(line) && covered.lines.iter().any(is_of))
    }

    /// Returns why a version gets no fixes any more.
    pub(super) fn unsupported(&self, line: ServerLine, version: ServerVersion) -> Option<&Unsupported> {
        let covers = |one: &&Unsupported| one.product.is(line) && version >= one.from && version < one.below;
        self.unsupported.iter().find(covers)
    }
}

impl Product {
    fn is(self, line: ServerLine) -> bool {
        matches!((self, line), (Self::Redis, ServerLine::Redis) | (Self::Valkey, ServerLine::Valkey))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(line: ServerLine, version: (u16, u16, u16), has_tls: bool) -> Vec<String> {
        let version = ServerVersion::new(version.0, version.1, version.2);
        let list = AdvisoryList::read().unwrap();
        let holding: &[Condition] = if has_tls { &[Condition::Tls] } else { &[] };
        list.of(line, version, holding).iter().map(|(advisory, _)| advisory.id.clone()).collect()
    }

    #[test]
    fn the_list_can_be_read_and_every_range_is_the_right_way_round() {
        let list = AdvisoryList::read().unwrap();
        for advisory in &list.advisories {
            assert!(advisory.affected.iter().all(|(from, mended)| from < mended), "{advisory:?}");
            assert!(advisory.source.starts_with("https://"), "{advisory:?}");
        }
    }

    #[test]
    fn the_fixed_version_is_not_affected_and_the_one_before_it_is() {
        let lua = "CVE-2025-49844".to_owned();
        assert!(ids(ServerLine::Redis, (7, 2, 10), false).contains(&lua));
        assert!(!ids(ServerLine::Redis, (7, 2, 11), false).contains(&lua));
        assert!(ids(ServerLine::Valkey, (8, 1, 3), false).contains(&lua));
        assert!(!ids(ServerLine::Valkey, (8, 1, 4), false).contains(&lua));
        assert_eq!(ids(ServerLine::Other, (1, 0, 0), true), Vec::<String>::new());
    }

    #[test]
    fn what_needs_tls_counts_only_with_tls_and_the_worst_comes_first() {
        let tls = "CVE-2026-81934".to_owned();
        assert!(!ids(ServerLine::Redis, (8, 8, 1), false).contains(&tls));
        assert_eq!(ids(ServerLine::Redis, (8, 8, 1), true), [tls]);
        assert_eq!(ids(ServerLine::Redis, (8, 0, 2), false)[0], "CVE-2025-49844");
    }

    #[test]
    fn what_needs_a_cluster_or_the_eviction_of_clients_counts_only_with_it() {
        let list = AdvisoryList::read().unwrap();
        for (id, needed, affected, mended) in [
            ("CVE-2026-136156", Condition::Cluster, (9, 1, 2), (9, 1, 3)),
            ("CVE-2026-136156", Condition::Cluster, (7, 2, 14), (7, 2, 15)),
            ("CVE-2026-130822", Condition::ClientEviction, (8, 1, 11), (8, 1, 12)),
        ] {
            let is_found = |(major, minor, patch), holding: &[Condition]| {
                let version = ServerVersion::new(major, minor, patch);
                list.of(ServerLine::Valkey, version, holding).iter().any(|(advisory, _)| advisory.id == id)
            };
            assert!(is_found(affected, &[Condition::Tls, needed]), "{id}");
            assert!(!is_found(affected, &[Condition::Tls]) && !is_found(mended, &[needed]), "{id}");
        }
    }

    #[test]
    fn every_line_has_the_advisories_that_its_first_version_has() {
        // Clients without a login are what an open port is about: no line before the mend may miss it.
        let unlimited = "CVE-2025-21605".to_owned();
        for (line, version, expected) in [
            (ServerLine::Redis, (6, 2, 17), true),
            (ServerLine::Redis, (6, 2, 18), false),
            (ServerLine::Redis, (7, 0, 15), true),
            (ServerLine::Redis, (7, 2, 7), true),
            (ServerLine::Redis, (7, 2, 8), false),
            (ServerLine::Redis, (7, 4, 2), true),
            (ServerLine::Redis, (7, 4, 3), false),
            (ServerLine::Redis, (8, 0, 0), false),
            (ServerLine::Valkey, (7, 2, 8), true),
            (ServerLine::Valkey, (7, 2, 9), false),
            (ServerLine::Valkey, (8, 0, 2), true),
            (ServerLine::Valkey, (8, 1, 0), true),
            (ServerLine::Valkey, (8, 1, 1), false),
        ] {
            assert_eq!(ids(line, version, false).contains(&unlimited), expected, "{line} {version:?}");
        }
        for id in ["CVE-2025-32023", "CVE-2025-48367", "CVE-2025-46817", "CVE-2025-46818", "CVE-2025-46819"] {
            assert!(ids(ServerLine::Valkey, (8, 0, 2), false).contains(&id.to_owned()), "{id}");
        }
        for (version, expected) in
            [((7, 0, 15), false), ((7, 2, 0), true), ((7, 2, 13), true), ((7, 2, 14), false)]
        {
            let found = ids(ServerLine::Redis, version, false).contains(&"CVE-2026-23479".to_owned());
            assert_eq!(found, expected, "{version:?}");
        }
        for id in ["CVE-2023-28856", "CVE-2022-36021"] {
            assert!(ids(ServerLine::Redis, (7, 0, 8), false).contains(&id.to_owned()), "{id}");
        }
        assert_eq!(ids(ServerLine::Valkey, (9, 1, 2), true), Vec::<String>::new());
    }

    #[test]
    fn lines_that_the_list_does_not_cover_are_known_as_such() {
        let list = AdvisoryList::read().unwrap();
        for (line, version, expected) in [
            (ServerLine::Redis, (7, 2, 0), true),
            (ServerLine::Redis, (8, 10, 99), true),
            (ServerLine::Redis, (8, 1, 0), false),
            (ServerLine::Redis, (9, 0, 0), false),
            (ServerLine::Valkey, (7, 2, 5), true),
            (ServerLine::Valkey, (9, 1, 2), true),
            (ServerLine::Valkey, (9, 2, 0), false),
            (ServerLine::Other, (7, 2, 0), false),
        ] {
            let version = ServerVersion::new(version.0, version.1, version.2);
            assert_eq!(list.covers(line, version), expected, "{line} {version}");
        }
        for advisory in &list.advisories {
            assert!(list.covers.iter().any(|covered| covered.product == advisory.product), "{advisory:?}");
            assert!(!advisory.source.contains("newreleases"), "{advisory:?}");
        }
    }

    #[test]
    fn lines_without_support_are_known() {
        let list = AdvisoryList::read().unwrap();
        assert!(list.unsupported(ServerLine::Redis, ServerVersion::new(7, 0, 15)).is_some());
        assert!(list.unsupported(ServerLine::Redis, ServerVersion::new(7, 2, 0)).is_none());
        assert!(list.unsupported(ServerLine::Valkey, ServerVersion::new(7, 0, 0)).is_none());
    }
}
