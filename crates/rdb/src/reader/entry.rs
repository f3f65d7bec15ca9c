//! A key of a file, and the elements of its value.

use std::io::Read;

use super::{Head, Position, Reader};
use crate::walk::Visit;
use crate::{Element, Error, KeyMeta, Kind, RawValue, Result, Skimmed, Value, ValueType};

/// A key whose value was not looked at yet.
///
/// What the value needs is read when one of the methods that consume the entry is called; dropped, it is passed by.
#[derive(Debug)]
pub struct Entry<'r, R> {
    pub(crate) reader: &'r mut Reader<R>,
}

impl<'r, R: Read> Entry<'r, R> {
    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.reader.key.bytes
    }

    /// Type and layout of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.reader.head.value_type
    }

    /// What the value is to the user of the server.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.value_type().kind()
    }

    /// Database, expiry and use: what a writer needs to write the key again.
    #[must_use]
    pub fn meta(&self) -> KeyMeta {
        let Head { expires_at_ms, idle_s, frequency, .. } = self.reader.head;
        KeyMeta { db: self.reader.db, expires_at_ms, idle_s, frequency }
    }

    /// True if modules attached something to the key, which this crate passes by (Redis 8.6).
    #[must_use]
    pub fn has_module_meta(&self) -> bool {
        self.reader.head.has_module_meta
    }

    /// Where the key's record starts.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.reader.head.offset
    }

    /// Passes the value by; gives what can be known without decoding it.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn skim(self) -> Result<Skimmed<'r>> {
        self.reader.skim()
    }

    /// Starts decoding the value.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn elements(self) -> Result<Elements<'r, R>> {
        let reader = self.reader;
        reader.position = Position::Broken;
        reader
            .decoder
            .start(&mut reader.input, reader.head.value_type, &reader.templates)
            .map_err(|error| error.in_key(&reader.key.bytes))?;
        reader.position = Position::Elements;
        Ok(Elements { reader })
    }

    /// Decodes the whole value into memory.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn value(self) -> Result<Value> {
        let kind = self.kind();
        let mut elements = self.elements()?;
        let mut value = Value::empty(kind);
        while let Some(element) = elements.next()? {
            value.push(element);
        }
        Ok(value)
    }

    /// Passes the value by and reports its shape.
    pub(crate) fn visit(self, visit: &mut impl Visit) -> Result<()> {
        self.reader.walk(visit)
    }

    /// Copies the serialised value, for a DUMP payload or another file; nothing is decoded.
    ///
    /// # Errors
    /// As [`Reader::next_record`]; [`Error::Limit`] for a value over [`Limits::max_payload_bytes`](crate::Limits::max_payload_bytes);
    /// [`Error::Malformed`] for a value that cannot be read without the rest of its file (hash templates).
    pub fn raw_value(self) -> Result<RawValue> {
        let reader = self.reader;
        let value_type = reader.head.value_type;
        if value_type.needs_file() {
            let error = Error::malformed(reader.head.offset, "the value needs the templates of its file");
            return Err(error.in_key(&reader.key.bytes));
        }
        reader.input.start_copy(Vec::new());
        reader.walk(&mut ())?;
        let bytes = reader.input.end_copy().map_err(|error| error.in_key(&reader.key.bytes))?;
        Ok(RawValue::new(value_type, reader.format, bytes))
    }
}

/// The elements of a value, pulled one at a time.
///
/// What is not pulled is passed by, and checked, when the next record is asked for.
#[derive(Debug)]
pub struct Elements<'r, R> {
    reader: &'r mut Reader<R>,
}

impl<R: Read> Elements<'_, R> {
    /// Gives the next element; `None` at the end of the value.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    #[expect(
        clippy::should_implement_trait,
        reason = "elements borrow from the reader, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Element<'_>>> {
        match self.reader.position {
            Position::Elements => self.reader.next_element(),
            _ => Ok(None),
        }
    }

    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.reader.key.bytes
    }
}
