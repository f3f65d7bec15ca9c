//! DUMP payloads: type byte, value, and a footer of version and checksum (Redis 7.0 `src/cluster.c`,
//! `createDumpPayload` and `verifyDumpPayload`).

use crate::crc::Crc64;
use crate::decode::Decoder;
use crate::input::Input;
use crate::template::Templates;
use crate::walk;
use crate::{
    Checksum, Dialect, Element, Error, Format, Incompatible, Kind, Limits, RawValue, ReadOptions, Result,
    Server, Value, ValueType, module,
};

/// Two bytes of version and eight of checksum.
const FOOTER_LEN: usize = 10;

/// What `DUMP` answers and `RESTORE` takes: one value, with the version of its format and a checksum.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    format: Format,
    checksum: Checksum,
    value_type: ValueType,
    /// Offset of the value in the payload.
    value_offset: usize,
    value: &'a [u8],
    limits: Limits,
}

impl<'a> Payload<'a> {
    /// Reads type and footer and compares the checksum; the value is not looked at yet.
    ///
    /// # Errors
    /// [`Error::Truncated`] for what is too short, [`Error::UnsupportedVersion`], [`Error::UnknownType`], and
    /// [`Error::Checksum`].
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        Self::with_options(payload, ReadOptions::default())
    }

    /// The same with limits and checks of the caller's choice.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn with_options(payload: &'a [u8], options: ReadOptions) -> Result<Self> {
        let Some((body, footer)) = payload.split_last_chunk::<FOOTER_LEN>() else {
            return Err(Error::truncated(payload.len() as u64, "a payload's footer"));
        };
        let format = Format::from_version(u16::from_le_bytes([footer[0], footer[1]]))?;
        let mut stored = [0; 8];
        stored.copy_from_slice(&footer[2..]);
        let stored = u64::from_le_bytes(stored);
        let checksum = if stored == 0 {
            // The server takes zero as "not computed", as in files.
            Checksum::Off
        } else if options.verify_checksum {
            let summed = &payload[..payload.len() - 8];
            let computed = Crc64::of(summed);
            if computed != stored {
                return Err(Error::Checksum { stored, computed, bytes: summed.len() as u64 });
            }
            Checksum::Verified(stored)
        } else {
            Checksum::Skipped
        };
        let value_offset = skip_module_meta(body, format, options.limits)?;
        let Some((&byte, value)) = body[value_offset..].split_first() else {
            return Err(Error::truncated(value_offset as u64, "a payload's type"));
        };
        let value_type = ValueType::from_byte(byte, format)
            .ok_or_else(|| Error::unknown_type(value_offset as u64, byte, format))?;
        if value_type.needs_file() {
            return Err(Error::malformed(
                value_offset as u64,
                "a payload cannot refer to a file's templates",
            ));
        }
        Ok(Self {
            format,
            checksum,
            value_type,
            value_offset: value_offset + 1,
            value,
            limits: options.limits,
        })
    }

    /// Dialect and version of the format, from the footer.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What became of the checksum.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Type and layout of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// What the value is to the user of the server.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.value_type.kind()
    }

    /// The serialised value, as it could stand in a file.
    #[must_use]
    pub fn raw_value(&self) -> RawValue {
        RawValue::new(self.value_type, self.format, self.value.to_vec())
    }

    /// Says whether a server takes the payload; `key` only names it in the answer.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] where the payload's version is not one that the server takes (its value may
    /// still be: see [`RawValue::to_payload`]), [`Error::Incompatible`] where the type is not.
    pub fn check_server(&self, server: Server, key: &[u8]) -> Result<()> {
        server.check_key(key, 0, self.value_type)?;
        if server.loads_format(self.format) {
            Ok(())
        } else {
            Err(Error::UnsupportedVersion { format: self.format })
        }
    }

    /// Starts decoding the value.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, with the offset in the payload.
    pub fn elements(&self) -> Result<PayloadElements<'a>> {
        let mut elements = PayloadElements {
            input: self.input(),
            decoder: Decoder::default(),
            value_type: self.value_type,
            start: self.value_offset as u64,
        };
        elements
            .decoder
            .start(&mut elements.input, self.value_type, &Templates::default())
            .map_err(|error| elements.placed(error))?;
        Ok(elements)
    }

    /// Decodes the whole value into memory.
    ///
    /// # Errors
    /// As [`Self::elements`].
    pub fn value(&self) -> Result<Value> {
        let mut elements = self.elements()?;
        let mut value = Value::empty(self.kind());
        while let Some(element) = elements.next()? {
            value.push(element);
        }
        Ok(value)
    }

    /// Decodes the whole value and keeps nothing: is it sound?
    ///
    /// # Errors
    /// As [`Self::elements`].
    pub fn check(&self) -> Result<()> {
        let mut elements = self.elements()?;
        while elements.next()?.is_some() {}
        Ok(())
    }

    /// Decodes the value, which must take the whole payload; the second thing that `decode` gives is false for an
    /// empty one.
    pub(crate) fn decode_with<T>(
        &self,
        decode: impl FnOnce(&mut Input<&'a [u8]>, &Templates) -> Result<(T, bool)>,
    ) -> Result<T> {
        let start = self.value_offset as u64;
        let mut input = self.input();
        let (decoded, holds_anything) =
            decode(&mut input, &Templates::default()).map_err(|error| error.moved(start))?;
        if !holds_anything {
            return Err(Error::malformed(start, "the payload holds an empty value"));
        }
        if !input.at_end()? {
            return Err(Error::malformed(start + input.offset(), "the payload is longer than its value"));
        }
        Ok(decoded)
    }

    /// Serialised length of the value.
    pub(crate) fn value_bytes(&self) -> u64 {
        self.value.len() as u64
    }

    fn input(&self) -> Input<&'a [u8]> {
        // A payload is in memory whole, so remembering its members does not take more than it does.
        let limits = Limits { max_remembered: self.limits.max_remembered_at_hand, ..self.limits };
        Input::of_slice(self.value, limits)
    }
}

