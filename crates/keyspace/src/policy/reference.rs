//! Matching that is too simple to be wrong, for the tests.

/// Tells whether a key matches a pattern of SCAN, as the words of the manual say it, one case a line.
pub(super) fn matches(pattern: &[u8], key: &[u8]) -> bool {
    match (pattern, key) {
        ([], _) => key.is_empty(),
        ([b'*', rest @ ..], _) => (0..=key.len()).any(|taken| matches(rest, &key[taken..])),
        (_, []) => false,
        ([b'?', rest @ ..], [_, key @ ..]) => matches(rest, key),
        ([b'[', rest @ ..], [byte, key @ ..]) => {
            let (negated, rest) = rest.strip_prefix(b"^").map_or((false, rest), |rest| (true, rest));
            let (found, rest) = in_set(rest, *byte);
            found != negated && matches(rest, key)
        }
        ([b'\\', escaped, rest @ ..], [byte, key @ ..]) => escaped == byte && matches(rest, key),
        ([literal, rest @ ..], [byte, key @ ..]) => literal == byte && matches(rest, key),
    }
}

/// Looks for a byte in a set, and returns what follows the set.
fn in_set(set: &[u8], byte: u8) -> (bool, &[u8]) {
    let (here, rest) = match set {
        [] => return (false, set),
        [b']', rest @ ..] => return (false, rest),
        [b'\\', escaped, rest @ ..] => (*escaped == byte, rest),
        [from, b'-', to, rest @ ..] => ((from.min(to)..=from.max(to)).contains(&&byte), rest),
        [literal, rest @ ..] => (*literal == byte, rest),
    };
    let (later, rest) = in_set(rest, byte);
    (here || later, rest)
}

#[test]
fn the_reference_knows_the_examples_of_the_manual() {
    for (pattern, key, expected) in [
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "heeeello", true),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-b]llo", "hbllo", true),
        ("h\\?llo", "h?llo", true),
        ("h\\?llo", "hello", false),
    ] {
        assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
    }
}
