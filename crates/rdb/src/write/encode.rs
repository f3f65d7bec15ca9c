//! Serialises values (Redis 7.0 `src/rdb.c`, `rdbSaveLen`, `rdbSaveRawString`, `rdbSaveObject`).

use std::collections::HashSet;

use super::{WriteOptions, stream};
use crate::lzf::Compressor;
use crate::text::parse_int;
use crate::{ArraySlot, Dialect, Error, Format, HashField, Incompatible, Result, Server, Value, ValueType};

/// Strings up to this length are not compressed.
const SHORT: usize = 20;

/// Serialises for one server.
#[derive(Debug)]
pub(super) struct Encoder {
    server: Server,
    compressor: Option<Compressor>,
    packed: Vec<u8>,
}

/// Appends a length or count in the shortest form.
pub(super) fn length(value: u64, out: &mut Vec<u8>) {
    let be = value.to_be_bytes();
    match value {
        0..=0x3f => out.push(be[7]),
        0x40..=0x3fff => out.extend([0x40 | be[6], be[7]]),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&be[4..]);
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&be);
        }
    }
}

impl Encoder {
    pub(super) fn new(server: Server, options: WriteOptions) -> Self {
        Self { server, compressor: options.compress.then(Compressor::new), packed: Vec::new() }
    }

    fn format(&self) -> Format {
        self.server.format()
    }

    /// Appends a string: as an integer if it spells one of 32 bits, compressed if that saves something.
    pub(super) fn string(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.len() <= 11
            && let Some(value) = parse_int(bytes).and_then(|value| i32::try_from(value).ok())
        {
            return integer(value, out);
        }
        if bytes.len() > SHORT
            && let Some(compressor) = &mut self.compressor
            && compressor.compress(bytes, &mut self.packed)
        {
            out.push(0xc3);
            length(self.packed.len() as u64, out);
            length(bytes.len() as u64, out);
            out.extend_from_slice(&self.packed);
            return;
        }
        raw_string(bytes, out);
    }

    /// Appends a value; gives the type that it was written as.
    pub(super) fn value(&mut self, key: &[u8], value: &Value, out: &mut Vec<u8>) -> Result<ValueType> {
        let unwritable = |what| Error::Unwritable { key: key.into(), what };
        if is_empty(value) {
            return Err(unwritable("a server does not load an empty collection"));
        }
        let value_type = self.value_type(value);
        if !self.server.loads_type(value_type) {
            let (key, server) = (key.into(), self.server);
            return Err(Incompatible { key, db: 0, value_type, server }.into());
        }
        let twice = "a server does not load a collection with the same member twice";
        match value {
            Value::String(text) => self.string(text, out),
            Value::List(items) => {
                length(items.len() as u64, out);
                for item in items {
                    self.string(item, out);
                }
            }
            Value::Set(members) => {
                if !is_distinct(members.iter().map(Vec::as_slice)) {
                    return Err(unwritable(twice));
                }
                length(members.len() as u64, out);
                for member in members {
                    self.string(member, out);
                }
            }
            Value::SortedSet(members) => {
                if members.iter().any(|(_, score)| score.is_nan()) {
                    return Err(unwritable("a score is not a number"));
                }
                if !is_distinct(members.iter().map(|(member, _)| member.as_slice())) {
                    return Err(unwritable(twice));
                }
                length(members.len() as u64, out);
                for (member, score) in members {
                    self.string(member, out);
                    if value_type == ValueType::SortedSet2 {
                        out.extend_from_slice(&score.to_le_bytes());
                    } else {
                        decimal_double(*score, out);
                    }
                }
            }
            Value::Hash(fields) => {
                if !is_distinct(fields.iter().map(|field| field.name.as_slice())) {
                    return Err(unwritable(twice));
                }
                if fields.iter().any(|field| field.expires_at_ms.is_some_and(|at| at < 0)) {
                    return Err(unwritable("a field of a hash cannot expire before 1970"));
                }
                self.hash(fields, value_type, out);
            }
            Value::Stream(stream) => stream::encode(self, stream, value_type, out).map_err(unwritable)?,
            Value::Array(slots) => self.array(slots, out),
            Value::Module(_) => return Err(unwritable("a module's value can only be copied as it is")),
        }
        Ok(value_type)
    }

    /// The oldest type that holds the value for this server.
    fn value_type(&self, value: &Value) -> ValueType {
        let version = self.format().version();
        match value {
            Value::String(_) => ValueType::String,
            Value::List(_) => ValueType::List,
            Value::Set(_) => ValueType::Set,
            Value::SortedSet(_) if version < 8 => ValueType::SortedSet,
            Value::SortedSet(_) => ValueType::SortedSet2,
            Value::Hash(fields) if fields.iter().all(|field| field.expires_at_ms.is_none()) => {
                ValueType::Hash
            }
            Value::Hash(_) if self.format().dialect() == Dialect::Valkey => ValueType::ValkeyHash2,
            Value::Hash(_) => ValueType::HashMetadata,
            Value::Stream(_) if version >= 11 => ValueType::StreamListpacks3,
            Value::Stream(_) if version == 10 => ValueType::StreamListpacks2,
            Value::Stream(_) => ValueType::StreamListpacks,
            Value::Array(_) => ValueType::Array,
            Value::Module(_) => ValueType::Module2,
        }
    }

