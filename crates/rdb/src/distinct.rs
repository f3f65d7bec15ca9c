//! Finds a member or field that occurs twice in a collection.

use std::hash::{BuildHasher, RandomState};

use crate::Text;
use crate::narrow::{in_memory, low_half};

/// Fingerprints of the members seen so far, up to a number.
///
/// Servers refuse a collection with the same member twice. Remembering members whole would take as much memory as
/// the collection, so 128 bits of each are kept, and of a very large collection only the first ones. The
/// fingerprints are seeded at random, so that nobody can make members that fall onto each other.
#[derive(Debug)]
pub(crate) struct Distinct {
    seeds: [u64; 2],
    /// Fingerprints where their lower bits say, or behind; zero is free. The length is a power of two.
    table: Vec<u128>,
    used: usize,
    most: usize,
}

/// Tables up to this length are used again, and are the first to be made.
const SMALL: usize = 1024;

impl Default for Distinct {
    fn default() -> Self {
        let state = RandomState::new();
        Self { seeds: [state.hash_one(1), state.hash_one(2)], table: Vec::new(), used: 0, most: 0 }
    }
}

impl Distinct {
    /// Starts a collection that says it has `count` members, of which `most` are to be remembered.
    pub(crate) fn start(&mut self, count: u64, most: u64) {
        // What the collection says is believed for a small table only.
        let len = in_memory(count.min(most)).min(SMALL / 2).next_power_of_two() * 2;
        self.table.clear();
        if self.table.capacity() > SMALL {
            self.table = Vec::new();
        }
        self.table.resize(len, 0);
        self.used = 0;
        self.most = in_memory(most);
    }

    /// False if `member` was seen before.
    #[inline]
    pub(crate) fn insert(&mut self, member: &Text<'_>) -> bool {
        let print = member.with_bytes(|bytes| fingerprint(bytes, self.seeds)) | 1;
        let at = self.place(print);
        if self.table[at] == print {
            return false;
        }
        if self.used < self.most {
            self.table[at] = print;
            self.used += 1;
            if self.used * 4 > self.table.len() * 3 {
                self.grow();
            }
        }
        true
    }

    /// Where a fingerprint is, or where it belongs.
    #[inline]
    fn place(&self, print: u128) -> usize {
        let mask = self.table.len() - 1;
        let mut at = in_memory(low_half(print >> 64)) & mask;
        // A quarter of the table is free, so the search ends.
        while self.table[at] != 0 && self.table[at] != print {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let len = self.table.len() * 2;
        let old = std::mem::replace(&mut self.table, vec![0; len]);
        for print in old.into_iter().filter(|print| *print != 0) {
            let at = self.place(print);
            self.table[at] = print;
        }
    }
}

/// Two lanes of folded multiplications over eight bytes at a time; the odd constants are digits of pi.
#[inline]
fn fingerprint(bytes: &[u8], seeds: [u64; 2]) -> u128 {
    const A: u64 = 0x243f_6a88_85a3_08d3;
    const B: u64 = 0x1319_8a2e_0370_7345;
    let len = bytes.len() as u64;
    let mut a = seeds[0] ^ A ^ len;
    let mut b = seeds[1] ^ len.wrapping_mul(A);
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

#[inline]
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
        distinct.start(7, 1 << 20);
        for number in 0..50_000 {
            assert!(distinct.insert(&Text::Int(number)));
            assert!(distinct.insert(&Text::Bytes(format!("member:{number:08}").as_bytes())));
        }
        assert!(!distinct.insert(&Text::Bytes(b"7")));
        assert!(!distinct.insert(&Text::Bytes(b"member:00000007")));
        distinct.start(2, 1);
        assert!(distinct.insert(&Text::Bytes(b"7")) && distinct.insert(&Text::Bytes(b"8")));
        assert!(distinct.insert(&Text::Bytes(b"8")), "only one is remembered");
        assert!(!distinct.insert(&Text::Bytes(b"7")));
        distinct.start(0, 0);
        assert!(distinct.insert(&Text::Bytes(b"7")) && distinct.insert(&Text::Bytes(b"7")));
    }

    #[test]
    fn strings_that_differ_in_length_or_one_byte_have_different_fingerprints() {
        let mut prints = std::collections::HashSet::new();
        for len in 0..40 {
            prints.insert(fingerprint(&vec![0; len], [3, 4]));
            for at in 0..len {
                let mut bytes = vec![0; len];
                bytes[at] = 1;
                prints.insert(fingerprint(&bytes, [3, 4]));
            }
        }
        assert_eq!(prints.len(), 40 + (0..40).sum::<usize>());
    }
}
