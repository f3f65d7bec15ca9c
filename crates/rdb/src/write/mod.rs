//! Writes files and payloads.

mod encode;
mod sink;
mod stream;

use std::io::Write;

use encode::Encoder;
use sink::Sink;

use crate::crc::Crc64;
use crate::{Error, Format, Incompatible, KeyMeta, RawValue, Result, Server, Value};

/// How a file or payload is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Compresses strings over 20 bytes where that saves something (`rdbcompression yes`). Default true.
    pub compress: bool,
    /// Ends the file with its checksum (`rdbchecksum yes`); zero is stored otherwise. Default true.
    pub checksum: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { compress: true, checksum: true }
    }
}

/// Writes an RDB file that a chosen server loads.
///
/// Values are written in the oldest layout that holds them, which every later server loads as well: a list as a
/// plain list, a hash as a plain hash unless fields expire. The server packs them again as its own settings say.
/// Keys of one database must be written together, in the order in which the databases shall stand in the file.
#[derive(Debug)]
pub struct Writer<W: Write> {
    sink: Sink<W>,
    encoder: Encoder,
    server: Server,
    db: Option<u64>,
    /// A value is put together here, so that a bad one leaves the file as it was.
    room: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a file for `server`: the header is written.
    ///
    /// # Errors
    /// [`Error::Write`] with whatever the sink says.
    pub fn new(sink: W, server: Server) -> Result<Self> {
        Self::with_options(sink, server, WriteOptions::default())
    }

    /// Starts a file with options of the caller's choice.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(sink: W, server: Server, options: WriteOptions) -> Result<Self> {
        let checksum = options.checksum && server.format().has_checksum();
        let mut sink = Sink::new(sink, checksum.then(Crc64::new));
        sink.put(&server.format().header())?;
        Ok(Self { sink, encoder: Encoder::new(server, options), server, db: None, room: Vec::new() })
    }

    /// The server that the file is for.
    #[must_use]
    pub fn server(&self) -> Server {
        self.server
    }

    /// Dialect and version of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.server.format()
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.sink.written()
    }

    /// Writes a fact about the file (`redis-ver`, `ctime`, …); formats before version 7 have none, and skip it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        if self.format().version() < 7 {
            return Ok(());
        }
        self.room.clear();
        self.room.push(0xfa);
        self.encoder.string(name, &mut self.room);
        self.encoder.string(value, &mut self.room);
        self.sink.put(&self.room)
    }

    /// Writes the source of a function library.
    ///
    /// # Errors
    /// [`Error::Unwritable`] for a server before Redis 7.0, which has no functions; else as [`Self::new`].
    pub fn function(&mut self, code: &[u8]) -> Result<()> {
        if self.format().version() < 10 {
            return Err(Error::Unwritable { key: code.into(), what: "the server has no function libraries" });
        }
        self.room.clear();
        self.room.push(0xf5);
        self.encoder.string(code, &mut self.room);
        self.sink.put(&self.room)
    }

    /// Writes how many keys a database has and how many of them expire, so that the server makes room at once.
    /// Formats before version 7 have no such record, and skip it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn resize_db(&mut self, db: u64, keys: u64, expires: u64) -> Result<()> {
        self.select(db)?;
        if self.format().version() < 7 {
            return Ok(());
        }
        self.room.clear();
        self.room.push(0xfb);
        encode::length(keys, &mut self.room);
        encode::length(expires, &mut self.room);
        self.sink.put(&self.room)
    }

    /// Writes a key.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the server has no such values, [`Error::Unwritable`] for what no server would
    /// load (an empty collection, a member twice, a module's value), and [`Error::Write`]. After the first two the
    /// file goes on as if the key had not been handed over.
    pub fn value(&mut self, key: &[u8], meta: &KeyMeta, value: &Value) -> Result<()> {
        let mut room = std::mem::take(&mut self.room);
        room.clear();
        let done = self.encoder.value(key, value, &mut room).and_then(|value_type| {
            self.select(meta.db)?;
            self.key(key, meta, value_type.byte())?;
            self.sink.put(&room)
        });
        self.room = room;
        done.map_err(|error| match error {
            Error::Incompatible(why) => Error::from(Incompatible { db: meta.db, ..*why }),
            other => other,
        })
    }

    /// Writes a key whose value is a string, without making a [`Value`] of it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn string(&mut self, key: &[u8], meta: &KeyMeta, value: &[u8]) -> Result<()> {
        self.select(meta.db)?;
        self.key(key, meta, 0)?;
        self.room.clear();
        self.encoder.string(value, &mut self.room);
        self.sink.put(&self.room)
    }

    /// Writes a key whose value comes from another file or a payload; nothing is decoded.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the server does not load values of this type; else as [`Self::new`].
    pub fn raw_value(&mut self, key: &[u8], meta: &KeyMeta, value: &RawValue) -> Result<()> {
        self.server.check_key(key, meta.db, value.value_type())?;
        self.select(meta.db)?;
        self.key(key, meta, value.value_type().byte())?;
        self.sink.put(value.as_bytes())
    }

    /// Hands everything that was written so far to the sink, and returns the CRC-64 of it; zero where no checksum is wanted.
    /// A file that is cut behind this place can be told from one that is damaged before it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn checkpoint(&mut self) -> Result<u64> {
        self.sink.checksum()
    }

    /// The sink. What is not yet behind a [`Self::checkpoint`] may not have reached it.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        self.sink.get_ref()
    }

    /// Writes the end mark and the checksum, and gives the sink back, flushed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn finish(mut self) -> Result<W> {
        self.sink.put(&[0xff])?;
        let checksum = self.sink.checksum()?;
        if self.format().has_checksum() {
            self.sink.put(&checksum.to_le_bytes())?;
        }
        self.sink.finish()
    }

    fn select(&mut self, db: u64) -> Result<()> {
        if self.db == Some(db) {
            return Ok(());
        }
        self.db = Some(db);
        let mut select = vec![0xfe];
        encode::length(db, &mut select);
        self.sink.put(&select)
    }

    /// Writes what stands in front of a value.
    fn key(&mut self, key: &[u8], meta: &KeyMeta, type_byte: u8) -> Result<()> {
        let mut head = Vec::with_capacity(key.len() + 32);
        if let Some(at) = meta.expires_at_ms {
            head.push(0xfc);
            head.extend_from_slice(&at.to_le_bytes());
        }
        if self.format().version() >= 9 {
            if let Some(idle) = meta.idle_s {
                head.push(0xf8);
                encode::length(idle, &mut head);
            }
            if let Some(frequency) = meta.frequency {
                head.extend([0xf9, frequency]);
            }
        }
        head.push(type_byte);
        self.encoder.string(key, &mut head);
        self.sink.put(&head)
    }
}

impl Value {
    /// Serialises the value in the oldest layout that `server` loads; `key` only names it in an error.
    ///
    /// # Errors
    /// As [`Writer::value`], but for the sink.
    pub fn to_raw(&self, server: Server, key: &[u8]) -> Result<RawValue> {
        let mut bytes = Vec::new();
        let value_type = Encoder::new(server, WriteOptions::default()).value(key, self, &mut bytes)?;
        Ok(RawValue::new(value_type, server.format(), bytes))
    }

    /// Makes the payload that `RESTORE` takes on `server`; `key` only names it in an error.
    ///
    /// # Errors
    /// As [`Self::to_raw`].
    pub fn to_payload(&self, server: Server, key: &[u8]) -> Result<Vec<u8>> {
        Ok(self.to_raw(server, key)?.to_payload(server, key)?)
    }
}
