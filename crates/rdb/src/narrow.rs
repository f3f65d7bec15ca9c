//! Conversions to narrower integers, named for what they do with what does not fit.

/// The lowest eight bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the rest is dropped on purpose")]
pub(crate) fn low_byte(value: usize) -> u8 {
    value as u8
}

/// The lowest 64 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the rest is dropped on purpose")]
pub(crate) fn low_half(value: u128) -> u64 {
    value as u64
}

/// A length in memory; what does not fit there is longer than anything in memory.
#[inline]
pub(crate) fn in_memory(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
