//! Larder on real servers.

mod backup;
mod clean;
mod contracts;
mod dump;
mod faults;
mod harness;
mod sweep;
mod topology;
