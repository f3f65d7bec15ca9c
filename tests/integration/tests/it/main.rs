//! Larder on real servers.

mod contracts;
mod faults;
mod harness;
mod topology;
