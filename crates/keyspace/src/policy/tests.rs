//! Policies as people write them, and what they are told about those that are wrong.

use std::time::Duration;

use proptest::prelude::*;

use super::{reference, *};
use crate::KeyName;

fn refused(text: &str) -> String {
    let error = Policy::parse(text, "p.toml").expect_err(text).to_string();
    assert!(error.starts_with("p.toml:") && error.contains("; ") && !error.contains('\n'), "{error}");
    error
}

#[test]
fn every_key_of_the_format_is_read() {
    let policy = Policy::parse(
        r#"
            [[family]]
            name = "search"
            prefix = "codebase_rag:search:"
            ttl = { required = true, default = "30m", longest = "1d", jitter = "10%" }
            max_bytes = "1MiB"
            types = ["string", "hash"]
            values = "json"
            owner = "team-search"
            protected = true

            [[family]]
            pattern = "user:*:c[aeo]rt\\*"

            [orphans]
            within = ["codebase_rag:", 'a\xff']
            min_idle = "1d"
            grace = "7d"

            [limits]
            max_keys = 100_000
            max_share = "12.5%"
            max_rate = 50000
        "#,
        "p.toml",
    )
    .unwrap();
    insta::assert_debug_snapshot!((policy.families().collect::<Vec<_>>(), policy.orphans(), policy.limits()));
    assert_eq!(policy.origin(), "p.toml");
}

#[test]
fn a_prefix_or_a_pattern_is_enough() {
    let policy = Policy::parse("[[family]]\nprefix = 'a\\xff'\n", "p.toml").unwrap();
    let (id, family) = policy.families().next().unwrap();
    assert_eq!((id.index(), family.name.as_str(), family.line), (0, "a\\xff", 2));
    assert_eq!(family.ttl, TtlRule::default());
    assert_eq!(policy.limits(), &PolicyLimits::default());
    assert_eq!(policy.orphans(), None);
    assert_eq!(policy.matcher().family(b"a\xffb"), Some(id));
    let policy = Policy::parse("[[family]]\npattern = '*\\*'\n", "p.toml").unwrap();
    assert_eq!(policy.families().next().unwrap().1.name, "*\\*");
}

#[test]
fn the_guides_policy_is_as_the_guide_has_it() {
    let policy = Policy::guide();
    let (minute, required) = (Duration::from_mins(1), true);
    for (name, expected, minutes) in [
        ("search", required, 30),
        ("embedding", required, 120),
        ("file", required, 30),
        ("temp", required, 60),
        ("project", false, 60),
        ("session", false, 60),
    ] {
        let key = format!("codebase_rag:{name}:1");
        let id = policy.matcher().family(key.as_bytes()).unwrap();
        let family = policy.family(id).unwrap();
        assert_eq!((family.name.as_str(), family.ttl.required), (name, expected));
        assert_eq!(policy.ttl_for(id, 0.0), Some(minute * minutes));
    }
    assert_eq!(policy.families().len(), 6);
    for (key, expected) in [("codebase_rag:old:1", Violations::ORPHAN), ("other:1", Violations::empty())] {
        assert_eq!(policy.matcher().family(key.as_bytes()), None);
        assert_eq!(policy.judge(None, &KeyFacts::new(key.as_bytes())), expected, "{key}");
    }
    assert_eq!(policy.all_needs(), Facts::TTL);
    assert!(Policy::parse(Policy::guide_text(), "guide").is_ok());
}

/// What is wrong in a family that has a prefix already.
const IN_A_FAMILY: [&str; 44] = [
    "ttl = { required = true }",
    "ttl = { required = true, longest = '1d' }",
    "ttl = { default = '2h', longest = '1h' }",
    "ttl = { default = '30 fortnights' }",
    "ttl = { default = '30' }",
    "ttl = { default = '' }",
    "ttl = { default = 'soon' }",
    "ttl = { default = '-5m' }",
    "ttl = { default = '0s' }",
    "ttl = { default = '500ms' }",
    "ttl = { default = '200y' }",
    "ttl = { default = '99999999999999999999y' }",
    "ttl = { default = 1800 }",
    "ttl = { default = true }",
    "ttl = { requird = true }",
    "ttl = { required = 'yes' }",
    "ttl = { jitter = '10%' }",
    "ttl = { default = '1h', jitter = '51%' }",
    "ttl = { default = '1h', jitter = '-1%' }",
    "ttl = { default = '1h', jitter = '101%' }",
    "ttl = { default = '1h', jitter = '0.1' }",
    "ttl = { default = '1h', jitter = 0.1 }",
    "ttl = { default = '1h', jitter = 10 }",
    "ttl = { default = '1h', jitter = 'NaN%' }",
    "ttl = { default = '1h', jitter = 'some%' }",
    "ttl = '30m'",
    "max_bytes = '1 MiP'",
    "max_bytes = '-1MiB'",
    "max_bytes = 'big'",
    "max_bytes = 0",
    "max_bytes = -1",
    "types = 'string'",
    "types = []",
    "types = ['string', 'strings']",
    "types = ['something']",
    "values = 'xml'",
    "owner = 7",
    "protected = 'yes'",
    "maxbytes = '1MiB'",
    "colour = 'red'",
    "name = ''",
    "name = \"a\\u0000b\"",
    "pattern = 'b*'",
    "prefix = 'b'",
];

