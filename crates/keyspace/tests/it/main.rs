//! Sources and reports, on files that are made here and on real servers.
#![expect(clippy::unwrap_used, reason = "what fails to be made ends the test")]

mod batches;
mod cluster;
mod dump;
#[cfg(feature = "html")]
mod html;
mod order;
mod servers;
mod stream;