    fn hash(&mut self, fields: &[HashField], value_type: ValueType, out: &mut Vec<u8>) {
        let mut earliest = 0;
        if value_type == ValueType::HashMetadata {
            earliest = fields.iter().filter_map(|field| field.expires_at_ms).min().unwrap_or(0);
            out.extend_from_slice(&earliest.to_le_bytes());
        }
        length(fields.len() as u64, out);
        for HashField { name, value, expires_at_ms } in fields {
            if value_type == ValueType::HashMetadata {
                let after = expires_at_ms.map_or(0, |at| at.abs_diff(earliest) + 1);
                length(after, out);
            }
            self.string(name, out);
            self.string(value, out);
            if value_type == ValueType::ValkeyHash2 {
                out.extend_from_slice(&expires_at_ms.unwrap_or(-1).to_le_bytes());
            }
        }
    }

    fn array(&mut self, slots: &[(u64, ArraySlot)], out: &mut Vec<u8>) {
        length(slots.len() as u64, out);
        length(0, out);
        for (index, slot) in slots {
            length(*index, out);
            match slot {
                ArraySlot::Text(text) => {
                    length(0, out);
                    self.string(text, out);
                }
                ArraySlot::Int(value) => {
                    length(1, out);
                    out.extend_from_slice(&value.to_le_bytes());
                }
                ArraySlot::Double(value) => {
                    length(2, out);
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
    }
}

fn integer(value: i32, out: &mut Vec<u8>) {
    let le = value.to_le_bytes();
    match value {
        -128..=127 => out.extend([0xc0, le[0]]),
        -32_768..=32_767 => out.extend([0xc1, le[0], le[1]]),
        _ => {
            out.push(0xc2);
            out.extend_from_slice(&le);
        }
    }
}

/// Appends a string as it is.
pub(super) fn raw_string(bytes: &[u8], out: &mut Vec<u8>) {
    length(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a double in decimal digits: one byte of length, or 254 and 255 for the infinities (up to version 7).
fn decimal_double(value: f64, out: &mut Vec<u8>) {
    if value.is_infinite() {
        out.push(if value > 0.0 { 254 } else { 255 });
        return;
    }
    let mut digits = value.to_string();
    if digits.len() > 250 {
        digits = format!("{value:e}");
    }
    // Both forms of a double are shorter than 250 digits after this.
    out.push(u8::try_from(digits.len()).unwrap_or(u8::MAX - 5));
    out.extend_from_slice(digits.as_bytes());
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) | Value::Set(items) => items.is_empty(),
        Value::SortedSet(members) => members.is_empty(),
        Value::Hash(fields) => fields.is_empty(),
        Value::Array(slots) => slots.is_empty(),
        Value::String(_) | Value::Stream(_) | Value::Module(_) => false,
    }
}

fn is_distinct<'a>(mut members: impl ExactSizeIterator<Item = &'a [u8]>) -> bool {
    let mut seen = HashSet::with_capacity(members.len());
    members.all(|member| seen.insert(member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        for (value, bytes) in [
            (0, &[0][..]),
            (63, &[63]),
            (64, &[0x40, 64]),
            (16_383, &[0x7f, 0xff]),
            (16_384, &[0x80, 0, 0, 0x40, 0]),
            (1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            length(value, &mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn strings_are_written_as_servers_write_them() {
        let mut encoder = Encoder::new(Server::redis(7, 0), WriteOptions::default());
        for (text, expected) in [
            (&b"7"[..], &b"\xc0\x07"[..]),
            (b"-129", b"\xc1\x7f\xff"),
            (b"2147483647", b"\xc2\xff\xff\xff\x7f"),
            (b"2147483648", b"\x0a2147483648"),
            (b"007", b"\x03007"),
            (b"", b"\x00"),
        ] {
            let mut out = Vec::new();
            encoder.string(text, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = Vec::new();
        encoder.string(&[b'a'; 100], &mut out);
        assert!(out[0] == 0xc3 && out.len() < 20);
    }

    #[test]
    fn what_no_server_loads_is_refused() {
        let mut encoder = Encoder::new(Server::redis(7, 0), WriteOptions::default());
        let twice = vec![b"a".to_vec(), b"a".to_vec()];
        let expiring = HashField::new("a", "b").expiring_at_ms(1);
        let before_all = HashField::new("a", "b").expiring_at_ms(-1);
        assert!(
            Encoder::new(Server::redis(8, 0), WriteOptions::default())
                .value(b"k", &Value::Hash(vec![before_all]), &mut Vec::new())
                .is_err()
        );
        for value in [
            Value::List(Vec::new()),
            Value::Set(twice),
            Value::SortedSet(vec![(b"a".to_vec(), f64::NAN)]),
            Value::Module(None),
            Value::Hash(vec![expiring]),
        ] {
            assert!(encoder.value(b"k", &value, &mut Vec::new()).is_err(), "{value:?}");
        }
    }
}