#[test]
fn what_is_wrong_in_a_family_is_told_with_its_place() {
    let told: Vec<String> = IN_A_FAMILY
        .iter()
        .map(|line| format!("{line}\n  {}", refused(&format!("[[family]]\nprefix = 'a'\n{line}\n"))))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// What is wrong elsewhere.
const ELSEWHERE: [&str; 36] = [
    "",
    "# nothing\n",
    "[orphans]\n",
    "[[family]]\n",
    "[[family]]\nname = 'a'\n",
    "[family]\nprefix = 'a'\n",
    "[[famly]]\nprefix = 'a'\n",
    "[[family]\nprefix = 'a'\n",
    "[[family]]\nprefix = a\n",
    "[[family]]\nprefix =\n",
    "[[family]]\nprefix = ''\n",
    "[[family]]\nprefix = 'a\\q'\n",
    "[[family]]\npattern = ''\n",
    "[[family]]\npattern = '*'\n",
    "[[family]]\npattern = '**'\nttl = { jitter = '10%' }\n",
    "[[family]]\npattern = '?*'\n",
    "[[family]]\npattern = '*[^]*'\nttl = { required = false }\n",
    "[[family]]\npattern = 'user:[ab'\n",
    "[[family]]\npattern = 'user:[]'\n",
    "[[family]]\nprefix = 'a'\n\n[[family]]\nprefix = 'ab'\n",
    "[[family]]\nprefix = 'ab'\n\n[[family]]\nprefix = 'a'\n",
    "[[family]]\nprefix = 'a'\n\n[[family]]\nprefix = 'a'\n",
    "[[family]]\nprefix = 'user:1:'\n[[family]]\npattern = 'user:*:cart'\n",
    "[[family]]\npattern = 'user:*:cart'\n[[family]]\nprefix = 'user:1:'\n",
    "[[family]]\npattern = 'user:*'\n[[family]]\npattern = '*:cart'\n",
    "[[family]]\npattern = '*'\nttl = { default = '1h' }\n[[family]]\nprefix = 'a'\n",
    "[[family]]\nname = 'x'\nprefix = 'a'\n[[family]]\nname = 'x'\nprefix = 'b'\n",
    "[[family]]\nname = 'b'\nprefix = 'a'\n[[family]]\nprefix = 'b'\n",
    "[[family]]\nprefix = 'a'\n[orphans]\nwithin = []\n",
    "[[family]]\nprefix = 'a'\n[orphans]\nwithin = ['b', '']\n",
    "[[family]]\nprefix = 'a'\n[orphans]\ngrace = '1 moon'\n",
    "[[family]]\nprefix = 'a'\n[limits]\nmax_keys = '1000'\n",
    "[[family]]\nprefix = 'a'\n[limits]\nmax_share = '110%'\n",
    "[[family]]\nprefix = 'a'\n[limits]\nmax_rate = 0\n",
    "family = ['a']\n",
    "[[family]]\nprefix = 'a'\n[limits]\nmax_keys = -1\n",
];

#[test]
fn what_is_wrong_elsewhere_is_told_with_its_place() {
    let told: Vec<String> = ELSEWHERE.iter().map(|text| format!("{text:?}\n  {}", refused(text))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_too_much_is_refused() {
    let family = |index: usize| format!("[[family]]\nprefix = 'p{index:05}'\n");
    let many: String = (0..=reader::MOST_FAMILIES).map(family).collect();
    assert_eq!(
        refused(&many),
        "p.toml:20001:1: there are more than 10000 families; put several into one, with a shorter prefix"
    );
    for (key, text, words) in [
        ("prefix", "a".repeat(1025), "p.toml:2:10: the prefix is longer than 1024 bytes; "),
        ("pattern", "a".repeat(513), "p.toml:2:11: the pattern is longer than 512 bytes; "),
    ] {
        assert!(refused(&format!("[[family]]\n{key} = '{text}'\n")).starts_with(words));
    }
    let pattern = |index: usize| format!("[[family]]\npattern = '{index:03}{}'\n", "*a?".repeat(169));
    let long: String = (0..300).map(pattern).collect();
    assert!(
        refused(&long)
            .starts_with("p.toml:516:11: with this, the patterns are longer than 131072 bytes together; ")
    );
    let fits: String = (0..250).map(pattern).collect();
    let policy = Policy::parse(&fits, "p.toml").unwrap();
    let key = format!("249{}", "xaab".repeat(200));
    assert_eq!(policy.matcher().family(key.as_bytes()).unwrap().index(), 249);
}

#[test]
fn a_family_of_all_keys_needs_a_ttl() {
    for ttl in ["required = true, default = '1h'", "default = '1h'", "longest = '1h'"] {
        let policy =
            Policy::parse(&format!("[[family]]\npattern = '*'\nttl = {{ {ttl} }}\n"), "p.toml").unwrap();
        assert!(policy.matcher().family(b"").is_some() && policy.matcher().family(b"\n\xff").is_some());
    }
}

#[test]
fn policies_and_matchers_are_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let policy = Policy::guide();
    shared(&policy);
    shared(policy.matcher());
}

fn family() -> impl Strategy<Value = Selector> {
    let bytes = prop::sample::select(b"abc:'\"\n\\\xff\xc3\xa9".as_slice());
    let prefix =
        prop::collection::vec(bytes, 1..5).prop_map(|prefix| Selector::Prefix(KeyName::new(&prefix)));
    let pattern = "[abc*?:]{1,6}|[abc]\\[[abc^-]{1,3}\\][abc*]{0,2}".prop_map(Selector::Pattern);
    prop_oneof![prefix, pattern]
}

fn contains(selector: &Selector, key: &[u8]) -> bool {
    match selector {
        Selector::Prefix(prefix) => key.starts_with(prefix.as_bytes()),
        Selector::Pattern(pattern) => reference::matches(pattern.as_bytes(), key),
    }
}

fn written(selector: &Selector) -> String {
    let quoted = |text: &str| format!("{text:?}");
    match selector {
        Selector::Prefix(prefix) => format!("[[family]]\nprefix = {}\n", quoted(&prefix.to_string())),
        Selector::Pattern(pattern) => format!("[[family]]\npattern = {}\n", quoted(pattern)),
    }
}

proptest! {
    #[test]
    fn the_matcher_finds_what_a_scan_of_all_families_finds(
        selectors in prop::collection::vec(family(), 1..12),
        keys in prop::collection::vec(prop::collection::vec(prop::sample::select(b"abc:'\n\\\xff".as_slice()), 0..8), 20),
    ) {
        // Families that overlap with earlier ones are left out, one by one, as their author would.
        let mut text = String::new();
        let mut kept: Vec<Selector> = Vec::new();
        for selector in selectors {
            let longer = format!("{text}{}", written(&selector));
            match Policy::parse(&longer, "p.toml") {
                Ok(_) => {
                    text = longer;
                    kept.push(selector);
                }
                Err(error) if error.what.contains("overlaps") => {}
                Err(error) => prop_assert!(error.what.contains("bracket") || error.what.contains("every key"), "{}", error),
            }
        }
        let Ok(policy) = Policy::parse(&text, "p.toml") else { return Ok(()) };
        for key in &keys {
            let all: Vec<usize> =
                (0..kept.len()).filter(|index| contains(&kept[*index], key)).collect();
            prop_assert!(all.len() <= 1, "{:?} is of {:?} of {}", key, all, text);
            prop_assert_eq!(policy.matcher().family(key).map(FamilyId::index), all.first().copied());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(\\[\\[family\\]\\]\n|prefix = '[a-z*\\\\]{0,3}'\n|ttl = \\{.{0,10}\\}\n|.{0,8}\n){0,6}") {
        if let Err(error) = Policy::parse(&text, "p.toml") {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}
