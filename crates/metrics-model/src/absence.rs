//! What is not known, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that was asked for and not done, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What was not done or not seen.
    pub what: String,
    /// Why: what blocked it, or what is missing.
    pub reason: String,
}

impl Skipped {
    /// Records that `what` was skipped because of `reason`.
    pub fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what: what.into(), reason: reason.into() }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: skipped, because {}", self.what, self.reason)
    }
}

/// What went wrong when something was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// Nothing listens there, or the connection broke.
    Unreachable,
    /// No answer within the time allowed.
    Timeout,
    /// The credentials were refused or are missing.
    Authentication,
    /// The secured connection could not be made.
    Tls,
    /// The server is loading its data set.
    Loading,
    /// The server has as many clients as it allows.
    TooManyClients,
    /// Anything else.
    Other,
}

/// A question that was asked and not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of failure, for judging.
    pub kind: FailureKind,
    /// What happened, for people.
    pub reason: String,
}

impl Failure {
    /// Records a failure.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// A fact, or the reason why it is not known. Unknown is never shown as ok.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// What was seen.
    Known(T),
    /// Not asked for, blocked or absent; that is no fault of the cache.
    Skipped(String),
    /// Asked for and not answered.
    Failed(Failure),
}

impl<T> Observed<T> {
    /// Records that it was not looked at because of `reason`.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// Returns the fact where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::Skipped(_) | Self::Failed(_) => None,
        }
    }

    /// Returns why the fact is not known.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Skipped(reason) => Some(reason),
            Self::Failed(failure) => Some(&failure.reason),
        }
    }

    /// Makes another fact of a known one; an unknown one keeps its reason.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Known(fact) => Observed::Known(make(fact)),
            Self::Skipped(reason) => Observed::Skipped(reason),
            Self::Failed(failure) => Observed::Failed(failure),
        }
    }
}
