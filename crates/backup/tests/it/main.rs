//! Backups on real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod restore_live;
