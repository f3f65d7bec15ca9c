//! Words on a drawing.

/// How wide a letter is at most on average, in its height: that of common fonts without serifs.
const LETTER: f64 = 0.58;
/// How wide what is not ASCII is at most.
const WIDE_LETTER: f64 = 1.0;

/// Leaves out what XML cannot hold, and breaks of lines.
pub(super) fn printable(text: &str) -> String {
    let is_no_character = |sign: char| sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|sign| if is_no_character(sign) { ' ' } else { sign }).collect()
}

/// Returns about how wide words are, in pixels. An SVG does not know the fonts of whoever looks at it.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
pub(super) fn width(text: &str, height: i32) -> i32 {
    let letters = text.chars().map(|sign| if is_narrow(sign) { LETTER } else { WIDE_LETTER });
    (letters.sum::<f64>() * f64::from(height)).ceil() as i32
}

fn is_narrow(sign: char) -> bool {
    sign.is_ascii() || matches!(sign, 'µ' | '…' | '–' | '·')
}

/// Returns as much of the words as fits.
pub(super) fn cut(text: &str, height: i32, room: i32) -> String {
    if width(text, height) <= room {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let shorter = format!("{}…", kept.trim_end());
        if width(&shorter, height) <= room {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_to_the_room_there_is() {
        assert_eq!(cut("used_memory", 12, 200), "used_memory");
        let short = cut("used_memory_bytes of a cache", 12, 80);
        assert!(short.ends_with('…') && width(&short, 12) <= 80, "{short}");
        assert_eq!(cut("äöü漢", 12, 3), "");
        assert_eq!(cut("", 12, 0), "");
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(printable("a\u{1}b\nc\u{ffff}d<e>"), "a b c d<e>");
    }
}
