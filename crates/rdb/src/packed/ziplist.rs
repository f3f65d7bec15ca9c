//! Ziplist (Redis up to 6.2, `src/ziplist.c`): four bytes of total length, four of the last entry's place, two of
//! count (65535: count them), entries, and an end mark. An entry is the length of the one before it, an encoding
//! byte, and the value.

use super::{int_at, u16_at, u32_at};
use crate::Text;

pub(super) const HEADER_LEN: usize = 10;
const END: u8 = 0xff;
const WIDE: u8 = 0xfe;
const COUNT_UNKNOWN: u16 = 0xffff;

pub(super) fn check(packed: &[u8]) -> Result<usize, &'static str> {
    let (Some(total), Some(tail), Some(count)) = (u32_at(packed, 0), u32_at(packed, 4), u16_at(packed, 8))
    else {
        return Err("a ziplist is shorter than its header");
    };
    if total as usize != packed.len() || packed.len() <= HEADER_LEN || packed.last() != Some(&END) {
        return Err("a ziplist is not as long as its header says");
    }
    let mut at = HEADER_LEN;
    let mut last = HEADER_LEN;
    let mut found = 0;
    while at < packed.len() - 1 {
        let before = if found == 0 { 0 } else { at - last };
        let (said, _) = previous_len(packed, at).ok_or("an entry of a ziplist is damaged")?;
        if said != before {
            return Err("the entries of a ziplist do not join");
        }
        last = at;
        at = entry(packed, at).ok_or("an entry of a ziplist is damaged")?.1;
        found += 1;
    }
    if at != packed.len() - 1 {
        return Err("an entry of a ziplist reaches over its end");
    }
    if tail as usize != last {
        return Err("the last entry of a ziplist is not where its header says");
    }
    if count != COUNT_UNKNOWN && usize::from(count) != found {
        return Err("a ziplist does not hold as many entries as its header says");
    }
    Ok(found)
}

/// Length of the entry before the one at `at`, and how many bytes that takes here.
fn previous_len(packed: &[u8], at: usize) -> Option<(usize, usize)> {
    match *packed.get(at)? {
        END => None,
        WIDE => Some((u32_at(packed, at + 1)? as usize, 5)),
        len => Some((usize::from(len), 1)),
    }
}

#[inline]
pub(super) fn entry(packed: &[u8], at: usize) -> Option<(Text<'_>, usize)> {
    let (_, skip) = previous_len(packed, at)?;
    let at = at + skip;
    let first = *packed.get(at)?;
    let (text, next) = match first {
        0x00..=0x3f => string(packed, at + 1, usize::from(first))?,
        0x40..=0x7f => {
            let len = usize::from(first & 0x3f) << 8 | usize::from(*packed.get(at + 1)?);
            string(packed, at + 2, len)?
        }
        0x80..=0xbf => {
            let len: [u8; 4] = packed.get(at + 1..at + 5)?.try_into().ok()?;
            string(packed, at + 5, u32::from_be_bytes(len) as usize)?
        }
        0xc0 => (Text::Int(int_at(packed, at + 1, 2)?), at + 3),
        0xd0 => (Text::Int(int_at(packed, at + 1, 4)?), at + 5),
        0xe0 => (Text::Int(int_at(packed, at + 1, 8)?), at + 9),
        0xf0 => (Text::Int(int_at(packed, at + 1, 3)?), at + 4),
        0xfe => (Text::Int(int_at(packed, at + 1, 1)?), at + 2),
        0xf1..=0xfd => (Text::Int(i64::from(first & 0x0f) - 1), at + 1),
        _ => return None,
    };
    // An entry ends before the end mark.
    (next < packed.len()).then_some((text, next))
}

#[inline]
fn string(packed: &[u8], start: usize, len: usize) -> Option<(Text<'_>, usize)> {
    let end = start.checked_add(len)?;
    Some((Text::Bytes(packed.get(start..end)?), end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// "ab", 5, -3, 1000, a string of 70 bytes.
    fn sample() -> Vec<u8> {
        let mut entries: Vec<Vec<u8>> = vec![
            b"\x02ab".to_vec(),
            b"\xf6".to_vec(),
            b"\xfe\xfd".to_vec(),
            b"\xc0\xe8\x03".to_vec(),
            [&b"\x40\x46"[..], &[b'y'; 70]].concat(),
        ];
        let mut packed = vec![0; HEADER_LEN];
        let mut before = 0;
        let mut tail = 0;
        for entry in &mut entries {
            tail = packed.len();
            packed.push(before);
            packed.append(entry);
            before = crate::narrow::low_byte(packed.len() - tail);
        }
        packed.push(END);
        let total = packed.len();
        packed[..4].copy_from_slice(&total.to_le_bytes()[..4]);
        packed[4..8].copy_from_slice(&tail.to_le_bytes()[..4]);
        packed[8..10].copy_from_slice(&5u16.to_le_bytes());
        packed
    }

    #[test]
    fn integers_and_strings_are_read() {
        let packed = sample();
        assert_eq!(check(&packed), Ok(5));
        let mut at = HEADER_LEN;
        let mut texts = Vec::new();
        while let Some((text, next)) = entry(&packed, at) {
            texts.push(text);
            at = next;
        }
        assert_eq!(
            texts,
            [Text::Bytes(b"ab"), Text::Int(5), Text::Int(-3), Text::Int(1000), Text::Bytes(&[b'y'; 70])]
        );
    }

    #[test]
    fn a_cut_or_a_wrong_header_is_refused() {
        let packed = sample();
        for len in 0..packed.len() {
            assert!(check(&packed[..len]).is_err());
        }
        for at in [0, 4, 8, HEADER_LEN, HEADER_LEN + 4] {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            assert!(check(&damaged).is_err(), "byte {at}");
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
