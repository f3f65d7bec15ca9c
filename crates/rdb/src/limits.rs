//! How much a reader will take from data that it does not trust.

/// Limits that are checked before anything is allocated.
///
/// Every length is also checked against what is left of the data where that is known. The defaults take whatever
/// a server could have written; [`Limits::untrusted`] keeps a reader under 64 MiB whatever it is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest key and longest name (aux field, consumer, group, function library), in bytes. Default 16 MiB: a name
    /// is held whole, so a damaged length must not make a reader hold more. Servers take names up to 512 MiB, and
    /// whoever has such ones sets that here.
    pub max_name_bytes: u64,
    /// Longest single string or packed node (ziplist, listpack, intset), before and after compression, in bytes.
    /// Default 512 MiB, which is what servers take (`proto-max-bulk-len`).
    pub max_string_bytes: u64,
    /// Longest serialised value that is copied into memory whole, in bytes. Default 512 MiB.
    pub max_payload_bytes: u64,
    /// Most elements, nodes, groups or pending entries that one count may announce. Default 2³² − 1.
    pub max_elements: u64,
    /// Most bytes that the field names of all hash templates of a file may take together, 32 for each name added.
    /// Default 64 MiB.
    pub max_template_bytes: u64,
    /// Members or fields of a plain collection in a file that are remembered to find one that occurs twice. Default
    /// 65,536, which take 2 MiB.
    pub max_remembered: u64,
    /// The same of a packed string and of a payload, which are in memory anyway. Default: all of them.
    pub max_remembered_at_hand: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_name_bytes: 16 << 20,
            max_string_bytes: 512 << 20,
            max_payload_bytes: 512 << 20,
            max_elements: u64::from(u32::MAX),
            max_template_bytes: 64 << 20,
            max_remembered: 1 << 16,
            max_remembered_at_hand: u64::MAX,
        }
    }
}

impl Limits {
    /// Limits for data from anywhere: with them no input makes a reader hold more than 64 MiB.
    ///
    /// A string or packed node over 4 MiB is refused, and so is a value over 16 MiB that is to be copied whole.
    #[must_use]
    pub fn untrusted() -> Self {
        Self {
            max_name_bytes: 1 << 20,
            max_string_bytes: 4 << 20,
            max_payload_bytes: 16 << 20,
            max_elements: 1 << 28,
            max_template_bytes: 4 << 20,
            max_remembered: 1 << 16,
            max_remembered_at_hand: 1 << 18,
        }
    }
}
