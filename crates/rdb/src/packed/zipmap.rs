//! Zipmap (Redis up to 2.4, `src/zipmap.c`): one byte of count (254 and up: count them), then names and values, and
//! an end mark. A length is one byte, or 254 and four little-endian bytes; between a value's length and its bytes
//! stands how many unused bytes follow it.

use super::u32_at;
use crate::Text;

pub(super) const HEADER_LEN: usize = 1;
const END: u8 = 0xff;
const WIDE: u8 = 0xfe;
const COUNT_UNKNOWN: u8 = 0xfe;

pub(super) fn check(packed: &[u8]) -> Result<usize, &'static str> {
    let Some(count) = packed.first() else { return Err("a zipmap is empty") };
    let mut at = HEADER_LEN;
    let mut found = 0;
    while packed.get(at) != Some(&END) {
        at = entry(packed, at, found % 2 == 1).ok_or("an entry of a zipmap is damaged")?.1;
        found += 1;
    }
    if at != packed.len() - 1 {
        return Err("a zipmap ends before its last byte");
    }
    if found % 2 == 1 {
        return Err("a zipmap has a name without a value");
    }
    if *count < COUNT_UNKNOWN && 2 * usize::from(*count) != found {
        return Err("a zipmap does not hold as many entries as its header says");
    }
    Ok(found)
}

#[inline]
pub(super) fn entry(packed: &[u8], at: usize, is_value: bool) -> Option<(Text<'_>, usize)> {
    let (len, mut start) = match *packed.get(at)? {
        END => return None,
        WIDE => (u32_at(packed, at + 1)? as usize, at + 5),
        len => (usize::from(len), at + 1),
    };
    let mut unused = 0;
    if is_value {
        unused = usize::from(*packed.get(start)?);
        start += 1;
    }
    let end = start.checked_add(len)?;
    let next = end.checked_add(unused)?;
    // An entry ends before the end mark.
    (next < packed.len()).then_some(())?;
    Some((Text::Bytes(packed.get(start..end)?), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_unused_bytes() {
        let packed = b"\x02\x01a\x02\x01xy_\x01b\x00\x00\xff";
        assert_eq!(check(packed), Ok(4));
        let (name, at) = entry(packed, HEADER_LEN, false).unwrap();
        let (value, _) = entry(packed, at, true).unwrap();
        assert_eq!((name, value), (Text::Bytes(b"a"), Text::Bytes(b"xy")));
    }

    #[test]
    fn damaged_maps_are_refused() {
        for packed in
            [&b""[..], b"\x01", b"\x01\x01a", b"\x01\x01a\xff", b"\x02\x01a\x00\x00\xff", b"\x00\xff\xff"]
        {
            assert!(check(packed).is_err(), "{packed:?}");
        }
    }
}
