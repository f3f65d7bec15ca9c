//! Digests of single keys.

use std::io::Read;

use xxhash_rust::xxh3::xxh3_128;

use super::DataDigest;
use super::content::{Content, Room, content};
use crate::decode::Decoder;
use crate::{Entry, KeyMeta, Kind, Payload, Result};

/// Makes digests of keys; keeps its buffers from one to the next.
///
/// # What a digest depends on
///
/// | of | in | out |
/// |---|---|---|
/// | every key | database, name, kind of value; in [`KeyDigest::whole`] the expiry | idle time, frequency, attributes of modules |
/// | string | its bytes | how it is encoded |
/// | list | items in order | nodes |
/// | set | members | order, encoding |
/// | sorted set | members and the bits of their scores, where −0 is 0 | order, encoding |
/// | hash | fields, values, expiry of fields | order, encoding |
/// | stream | entries in order with ids, names and values; the last id; groups by name with their last id; pending entries with consumer, delivery time and number of deliveries; consumers by name | nodes; first id, highest deleted id, entries added and read (not known of streams from before Redis 7.0); when consumers were seen and active; producers (Redis 8.6) |
/// | array (Redis 8.8) | indices and what is there; an integer is its digits, a double its bits | insert index |
/// | module | type, encoding version and the marked parts, strings decompressed | – |
///
/// Values of modules are taken as the module wrote them. One that does not write the same data in the same order, such as
/// the vector sets of Redis 8, has another digest after it was loaded and saved again.
///
/// The hash is XXH3 with 128 bits. The definition stays as it is: digests are kept beside backups.
#[derive(Debug, Default)]
pub struct KeyHasher {
    room: Room,
    /// For payloads; a file's reader has its own.
    decoder: Decoder,
}

/// What was found of a key whose value was decoded from beginning to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyDigest {
    /// Of database, name, kind and elements.
    pub value: DataDigest,
    /// Of the same and the expiry.
    pub whole: DataDigest,
    /// Elements: items, members, fields, entries of a stream; 1 for a string or a module's value. Servers pass over a key
    /// of a file that has none, unless it is a stream.
    pub elements: u64,
    /// Serialised length of the value, as in a DUMP payload without type and footer.
    pub value_bytes: u64,
}

impl DataDigest {
    /// Gives the digest of a function library, to be added to that of keys.
    #[must_use]
    pub fn of_function(code: &[u8]) -> Self {
        Self(xxh3_128(&[b"f", code].concat()))
    }
}

impl KeyHasher {
    /// A hasher with nothing in its buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn key(
        &mut self,
        key: &[u8],
        kind: Kind,
        meta: &KeyMeta,
        content: Content,
        value_bytes: u64,
    ) -> KeyDigest {
        let message = &mut self.room.message;
        message.start();
        message.put(&[b'k', tag(kind)]);
        message.put(&meta.db.to_le_bytes());
        message.put(&content.elements.to_le_bytes());
        message.put(&content.hash.to_le_bytes());
        message.put(key);
        let value = message.finish();
        KeyDigest {
            value: DataDigest(value),
            whole: DataDigest(with_expiry(value, meta.expires_at_ms)),
            elements: content.elements,
            value_bytes,
        }
    }
}

/// A mark of each kind that never changes.
fn tag(kind: Kind) -> u8 {
    match kind {
        Kind::String => b's',
        Kind::List => b'l',
        Kind::Set => b'e',
        Kind::SortedSet => b'z',
        Kind::Hash => b'h',
        Kind::Stream => b'x',
        Kind::Array => b'a',
        Kind::Module => b'm',
    }
}

fn with_expiry(value: u128, expires_at_ms: Option<i64>) -> u128 {
    let mut message = [0; 26];
    message[0] = b'w';
    message[1..17].copy_from_slice(&value.to_le_bytes());
    message[17] = u8::from(expires_at_ms.is_some());
    message[18..].copy_from_slice(&expires_at_ms.unwrap_or(0).to_le_bytes());
    xxh3_128(&message)
}

impl<R: Read> Entry<'_, R> {
    /// Decodes the whole value, holding no more than one element of it, and gives its digest.
    ///
    /// # Errors
    /// As [`Reader::next_record`](crate::Reader::next_record).
    pub fn digest(self, hasher: &mut KeyHasher) -> Result<KeyDigest> {
        let (meta, value_type) = (self.meta(), self.value_type());
        let reader = self.reader;
        let start = reader.offset();
        let content = reader.decode_with(|input, decoder, templates| {
            content(input, decoder, value_type, templates, &mut hasher.room)
        })?;
        let value_bytes = reader.offset() - start;
        Ok(hasher.key(reader.key_name(), value_type.kind(), &meta, content, value_bytes))
    }
}

impl Payload<'_> {
    /// Decodes the whole value and gives the digest that a key of this name would have in a file.
    ///
    /// # Errors
    /// As [`Self::elements`].
    pub fn digest(&self, key: &[u8], meta: &KeyMeta, hasher: &mut KeyHasher) -> Result<KeyDigest> {
        let KeyHasher { room, decoder } = hasher;
        let content = self.decode_with(|input, templates| {
            let content = content(input, decoder, self.value_type(), templates, room)?;
            Ok((content, content.elements > 0 || self.kind() == Kind::Stream))
        })?;
        Ok(hasher.key(key, self.kind(), meta, content, self.value_bytes()))
    }
}
