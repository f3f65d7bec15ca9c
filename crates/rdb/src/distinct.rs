//! Finds a member or field that occurs twice in a collection whose elements stand one after the other.

use std::collections::HashSet;

use crate::Text;
use crate::narrow::low_half;

/// Fingerprints of the members seen so far, up to a number.
///
/// Servers refuse a collection with the same member twice. Remembering members whole would take as much memory as
/// the collection, so 128 bits of each are kept, and of a very large collection only the first ones.
#[derive(Debug, Default)]
pub(crate) struct Distinct {
    seen: HashSet<u128>,
    most: u64,
}

impl Distinct {
    /// Starts a collection, of which `most` members are to be remembered.
    pub(crate) fn start(&mut self, most: u64) {
        if self.seen.capacity() > 4096 {
            self.seen = HashSet::new();
        }
        self.seen.clear();
        self.most = most;
    }

    /// False if `member` was seen before.
    pub(crate) fn insert(&mut self, member: &Text<'_>) -> bool {
        let print = member.with_bytes(fingerprint);
        if (self.seen.len() as u64) < self.most {
            self.seen.insert(print)
        } else {
            !self.seen.contains(&print)
        }
    }
}

/// Two lanes of folded multiplications over eight bytes at a time; the odd constants are digits of pi.
fn fingerprint(bytes: &[u8]) -> u128 {
    const A: u64 = 0x243f_6a88_85a3_08d3;
    const B: u64 = 0x1319_8a2e_0370_7345;
    let mut a = A ^ bytes.len() as u64;
    let mut b = B.rotate_left(23) ^ (bytes.len() as u64).wrapping_mul(A);
    let mut step = |word: u64| {
        a = folded(a ^ word, A ^ 0xa409_3822_299f_31d1);
        b = folded(b.wrapping_add(word), B ^ 0x082e_fa98_ec4e_6c89) ^ word.rotate_left(32);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        step(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(u64::from_le_bytes(last));
    step(0x4528_21e6_38d0_1377);
    u128::from(a) << 64 | u128::from(b)
}

fn folded(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    low_half(wide >> 64) ^ low_half(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_found_and_others_are_not() {
        let mut distinct = Distinct::default();
        distinct.start(1 << 20);
        for number in 0..50_000 {
            assert!(distinct.insert(&Text::Int(number)));
            assert!(distinct.insert(&Text::Bytes(format!("member:{number:08}").as_bytes())));
        }
        assert!(!distinct.insert(&Text::Bytes(b"7")));
        assert!(!distinct.insert(&Text::Bytes(b"member:00000007")));
        distinct.start(1);
        assert!(distinct.insert(&Text::Bytes(b"7")) && distinct.insert(&Text::Bytes(b"8")));
        assert!(distinct.insert(&Text::Bytes(b"8")), "only one is remembered");
        assert!(!distinct.insert(&Text::Bytes(b"7")));
    }

    #[test]
    fn strings_that_differ_in_length_or_one_byte_have_different_fingerprints() {
        let mut prints = HashSet::new();
        for len in 0..40 {
            prints.insert(fingerprint(&vec![0; len]));
            for at in 0..len {
                let mut bytes = vec![0; len];
                bytes[at] = 1;
                prints.insert(fingerprint(&bytes));
            }
        }
        assert_eq!(prints.len(), 40 + (0..40).sum::<usize>());
    }
}
