//! Tests of the crate as a user sees it; those on real data or real servers say so where they are skipped.
#![expect(clippy::print_stderr, reason = "a skipped test says so")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compat;
mod corpora;
mod damage;
mod data;
mod digest;
mod digest_change;
mod digest_servers;
mod generate;
mod memory;
mod newer;
mod peak;
mod places;
mod properties;
mod round_trip;
mod servers;
mod streaming;
