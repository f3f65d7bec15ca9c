//! Numbers for people.

use bytesize::ByteSize;
use larder_metrics_model::Unit;

/// Writes bytes as `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Writes a share as `93.1 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// Writes a number with as many digits as help.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

/// Writes the value of a metric in its unit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes are not negative")]
pub(crate) fn metric(value: f64, unit: Option<Unit>) -> String {
    match unit {
        Some(Unit::Bytes) if value >= 0.0 => bytes(value as u64),
        _ => number(value),
    }
}

/// Writes a value that may not be known.
pub(crate) fn or_dash<T>(value: Option<T>, write: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(3.0), "3");
        assert_eq!(number(0.123_45), "0.123");
        assert_eq!(number(1234.56), "1234.6");
        assert_eq!(percent(0.931), "93.1 %");
        assert_eq!(metric(1_572_864.0, Some(Unit::Bytes)), "1.5 MiB");
        assert_eq!(or_dash(None::<u64>, bytes), "-");
    }
}
