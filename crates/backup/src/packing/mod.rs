//! How bytes are compressed and encrypted before they are stored, and how they are brought back.

mod keyring;
mod pack;
mod unpack;

pub use keyring::{Keyring, Recipients};
pub(crate) use pack::Packer;
pub(crate) use unpack::unpack;

use crate::{ArtifactSpec, Compression, Effort, Part};

/// How artifacts are packed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Packing {
    /// How they are compressed.
    pub compression: Compression,
    /// How hard: of zstd 1 to 19, of gzip 1 to 9.
    pub level: u32,
    /// Threads that compress (zstd only); 0 for as many as there are cores.
    pub threads: u32,
    /// To whom they are encrypted.
    pub recipients: Recipients,
    /// How compressing stands to other work on this machine.
    pub effort: Effort,
}

impl Default for Packing {
    /// zstd at level 2, which makes a dump smaller than `gzip -1` does in hardly more time than level 1 takes; higher levels take several
    /// times as long for a few percent.
    fn default() -> Self {
        Self {
            compression: Compression::Zstd,
            level: 2,
            threads: 0,
            recipients: Recipients::default(),
            effort: Effort::default(),
        }
    }
}

impl Packing {
    /// How an object is called that is packed like that.
    pub(crate) fn spec(&self, part: Part) -> ArtifactSpec {
        ArtifactSpec::new(part, self.compression).encrypted(!self.recipients.is_empty())
    }
}
