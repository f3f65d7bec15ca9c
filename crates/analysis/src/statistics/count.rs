//! Between counts of values, which are whole, and what is reckoned with them.

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "fewer than 53 bits of values")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// A place among values, rounded down; the first for what lies before it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among values is small, and not negative"
)]
pub(crate) fn index(place: f64) -> usize {
    place.max(0.0) as usize
}
