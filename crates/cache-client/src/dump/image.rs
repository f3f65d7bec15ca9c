//! An RDB file that is put together key by key, and handed on in pieces.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use larder_rdb::{KeyMeta, Payload, RawValue, Server, ServerLine, Writer};

/// How long a piece is at most.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// What a file says of itself.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// The version of the server, where it is known.
    pub(crate) version: Option<String>,
    /// When the file was begun, in seconds since 1970 by the server's clock.
    pub(crate) created_s: i64,
    /// Sources of function libraries.
    pub(crate) functions: Vec<Bytes>,
    /// The server that the file is for.
    pub(crate) target: Target,
}

/// The server that a file is for, whose format it has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// This one.
    Known(Server),
    /// That which writes the format of the first payload, and without any key this one.
    OfPayloads(Server),
}

/// A file on its way. It begins with the first key, because only a payload tells for sure what format the server writes.
#[derive(Debug)]
pub(crate) struct ImageFile {
    about: About,
    writer: Option<Writer<Outlet>>,
    outlet: Outlet,
    /// What was written and not handed on; a large value is handed on in several pieces, uncopied.
    ready: Bytes,
    is_ended: bool,
}

/// Where the writer writes to, and what it wrote is taken from.
#[derive(Clone, Debug, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn with<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ImageFile {
    /// A file that nothing is written of yet.
    pub(crate) fn new(about: About) -> Self {
        Self { about, writer: None, outlet: Outlet::default(), ready: Bytes::new(), is_ended: false }
    }

    /// Writes a key with a payload as DUMP gives it.
    pub(crate) fn key(&mut self, key: &[u8], meta: &KeyMeta, payload: &[u8]) -> larder_rdb::Result<()> {
        let payload = Payload::parse(payload)?;
        let value: RawValue = payload.raw_value();
        if let (Target::OfPayloads(_), None) = (self.about.target, &self.writer) {
            self.about.target = Target::Known(Server::writing(payload.format()));
        }
        self.writer()?.raw_value(key, meta, &value)
    }

    /// Ends the file.
    pub(crate) fn end(&mut self) -> larder_rdb::Result<()> {
        self.writer()?;
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        self.is_ended = true;
        Ok(())
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Takes what is ready to be handed on; less than a piece only at the end.
    pub(crate) fn piece(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            let is_ended = self.is_ended;
            let taken = self.outlet.with(|written| {
                let is_due = written.len() >= PIECE_BYTES || (is_ended && !written.is_empty());
                is_due.then(|| mem::replace(written, Vec::with_capacity(PIECE_BYTES)))
            });
            self.ready = Bytes::from(taken?);
        }
        let length = self.ready.len().min(PIECE_BYTES);
        Some(self.ready.split_to(length))
    }

    fn writer(&mut self) -> larder_rdb::Result<&mut Writer<Outlet>> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => begin(self.outlet.clone(), &self.about)?,
        };
        Ok(self.writer.insert(writer))
    }
}

/// The facts that servers write, as far as they are known from outside (`rdbSaveInfoAuxFields`, Redis 7.0 `src/rdb.c`;
/// Valkey calls the first `valkey-ver`).
fn begin(outlet: Outlet, about: &About) -> larder_rdb::Result<Writer<Outlet>> {
    let (Target::Known(server) | Target::OfPayloads(server)) = about.target;
    let mut writer = Writer::new(outlet, server)?;
    if let Some(version) = &about.version {
        let name: &[u8] = match server.line() {
            ServerLine::Valkey => b"valkey-ver",
            _ => b"redis-ver",
        };
        writer.aux(name, version.as_bytes())?;
    }
    writer.aux(b"ctime", about.created_s.to_string().as_bytes())?;
    for code in &about.functions {
        writer.function(code)?;
    }
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use larder_rdb::{Reader, Record, Value};

    use super::*;

    fn about(server: Server) -> About {
        About {
            version: Some("7.2.4".to_owned()),
            created_s: 1_700_000_000,
            functions: Vec::new(),
            target: Target::OfPayloads(server),
        }
    }

    fn all(mut image: ImageFile) -> Vec<u8> {
        image.end().unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = image.piece() {
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    #[test]
    fn a_file_without_keys_is_a_file() {
        let file = all(ImageFile::new(about(Server::redis(7, 2))));
        let mut reader = Reader::from_slice(&file).unwrap();
        let mut facts = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            if let Record::Aux { name, value } = record {
                facts.push((name.to_vec(), value.to_vec()));
            }
        }
        assert_eq!(facts[0], (b"redis-ver".to_vec(), b"7.2.4".to_vec()));
        assert_eq!(facts[1], (b"ctime".to_vec(), b"1700000000".to_vec()));
    }

    #[test]
    fn payloads_decide_the_format_and_large_values_come_in_pieces() {
        let server = Server::valkey(9, 0);
        let mut image = ImageFile::new(about(Server::redis(5, 0)));
        // Nothing that compresses.
        let mixed = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bytes: Vec<u8> = (0..1_000_000_u64).map(|n| mixed(n).to_be_bytes()[0]).collect();
        let value = Value::String(bytes);
        let payload = value.to_payload(server, b"k").unwrap();
        image.key(b"k", &KeyMeta::in_db(3).expiring_at_ms(4_102_444_800_000), &payload).unwrap();
        let file = all(image);
        let mut reader = Reader::from_slice(&file).unwrap();
        assert_eq!(reader.format(), server.format());
        let entry = reader.next_key().unwrap().unwrap();
        assert_eq!((entry.meta().db, entry.meta().expires_at_ms), (3, Some(4_102_444_800_000)));
        assert!(entry.value().unwrap() == value);
        assert!(reader.next_key().unwrap().is_none());
    }

    #[test]
    fn a_damaged_payload_is_refused() {
        let mut payload = Value::String(b"hello".to_vec()).to_payload(Server::redis(7, 0), b"k").unwrap();
        payload[2] ^= 1;
        let mut image = ImageFile::new(about(Server::redis(7, 0)));
        assert!(image.key(b"k", &KeyMeta::default(), &payload).is_err());
    }
}
