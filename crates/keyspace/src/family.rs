//! Families that are told by the names of keys alone.

use serde::{Deserialize, Serialize};

/// How the family of a key is told by its name: by the segments in front of the first one that looks like an
/// identifier, so many at the most, with their delimiters. `app:search:9f3a` is of `app:search:`, `user:17:name` of
/// `user:`; a key without a delimiter, or that begins with an identifier, has no family and gives an empty part.
///
/// An identifier is a segment of digits alone, of eight or more hexadecimal digits and hyphens with a digit among them,
/// or the last segment, whatever it is.
///
/// What is longer than 512 bytes is no family either, but a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FamilyRule {
    delimiter: String,
    depth: usize,
}

/// A rule that tells no families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FamilyRuleError {
    /// The delimiter is empty, or longer than 8 bytes.
    #[error("a delimiter has 1 to 8 bytes")]
    Delimiter,
    /// The depth is 0, or more than 16.
    #[error("families have 1 to 16 segments")]
    Depth,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    delimiter: String,
    depth: usize,
}

const LONGEST_FAMILY_BYTES: usize = 512;
const LONGEST_DELIMITER_BYTES: usize = 8;
const DEEPEST: usize = 16;
const USUAL_DEPTH: usize = 2;
const SHORTEST_HEXADECIMAL: usize = 8;

impl Default for FamilyRule {
    /// Two segments, parted by colons.
    fn default() -> Self {
        Self { delimiter: ":".to_owned(), depth: USUAL_DEPTH }
    }
}

impl FamilyRule {
    /// Makes a rule.
    ///
    /// # Errors
    /// The delimiter has 0 or more than 8 bytes, or the depth is 0 or more than 16.
    pub fn new(delimiter: &str, depth: usize) -> Result<Self, FamilyRuleError> {
        if !(1..=LONGEST_DELIMITER_BYTES).contains(&delimiter.len()) {
            return Err(FamilyRuleError::Delimiter);
        }
        if !(1..=DEEPEST).contains(&depth) {
            return Err(FamilyRuleError::Depth);
        }
        Ok(Self { delimiter: delimiter.to_owned(), depth })
    }

    /// Returns the part of a key that names its family.
    #[must_use]
    pub fn family_of<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        prefix(key, self.delimiter.as_bytes(), self.depth)
    }

    /// Returns the family's part one segment shorter; `None` where there is no shorter one.
    pub(crate) fn parent<'k>(&self, family: &'k [u8]) -> Option<&'k [u8]> {
        let delimiter = self.delimiter.as_bytes();
        let inner = family.strip_suffix(delimiter)?;
        let mut end = 0;
        while let Some(length) = find(&inner[end..], delimiter) {
            end += length + delimiter.len();
        }
        (end > 0).then(|| &family[..end])
    }
}

/// Returns the part of a key that names its family, by the usual rule: two segments at the most, parted by colons.
/// [`FamilyRule`] says how.
#[must_use]
pub fn family_of(key: &[u8]) -> &[u8] {
    prefix(key, b":", USUAL_DEPTH)
}

fn prefix<'k>(key: &'k [u8], delimiter: &[u8], depth: usize) -> &'k [u8] {
    let mut end = 0;
    for _ in 0..depth {
        let Some(length) = find(&key[end..], delimiter) else { break };
        if is_identifier(&key[end..end + length]) {
            break;
        }
        end += length + delimiter.len();
    }
    if end > LONGEST_FAMILY_BYTES { &[] } else { &key[..end] }
}

fn find(text: &[u8], delimiter: &[u8]) -> Option<usize> {
    match delimiter {
        [byte] => text.iter().position(|other| other == byte),
        _ => text.windows(delimiter.len()).position(|window| window == delimiter),
    }
}

fn is_identifier(segment: &[u8]) -> bool {
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let all_digits = !segment.is_empty() && digits == segment.len();
    all_digits || (segment.len() >= SHORTEST_HEXADECIMAL && digits > 0 && segment.iter().all(hexadecimal))
}

impl TryFrom<Written> for FamilyRule {
    type Error = FamilyRuleError;

    fn try_from(written: Written) -> Result<Self, FamilyRuleError> {
        Self::new(&written.delimiter, written.depth)
    }
}

impl From<FamilyRule> for Written {
    fn from(rule: FamilyRule) -> Self {
        Self { delimiter: rule.delimiter, depth: rule.depth }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn families_are_what_people_call_them() {
        for (key, family) in [
            ("codebase_rag:embedding:00ff", "codebase_rag:embedding:"),
            ("codebase_rag:search:a:b:c", "codebase_rag:search:"),
            ("user:17", "user:"),
            ("user:17:name", "user:"),
            ("session:550e8400-e29b-41d4-a716-446655440000:data", "session:"),
            ("17:name", ""),
            ("lonely", ""),
            ("", ""),
            (":a", ":"),
            ("a:", "a:"),
            ("a:b:", "a:b:"),
            ("cafe:babe:x", "cafe:babe:"),
            ("facade:deadbeef:x", "facade:deadbeef:"),
            ("facade:deadbee7:x", "facade:"),
        ] {
            assert_eq!(family_of(key.as_bytes()), family.as_bytes(), "{key}");
        }
        assert_eq!(family_of(format!("{}:x", "a".repeat(600)).as_bytes()), b"");
    }

    #[test]
    fn delimiter_and_depth_are_options() {
        for (delimiter, depth, key, family) in [
            (":", 1, "a:b:c:d", "a:"),
            (":", 3, "a:b:c:d", "a:b:c:"),
            ("/", 2, "a/b/c:d", "a/b/"),
            ("::", 2, "a::b:c::d", "a::b:c::"),
            ("::", 2, "a:b", ""),
            ("::", 2, "::::", "::::"),
        ] {
            let rule = FamilyRule::new(delimiter, depth).unwrap();
            assert_eq!(rule.family_of(key.as_bytes()), family.as_bytes(), "{key}");
        }
        assert_eq!(FamilyRule::new("", 2), Err(FamilyRuleError::Delimiter));
        assert_eq!(FamilyRule::new("123456789", 2), Err(FamilyRuleError::Delimiter));
        assert_eq!(FamilyRule::new(":", 0), Err(FamilyRuleError::Depth));
        assert_eq!(FamilyRule::new(":", 17), Err(FamilyRuleError::Depth));
    }

    #[test]
    fn families_have_parents() {
        let rule = FamilyRule::new(":", 3).unwrap();
        for (family, parent) in [("a:b:c:", Some("a:b:")), ("a:b:", Some("a:")), ("a:", None), ("", None)] {
            assert_eq!(rule.parent(family.as_bytes()), parent.map(str::as_bytes), "{family}");
        }
    }

    proptest! {
        #[test]
        fn a_family_is_a_prefix_and_its_own_family(key: Vec<u8>) {
            let family = family_of(&key);
            prop_assert!(key.starts_with(family));
            prop_assert_eq!(family_of(family), family);
        }

        #[test]
        fn a_parent_is_the_family_one_level_up(key in "[a-c:]{0,12}", depth in 2_usize..5) {
            let (rule, above) = (FamilyRule::new(":", depth).unwrap(), FamilyRule::new(":", depth - 1).unwrap());
            let (family, upper) = (rule.family_of(key.as_bytes()), above.family_of(key.as_bytes()));
            if family.len() > upper.len() {
                prop_assert_eq!(rule.parent(family), (!upper.is_empty()).then_some(upper));
            }
        }
    }
}
