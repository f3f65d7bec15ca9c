//! Values as an embedded cache holds them.

use std::{io::Read, sync::Arc};

use bytes::Bytes;
use larder_rdb::{
    Entry, Error as RdbError, Format, Kind, Layout, ModuleType, Payload, RawValue, ReadOptions, Server, Text,
    Value, ValueType,
};

use crate::KeyType;

/// Longest string that servers keep in one piece with its object (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT` in `src/object.c`).
const EMBEDDED_LEN: usize = 44;

/// The oldest server that values are written anew for where that loses nothing.
fn oldest_supported() -> Server {
    Server::redis(7, 0)
}

/// The first server that has the layout: what is written for it, every later one of its line takes as well.
fn first_with(value_type: ValueType) -> Server {
    let by_age = [
        Server::redis(2, 6),
        Server::redis(3, 2),
        Server::redis(4, 0),
        Server::redis(5, 0),
        Server::redis(7, 0),
        Server::redis(7, 2),
        Server::redis(7, 4),
        Server::redis(8, 6),
        Server::redis(8, 8),
        Server::redis(8, 10),
        Server::valkey(9, 0),
    ];
    let newest = Server::redis(8, 10);
    by_age.into_iter().find(|server| server.loads_type(value_type)).unwrap_or(newest)
}

/// A value of any type.
#[derive(Clone, Debug)]
pub(super) enum HeldValue {
    /// A string, as it is.
    String(Bytes),
    /// Any other value, serialised.
    Serialised(Arc<Serialised>),
}

/// A value that is not taken apart: what RESTORE takes on the first server that has its layout.
#[derive(Debug)]
pub(super) struct Serialised {
    payload: Bytes,
    /// The layout in which it came.
    came_as: ValueType,
    /// `None` where a packed value's elements cannot be counted.
    elements: Option<u64>,
    module: Option<ModuleType>,
}

