//! Prefixes as they are written: UTF-8 text, with escapes for what is none.

use crate::KeyName;

const REMEDY: &str =
    "write `\\\\` for a backslash, `\\xNN` for a byte, `\\u{N}` for a character, all of it in single quotes";

/// Reads a prefix: `\xNN` is a byte, `\u{N}` a character, `\\` a backslash, and all else is itself: what [`KeyName`]
/// shows. What is wrong is told as what and remedy.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, (String, String)> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = one_escape(escaped, &mut bytes).ok_or_else(|| {
            let shown: String = escaped.chars().take(4).collect();
            let what = format!("`\\{}` is no escape that a prefix knows", KeyName::new(shown.as_bytes()));
            (what, REMEDY.to_owned())
        })?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads what follows a backslash, and returns what follows that.
fn one_escape<'a>(escaped: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    if let Some(rest) = escaped.strip_prefix('\\') {
        bytes.push(b'\\');
        return Some(rest);
    }
    if let Some(rest) = escaped.strip_prefix('x') {
        bytes.push(u8::try_from(hexadecimal(rest.get(..2)?)?).ok()?);
        return rest.get(2..);
    }
    let (digits, rest) = escaped.strip_prefix("u{")?.split_once('}')?;
    let character = char::from_u32(hexadecimal(digits)?)?;
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(rest)
}

fn hexadecimal(digits: &str) -> Option<u32> {
    // A sign would be taken otherwise.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_read() {
        for (text, bytes) in [
            ("user:", b"user:".as_slice()),
            ("", b""),
            ("a\\xffb", b"a\xffb"),
            ("\\x00\\xFF", b"\x00\xff"),
            ("a\\\\x41", b"a\\x41"),
            ("\\u{e9}\\u{1F600}", "é😀".as_bytes()),
            ("größe", "größe".as_bytes()),
        ] {
            assert_eq!(unescape(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for text in [
            "\\",
            "\\n",
            "\\x",
            "\\x4",
            "\\xg0",
            "\\x+4",
            "\\xé",
            "\\u{}",
            "\\u{d800}",
            "\\u{41",
            "\\u41",
            "\\u{+41}",
        ] {
            let (what, _) = unescape(text).unwrap_err();
            assert!(
                what.starts_with("`\\") && what.ends_with("` is no escape that a prefix knows"),
                "{text}: {what}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_prefix_comes_back(prefix: Vec<u8>) {
            prop_assert_eq!(unescape(&KeyName::new(&prefix).to_string()).unwrap(), prefix);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = unescape(&text);
        }
    }
}
