use proptest::prelude::*;

use super::{
    super::{Facts, Policy, Selector},
    *,
};

fn family(prefix: &str, keys: u64) -> ObservedFamily {
    ObservedFamily::new(KeyName::new(prefix.as_bytes()), keys)
}

fn set_ttls(family: &mut ObservedFamily, [p50, p95, max]: [u64; 3]) {
    [family.ttl_p50, family.ttl_p95, family.ttl_max] =
        [p50, p95, max].map(|seconds| Some(Duration::from_secs(seconds)));
}

fn search() -> ObservedFamily {
    let mut search = family("app:search:", 120_000);
    search.without_ttl = 12;
    search.types = vec![("string".to_owned(), 119_990), ("hash".to_owned(), 10)];
    set_ttls(&mut search, [900, 1_705, 1_799]);
    (search.biggest_bytes, search.typical_bytes) = (Some(700_000), Some(2_048));
    search
}

#[test]
fn a_proposal_looks_like_this() {
    let mut sessions = family("app:session:", 50);
    sessions.without_ttl = 50;
    sessions.types = vec![("hash".to_owned(), 50)];
    let mut mixed = family("app:mixed:", 100);
    mixed.without_ttl = 11;
    set_ttls(&mut mixed, [50_000, 86_400, 700_000]);
    let observed = [
        family("", 3),
        family("app:", 7),
        search(),
        sessions,
        mixed,
        family("user:", 900),
        family("user:old:", 90),
        family("other:search:", 1),
        ObservedFamily::new(KeyName::new(b"it's\xff\\:"), 2),
    ];
    let options =
        ProposalOptions { source: Some("redis://cache:6379".to_owned()), ..ProposalOptions::default() };
    let text = propose_policy(&observed, &options);
    insta::assert_snapshot!(text);
    let policy = Policy::parse(&text, "policy.toml").unwrap();
    assert_eq!(policy.families().len(), 6);
    assert_eq!(policy.all_needs(), Facts::TTL | Facts::TYPE | Facts::BYTES);
}

#[test]
fn where_nothing_was_seen_there_is_an_example() {
    for observed in [&[][..], &[family("", 7)]] {
        let text = propose_policy(observed, &ProposalOptions::default());
        let error = Policy::parse(&text, "policy.toml").unwrap_err();
        assert!(error.what.contains("there is no family"), "{error}");
        let example = text
            .replace("# [[", "[[")
            .replace("# name", "name")
            .replace("# prefix", "prefix")
            .replace("# ttl", "ttl");
        assert!(Policy::parse(&example, "policy.toml").is_ok());
    }
}

#[test]
fn what_is_in_comments_is_a_policy_too() {
    let text = propose_policy(&[search()], &ProposalOptions::default());
    let uncommented: String = TAIL
        .lines()
        .filter(|line| !line.ends_with(':') && !line.ends_with(": "))
        .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let policy = Policy::parse(&text.replace(TAIL, &uncommented), "policy.toml").unwrap();
    assert_eq!(policy.limits(), &super::super::PolicyLimits::default());
    assert!(policy.orphans().unwrap().grace.is_some());
}

#[test]
fn ttls_are_required_where_most_keys_have_one() {
    for (keys, without, expected) in
        [(10, 0, true), (10, 1, true), (10, 2, false), (9, 1, false), (0, 0, false)]
    {
        let mut observed = search();
        (observed.keys, observed.without_ttl) = (keys, without);
        assert_eq!(is_required(&observed), expected, "{keys} {without}");
    }
    let mut unknown = family("a:", 10);
    unknown.without_ttl = 0;
    assert!(!propose_policy(&[unknown], &ProposalOptions::default()).contains("\nttl"));
}

fn observed() -> impl Strategy<Value = ObservedFamily> {
    let likely = prop::sample::select(b"ab:'\"\\*[?\n\t\x7f\xff\xc3\xa9 ".as_slice());
    let prefix = prop::collection::vec(prop_oneof![6 => likely, 1 => any::<u8>()], 0..8);
    let word = prop_oneof![Just("string".to_owned()), Just("ReJSON-RL".to_owned()), ".{0,6}"];
    let usual = (0..10_000_000_u64, 0..1_000_000_000_u32);
    let usual = usual.prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let ttl = prop::option::of(prop_oneof![4 => usual, 1 => any::<Duration>()]);
    let bytes = prop::option::of(any::<u64>());
    (
        prefix,
        prop_oneof![0..100_u64, Just(u64::MAX)],
        0..100_u64,
        prop::collection::vec((word, any::<u64>()), 0..3),
        (ttl.clone(), ttl.clone(), ttl),
        (bytes.clone(), bytes),
    )
        .prop_map(|(prefix, keys, without_ttl, types, ttls, bytes)| ObservedFamily {
            prefix: KeyName::new(&prefix),
            keys,
            without_ttl,
            types,
            ttl_p50: ttls.0,
            ttl_p95: ttls.1,
            ttl_max: ttls.2,
            biggest_bytes: bytes.0,
            typical_bytes: bytes.1,
        })
}

proptest! {
    #[test]
    fn a_proposal_is_a_policy_of_what_was_seen(
        observed in prop::collection::vec(observed(), 1..20),
        source: Option<String>,
        separator: char,
    ) {
        let seen: Vec<&ObservedFamily> =
            observed.iter().filter(|family| !family.prefix.as_bytes().is_empty()).collect();
        let text = propose_policy(&observed, &ProposalOptions { separator, source });
        let policy = match Policy::parse(&text, "policy.toml") {
            Ok(policy) => policy,
            Err(error) => {
                prop_assert!(seen.is_empty() && error.what.contains("there is no family"), "{}\n{}", error, text);
                return Ok(());
            }
        };
        for (_, family) in policy.families() {
            let Selector::Prefix(prefix) = &family.selector else { panic!("{family:?}") };
            prop_assert!(seen.iter().any(|seen| seen.prefix == *prefix), "{:?}", family);
        }
        // Nothing lies beside the families but prefixes that lie in front of some.
        for family in seen {
            let prefix = family.prefix.as_bytes();
            let inside = policy.matcher().family(prefix).is_some();
            let mut others = policy.families().map(|(_, family)| &family.selector);
            let in_front = others.any(|other| matches!(other, Selector::Prefix(other) if other.as_bytes().starts_with(prefix)));
            prop_assert!(inside || in_front, "{}", family.prefix);
        }
    }

    #[test]
    fn what_is_proposed_is_broken_by_missing_ttls_alone(observed in observed()) {
        let text = propose_policy(std::slice::from_ref(&observed), &ProposalOptions::default());
        let Ok(policy) = Policy::parse(&text, "policy.toml") else { return Ok(()) };
        let id = policy.matcher().family(observed.prefix.as_bytes());
        let mut facts = super::super::KeyFacts::new(observed.prefix.as_bytes());
        facts.bytes = observed.biggest_bytes;
        for ttl in [observed.ttl_p50.min(observed.ttl_p95).min(observed.ttl_max), observed.ttl_max].into_iter().flatten() {
            facts.ttl = Some(Some(ttl));
            for (word, _) in &observed.types {
                facts.kind = Some(word);
                prop_assert!(policy.judge(id, &facts).is_empty(), "{:?} {}", facts, text);
            }
        }
    }
}
