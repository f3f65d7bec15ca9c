//! What is printed, and where.

pub(crate) mod capacity;
pub(crate) mod format;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod optimization;
pub(crate) mod progress;
pub(crate) mod skipped;
pub(crate) mod stdout;
pub(crate) mod table;
pub(crate) mod verdict;
pub(crate) mod work;
