//! Listpack (Redis 5.0 and later, `src/listpack.c`): four bytes of total length, two of count (65535: count them),
//! entries, and an end mark. An entry is an encoding byte with the value, then its own length read backwards.

use super::{int_at, u16_at, u32_at};
use crate::Text;
use crate::narrow::low_byte;

pub(super) const HEADER_LEN: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = 0xffff;

pub(super) fn check(packed: &[u8]) -> Result<usize, &'static str> {
    let (Some(total), Some(count)) = (u32_at(packed, 0), u16_at(packed, 4)) else {
        return Err("a listpack is shorter than its header");
    };
    if total as usize != packed.len() || packed.last() != Some(&END) {
        return Err("a listpack is not as long as its header says");
    }
    let mut at = HEADER_LEN;
    let mut found = 0;
    while at < packed.len() - 1 {
        at = check_entry(packed, at).ok_or("an entry of a listpack is damaged")?;
        found += 1;
    }
    if at != packed.len() - 1 {
        return Err("an entry of a listpack reaches over its end");
    }
    if count != COUNT_UNKNOWN && usize::from(count) != found {
        return Err("a listpack does not hold as many entries as its header says");
    }
    Ok(found)
}

/// Checks the entry at `at`, its length in both directions included; gives the next one's place.
fn check_entry(packed: &[u8], at: usize) -> Option<usize> {
    let (_, next) = entry(packed, at)?;
    let len = next - at;
    // The whole entry is `body` and the bytes that hold the body's length.
    let back = (1..=5).find(|back| len > *back && back_len(len - back) == *back)?;
    let body = len - back;
    (0..back)
        .all(|i| {
            let bits = low_byte(body >> (7 * (back - 1 - i)) & 0x7f);
            packed[at + body + i] == if i == 0 { bits } else { bits | 0x80 }
        })
        .then_some(next)
}

