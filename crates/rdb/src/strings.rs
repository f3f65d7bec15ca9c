//! Lengths, strings and numbers as the format encodes them (Redis 7.0 `src/rdb.h`, "Defines related to the dump
//! file format", and `src/rdb.c`, `rdbLoadLenByRef` and `rdbGenericLoadStringObject`).

use std::io::Read;

use crate::input::Input;
use crate::lzf;
use crate::narrow::in_memory;
use crate::text::Slot;
use crate::{Error, Result};

/// What a length field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// A length or count.
    Plain(u64),
    /// A mark that a string in a special encoding follows.
    Special(u8),
}

/// What stands in front of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StringHead {
    /// That many bytes follow.
    Raw(u64),
    /// The string is the digits of this integer; nothing follows.
    Int(i64),
    /// `packed` bytes follow that decompress to `plain` ones.
    Lzf { packed: u64, plain: u64 },
}

impl StringHead {
    /// Length of the string itself.
    pub(crate) fn plain_len(self) -> u64 {
        match self {
            Self::Raw(len) => len,
            Self::Int(value) => crate::text::Decimal::new(value).as_bytes().len() as u64,
            Self::Lzf { plain, .. } => plain,
        }
    }
}

impl<R: Read> Input<R> {
    #[inline]
    pub(crate) fn length(&mut self, what: &'static str) -> Result<Length> {
        let first = self.byte(what)?;
        match first >> 6 {
            0 => Ok(Length::Plain(u64::from(first))),
            1 => Ok(Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte(what)?))),
            2 => self.long_length(first, what),
            _ => Ok(Length::Special(first & 0x3f)),
        }
    }

    fn long_length(&mut self, first: u8, what: &'static str) -> Result<Length> {
        match first {
            0x80 => Ok(Length::Plain(u64::from(u32::from_be_bytes(self.array(what)?)))),
            0x81 => Ok(Length::Plain(u64::from_be_bytes(self.array(what)?))),
            // Versions before 8 (Redis 4.0) took any byte 10xxxxxx as a 32-bit length; none ever wrote another.
            _ => Err(Error::malformed(self.offset() - 1, "a length starts with an unknown byte")),
        }
    }

    /// A length or count, where no string may stand.
    #[inline]
    pub(crate) fn plain_length(&mut self, what: &'static str) -> Result<u64> {
        match self.length(what)? {
            Length::Plain(len) => Ok(len),
            Length::Special(_) => {
                Err(Error::malformed(self.offset() - 1, "a string stands where a number belongs"))
            }
        }
    }

    /// A count of things that take at least `each` bytes.
    pub(crate) fn count(&mut self, each: u64, what: &'static str) -> Result<u64> {
        let count = self.plain_length(what)?;
        self.check_count(count, each, what)?;
        Ok(count)
    }

    /// Reads what stands in front of a string and checks its length against limit and data.
    #[inline]
    pub(crate) fn string_head(&mut self, what: &'static str) -> Result<StringHead> {
        match self.length(what)? {
            Length::Plain(len) => {
                if len > self.limits.max_string_bytes {
                    return Err(Error::limit(self.offset(), what, self.limits.max_string_bytes, len));
                }
                Ok(StringHead::Raw(len))
            }
            Length::Special(code) => self.special_head(code, what),
        }
    }

    fn special_head(&mut self, code: u8, what: &'static str) -> Result<StringHead> {
        match code {
            0 => Ok(StringHead::Int(i64::from(i8::from_le_bytes(self.array(what)?)))),
            1 => Ok(StringHead::Int(i64::from(i16::from_le_bytes(self.array(what)?)))),
            2 => Ok(StringHead::Int(i64::from(i32::from_le_bytes(self.array(what)?)))),
            3 => {
                let packed = self.plain_length(what)?;
                let plain = self.plain_length(what)?;
                let longest = packed.max(plain);
                if longest > self.limits.max_string_bytes {
                    return Err(Error::limit(self.offset(), what, self.limits.max_string_bytes, longest));
                }
                if !lzf::is_possible(packed, plain) {
                    return Err(Error::malformed(
                        self.offset(),
                        "a compressed string cannot have this length",
                    ));
                }
                Ok(StringHead::Lzf { packed, plain })
            }
            _ => Err(Error::malformed(self.offset() - 1, "a string is encoded in an unknown way")),
        }
    }

    /// Skips a string; gives what stood in front of it.
    #[inline]
    pub(crate) fn skip_string(&mut self, what: &'static str) -> Result<StringHead> {
        let head = self.string_head(what)?;
        match head {
            StringHead::Raw(len) | StringHead::Lzf { packed: len, .. } => self.skip(len, what)?,
            StringHead::Int(_) => {}
        }
        Ok(head)
    }

    /// Reads the string that `head` stood in front of.
    pub(crate) fn read_string_body(
        &mut self,
        head: StringHead,
        slot: &mut Slot,
        packed_room: &mut Vec<u8>,
        what: &'static str,
    ) -> Result<()> {
        slot.int = None;
        match head {
            StringHead::Int(value) => {
                slot.int = Some(value);
                Ok(())
            }
            StringHead::Raw(len) => self.read_into(len, &mut slot.bytes, what),
            StringHead::Lzf { packed, plain } => {
                let start = self.offset();
                // `plain` is at most the limit on strings, which fits wherever the string itself does.
                let plain = in_memory(plain);
                let done = if in_memory(packed) <= self.peek().len() {
                    let packed = in_memory(packed);
                    let done = lzf::decompress(&self.peek()[..packed], plain, &mut slot.bytes);
                    self.consume(packed);
                    done
                } else {
                    self.read_into(packed, packed_room, what)?;
                    lzf::decompress(packed_room, plain, &mut slot.bytes)
                };
                done.ok_or_else(|| Error::malformed(start, "a compressed string is damaged"))
            }
        }
    }

    /// Reads a string.
    pub(crate) fn read_string(
        &mut self,
        slot: &mut Slot,
        packed_room: &mut Vec<u8>,
        what: &'static str,
    ) -> Result<()> {
        let head = self.string_head(what)?;
        self.read_string_body(head, slot, packed_room, what)
    }

    /// Reads a string that is a name (key, field of the file, group, consumer) into its bytes.
    pub(crate) fn read_name(
        &mut self,
        out: &mut Slot,
        packed_room: &mut Vec<u8>,
        what: &'static str,
    ) -> Result<()> {
        let head = self.string_head(what)?;
        let longest = match head {
            StringHead::Lzf { packed, plain } => packed.max(plain),
            _ => head.plain_len(),
        };
        if longest > self.limits.max_name_bytes {
            return Err(Error::limit(self.offset(), what, self.limits.max_name_bytes, longest));
        }
        self.read_string_body(head, out, packed_room, what)?;
        if let Some(value) = out.int.take() {
            out.bytes.clear();
            out.bytes.extend_from_slice(crate::text::Decimal::new(value).as_bytes());
        }
        Ok(())
    }

    /// A double of eight little-endian bytes.
    pub(crate) fn double(&mut self, what: &'static str) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array(what)?))
    }

    /// A double in decimal digits: one byte of length (253 not a number, 254 and 255 the infinities), then digits
    /// (`rdbLoadDoubleValue`, up to version 7).
    pub(crate) fn decimal_double(&mut self, what: &'static str) -> Result<f64> {
        match self.byte(what)? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => {
                let len = usize::from(len);
                self.need(len, what)?;
                let parsed = parse_double(&self.peek()[..len]);
                self.consume(len);
                parsed.ok_or_else(|| Error::malformed(self.offset(), "a score is not a number"))
            }
        }
    }

    /// Milliseconds since 1970 in eight little-endian bytes.
    pub(crate) fn milliseconds(&mut self, what: &'static str) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }
}

