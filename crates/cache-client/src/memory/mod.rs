//! A cache inside this process.

mod cache;
mod dump;
mod keys;
mod last_use;
mod load;
mod moment;
mod sample;
mod server;
mod store;
mod value;

pub use store::{MemoryCache, MemoryOptions};

pub(crate) use dump::memory_dump;
pub(crate) use load::load;
pub(crate) use sample::sample;
pub(crate) use server::MemoryNode;
