//! Between counts and real numbers.

#[expect(clippy::cast_precision_loss, reason = "what is estimated or shown needs no more than 53 bits")]
pub(super) fn precise(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "what is estimated needs no more than 53 bits")]
pub(super) fn precise_wide(count: u128) -> f64 {
    count as f64
}

/// Rounds to the nearest count; what is no count is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn rounded(value: f64) -> u64 {
    value.round() as u64
}

/// A share of a whole; of nothing, nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { precise(part) / precise(whole) }
}