/// Bytes that hold the length of an entry for reading backwards.
fn back_len(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn entry(packed: &[u8], at: usize) -> Option<(Text<'_>, usize)> {
    let first = *packed.get(at)?;
    let (text, body) = match first {
        0..=0x7f => (Text::Int(i64::from(first)), 1),
        0x80..=0xbf => string(packed, at, 1, usize::from(first & 0x3f))?,
        0xc0..=0xdf => {
            let raw = i64::from(first & 0x1f) << 8 | i64::from(*packed.get(at + 1)?);
            (Text::Int(if raw >= 1 << 12 { raw - (1 << 13) } else { raw }), 2)
        }
        0xe0..=0xef => {
            let len = usize::from(first & 0x0f) << 8 | usize::from(*packed.get(at + 1)?);
            string(packed, at, 2, len)?
        }
        0xf0 => string(packed, at, 5, u32_at(packed, at + 1)? as usize)?,
        0xf1 => (Text::Int(int_at(packed, at + 1, 2)?), 3),
        0xf2 => (Text::Int(int_at(packed, at + 1, 3)?), 4),
        0xf3 => (Text::Int(int_at(packed, at + 1, 4)?), 5),
        0xf4 => (Text::Int(int_at(packed, at + 1, 8)?), 9),
        _ => return None,
    };
    let next = at.checked_add(body)?.checked_add(back_len(body))?;
    // An entry ends before the end mark.
    (next < packed.len()).then_some((text, next))
}

#[inline]
fn string(packed: &[u8], at: usize, header: usize, len: usize) -> Option<(Text<'_>, usize)> {
    let start = at + header;
    Some((Text::Bytes(packed.get(start..start.checked_add(len)?)?), header + len))
}

/// Builds a listpack, entry by entry.
#[derive(Debug, Clone)]
pub(crate) struct ListpackBuilder {
    bytes: Vec<u8>,
    count: usize,
}

impl ListpackBuilder {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_LEN], count: 0 }
    }

    /// Length of the listpack as it would be finished now.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + 1
    }

    pub(crate) fn push(&mut self, text: Text<'_>) {
        let start = self.bytes.len();
        match (text, text.as_int()) {
            (Text::Int(value), _) | (_, Some(value)) => self.push_int(value),
            (Text::Bytes(bytes), None) => self.push_bytes(bytes),
        }
        let body = self.bytes.len() - start;
        let back = back_len(body);
        for i in 0..back {
            let bits = low_byte(body >> (7 * (back - 1 - i)) & 0x7f);
            self.bytes.push(if i == 0 { bits } else { bits | 0x80 });
        }
        self.count += 1;
    }

    fn push_int(&mut self, value: i64) {
        let le = value.to_le_bytes();
        match value {
            0..=127 => self.bytes.push(le[0]),
            -4096..=4095 => self.bytes.extend([0xc0 | (le[1] & 0x1f), le[0]]),
            -32_768..=32_767 => self.push_wide(0xf1, &le[..2]),
            -8_388_608..=8_388_607 => self.push_wide(0xf2, &le[..3]),
            -2_147_483_648..=2_147_483_647 => self.push_wide(0xf3, &le[..4]),
            _ => self.push_wide(0xf4, &le),
        }
    }

    fn push_wide(&mut self, encoding: u8, bytes: &[u8]) {
        self.bytes.push(encoding);
        self.bytes.extend_from_slice(bytes);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        match bytes.len() {
            len @ 0..=63 => self.bytes.push(0x80 | low_byte(len)),
            len @ 64..=4095 => self.bytes.extend([0xe0 | low_byte(len >> 8), low_byte(len)]),
            // Longer than 32 bits is refused when the listpack is finished.
            len => self.push_wide(0xf0, &len.to_le_bytes()[..4]),
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The listpack so far; `None` if it is longer than its header can say.
    pub(crate) fn finish(&self) -> Option<Vec<u8>> {
        let mut packed = self.bytes.clone();
        packed.push(END);
        let total = u32::try_from(packed.len()).ok()?;
        packed[..4].copy_from_slice(&total.to_le_bytes());
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        packed[4..6].copy_from_slice(&count.to_le_bytes());
        Some(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(packed: &[u8]) -> Vec<Vec<u8>> {
        let mut at = HEADER_LEN;
        let mut texts = Vec::new();
        while let Some((text, next)) = entry(packed, at) {
            texts.push(text.to_vec());
            at = next;
        }
        texts
    }

    #[test]
    fn every_width_of_integer_and_string_comes_back() {
        let mut expected: Vec<Vec<u8>> = Vec::new();
        for value in
            [0, 127, 128, -1, 4095, -4096, 4096, 32_767, -32_769, 8_388_607, -8_388_609, 1 << 31, i64::MIN]
        {
            expected.push(value.to_string().into_bytes());
        }
        for len in [0, 1, 63, 64, 127, 128, 4095, 4096, 20_000] {
            expected.push(vec![b'x'; len]);
        }
        let mut builder = ListpackBuilder::new();
        for text in &expected {
            builder.push(Text::Bytes(text));
        }
        let packed = builder.finish().unwrap();
        assert_eq!(packed.len(), builder.len());
        assert_eq!(check(&packed), Ok(expected.len()));
        assert_eq!(texts(&packed), expected);
    }

    #[test]
    fn every_flipped_bit_of_the_frame_is_noticed_or_changes_a_value() {
        let mut builder = ListpackBuilder::new();
        for text in [&b"field"[..], b"12345", b"x"] {
            builder.push(Text::Bytes(text));
        }
        let packed = builder.finish().unwrap();
        for bit in 0..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A count of 65535 means "count them", which no single flip makes of 3.
            assert!(check(&damaged).is_err() || texts(&damaged) != texts(&packed), "bit {bit}");
        }
        for len in 0..packed.len() {
            assert!(check(&packed[..len]).is_err());
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), at in 0usize..100) {
            let _ = check(&bytes);
            let _ = entry(&bytes, at);
        }
    }
}
