//! Judgements, as those see them who link the crate.

mod anomaly;
mod anomaly_nab;
mod audit;
mod audit_settings_file;
mod forecast;
mod health;
mod m4;
mod optimize;
mod optimize_hot_keys;
mod trend;
