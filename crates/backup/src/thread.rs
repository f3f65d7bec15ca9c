//! Work on a thread of its own.

use std::fmt;

use tokio::{sync::oneshot, task::JoinError};

use crate::{Effort, Error, Result};

/// Work that goes on on a thread of its own, which ends when it has nothing more to read or to write to.
pub(crate) struct Work<T> {
    done: oneshot::Receiver<T>,
    name: &'static str,
}

impl<T: Send + 'static> Work<T> {
    /// Begins it.
    pub(crate) fn start(
        name: &'static str,
        effort: Effort,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Self {
        let (sender, done) = oneshot::channel();
        let run = move || {
            effort.settle();
            // Whoever does not wait for it any more does not want it.
            let _ = sender.send(work());
        };
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(run) {
            tracing::debug!(%error, name, "no thread");
        }
        Self { done, name }
    }

    /// Waits for its end.
    pub(crate) async fn done(self) -> Result<T> {
        self.done.await.map_err(|_| Error::Broken { what: self.name.to_owned() })
    }
}

impl<T> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("name", &self.name).finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped with it")]
pub(crate) fn broken(error: JoinError) -> Error {
    Error::Broken { what: error.to_string() }
}
