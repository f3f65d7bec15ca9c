//! Larder on real servers.

mod contracts;
mod faults;
mod harness;
mod sweep;
mod topology;
