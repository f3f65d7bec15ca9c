//! Patterns as SCAN takes them.

/// Tells whether a key matches a glob pattern: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character to be
/// taken as it is (KEYS, Redis 1.0 and later).
pub(crate) fn matches(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at_pattern, mut at_key) = (0, 0);
    // Where the last `*` is, and how much of the key it has taken: no recursion, so no pattern can exhaust the stack.
    let mut star: Option<(usize, usize)> = None;
    while at_key < key.len() {
        match step(&pattern[at_pattern..], key[at_key]) {
            Step::Star => {
                star = Some((at_pattern, at_key));
                at_pattern += 1;
            }
            Step::Matched(length) => {
                at_pattern += length;
                at_key += 1;
            }
            Step::Failed => {
                let Some((star_pattern, star_key)) = star else { return false };
                star = Some((star_pattern, star_key + 1));
                at_pattern = star_pattern + 1;
                at_key = star_key + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

enum Step {
    Star,
    /// The byte matches so many bytes of the pattern.
    Matched(usize),
    Failed,
}

fn step(pattern: &[u8], byte: u8) -> Step {
    match pattern {
        [] => Step::Failed,
        [b'*', ..] => Step::Star,
        [b'?', ..] => Step::Matched(1),
        [b'[', rest @ ..] => match set(rest, byte) {
            (true, length) => Step::Matched(length + 1),
            (false, _) => Step::Failed,
        },
        [b'\\', escaped, ..] => {
            if *escaped == byte {
                Step::Matched(2)
            } else {
                Step::Failed
            }
        }
        [literal, ..] => {
            if *literal == byte {
                Step::Matched(1)
            } else {
                Step::Failed
            }
        }
    }
}

/// Matches what is between brackets, and says how long it is; a bracket that is never closed ends with the pattern.
fn set(pattern: &[u8], byte: u8) -> (bool, usize) {
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    while at < pattern.len() && pattern[at] != b']' {
        match &pattern[at..] {
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                let (low, high) = (from.min(to), from.max(to));
                found |= (*low..=*high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= pattern[at] == byte;
                at += 1;
            }
        }
    }
    (found != negated, (at + 1).min(pattern.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_every_kind() {
        for (pattern, key, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("a?c", "abc", true),
            ("a[bx]c", "abc", true),
            ("a[^b]c", "abc", false),
            ("a[a-c]c", "abc", true),
            ("a[c-a]c", "abc", true),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("a[\\]]", "a]", true),
            ("a[b", "ab", true),
            ("user:*:name", "user:1:2:name", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = "*a".repeat(40) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(4_000).as_bytes()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(pattern: Vec<u8>, key: Vec<u8>) {
            let _ = matches(&pattern, &key);
        }

        #[test]
        fn a_key_matches_itself_and_a_star(key in "[a-z:]{0,20}") {
            prop_assert!(matches(key.as_bytes(), key.as_bytes()));
            prop_assert!(matches(b"*", key.as_bytes()));
        }
    }
}
