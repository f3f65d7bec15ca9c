//! Larder on real servers.

mod clean;
mod contracts;
mod dump;
mod faults;
mod harness;
mod sweep;
mod topology;
