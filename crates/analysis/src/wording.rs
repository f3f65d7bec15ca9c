//! Numbers as people read them.

/// Writes a number of bytes with a binary unit.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut rest = count as f64;
    let mut unit = "B";
    for larger in UNITS {
        if rest < 1024.0 {
            break;
        }
        rest /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{rest:.1} {unit}") }
}

/// Rounds a time to days: 29 days and 23 hours are 30.
pub(crate) fn whole_days(time: chrono::TimeDelta) -> i64 {
    (time + chrono::TimeDelta::hours(12)).num_days()
}

/// Writes a number of seconds in the largest unit of which there are at least two.
pub(crate) fn seconds(count: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match count {
        _ if count >= 2 * DAY => format!("{} days", count / DAY),
        _ if count >= 2 * HOUR => format!("{} h", count / HOUR),
        _ if count >= 2 * MINUTE => format!("{} min", count / MINUTE),
        _ => format!("{count} s"),
    }
}

/// Writes a share as a percentage; what rounds to nothing has no sign.
pub(crate) fn percent(share: f64) -> String {
    without_sign_of_nothing(format!("{:.1} %", share * 100.0))
}

/// Takes the sign from a number that was rounded to nothing: neither `-0.0 %` nor `+0.0 %` says more than `0.0 %`.
pub(crate) fn without_sign_of_nothing(written: String) -> String {
    let is_nothing = written.contains('0') && !written.contains(|digit| matches!(digit, '1'..='9'));
    if is_nothing { written.trim_start_matches(['-', '+']).to_owned() } else { written }
}

/// Writes a number with its noun.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns `part / whole`, which may pass 1; `None` where there is no whole.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Returns a count as a number for performance data.
#[expect(clippy::cast_precision_loss, reason = "monitoring systems keep 53 bits")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Returns the text as part of a sentence that goes on: on one line, without a full stop.
pub(crate) fn clause(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (count, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 30, "1.0 GiB"), (u64::MAX, "16.0 EiB")]
        {
            assert_eq!(bytes(count), text);
        }
        for (count, text) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
        {
            assert_eq!(seconds(count), text);
        }
        assert_eq!([0.854, -0.0004, -0.0, -0.0006].map(percent), ["85.4 %", "0.0 %", "0.0 %", "-0.1 %"]);
        for (written, text) in
            [("+0 %", "0 %"), ("-10 %", "-10 %"), ("-0.00 ms", "0.00 ms"), ("-inf", "-inf")]
        {
            assert_eq!(without_sign_of_nothing(written.to_owned()), text);
        }
        assert_eq!((counted(1, "slot"), counted(0, "slot")), ("1 slot".to_owned(), "0 slots".to_owned()));
        assert_eq!(clause(" refused\n by peer. "), "refused by peer");
    }

    #[test]
    fn a_share_of_nothing_is_unknown_and_may_pass_one() {
        assert_eq!(share(1, 0), None);
        assert_eq!(share(3, 2), Some(1.5));
    }
}
