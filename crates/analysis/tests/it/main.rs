//! Judgements, as those see them who link the crate.

mod audit;
mod health;
mod trend;
