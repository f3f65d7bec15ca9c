//! Work that yields to the server.

use thread_priority::ThreadPriority;

/// How work on this machine's cores stands to what else wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// It takes what nobody else wants, so that a server on the same machine does not feel it.
    ///
    /// On Linux this is the scheduling policy `SCHED_IDLE` ([sched(7)]): whoever else becomes runnable takes the core at
    /// once. A high nice value alone leaves the core for up to a slice of some milliseconds to whoever has it.
    ///
    /// [sched(7)]: https://man7.org/linux/man-pages/man7/sched.7.html
    #[default]
    Yielding,
    /// It takes its share.
    Full,
}

impl Effort {
    /// Lets this thread, and those that it starts, yield. Whoever may not do that goes on as before.
    pub(crate) fn settle(self) {
        if self == Self::Yielding
            && let Err(error) = take_what_is_left()
        {
            tracing::debug!(%error, "the work does not yield to the server");
        }
    }
}

#[cfg(target_os = "linux")]
fn take_what_is_left() -> Result<(), thread_priority::Error> {
    use thread_priority::{
        NormalThreadSchedulePolicy::Idle, ThreadSchedulePolicy::Normal, set_thread_priority_and_policy,
        thread_native_id,
    };
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle))
}

#[cfg(not(target_os = "linux"))]
fn take_what_is_left() -> Result<(), thread_priority::Error> {
    ThreadPriority::Min.set_for_current()
}
