//! The name of a key, for people and for programs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a key, or of a family of keys. Names are bytes; what is no UTF-8, and what is no visible character, is
/// shown as `\xNN` or `\u{N}`, and a backslash as `\\`, so that every name is shown in a way of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Box<[u8]>);

impl KeyName {
    /// Takes a name.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        Self(name.into())
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the name as it is shown, and no more than so many characters of it before an ellipsis.
    #[must_use]
    pub fn shortened(&self, most: usize) -> String {
        let shown = self.to_string();
        match shown.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", &shown[..end]),
            None => shown,
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => shown.push_str("\\\\"),
                    hidden if is_hidden(hidden) => shown.extend(hidden.escape_unicode()),
                    other => shown.push(other),
                }
            }
            for byte in chunk.invalid() {
                let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
                shown.extend(['\\', 'x', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        f.pad(&shown)
    }
}

/// Tells whether a character is not seen, or changes how others are: controls, and the formatting characters that turn
/// the direction of a line around, break it, or take no room (Unicode 16, categories Cc, Zl, Zp, and those of Cf that
/// terminals obey).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

impl Serialize for KeyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that no name is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key is shown like this: what follows the backslash at byte {at} is not one of `\\\\`, `\\xNN` and `\\u{{N}}`"
)]
pub struct KeyNameError {
    at: usize,
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    /// Reads a name as it is shown.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut name = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(place) = rest.find('\\') {
            name.extend_from_slice(&rest.as_bytes()[..place]);
            let at = text.len() - rest.len() + place;
            let escape = &rest[place + 1..];
            let used = unescape(escape, &mut name).ok_or(KeyNameError { at })?;
            rest = &escape[used..];
        }
        name.extend_from_slice(rest.as_bytes());
        Ok(Self(name.into()))
    }
}

/// Reads what follows a backslash; gives how long it is.
fn unescape(escape: &str, name: &mut Vec<u8>) -> Option<usize> {
    let hexadecimal = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if escape.starts_with('\\') {
        name.push(b'\\');
        return Some(1);
    }
    if let Some(digits) = escape.strip_prefix('x').and_then(|digits| digits.get(..2)) {
        name.push(u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal(digits))?);
        return Some(3);
    }
    let digits = escape.strip_prefix("u{")?;
    let digits = &digits[..digits.find('}')?];
    let character = char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal(digits))?)?;
    name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(digits.len() + 3)
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_shown_in_a_way_of_their_own() {
        for (name, shown) in [
            (b"user:1".as_slice(), "user:1"),
            ("größe".as_bytes(), "größe"),
            (b"a\xffb", "a\\xffb"),
            (b"a\\xffb", "a\\\\xffb"),
            (b"a\nb\x00", "a\\u{a}b\\u{0}"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            (b"\x1b[31m", "\\u{1b}[31m"),
            (b"", ""),
        ] {
            assert_eq!(KeyName::new(name).to_string(), shown);
        }
    }

    #[test]
    fn what_no_name_is_shown_as_is_refused() {
        for text in ["\\", "a\\x1", "\\xg0", "\\x+1", "\\u{}", "\\u{110000}", "\\u{1", "\\n", "\\x1é"] {
            assert!(text.parse::<KeyName>().is_err(), "{text}");
        }
        assert_eq!("ab\\q".parse::<KeyName>(), Err(KeyNameError { at: 2 }));
    }

    proptest! {
        #[test]
        fn a_name_is_read_back(name: Vec<u8>) {
            let name = KeyName::new(&name);
            prop_assert_eq!(name.to_string().parse::<KeyName>(), Ok(name));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<KeyName>();
        }

        #[test]
        fn no_two_names_look_alike(one: Vec<u8>, other: Vec<u8>) {
            let same = KeyName::new(&one).to_string() == KeyName::new(&other).to_string();
            prop_assert_eq!(same, one == other);
        }
    }
}