/// Passes by what modules attached to the key (Redis 8.6); gives where the type byte is.
fn skip_module_meta(body: &[u8], format: Format, limits: Limits) -> Result<usize> {
    if body.first() != Some(&0xf3) || format.dialect() != Dialect::Redis || format.version() < 12 {
        return Ok(0);
    }
    let mut input = Input::of_slice(&body[1..], limits);
    for _ in 0..input.count(5, "a number of module attributes")? {
        input.skip(4, "a module attribute")?;
        module::skip_parts(&mut input)?;
    }
    Ok(usize::try_from(input.offset()).unwrap_or(body.len()) + 1)
}

/// The elements of a payload's value, pulled one at a time.
///
/// The end is where a payload shows more than a file does: an empty collection and bytes left over are errors.
#[derive(Debug)]
pub struct PayloadElements<'a> {
    input: Input<&'a [u8]>,
    decoder: Decoder,
    value_type: ValueType,
    start: u64,
}

impl PayloadElements<'_> {
    /// Gives the next element; `None` at the end of the value.
    ///
    /// # Errors
    /// As [`Payload::elements`].
    #[expect(
        clippy::should_implement_trait,
        reason = "elements borrow from the decoder, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Element<'_>>> {
        let start = self.start;
        let before = self.decoder.given();
        let Some(element) = self.decoder.next(&mut self.input).map_err(|error| error.moved(start))? else {
            if before == 0 {
                return Err(Error::malformed(start, "the payload holds an empty value"));
            }
            return if self.input.at_end()? {
                Ok(None)
            } else {
                Err(Error::malformed(start + self.input.offset(), "the payload is longer than its value"))
            };
        };
        Ok(Some(element))
    }

    /// Type and layout of the value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    fn placed(&self, error: Error) -> Error {
        error.moved(self.start)
    }
}

