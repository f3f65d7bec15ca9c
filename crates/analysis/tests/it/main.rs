//! Judgements, as those see them who link the crate.

mod forecast;
mod health;
mod m4;
mod trend;
