//! The conformance suites of the seams: what every implementation of a trait must do, sentence by sentence of its
//! `# Contract`.
//!
//! They use keys that begin with `conformance:`, and remove them at the end; other keys may be there.

mod cache;
mod dump;
mod guarded;
mod keys;
mod restore;
mod server;
mod stats;

pub use cache::cache;
pub use dump::{Contents, KeyContents, collect, dump_source};
pub use keys::keys;
pub use server::{nodes, server};
pub use stats::stats_source;
