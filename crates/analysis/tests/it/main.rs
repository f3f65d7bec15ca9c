//! Judgements, as those see them who link the crate.

mod anomaly;
mod anomaly_nab;
mod health;
mod trend;
