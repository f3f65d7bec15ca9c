//! How a report is made.

use std::{fmt, sync::Arc};

use larder_metrics_model::Skipped;
use serde::{Deserialize, Serialize};

use super::certainty::{Coverage, NotSeen};
use crate::{BytesSource, DumpRead, FamilyRule};

/// How a report is made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ReportOptions {
    /// How families are told by the names of keys.
    pub rule: FamilyRule,
    /// Families that the caller knows, in the rule's place.
    #[serde(skip)]
    pub classifier: Option<Classifier>,
}

/// Families that the caller knows, such as those of a policy.
#[derive(Clone)]
pub struct Classifier {
    names: Vec<String>,
    classify: Arc<Classify>,
}

type Classify = dyn Fn(&[u8]) -> Option<usize> + Send + Sync;

/// What a report says beside what was counted.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct About {
    /// Where the keys came from.
    pub source: String,
    /// What reading a file, or the images of a cache, has shown.
    pub dump: Option<DumpRead>,
    /// How bytes came about.
    pub bytes_source: BytesSource,
    /// Which keys were read.
    pub coverage: Coverage,
    /// Whether every key was seen that `coverage` speaks of.
    pub complete: bool,
    /// What was asked for and not fetched or not looked at.
    pub skipped: Vec<Skipped>,
    /// Parts of the keyspace that were not seen to their end.
    pub not_seen: Vec<NotSeen>,
}

impl ReportOptions {
    /// Tells families by a rule.
    #[must_use]
    pub fn by_rule(rule: FamilyRule) -> Self {
        Self { rule, classifier: None }
    }

    /// Takes the families of the caller.
    #[must_use]
    pub fn by_classifier(classifier: Classifier) -> Self {
        Self { classifier: Some(classifier), ..Self::default() }
    }
}

impl Classifier {
    /// Takes families: their names, and what gives the index of a key's family; `None` for a key that has none.
    pub fn new(
        names: Vec<String>,
        classify: impl Fn(&[u8]) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        Self { names, classify: Arc::new(classify) }
    }

    /// Returns the names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        (self.classify)(key)
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("names", &self.names).finish_non_exhaustive()
    }
}

impl About {
    /// Begins with where the keys came from, and how their bytes came about.
    pub fn new(source: impl Into<String>, bytes_source: BytesSource) -> Self {
        Self { source: source.into(), bytes_source, complete: true, ..Self::default() }
    }
}

impl NotSeen {
    /// Records what an error says was not seen.
    #[must_use]
    pub fn of(error: &crate::Error) -> Self {
        let source = match error {
            crate::Error::Cache { source } => source,
            crate::Error::NoImage { node, source } | crate::Error::Transfer { node, source } => {
                let reason = format!("{error}: {}", source.with_causes());
                return Self { shard: Some(node.to_string()), reason, ..Self::default() };
            }
            _ => return Self { reason: crate::error::with_cause(error), ..Self::default() },
        };
        match source {
            larder_cache_client::Error::ShardLost { shard, slots, source: cause } => Self {
                shard: Some(shard.to_string()),
                slots: Some(slots.clone()),
                reason: cause_of(cause.as_ref()),
            },
            other => Self { reason: other.with_causes(), ..Self::default() },
        }
    }
}

/// The words of a cause with those of its own.
fn cause_of(cause: &(dyn std::error::Error + 'static)) -> String {
    match cause.downcast_ref::<Arc<larder_cache_client::Error>>() {
        Some(error) => error.with_causes(),
        None => cause
            .downcast_ref::<larder_cache_client::Error>()
            .map_or_else(|| cause.to_string(), larder_cache_client::Error::with_causes),
    }
}
