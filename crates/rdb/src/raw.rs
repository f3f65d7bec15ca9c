//! A value as it is serialised, and what stands beside it in a file.

use crate::{Format, ValueType};

/// A value as it is serialised: without type byte and key in front, without footer behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawValue {
    value_type: ValueType,
    format: Format,
    bytes: Vec<u8>,
}

impl RawValue {
    pub(crate) fn new(value_type: ValueType, format: Format, bytes: Vec<u8>) -> Self {
        Self { value_type, format, bytes }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Type and layout of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Dialect and version of the file or payload that it came from.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The serialised value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What belongs to a key beside its name and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyMeta {
    /// Number of the database.
    pub db: u64,
    /// When the key expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the key was last used.
    pub idle_s: Option<u64>,
    /// How often it is used, on the server's logarithmic scale.
    pub frequency: Option<u8>,
}

impl KeyMeta {
    /// A key of database `db` that does not expire.
    #[must_use]
    pub fn in_db(db: u64) -> Self {
        Self { db, ..Self::default() }
    }

    /// The same with an expiry, in milliseconds since 1970.
    #[must_use]
    pub fn expiring_at_ms(mut self, at: i64) -> Self {
        self.expires_at_ms = Some(at);
        self
    }
}
