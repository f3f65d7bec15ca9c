//! How much a reader will take from data that it does not trust.

/// Limits that are checked before anything is allocated.
///
/// Every length is also checked against what is left of the data where that is known. The defaults take whatever
/// a server could have written; [`Limits::untrusted`] keeps a reader under 64 MiB whatever it is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest key and longest name (aux field, consumer, group), in bytes. Default 16 MiB.
    pub max_name_bytes: u64,
    /// Longest single string or packed node (ziplist, listpack, intset), before and after compression, in bytes.
    /// Default 512 MiB, which is what servers take (`proto-max-bulk-len`).
    pub max_string_bytes: u64,
    /// Longest serialised value that is copied into memory whole, in bytes. Default 512 MiB.
    pub max_payload_bytes: u64,
    /// Most elements, nodes, groups or pending entries that one count may announce. Default 2³² − 1.
    pub max_elements: u64,
    /// Most field names that the hash templates of one file may hold together. Default 1,048,576.
    pub max_template_fields: u64,
    /// Members or fields of one plain collection that are remembered to find one that occurs twice, 40 bytes or
    /// less each. Default 65,536 in a file; of a payload, which is in memory anyway, all are.
    pub max_remembered: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_name_bytes: 16 << 20,
            max_string_bytes: 512 << 20,
            max_payload_bytes: 512 << 20,
            max_elements: u64::from(u32::MAX),
            max_template_fields: 1 << 20,
            max_remembered: 1 << 16,
        }
    }
}

impl Limits {
    /// Limits for data from anywhere: with them no input makes a reader hold more than 64 MiB.
    ///
    /// A string or packed node over 8 MiB is refused, and so is a value over 24 MiB that is to be copied whole.
    #[must_use]
    pub fn untrusted() -> Self {
        Self {
            max_name_bytes: 1 << 20,
            max_string_bytes: 8 << 20,
            max_payload_bytes: 24 << 20,
            max_elements: 1 << 28,
            max_template_fields: 1 << 14,
            max_remembered: 1 << 16,
        }
    }
}
