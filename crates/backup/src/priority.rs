//! Work that yields to the server.

use thread_priority::ThreadPriority;

/// How work on this machine's cores stands to what else wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// It takes what nobody else wants, so that a server on the same machine does not feel it.
    #[default]
    Yielding,
    /// It takes its share.
    Full,
}

impl Effort {
    /// Lets this thread, and those that it starts, yield. Whoever may not do that goes on as before.
    pub(crate) fn settle(self) {
        if self == Self::Yielding
            && let Err(error) = ThreadPriority::Min.set_for_current()
        {
            tracing::debug!(%error, "the work does not yield to the server");
        }
    }
}
