//! Does a file or payload load on a server, and if not, because of which key?

use std::fmt;
use std::io::Read;

use crate::{Error, Format, KeyName, Reader, Record, Result, Server, ValueType};

/// A key that keeps a file or payload from loading on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incompatible {
    /// The key.
    pub key: KeyName,
    /// Number of its database.
    pub db: u64,
    /// The type that the server does not load.
    pub value_type: ValueType,
    /// The server.
    pub server: Server,
}

impl std::error::Error for Incompatible {}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value_type, server, .. } = self;
        write!(f, "{server} does not load key {key}, because it has type {value_type}")
    }
}

impl From<Incompatible> for Error {
    fn from(why: Incompatible) -> Self {
        Self::Incompatible(Box::new(why))
    }
}

impl Server {
    /// Says whether this server loads a key of this type.
    ///
    /// # Errors
    /// What stands against it.
    pub fn check_key(self, key: &[u8], db: u64, value_type: ValueType) -> Result<(), Incompatible> {
        if self.loads_type(value_type) {
            Ok(())
        } else {
            Err(Incompatible { key: key.into(), db, value_type, server: self })
        }
    }
}

/// Whether a file loads on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compatibility {
    /// The server.
    pub server: Server,
    /// Dialect and version of the file.
    pub format: Format,
    /// True if the server takes files of this dialect and version.
    pub loads_format: bool,
    /// The first key of each type that the server does not load.
    pub blocking: Vec<Incompatible>,
    /// How many keys the server does not load.
    pub blocking_keys: u64,
    /// Opcodes that the server does not know (function libraries, slot imports, hash templates), by name.
    pub blocking_records: Vec<&'static str>,
}

impl Compatibility {
    /// Reads a file to its end and judges it.
    ///
    /// # Errors
    /// As [`Reader::next_record`]: a damaged file has no answer.
    pub fn of<R: Read>(mut reader: Reader<R>, server: Server) -> Result<Self> {
        let format = reader.format();
        let loads_format = server.loads_format(format);
        let mut found = Self {
            server,
            format,
            loads_format,
            blocking: Vec::new(),
            blocking_keys: 0,
            blocking_records: Vec::new(),
        };
        while let Some(record) = reader.next_record()? {
            found.judge(&record);
        }
        Ok(found)
    }

    /// True if the server loads the file as it is.
    #[must_use]
    pub fn loads(&self) -> bool {
        self.loads_format && self.loads_rewritten()
    }

    /// True if the server loads every key once they are copied into a file of its own format.
    #[must_use]
    pub fn loads_rewritten(&self) -> bool {
        self.blocking.is_empty() && self.blocking_records.is_empty()
    }

    fn judge<R: Read>(&mut self, record: &Record<'_, R>) {
        let own = self.server.format();
        let blocked = match record {
            Record::Key(entry) => {
                if let Err(why) = self.server.check_key(entry.key(), entry.meta().db, entry.value_type()) {
                    self.blocking_keys += 1;
                    if self.blocking.iter().all(|known| known.value_type != why.value_type) {
                        self.blocking.push(why);
                    }
                }
                None
            }
            Record::Function { .. } if own.version() < 10 => Some("a function library"),
            Record::FunctionPreGa { .. } => Some("a function library of a release candidate"),
            Record::SlotImport { .. } if own.dialect() != self.format.dialect() => Some("a slot import"),
            Record::HashTemplate { .. } if !self.server.loads_type(ValueType::HashTemplateArrayRef) => {
                Some("a hash template")
            }
            _ => None,
        };
        if let Some(blocked) = blocked.filter(|blocked| !self.blocking_records.contains(blocked)) {
            self.blocking_records.push(blocked);
        }
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, format, .. } = self;
        if self.loads() {
            return write!(f, "{server} loads the file");
        }
        if !self.loads_format {
            write!(f, "{server} does not load files of {format}; ")?;
        }
        match self.blocking.first() {
            Some(why) => write!(f, "{why} ({} keys are like that)", self.blocking_keys),
            None => match self.blocking_records.first() {
                Some(record) => write!(f, "the file holds {record}, which {server} does not load"),
                None => write!(f, "all keys would load from a file written for {server}"),
            },
        }
    }
}
