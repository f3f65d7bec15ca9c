//! Strings that hold many elements: listpack, ziplist, intset and zipmap.
//!
//! A packed string is checked whole before the first element of it is given out: its header, the length of every
//! entry in both directions, the end mark, and that nothing is left over.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

pub(crate) use listpack::ListpackBuilder;

use crate::Text;
use crate::distinct::Distinct;

/// The form of a packed string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    Listpack,
    Ziplist,
    Intset,
    Zipmap,
}

/// How many entries a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    Exactly(u64),
    /// The header's field is too small for the number.
    AtLeast(u64),
}

/// Bytes at the start of a packed string from which [`Packed::announced`] reads.
pub(crate) const HEAD_LEN: usize = 10;

impl Packed {
    /// Reads the number of entries (fields and values each count) from the first bytes of a packed string.
    pub(crate) fn announced(self, head: &[u8]) -> Option<Announced> {
        match self {
            Self::Listpack => u16_at(head, 4).map(|count| up_to(u64::from(count), 0xffff)),
            Self::Ziplist => u16_at(head, 8).map(|count| up_to(u64::from(count), 0xffff)),
            Self::Intset => u32_at(head, 4).map(|count| Announced::Exactly(u64::from(count))),
            Self::Zipmap => head.first().map(|pairs| up_to(2 * u64::from(*pairs), 2 * 254)),
        }
    }

    /// Checks the whole string and counts its entries; the error says which rule is broken.
    pub(crate) fn check(self, packed: &[u8]) -> Result<usize, &'static str> {
        match self {
            Self::Listpack => listpack::check(packed),
            Self::Ziplist => ziplist::check(packed),
            Self::Intset => intset::check(packed),
            Self::Zipmap => zipmap::check(packed),
        }
    }

    /// Where the first entry is.
    pub(crate) fn first(self) -> usize {
        match self {
            Self::Listpack => listpack::HEADER_LEN,
            Self::Ziplist => ziplist::HEADER_LEN,
            Self::Intset => intset::HEADER_LEN,
            Self::Zipmap => zipmap::HEADER_LEN,
        }
    }

    /// The entry at `at` and where the next one is; `None` at the end and wherever there is no whole entry.
    ///
    /// `odd` is true for the second, fourth, … entry, which in a zipmap have another form.
    #[inline]
    pub(crate) fn entry(self, packed: &[u8], at: usize, odd: bool) -> Option<(Text<'_>, usize)> {
        match self {
            Self::Listpack => listpack::entry(packed, at),
            Self::Ziplist => ziplist::entry(packed, at),
            Self::Intset => intset::entry(packed, at),
            Self::Zipmap => zipmap::entry(packed, at, odd),
        }
    }

    /// True if the first entry of every `group` entries occurs once only; `seen` was started for them.
    pub(crate) fn is_distinct(self, packed: &[u8], group: usize, seen: &mut Distinct) -> bool {
        if self == Self::Intset {
            // Ascending order was checked.
            return true;
        }
        let (mut at, mut index) = (self.first(), 0);
        while let Some((text, next)) = self.entry(packed, at, index % 2 == 1) {
            if index % group == 0 && !seen.insert(&text) {
                return false;
            }
            at = next;
            index += 1;
        }
        true
    }
}

fn up_to(count: u64, unknown: u64) -> Announced {
    if count < unknown { Announced::Exactly(count) } else { Announced::AtLeast(unknown) }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A little-endian integer of one to eight bytes.
fn int_at(bytes: &[u8], at: usize, len: usize) -> Option<i64> {
    let bytes = bytes.get(at..at + len)?;
    let mut wide = if bytes.last()? & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
    wide[..len].copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_endian_integers_keep_their_sign() {
        assert_eq!(int_at(&[0xff, 0xff, 0xff], 0, 3), Some(-1));
        assert_eq!(int_at(&[0, 0, 0x80], 0, 3), Some(-8_388_608));
        assert_eq!(int_at(&[1, 2], 0, 2), Some(513));
        assert_eq!(int_at(&[1, 2], 1, 2), None);
    }

    fn is_distinct(packed: &[u8]) -> bool {
        let mut seen = Distinct::default();
        seen.start(3, u64::MAX);
        Packed::Listpack.is_distinct(packed, 2, &mut seen)
    }

    #[test]
    fn a_name_that_occurs_twice_is_found_however_it_is_stored() {
        for names in [3usize, 30] {
            let mut builder = ListpackBuilder::new();
            for name in 0..names {
                builder.push(Text::Bytes(name.to_string().as_bytes()));
                builder.push(Text::Bytes(b"value"));
            }
            let distinct = builder.finish().unwrap();
            assert!(is_distinct(&distinct));
            builder.push(Text::Int(1));
            builder.push(Text::Bytes(b"value"));
            let doubled = builder.finish().unwrap();
            assert!(!is_distinct(&doubled));
        }
    }
}
