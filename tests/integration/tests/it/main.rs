//! Larder on real servers.

mod backup;
mod clean;
mod cluster_databases;
mod contracts;
mod dump;
mod faults;
mod harness;
mod sweep;
mod topology;
mod traffic;
