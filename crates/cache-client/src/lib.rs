#![doc = include_str!("../README.md")]

mod cache;
mod capability;
mod client;
mod dump;
mod error;
mod functions;
mod glob;
#[cfg(feature = "http")]
mod http_stats;
mod keys;
mod memory;
mod options;
mod pace;
mod redis;
mod server;
mod stats;
mod tiered;
mod traffic;
mod url;

pub use cache::{Cache, CacheExt, Entry};
pub use capability::{Availability, Capabilities, Capability};
pub use client::{CacheClient, open};
pub use dump::{Dump, DumpFacts, DumpMethod, DumpOptions, DumpShard, DumpSource};
pub use error::{Error, Result, Source};
pub use functions::FunctionLibrary;
#[cfg(feature = "http")]
pub use http_stats::{ApplicationEndpoints, choose_crypto_provider};
pub use keys::{
    DumpedValue, FieldChoice, GuardedAction, GuardedChange, KeyBatch, KeyChange, KeyFields, KeyRecord,
    KeyType, Keys, ReadFrom, RestoreItem, ScanOptions, ScanPosition, ShardPosition, Ttl, ValueStamp,
};
pub use memory::{MemoryCache, MemoryOptions};
pub use options::{ConnectOptions, TlsOptions};
pub use pace::{
    Capped, FixedRate, FullSpeed, Governor, GovernorOptions, Pace, PacedSteps, ServerSigns, StepSize,
    StepTaken,
};
pub use redis::certificate_end;
pub use server::{Nodes, Server, Topology};
pub use stats::{Statistics, StatsSource};
pub use tiered::{TieredCache, TieredOptions};
pub use traffic::{EarlyEnd, KeyUses, TrafficOptions, TrafficSample, UsedKey};
pub use url::CacheUrl;
