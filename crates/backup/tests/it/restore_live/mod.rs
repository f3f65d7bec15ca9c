//! Keys of a backup in caches that run.

mod choices;
mod cluster_databases;
mod exact;
mod faults;
mod functions;
mod refusals;
mod setting;
mod topologies;