/// Why a command is refused, in the words of servers.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("DUMP payload version or checksum are wrong")]
    Payload(#[source] RdbError),
    #[error("Bad data format")]
    Data(#[source] RdbError),
}

impl HeldValue {
    /// Tells whether two values are the same one, or strings that are alike.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(one), Self::String(other)) => one == other,
            (Self::Serialised(one), Self::Serialised(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Takes the value of a key of a file; `None` for an empty one, which servers leave out (Redis 7.0 `src/rdb.c`,
    /// `RDB_LOAD_ERR_EMPTY_KEY`).
    pub(super) fn from_entry<R: Read>(entry: Entry<'_, R>, key: &[u8]) -> Result<Option<Self>, RdbError> {
        let came_as = entry.value_type();
        if is_taken_apart(came_as) {
            return Self::from_value(entry.value()?, came_as, key);
        }
        Self::from_raw(&entry.raw_value()?, came_as, key)
    }

    /// Takes what DUMP gave on any server, after all of it was checked.
    pub(super) fn from_payload(payload: &[u8], key: &[u8]) -> Result<Self, Refusal> {
        let parsed = Payload::parse(payload).map_err(|error| match error {
            RdbError::UnknownType { .. } | RdbError::Malformed { .. } => Refusal::Data(error),
            error => Refusal::Payload(error),
        })?;
        let came_as = parsed.value_type();
        let held = if is_taken_apart(came_as) {
            parsed.value().and_then(|value| Self::from_value(value, came_as, key))
        } else {
            parsed.check().and_then(|()| Self::from_raw(&parsed.raw_value(), came_as, key))
        };
        // Nothing empty passes the check.
        held.map_err(Refusal::Data)?.ok_or_else(|| Refusal::Data(empty(key)))
    }

    fn from_value(value: Value, came_as: ValueType, key: &[u8]) -> Result<Option<Self>, RdbError> {
        match value {
            Value::String(bytes) => Ok(Some(Self::String(Bytes::from(bytes)))),
            Value::Set(members) if members.is_empty() => Ok(None),
            Value::Hash(fields) if fields.is_empty() => Ok(None),
            value => Self::from_raw(&value.to_raw(oldest_supported(), key)?, came_as, key),
        }
    }

    /// Takes a serialised value; `None` for an empty one.
    fn from_raw(raw: &RawValue, came_as: ValueType, key: &[u8]) -> Result<Option<Self>, RdbError> {
        let payload = raw.to_payload(first_with(raw.value_type()), key)?;
        let mut options = ReadOptions::default();
        // It was computed on the line above.
        options.verify_checksum = false;
        let parsed = Payload::with_options(&payload, options)?;
        let shape = parsed.skim()?;
        let elements = if shape.elements_exact { Some(shape.elements) } else { count(&parsed).ok() };
        // Streams may be empty, and a module's value is its own matter.
        if elements == Some(0) && !matches!(came_as.kind(), Kind::Stream | Kind::Module) {
            return Ok(None);
        }
        let module = match came_as.kind() {
            Kind::Module => match parsed.value()? {
                Value::Module(module) => module,
                _ => None,
            },
            _ => None,
        };
        let payload = Bytes::from(payload);
        Ok(Some(Self::Serialised(Arc::new(Serialised { payload, came_as, elements, module }))))
    }

    /// Makes what DUMP would answer.
    pub(super) fn to_payload(&self, key: &[u8]) -> Result<Bytes, RdbError> {
        match self {
            Self::String(bytes) => {
                let value = Value::String(bytes.to_vec());
                Ok(Bytes::from(value.to_payload(first_with(ValueType::String), key)?))
            }
            Self::Serialised(value) => Ok(value.payload.clone()),
        }
    }

    /// The format that a payload of it says; `None` for a string, which every format has.
    pub(super) fn format(&self) -> Option<Format> {
        let Self::Serialised(value) = self else { return None };
        // The version stands in front of the checksum.
        let [low, high, ..] = *value.payload.last_chunk::<10>()?;
        Format::from_version(u16::from_le_bytes([low, high])).ok()
    }

    /// Bytes that are held.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::String(bytes) => bytes.len(),
            Self::Serialised(value) => value.payload.len(),
        }
    }

    /// What TYPE would answer.
    pub(super) fn kind(&self) -> KeyType {
        match self {
            Self::String(_) => KeyType::String,
            Self::Serialised(value) => match value.module {
                Some(module) => KeyType::Module(module.name()),
                None => KeyType::from(value.came_as.kind().as_str()),
            },
        }
    }

    /// What OBJECT ENCODING would answer, as far as the layout in which the value came tells.
    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Self::String(bytes) if Text::Bytes(bytes).as_int().is_some() => "int",
            Self::String(bytes) if bytes.len() <= EMBEDDED_LEN => "embstr",
            Self::String(_) => "raw",
            Self::Serialised(value) => encoding(value.came_as),
        }
    }

    /// Elements; of a string, its bytes; `None` for a module's value.
    pub(super) fn elements(&self) -> Option<u64> {
        match self {
            Self::String(bytes) => Some(bytes.len() as u64),
            Self::Serialised(value) if value.came_as.kind() == Kind::Module => None,
            Self::Serialised(value) => value.elements,
        }
    }
}

/// Strings are held as they are. Sets in listpacks (Redis 7.2) and hashes by template (8.10) say nothing more than
/// plain ones do, which every server takes.
fn is_taken_apart(value_type: ValueType) -> bool {
    let is_newer_set = value_type == ValueType::SetListpack;
    value_type.kind() == Kind::String || is_newer_set || value_type.layout() == Layout::Template
}

