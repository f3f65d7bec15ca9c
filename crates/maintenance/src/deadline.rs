//! The end of the time that a check may take.

use std::time::Duration;

use larder_cache_client::Error;
use larder_metrics_model::{Failure, FailureKind, NodeAddress, Observed};
use tokio::time::Instant;

/// The end of the time that a check may take, and how long that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(crate) fn after(allowed: Duration) -> Self {
        Self { end: Instant::now() + allowed, allowed }
    }

    /// Waits for an answer, and no longer than there is time.
    pub(crate) async fn wait<T>(
        self,
        node: &NodeAddress,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout_at(self.end, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { node: node.clone(), after: self.allowed }),
        }
    }
}

impl Deadline {
    /// Looks at something, and no longer than there is time.
    pub(crate) async fn look<T>(
        self,
        what: &str,
        observed: impl Future<Output = Observed<T>>,
    ) -> Observed<T> {
        let late =
            || Failure::new(FailureKind::Timeout, format!("{what} did not answer within {:?}", self.allowed));
        tokio::time::timeout_at(self.end, observed).await.unwrap_or_else(|_| Observed::Failed(late()))
    }
}

/// Tells what an answer, or its absence, says: what is blocked is skipped, anything else has failed.
pub(crate) fn observed<T>(answer: Result<T, Error>) -> Observed<T> {
    match answer {
        Ok(fact) => Observed::Known(fact),
        Err(error) if error.is_blocked() => Observed::Skipped(error.with_causes()),
        Err(error) => Observed::Failed(Failure::new(error.failure_kind(), error.reason())),
    }
}

/// Records a failure that no node is the cause of.
pub(crate) fn failed<T>(reason: impl std::fmt::Display) -> Observed<T> {
    Observed::Failed(Failure::new(FailureKind::Other, reason.to_string()))
}
