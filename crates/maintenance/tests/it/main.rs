//! Jobs and series on made histories.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod history_series;
mod optimize;
mod support;