/// Counts by decoding, for packed values that have more elements than their header can say.
fn count(payload: &Payload<'_>) -> Result<u64, RdbError> {
    let mut elements = payload.elements()?;
    let mut count = 0;
    while elements.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn encoding(value_type: ValueType) -> &'static str {
    match (value_type.kind(), value_type.layout()) {
        (Kind::List, _) => "quicklist",
        (Kind::Module, _) => "raw",
        (Kind::Set | Kind::Hash, Layout::Plain) => "hashtable",
        (Kind::SortedSet, Layout::Plain) => "skiplist",
        (_, Layout::Listpack)
            if matches!(value_type, ValueType::HashListpackEx | ValueType::HashListpackExPreGa) =>
        {
            "listpackex"
        }
        // What servers before 7.0 packed is packed again when it is loaded.
        (_, Layout::Ziplist | Layout::Zipmap | Layout::Listpack) => "listpack",
        (_, layout) => layout.as_str(),
    }
}

fn empty(key: &[u8]) -> RdbError {
    RdbError::Unwritable { key: key.into(), what: "the value is empty" }
}

#[cfg(test)]
mod tests {
    use larder_rdb::HashField;

    use super::*;

    fn held(value: &Value, server: Server) -> HeldValue {
        let payload = value.to_payload(server, b"k").unwrap();
        HeldValue::from_payload(&payload, b"k").unwrap()
    }

    fn version(payload: &[u8]) -> u16 {
        Payload::parse(payload).unwrap().format().version()
    }

    #[test]
    fn a_payload_says_the_oldest_version_that_has_the_layout() {
        let text = |text: &str| text.as_bytes().to_vec();
        let field = HashField::new("f", "v");
        for (value, server, expected) in [
            (Value::String(text("x")), Server::redis(8, 0), 6),
            (Value::List(vec![text("x")]), Server::valkey(9, 0), 6),
            (Value::Set(vec![text("x")]), Server::redis(8, 0), 6),
            (Value::SortedSet(vec![(text("x"), 1.5)]), Server::redis(8, 0), 8),
            (Value::Hash(vec![field.clone()]), Server::redis(8, 0), 6),
            (Value::Hash(vec![field.clone().expiring_at_ms(4_102_444_800_000)]), Server::redis(8, 0), 12),
            (Value::Hash(vec![field.expiring_at_ms(4_102_444_800_000)]), Server::valkey(9, 0), 80),
        ] {
            let held = held(&value, server);
            let payload = held.to_payload(b"k").unwrap();
            assert_eq!(version(&payload), expected, "{value:?}");
            assert_eq!(Payload::parse(&payload).unwrap().value().unwrap(), value);
        }
    }

    #[test]
    fn every_type_has_a_first_server_but_the_one_that_none_loads() {
        for value_type in ValueType::ALL {
            let loads = first_with(*value_type).loads_type(*value_type);
            assert_eq!(loads, *value_type != ValueType::ModulePreGa, "{value_type}");
        }
    }

    #[test]
    fn strings_are_named_as_servers_name_them() {
        for (text, name) in [
            ("0", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            ("007", "embstr"),
            ("", "embstr"),
            (&"x".repeat(44), "embstr"),
            (&"x".repeat(45), "raw"),
        ] {
            assert_eq!(HeldValue::String(Bytes::copy_from_slice(text.as_bytes())).encoding(), name, "{text}");
        }
    }

    #[test]
    fn a_payload_that_is_damaged_or_empty_is_refused() {
        let good = Value::List(vec![b"x".to_vec()]).to_payload(Server::redis(7, 0), b"k").unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let error = HeldValue::from_payload(&bad, b"k").unwrap_err();
            assert!(matches!(error, Refusal::Payload(_)), "byte {at}: {error:?}");
            assert!(HeldValue::from_payload(&good[..at], b"k").is_err());
        }
        let mut unknown_type = vec![0xf0, 6, 0];
        unknown_type.extend([0; 8]);
        let mut empty_list = vec![1, 0, 6, 0];
        empty_list.extend([0; 8]);
        for bad in [unknown_type, empty_list] {
            let error = HeldValue::from_payload(&bad, b"k").unwrap_err();
            assert!(matches!(error, Refusal::Data(_)), "{error:?}");
        }
    }
}