/// A double in decimal digits, as scores are kept in ziplists and listpacks.
pub(crate) fn parse_double(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn input(bytes: &[u8]) -> Input<&[u8]> {
        Input::of_slice(bytes, Limits::default())
    }

    #[test]
    fn lengths_of_every_width() {
        for (bytes, expected) in [
            (&[0x05][..], Length::Plain(5)),
            (&[0x40, 0x64], Length::Plain(100)),
            (&[0x7f, 0xff], Length::Plain(16383)),
            (&[0x80, 0, 1, 0x86, 0xa0], Length::Plain(100_000)),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], Length::Plain(1 << 32)),
            (&[0xc3], Length::Special(3)),
        ] {
            assert_eq!(input(bytes).length("x").unwrap(), expected);
        }
        assert!(matches!(input(&[0x82, 0, 0, 0, 0]).length("x"), Err(Error::Malformed { .. })));
        assert!(matches!(input(&[0x80, 0]).length("x"), Err(Error::Truncated { .. })));
    }

    #[test]
    fn strings_of_every_encoding() {
        let mut slot = Slot::default();
        let mut room = Vec::new();
        for (bytes, expected) in [
            (&b"\x03abc"[..], &b"abc"[..]),
            (b"\x00", b""),
            (b"\xc0\xff", b"-1"),
            (b"\xc1\x10\x27", b"10000"),
            (b"\xc2\x40\x42\x0f\x00", b"1000000"),
            (b"\xc3\x04\x0a\x00a\xe0\x00", b""),
            (b"\xc3\x05\x0a\x00a\xe0\x00\x00", b"aaaaaaaaaa"),
        ] {
            let read = input(bytes).read_string(&mut slot, &mut room, "x");
            if expected.is_empty() && bytes.len() > 1 {
                assert!(read.is_err());
            } else {
                read.unwrap();
                assert_eq!(slot.text().to_vec(), expected);
            }
        }
    }

    #[test]
    fn a_string_cannot_claim_more_than_its_compression_holds() {
        let bytes = [0xc3, 0x02, 0x80, 0x10, 0, 0, 0, 0, 0];
        assert!(matches!(input(&bytes).string_head("x"), Err(Error::Malformed { .. })));
    }
}
