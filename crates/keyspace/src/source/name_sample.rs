//! Keys chosen by their names.

/// Chooses a share of all keys by a seeded hash of the name: the same keys each time, whatever order they come in, and
/// independent of everything else about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameSample {
    seed: u64,
    below: u64,
}

impl NameSample {
    /// Chooses this share, from 0 to 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the cast saturates, and a share needs no more than 53 bits"
    )]
    pub fn new(share: f64, seed: u64) -> Self {
        Self { seed, below: (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64 }
    }

    /// Tells whether a key is chosen.
    #[must_use]
    pub fn chooses(self, name: &[u8]) -> bool {
        hash(name, self.seed) <= self.below && self.below > 0
    }
}

/// Spreads names evenly; it keeps no one from finding names that are chosen.
fn hash(name: &[u8], seed: u64) -> u64 {
    let (words, rest) = name.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    let words = words.iter().copied().chain([tail]).map(u64::from_le_bytes);
    words.fold(mixed(seed ^ name.len() as u64), |hash, word| mixed(hash.rotate_left(23) ^ word))
}

/// The last steps of `SplitMix64` (G. Steele, D. Lea, C. Flood, OOPSLA 2014).
fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ (word >> 31)).wrapping_add(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(share: f64, seed: u64) -> Vec<String> {
        let names = (0..20_000).map(|number| format!("user:{number}:name"));
        names.filter(|name| NameSample::new(share, seed).chooses(name.as_bytes())).collect()
    }

    #[test]
    fn a_share_is_chosen_and_always_the_same() {
        assert!(chosen(0.0, 1).is_empty() && chosen(-1.0, 1).is_empty() && chosen(f64::NAN, 1).is_empty());
        assert_eq!((chosen(1.0, 1).len(), chosen(2.0, 1).len()), (20_000, 20_000));
        for (share, expected) in [(0.05_f64, 1000_usize), (0.5, 10_000)] {
            let found = chosen(share, 1).len();
            assert!(found.abs_diff(expected) < 4 * 100, "{share}: {found}");
        }
        assert_eq!(chosen(0.1, 1), chosen(0.1, 1));
        assert_ne!(chosen(0.1, 1), chosen(0.1, 2));
    }
}
