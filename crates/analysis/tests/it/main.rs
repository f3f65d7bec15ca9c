//! Judgements, as those see them who link the crate.

mod health;
mod optimize;
mod trend;
