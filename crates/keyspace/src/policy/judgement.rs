//! What is wrong with a key, in the eyes of a policy.

use std::time::Duration;

use bitflags::bitflags;

use super::{family::Family, limits::OrphanRule, matcher::FamilyId, rules::Policy};

bitflags! {
    /// What must be known of a key.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Facts: u8 {
        /// Its TTL, or that it has none.
        const TTL = 1;
        /// Its type.
        const TYPE = 1 << 1;
        /// How many bytes it takes.
        const BYTES = 1 << 2;
        /// How long it has not been used.
        const IDLE = 1 << 3;
    }
}

bitflags! {
    /// What is wrong with a key.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Violations: u8 {
        /// It must have a TTL and has none.
        const MISSING_TTL = 1;
        /// It is of no family, lies where orphans are looked for, and was not used for long enough.
        const ORPHAN = 1 << 1;
        /// Its TTL is longer than the longest.
        const TTL_BEYOND_LONGEST = 1 << 2;
        /// It takes more bytes than it may.
        const OVER_SIZE_LIMIT = 1 << 3;
        /// It has a type that its family does not have.
        const WRONG_TYPE = 1 << 4;
    }
}

/// What is known of a key. What was not fetched is `None`, and breaks nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFacts<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// Its TTL; `Some(None)` for a key that has none.
    pub ttl: Option<Option<Duration>>,
    /// Its type, in the words of TYPE.
    pub kind: Option<&'a str>,
    /// How many bytes it takes.
    pub bytes: Option<u64>,
    /// How long it has not been used.
    pub idle: Option<Duration>,
}

impl<'a> KeyFacts<'a> {
    /// Takes the name of a key of which nothing else is known yet.
    #[must_use]
    pub fn new(key: &'a [u8]) -> Self {
        Self { key, ..Self::default() }
    }
}

impl Policy {
    /// Judges a key. Protected families are judged like others; see [`Policy::is_protected`].
    ///
    /// A key without a TTL is not beyond the longest: where it must not be, a TTL is required.
    #[must_use]
    pub fn judge(&self, family: Option<FamilyId>, facts: &KeyFacts<'_>) -> Violations {
        match family {
            Some(id) => self.family(id).map_or(Violations::empty(), |family| violations(family, facts)),
            None if self.orphans().is_some_and(|rule| self.is_orphan(rule, facts)) => Violations::ORPHAN,
            None => Violations::empty(),
        }
    }

    /// Returns what must be known of the keys of a family, or of those of none, so that they can be judged.
    ///
    /// Where orphans are given a grace time, how long they have not been used is needed to see whether they still are
    /// unused when it is over. Where values must decode, the type is needed to see which have a string to decode.
    #[must_use]
    pub fn needs(&self, family: Option<FamilyId>) -> Facts {
        match family {
            Some(id) => self.family(id).map_or(Facts::empty(), needs_of_family),
            None => self.orphans().map_or(Facts::empty(), needs_of_orphans),
        }
    }

    /// Returns what must be known of some keys: what to ask for where families are not told apart beforehand.
    #[must_use]
    pub fn all_needs(&self) -> Facts {
        self.families().fold(self.needs(None), |needs, (_, family)| needs | needs_of_family(family))
    }

    /// Tells whether keys of the family must never be changed or removed.
    #[must_use]
    pub fn is_protected(&self, family: Option<FamilyId>) -> bool {
        family.and_then(|id| self.family(id)).is_some_and(|family| family.protected)
    }

    /// Returns the TTL to give to a key of the family, or `None` where there is no default; see
    /// [`TtlRule::spread`](super::TtlRule::spread) for what `random`, from 0 up to 1, does to it.
    #[must_use]
    pub fn ttl_for(&self, family: FamilyId, random: f64) -> Option<Duration> {
        self.family(family)?.ttl.spread(random)
    }

    fn is_orphan(&self, rule: &OrphanRule, facts: &KeyFacts<'_>) -> bool {
        let unused = rule.min_idle.is_none_or(|least| facts.idle.is_some_and(|idle| idle >= least));
        unused && self.is_within(rule, facts.key)
    }
}

fn violations(family: &Family, facts: &KeyFacts<'_>) -> Violations {
    let beyond = |longest| matches!(facts.ttl, Some(Some(ttl)) if ttl > longest);
    let mut found = Violations::empty();
    found.set(Violations::MISSING_TTL, family.ttl.required && facts.ttl == Some(None));
    found.set(Violations::TTL_BEYOND_LONGEST, family.ttl.longest.is_some_and(beyond));
    let over = |limit| facts.bytes.is_some_and(|bytes| bytes > limit);
    found.set(Violations::OVER_SIZE_LIMIT, family.max_bytes.is_some_and(over));
    let wrong = |kind| !family.types.iter().any(|known| known == kind);
    found.set(Violations::WRONG_TYPE, !family.types.is_empty() && facts.kind.is_some_and(wrong));
    found
}

fn needs_of_family(family: &Family) -> Facts {
    let mut needs = Facts::empty();
    needs.set(Facts::TTL, family.ttl.required || family.ttl.longest.is_some());
    needs.set(Facts::TYPE, !family.types.is_empty() || family.values.is_some());
    needs.set(Facts::BYTES, family.max_bytes.is_some());
    needs
}

