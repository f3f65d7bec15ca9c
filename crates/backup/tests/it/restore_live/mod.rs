//! Keys of a backup in caches that run.

mod choices;
mod faults;
mod refusals;
mod setting;
mod topologies;
