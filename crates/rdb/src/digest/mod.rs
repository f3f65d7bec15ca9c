//! Digests of logical data: what a key holds, whatever its encoding and wherever it lies.

mod content;
mod key;
mod message;
mod stream;

pub use key::{KeyDigest, KeyHasher};

use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::str::FromStr;

/// The digest of a set of keys: the sum, modulo 2¹²⁸, of the digests of its keys.
///
/// It depends neither on the order of keys nor on that of unordered elements nor on encodings, so that a file can be
/// compared with another server's, or with the sum over all shards. Digests of parts add up to that of the whole, and can
/// be taken away again (a multiset hash by addition: Clarke, Devadas, van Dijk, Gassend and Suh, ASIACRYPT 2003). It finds
/// what goes wrong by accident; it is no protection against whoever makes up data on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DataDigest(u128);

/// Text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoDigest;

impl AddAssign for DataDigest {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for DataDigest {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

impl fmt::Display for DataDigest {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for DataDigest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let is_digest = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_digest).map(Self).ok_or(NoDigest)
    }
}

impl fmt::Display for NoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest has 32 hexadecimal digits")
    }
}

impl std::error::Error for NoDigest {}
