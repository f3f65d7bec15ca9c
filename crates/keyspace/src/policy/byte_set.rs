//! Sets of bytes.

/// A set of bytes: what one place of a pattern takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: Self = Self([0; 4]);
    pub(super) const FULL: Self = Self([u64::MAX; 4]);

    pub(super) fn of(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert(byte);
        set
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(super) fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// Tells whether a byte is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one & other != 0)
    }

    /// Returns the longest runs of bytes that are in the set, first and last of each, in order.
    pub(super) fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in (0..=u8::MAX).filter(|byte| self.contains(*byte)) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == byte => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_of_sets() {
        assert_eq!(ByteSet::EMPTY.ranges(), []);
        assert_eq!(ByteSet::FULL.ranges(), [(0, 255)]);
        assert_eq!(ByteSet::EMPTY.complement(), ByteSet::FULL);
        assert_eq!(ByteSet::of(255).ranges(), [(255, 255)]);
        assert_eq!(ByteSet::of(b'a').complement().ranges(), [(0, b'a' - 1), (b'b', 255)]);
        assert!(!ByteSet::FULL.meets(&ByteSet::EMPTY));
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_in(bytes: Vec<u8>, others: Vec<u8>) {
            let of = |bytes: &[u8]| {
                let mut set = ByteSet::EMPTY;
                for byte in bytes {
                    set.insert(*byte);
                }
                set
            };
            let (set, other) = (of(&bytes), of(&others));
            let ranges = set.ranges();
            for byte in 0..=u8::MAX {
                prop_assert_eq!(set.contains(byte), bytes.contains(&byte));
                let in_ranges = ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte));
                prop_assert_eq!(in_ranges, bytes.contains(&byte));
            }
            prop_assert_eq!(set.meets(&other), bytes.iter().any(|byte| others.contains(byte)));
        }
    }
}