fn needs_of_orphans(rule: &OrphanRule) -> Facts {
    let mut needs = Facts::empty();
    needs.set(Facts::IDLE, rule.min_idle.is_some() || rule.grace.is_some());
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[family]]
        name = "strict"
        prefix = "s:"
        ttl = { required = true, default = "1h", longest = "2h", jitter = "10%" }
        max_bytes = "1KiB"
        types = ["string", "ReJSON-RL"]
        [[family]]
        name = "loose"
        prefix = "l:"
        protected = true
        [orphans]
        within = ["app:", "app:old:", "x"]
        min_idle = "1d"
    "#;

    fn judge(facts: &KeyFacts<'_>) -> Violations {
        let policy = Policy::parse(TEXT, "test").unwrap();
        policy.judge(policy.matcher().family(facts.key), facts)
    }

    fn strict(change: impl FnOnce(&mut KeyFacts<'static>)) -> Violations {
        let mut facts = KeyFacts::new(b"s:1");
        change(&mut facts);
        judge(&facts)
    }

    #[test]
    fn what_is_not_known_breaks_nothing() {
        for key in [b"s:1".as_slice(), b"l:1", b"app:1", b"other"] {
            assert_eq!(judge(&KeyFacts::new(key)), Violations::empty());
        }
    }

    #[test]
    fn each_rule_is_broken_just_past_its_edge() {
        let hours = |hours: u64| Some(Some(Duration::from_secs(hours * 3600)));
        let past = Some(Some(Duration::from_millis(7_200_001)));
        assert_eq!(strict(|facts| facts.ttl = Some(None)), Violations::MISSING_TTL);
        assert_eq!(strict(|facts| facts.ttl = hours(0)), Violations::empty());
        assert_eq!(strict(|facts| facts.ttl = hours(2)), Violations::empty());
        assert_eq!(strict(|facts| facts.ttl = past), Violations::TTL_BEYOND_LONGEST);
        assert_eq!(strict(|facts| facts.bytes = Some(1024)), Violations::empty());
        assert_eq!(strict(|facts| facts.bytes = Some(1025)), Violations::OVER_SIZE_LIMIT);
        assert_eq!(strict(|facts| facts.kind = Some("string")), Violations::empty());
        assert_eq!(strict(|facts| facts.kind = Some("ReJSON-RL")), Violations::empty());
        assert_eq!(strict(|facts| facts.kind = Some("hash")), Violations::WRONG_TYPE);
        assert_eq!(strict(|facts| facts.kind = Some("String")), Violations::WRONG_TYPE);
        assert_eq!(
            strict(|facts| (facts.ttl, facts.bytes, facts.kind) = (Some(None), Some(u64::MAX), Some("set"))),
            Violations::MISSING_TTL | Violations::OVER_SIZE_LIMIT | Violations::WRONG_TYPE
        );
    }

    #[test]
    fn orphans_lie_where_they_are_looked_for_and_are_unused() {
        let day = Duration::from_hours(24);
        for (key, idle, expected) in [
            (b"app:1".as_slice(), Some(day), true),
            (b"app:old:1", Some(day), true),
            (b"app:1", Some(Duration::from_secs(86_399)), false),
            (b"app:1", None, false),
            (b"ap", Some(day), false),
            (b"x", Some(day), true),
            (b"other", Some(day), false),
            (b"", Some(day), false),
            (b"l:1", Some(day), false),
        ] {
            let mut facts = KeyFacts::new(key);
            facts.idle = idle;
            assert_eq!(judge(&facts) == Violations::ORPHAN, expected, "{}", key.escape_ascii());
        }
    }

    #[test]
    fn without_a_place_every_key_of_no_family_is_an_orphan_and_without_a_rule_none() {
        let family = "[[family]]\nprefix = \"a\"\n";
        for (rule, expected) in [("", Violations::empty()), ("[orphans]\n", Violations::ORPHAN)] {
            let policy = Policy::parse(&format!("{family}{rule}"), "test").unwrap();
            assert_eq!(policy.judge(None, &KeyFacts::new(b"b")), expected);
            assert_eq!(policy.needs(None), Facts::empty());
        }
    }

    #[test]
    fn only_what_is_judged_is_needed() {
        let policy = Policy::parse(TEXT, "test").unwrap();
        let needs: Vec<Facts> = policy.families().map(|(id, _)| policy.needs(Some(id))).collect();
        assert_eq!(needs, [Facts::TTL | Facts::TYPE | Facts::BYTES, Facts::empty()]);
        assert_eq!(policy.needs(None), Facts::IDLE);
        assert_eq!(policy.all_needs(), Facts::all());
        let text = "[[family]]\nprefix = \"a\"\nvalues = \"json\"\nttl = { default = \"1h\" }\n[orphans]\ngrace = \"1d\"";
        let policy = Policy::parse(text, "test").unwrap();
        assert_eq!(policy.all_needs(), Facts::TYPE | Facts::IDLE);
    }

    #[test]
    fn protected_families_are_told() {
        let policy = Policy::parse(TEXT, "test").unwrap();
        let protected = |key: &[u8]| policy.is_protected(policy.matcher().family(key));
        assert!(protected(b"l:1") && !protected(b"s:1") && !protected(b"x"));
    }

    #[test]
    fn a_ttl_is_given_where_there_is_a_default() {
        let policy = Policy::parse(TEXT, "test").unwrap();
        let of = |key: &[u8]| policy.ttl_for(policy.matcher().family(key).unwrap(), 0.5);
        assert_eq!(of(b"s:1"), Some(Duration::from_mins(57)));
        assert_eq!(of(b"l:1"), None);
        let elsewhere = FamilyId::new(7);
        assert_eq!(policy.ttl_for(elsewhere, 0.5), None);
        assert_eq!(policy.judge(Some(elsewhere), &KeyFacts::new(b"a")), Violations::empty());
    }
}
