//! The seam for key records: live caches and files give the same.

mod dump;
mod dump_batches;
mod incoming;
mod live;
mod name_sample;
mod running;
mod stream;
mod survey;

pub use dump::{DumpOptions, DumpRead, DumpSource, Progress, TimeBase};
pub use live::LiveSource;
pub use name_sample::NameSample;
pub use stream::{ShardRead, StreamOptions, StreamSource};
pub use survey::{Survey, SurveyOptions};

use std::fmt::{self, Debug};

use futures_util::stream::BoxStream;
use larder_cache_client::{FieldChoice, KeyBatch, KeyFields};
use serde::{Deserialize, Serialize};

use crate::Result;

/// What is fetched of keys.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Wanted {
    /// Of every key.
    pub fields: KeyFields,
    /// Beside that, chosen by the key's name.
    pub choice: Option<FieldChoice>,
}

/// How the bytes of keys came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BytesSource {
    /// The server was asked (MEMORY USAGE).
    #[default]
    Measured,
    /// They are estimated from what lies in a file or image, or by an embedded cache.
    Estimated,
    /// They are those that keys take in a file.
    Serialised,
    /// The server was asked, for a sample of the keys.
    SampledMeasured,
    /// They are estimated, for a sample of the keys.
    SampledEstimated,
}

/// Where key records come from.
///
/// # Contract
///
/// - Every key that is there from the beginning to the end comes at least once, with the fields that were wanted and
///   no others; a field that the source does not know is `None`.
/// - Times left count from [`KeySource::counted_from_ms`].
/// - An `Err` says what was not seen; what comes from elsewhere, such as other shards, goes on. After the last key the
///   stream ends.
/// - Memory is bounded by some batches, however large the source is; a stream that is dropped ends its work.
pub trait KeySource: Debug + Send + Sync {
    /// Goes through all keys.
    fn batches(&self, wanted: Wanted) -> BoxStream<'static, Result<KeyBatch>>;

    /// Returns how the bytes of its records come about.
    fn bytes_source(&self) -> BytesSource;

    /// Returns the moment from which the times left in the batch that came last count, in milliseconds since 1970;
    /// `now_ms` is this moment.
    fn counted_from_ms(&self, now_ms: i64) -> i64;
}

impl Wanted {
    /// Wants these fields of every key.
    #[must_use]
    pub fn new(fields: KeyFields) -> Self {
        Self { fields, choice: None }
    }

    /// Wants more fields of some keys.
    #[must_use]
    pub fn with_choice(self, choice: FieldChoice) -> Self {
        Self { choice: Some(choice), ..self }
    }

    /// Returns what is wanted of a key.
    pub(crate) fn of(&self, key: &[u8]) -> KeyFields {
        self.choice.as_ref().map_or(self.fields, |choice| self.fields | choice.of(key))
    }
}

impl BytesSource {
    /// Returns the same for a sample.
    #[must_use]
    pub fn sampled(self) -> Self {
        match self {
            Self::Measured | Self::SampledMeasured => Self::SampledMeasured,
            _ => Self::SampledEstimated,
        }
    }
}

impl fmt::Display for BytesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::Serialised => "serialised",
            Self::SampledMeasured => "measured for a sample",
            Self::SampledEstimated => "estimated for a sample",
        })
    }
}
