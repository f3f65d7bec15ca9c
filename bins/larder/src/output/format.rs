//! Numbers for people.

use bytesize::ByteSize;
use larder_metrics_model::Unit;

/// Writes bytes as `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Writes a share as `93.1 %`; what rounds to nothing has no sign.
pub(crate) fn percent(ratio: f64) -> String {
    without_sign_of_nothing(format!("{:.1} %", ratio * 100.0))
}

/// Writes a change as `+9.1 %`.
pub(crate) fn change(ratio: f64) -> String {
    without_sign_of_nothing(format!("{:+.1} %", ratio * 100.0))
}

/// Takes the sign from a number that was rounded to nothing.
fn without_sign_of_nothing(written: String) -> String {
    let is_nothing = written.contains('0') && !written.contains(|digit| matches!(digit, '1'..='9'));
    if is_nothing { written.trim_start_matches(['-', '+']).to_owned() } else { written }
}

/// Writes a number with as many digits as help.
pub(crate) fn number(value: f64) -> String {
    without_sign_of_nothing(if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    })
}

/// Writes the value of a metric in its unit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes are not negative")]
pub(crate) fn metric(value: f64, unit: Option<Unit>) -> String {
    match unit {
        Some(Unit::Bytes) if value >= 0.0 => bytes(value as u64),
        _ => number(value),
    }
}

/// Writes seconds as `2h 30m`, to the two greatest units.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(crate) fn time(seconds: f64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let seconds = seconds.round() as u64;
    let first = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let (length, unit) = UNITS[first];
    let greatest = format!("{}{unit}", seconds / length);
    match UNITS.get(first + 1) {
        Some((smaller, unit)) if seconds % length / smaller > 0 => {
            format!("{greatest} {}{unit}", seconds % length / smaller)
        }
        _ => greatest,
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
        assert_eq!([0.931, -0.000_4, -0.0, -0.01].map(percent), ["93.1 %", "0.0 %", "0.0 %", "-1.0 %"]);
        assert_eq!([0.091, -0.5, -0.000_4, 0.000_4].map(change), ["+9.1 %", "-50.0 %", "0.0 %", "0.0 %"]);
        assert_eq!([-0.0, -0.000_1, -0.25].map(number), ["0", "0.000", "-0.250"]);
        assert_eq!(metric(1_572_864.0, Some(Unit::Bytes)), "1.5 MiB");
        for (seconds, written) in [
            (0.0, "0s"),
            (59.6, "1m"),
            (3661.0, "1h 1m"),
            (3605.0, "1h"),
            (90.0 * 86_400.0, "90d"),
            (f64::NAN, "0s"),
        ] {
            assert_eq!(time(seconds), written);
        }
        assert_eq!(or_dash(None::<u64>, bytes), "-");
    }
}
