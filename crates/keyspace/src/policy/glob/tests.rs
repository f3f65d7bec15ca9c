use proptest::prelude::*;

use super::super::reference::matches;
use super::*;

fn glob(pattern: &str) -> Glob {
    Glob::parse(pattern.as_bytes()).unwrap()
}

#[test]
fn what_is_senseless_is_refused() {
    for (pattern, fault) in [
        ("a[b", GlobFault::Unclosed(1)),
        ("[", GlobFault::Unclosed(0)),
        ("x[]", GlobFault::EmptySet(1)),
        ("[^", GlobFault::Unclosed(0)),
        ("[a-]", GlobFault::Unclosed(0)),
        ("[a\\]", GlobFault::Unclosed(0)),
    ] {
        assert_eq!(Glob::parse(pattern.as_bytes()), Err(fault), "{pattern}");
    }
}

#[test]
fn everything_has_many_names() {
    for (pattern, expected) in [
        ("*", true),
        ("**", true),
        ("***", true),
        ("?*", true),
        ("*?", true),
        ("*[^]", true),
        ("[^]*?*", true),
        ("?", false),
        ("*a", false),
        ("[^a]*", false),
        ("\\*", false),
        ("", false),
    ] {
        assert_eq!(glob(pattern).is_everything(), expected, "{pattern}");
    }
}

#[test]
fn patterns_meet_where_a_key_could_match_both() {
    for (one, other, expected) in [
        ("", "", true),
        ("", "*", true),
        ("", "a", false),
        ("a", "a", true),
        ("a", "b", false),
        ("a*", "*a", true),
        ("a*", "b*", false),
        ("*a", "*b", false),
        ("*:cart", "user:*", true),
        ("user:*:cart", "user:*:name", false),
        ("user:*:cart", "user:*:old:cart", true),
        ("user:?", "user:??", false),
        ("user:?*", "user:", false),
        ("[a-m]*", "[n-z]*", false),
        ("[a-m]*", "[m-z]*", true),
        ("[^a]", "a", false),
        ("[^a]", "[^b]", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "acb", false),
        ("a*bb*c", "abc", false),
        ("a*[xy]b*c", "a?bc", true),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("*aab*", "aaab", true),
        ("\\*", "*", true),
        ("\\*", "a", false),
    ] {
        assert_eq!(glob(one).meets(&glob(other)), expected, "{one} {other}");
        assert_eq!(glob(other).meets(&glob(one)), expected, "{other} {one}");
    }
}

#[test]
fn prefixes_meet_patterns() {
    for (pattern, prefix, expected) in [
        ("user:*", "user:", true),
        ("user:*", "user:1:", true),
        ("user:*", "us", true),
        ("user:*", "uses", false),
        ("*:cart", "user:", true),
        ("user", "user", true),
        ("user", "user:", false),
        ("use[q-s]", "user", true),
        ("use[a-c]", "user", false),
    ] {
        assert_eq!(glob(pattern).meets_prefix(prefix.as_bytes()), expected, "{pattern} {prefix}");
    }
}

#[test]
fn hostile_patterns_are_compared_in_time() {
    let stars = format!("*{}b*", "*a".repeat(255));
    let run = format!("*{}b*", "a".repeat(500));
    let fixed = "a".repeat(512);
    assert!(!glob(&stars).meets(&glob(&fixed)));
    assert!(!glob(&run).meets(&glob(&fixed)));
    assert!(glob(&run).meets(&glob(&stars)));
}

/// Every key of up to five bytes over three letters: enough for patterns of up to four places.
fn short_keys() -> Vec<Vec<u8>> {
    let mut keys = vec![Vec::new()];
    let mut longest = keys.clone();
    for _ in 0..8 {
        longest = longest
            .iter()
            .flat_map(|key| b"abc".iter().map(move |byte| [key.as_slice(), &[*byte]].concat()))
            .collect();
        keys.extend(longest.iter().cloned());
    }
    keys
}

fn small_pattern() -> impl Strategy<Value = String> {
    let place = prop_oneof![
        3 => "[abc]",
        2 => Just("*".to_owned()),
        1 => Just("?".to_owned()),
        1 => Just("[ab]".to_owned()),
        1 => Just("[^a]".to_owned()),
        1 => Just("[b-c]".to_owned()),
    ];
    prop::collection::vec(place, 0..5).prop_map(|places| places.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The patterns have four places at most, so where a key matches both, one of eight bytes does.
    #[test]
    fn meeting_is_what_trying_every_key_finds(one in small_pattern(), other in small_pattern()) {
        let both = |key: &Vec<u8>| matches(one.as_bytes(), key) && matches(other.as_bytes(), key);
        prop_assert_eq!(glob(&one).meets(&glob(&other)), short_keys().iter().any(both));
    }

    #[test]
    fn meeting_a_prefix_is_what_trying_every_key_finds(pattern in small_pattern(), prefix in "[abc]{0,4}") {
        let both = |key: &Vec<u8>| matches(pattern.as_bytes(), key) && key.starts_with(prefix.as_bytes());
        prop_assert_eq!(glob(&pattern).meets_prefix(prefix.as_bytes()), short_keys().iter().any(both));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(pattern: Vec<u8>) {
        if let Ok(glob) = Glob::parse(&pattern) {
            prop_assert!(glob.meets(&glob));
            prop_assert!(glob.segments().iter().flatten().all(|set| *set != ByteSet::EMPTY));
        }
    }
}
