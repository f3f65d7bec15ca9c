#![doc = include_str!("../README.md")]

mod compat;
mod crc;
mod decode;
mod digest;
mod distinct;
mod element;
mod error;
mod format;
mod input;
mod limits;
mod lzf;
mod memory;
mod module;
mod narrow;
mod options;
mod packed;
mod payload;
mod raw;
mod reader;
mod record;
mod server;
mod skim;
mod strings;
mod template;
mod text;
mod value;
mod value_type;
mod walk;
mod write;

pub use crate::compat::{Compatibility, Incompatible};
pub use crate::digest::{DataDigest, KeyDigest, KeyHasher, NoDigest};
pub use crate::element::{Element, SlotValue, StreamFields, StreamId, StreamMeta, StreamPart};
pub use crate::error::{Error, KeyName, Place, Result};
pub use crate::format::{Dialect, Format};
pub use crate::limits::Limits;
pub use crate::memory::{Allocator, MemoryEstimate, MemoryModel};
pub use crate::module::ModuleType;
pub use crate::options::{AfterEnd, Checksum, ReadOptions};
pub use crate::payload::{Payload, PayloadElements, PayloadShape};
pub use crate::raw::{KeyMeta, RawValue};
pub use crate::reader::{Elements, Entry, Reader};
pub use crate::record::Record;
pub use crate::server::{Server, ServerLine};
pub use crate::skim::Skimmed;
pub use crate::text::Text;
pub use crate::value::{
    ArraySlot, HashField, Stream, StreamConsumer, StreamEntry, StreamGroup, StreamPending, Value,
};
pub use crate::value_type::{Kind, Layout, ValueType};
pub use crate::write::{WriteOptions, Writer};
