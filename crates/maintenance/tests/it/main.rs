//! Jobs and series on made histories.

mod history_series;
mod optimize;
mod support;
