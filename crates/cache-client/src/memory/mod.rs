//! A cache inside this process.

mod keys;
mod sample;
mod server;
mod store;

pub use store::{MemoryCache, MemoryOptions};

pub(crate) use sample::sample;
pub(crate) use server::MemoryNode;