impl RawValue {
    /// Reads the value out of a payload; nothing is decoded, and the checksum is compared.
    ///
    /// # Errors
    /// As [`Payload::parse`].
    pub fn from_payload(payload: &[u8]) -> Result<Self> {
        Payload::parse(payload).map(|payload| payload.raw_value())
    }

    /// Makes the payload that `RESTORE` takes on `server`; `key` only names it in an error.
    ///
    /// # Errors
    /// [`Error::Incompatible`] where the server does not load values of this type.
    pub fn to_payload(&self, server: Server, key: &[u8]) -> Result<Vec<u8>, Incompatible> {
        server.check_key(key, 0, self.value_type())?;
        let mut payload = Vec::with_capacity(self.as_bytes().len() + 1 + FOOTER_LEN);
        payload.push(self.value_type().byte());
        payload.extend_from_slice(self.as_bytes());
        payload.extend_from_slice(&server.format().version().to_le_bytes());
        let crc = Crc64::of(&payload);
        payload.extend_from_slice(&crc.to_le_bytes());
        Ok(payload)
    }

    /// The same as [`Self::to_payload`], in the memory of the value itself.
    ///
    /// # Errors
    /// As [`Self::to_payload`].
    pub fn into_payload(self, server: Server, key: &[u8]) -> Result<Vec<u8>, Incompatible> {
        server.check_key(key, 0, self.value_type())?;
        let value_type = self.value_type().byte();
        let mut payload = self.into_bytes();
        payload.reserve_exact(1 + FOOTER_LEN);
        payload.insert(0, value_type);
        payload.extend_from_slice(&server.format().version().to_le_bytes());
        let crc = Crc64::of(&payload);
        payload.extend_from_slice(&crc.to_le_bytes());
        Ok(payload)
    }

    /// The same value in a layout that `server` loads: as it is where that will do, written anew where it will not.
    ///
    /// # Errors
    /// [`Error::Incompatible`] where the server has no such values, and whatever is wrong with the bytes.
    pub fn for_server(self, server: Server, key: &[u8], limits: Limits) -> Result<Self> {
        if server.loads_type(self.value_type()) {
            return Ok(self);
        }
        let refused = server.check_key(key, 0, self.value_type());
        match self.decode(limits)?.to_raw(server, key) {
            // A module's value cannot be written anew; what stands against it is its type.
            Err(Error::Unwritable { .. }) => refused.map(|()| self).map_err(Error::from),
            anew => anew,
        }
    }

    /// Decodes the value into memory, whole.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, with the offset in the value.
    pub fn decode(&self, limits: Limits) -> Result<Value> {
        let payload = Payload {
            format: self.format(),
            checksum: Checksum::Skipped,
            value_type: self.value_type(),
            value_offset: 0,
            value: self.as_bytes(),
            limits,
        };
        payload.value()
    }
}

impl Payload<'_> {
    /// Passes the value by, as in a file: its length must be that of the payload.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, with the offset in the payload.
    pub fn skim(&self) -> Result<PayloadShape> {
        let start = self.value_offset as u64;
        let mut input = self.input();
        let mut tally = crate::skim::Tally::new();
        walk::walk(&mut input, self.value_type, &Templates::default(), &mut tally)
            .map_err(|error| error.moved(start))?;
        if !input.at_end()? {
            return Err(Error::malformed(start + input.offset(), "the payload is longer than its value"));
        }
        Ok(PayloadShape {
            elements: tally.elements,
            elements_exact: tally.exact,
            plain_bytes: tally.plain_bytes,
        })
    }
}

/// What is known of a payload's value without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadShape {
    /// Elements, counted as in [`Skimmed::elements`](crate::Skimmed::elements).
    pub elements: u64,
    /// False where there may be more.
    pub elements_exact: bool,
    /// Bytes of all strings before compression.
    pub plain_bytes: u64,
}
