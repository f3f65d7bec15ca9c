//! Families that are told by the names of keys alone.

/// Returns the part of a key that names its family: the segments in front of the first one that looks like an
/// identifier, two at the most, with their colons. `app:search:9f3a` is of `app:search:`, `user:17:name` of `user:`;
/// a key without a colon, or that begins with an identifier, has no family and gives an empty part.
///
/// An identifier is a segment of digits alone, of eight or more hexadecimal digits and hyphens with a digit among them,
/// or the last segment, whatever it is.
///
/// What is longer than 512 bytes is no family either, but a name.
#[must_use]
pub fn family_of(key: &[u8]) -> &[u8] {
    let mut end = 0;
    for _ in 0..MOST_SEGMENTS {
        let Some(length) = key[end..].iter().position(|byte| *byte == b':') else { break };
        if is_identifier(&key[end..end + length]) {
            break;
        }
        end += length + 1;
    }
    if end > LONGEST_FAMILY_BYTES { &[] } else { &key[..end] }
}

const LONGEST_FAMILY_BYTES: usize = 512;

const MOST_SEGMENTS: usize = 2;
const SHORTEST_HEXADECIMAL: usize = 8;

fn is_identifier(segment: &[u8]) -> bool {
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let all_digits = !segment.is_empty() && digits == segment.len();
    all_digits || (segment.len() >= SHORTEST_HEXADECIMAL && digits > 0 && segment.iter().all(hexadecimal))
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

    proptest! {
        #[test]
        fn a_family_is_a_prefix_and_its_own_family(key: Vec<u8>) {
            let family = family_of(&key);
            prop_assert!(key.starts_with(family));
            prop_assert_eq!(family_of(family), family);
        }
    }
}
