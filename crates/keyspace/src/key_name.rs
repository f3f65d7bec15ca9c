//! The name of a key, for people and for programs.

use std::fmt;

use serde::{Serialize, Serializer};

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

    proptest! {
        #[test]
        fn no_two_names_look_alike(one: Vec<u8>, other: Vec<u8>) {
            let same = KeyName::new(&one).to_string() == KeyName::new(&other).to_string();
            prop_assert_eq!(same, one == other);
        }
    }
}
