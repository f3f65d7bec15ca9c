//! Which of many patterns a key matches.

use std::{collections::HashMap, fmt, panic::RefUnwindSafe, panic::UnwindSafe};

use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Builder as DfaBuilder, Cache, Config, DFA},
    nfa::thompson::{BuildError, Builder, NFA, Transition},
    util::{look::Look, pool::Pool, primitives::StateID},
};

use super::{byte_set::ByteSet, glob::Glob, matcher::FamilyId};

/// Most memory that a thread uses for the states that its keys have led it to. What hostile patterns would need beyond
/// it is built anew, so that they cost time, a bounded one a byte, and no memory.
const MOST_CACHED_BYTES: usize = 8 << 20;

/// Most memory of what all patterns are made into.
const MOST_NFA_BYTES: usize = 64 << 20;

/// Patterns of which no two match the same key, as one automaton. Its states are made when a key first leads to them.
pub(super) struct Patterns {
    dfa: DFA,
    caches: Pool<Cache, MakeCache>,
    families: Vec<FamilyId>,
}

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl Patterns {
    /// Makes an automaton of the patterns; if they are too much, names one that is.
    pub(super) fn new(globs: &[(FamilyId, Glob)]) -> Result<Self, FamilyId> {
        let nfa = Branches::new(globs)?;
        let last = || globs.last().map_or(FamilyId::new(0), |(family, _)| *family);
        let config = Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(MOST_CACHED_BYTES)
            .skip_cache_capacity_check(true);
        let dfa = DfaBuilder::new().configure(config).build_from_nfa(nfa).map_err(|_| last())?;
        let model = dfa.clone();
        let caches = Pool::new(Box::new(move || model.create_cache()) as MakeCache);
        Ok(Self { dfa, caches, families: globs.iter().map(|(family, _)| *family).collect() })
    }

    /// Returns the family whose pattern the key matches.
    pub(super) fn find(&self, key: &[u8]) -> Option<FamilyId> {
        let input = Input::new(key).anchored(Anchored::Yes).earliest(true);
        let mut cache = self.caches.get();
        // The search fails only if it is told to give up, or to stop at certain bytes. It is told neither.
        let found = self.dfa.try_search_fwd(&mut cache, &input).ok().flatten()?;
        self.families.get(found.pattern().as_usize()).copied()
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns").field("families", &self.families).finish_non_exhaustive()
    }
}

/// An NFA in the form of a tree: patterns that begin alike share what they begin with, so that a thousand patterns
/// behind the same star are one star.
struct Branches {
    builder: Builder,
    branches: HashMap<(StateID, Place), StateID>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Byte(ByteSet),
    Star,
}

impl Branches {
    #[expect(clippy::new_ret_no_self, reason = "the tree is of no use but to make the automaton")]
    fn new(globs: &[(FamilyId, Glob)]) -> Result<NFA, FamilyId> {
        let last = globs.last().map_or(FamilyId::new(0), |(family, _)| *family);
        let mut builder = Builder::new();
        builder.set_utf8(false);
        builder.set_size_limit(Some(MOST_NFA_BYTES)).map_err(|_| last)?;
        let root = builder.add_union(Vec::new()).map_err(|_| last)?;
        let mut tree = Self { builder, branches: HashMap::new() };
        for (family, glob) in globs {
            tree.add(root, glob).map_err(|_| *family)?;
        }
        tree.builder.build(root, root).map_err(|_| last)
    }

    fn add(&mut self, root: StateID, glob: &Glob) -> Result<(), Box<BuildError>> {
        self.builder.start_pattern()?;
        let mut at = root;
        let last = glob.segments().len() - 1;
        for (index, segment) in glob.segments().iter().enumerate() {
            for set in segment {
                at = self.branch(at, Place::Byte(*set))?;
            }
            // A star at the end takes whatever there is, so nothing needs to be looked at.
            if index < last && !(index + 1 == last && glob.is_open_ended()) {
                at = self.branch(at, Place::Star)?;
            }
        }
        let mut end = self.builder.add_match()?;
        if !glob.is_open_ended() {
            end = self.builder.add_look(end, Look::End)?;
        }
        self.builder.patch(at, end)?;
        self.builder.finish_pattern(root)?;
        Ok(())
    }

    fn branch(&mut self, at: StateID, place: Place) -> Result<StateID, Box<BuildError>> {
        if let Some(next) = self.branches.get(&(at, place)) {
            return Ok(*next);
        }
        let next = self.builder.add_union(Vec::new())?;
        match place {
            Place::Byte(set) => {
                let edge = self.edge(set, next)?;
                self.builder.patch(at, edge)?;
            }
            Place::Star => {
                let edge = self.edge(ByteSet::FULL, next)?;
                self.builder.patch(next, edge)?;
                self.builder.patch(at, next)?;
            }
        }
        self.branches.insert((at, place), next);
        Ok(next)
    }

    fn edge(&mut self, set: ByteSet, next: StateID) -> Result<StateID, Box<BuildError>> {
        let transitions: Vec<Transition> =
            set.ranges().into_iter().map(|(start, end)| Transition { start, end, next }).collect();
        match transitions.as_slice() {
            [one] => Ok(self.builder.add_range(*one)?),
            _ => Ok(self.builder.add_sparse(transitions)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{super::reference::matches, *};

    fn patterns(texts: &[&str]) -> Patterns {
        let glob =
            |(index, text): (usize, &&str)| (FamilyId::new(index), Glob::parse(text.as_bytes()).unwrap());
        Patterns::new(&texts.iter().enumerate().map(glob).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn keys_are_found_by_their_pattern() {
        let patterns = patterns(&["user:*:cart", "user:*:name", "log:?", "x[^a-c]*", "y\\*", "z*"]);
        for (key, expected) in [
            (b"user:1:cart".as_slice(), Some(0)),
            (b"user::cart", Some(0)),
            (b"user:1:cart:name", Some(1)),
            (b"user:1:carts", None),
            (b"user:\n\xff:cart", Some(0)),
            (b"log:1", Some(2)),
            (b"log:\xff", Some(2)),
            (b"log:\n", Some(2)),
            (b"log:", None),
            (b"log:12", None),
            (b"xd", Some(3)),
            (b"x\x00more", Some(3)),
            (b"xa", None),
            (b"x", None),
            (b"y*", Some(4)),
            (b"ya", None),
            (b"z", Some(5)),
            (b"z\xff\xfe", Some(5)),
            (b"", None),
            (b"\n", None),
        ] {
            assert_eq!(patterns.find(key), expected.map(FamilyId::new), "{}", key.escape_ascii());
        }
    }

    #[test]
    fn the_empty_key_has_a_pattern_too() {
        assert_eq!(patterns(&["*"]).find(b""), Some(FamilyId::new(0)));
        assert_eq!(patterns(&["?*"]).find(b""), None);
    }

    #[test]
    fn hostile_patterns_cost_neither_memory_nor_much_time() {
        let run = format!("*a{}", "?".repeat(400));
        let stars = format!("{}b", "*a".repeat(200));
        let patterns = patterns(&[&run, &stars]);
        let mut noise: u32 = 1;
        let key: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if noise >> 31 == 0 { b'a' } else { b'c' }
        })
        .take(4_000)
        .collect();
        let started = Instant::now();
        let _ = patterns.find(&key);
        // Takes less than a second in a debug build; what is guarded against would not end at all.
        assert!(started.elapsed() < Duration::from_mins(1));
        assert!(patterns.caches.get().memory_usage() <= MOST_CACHED_BYTES + (1 << 20));
    }

    #[test]
    fn many_threads_may_ask() {
        let patterns = patterns(&["user:*:cart", "user:*:name"]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        assert_eq!(patterns.find(b"user:1:name"), Some(FamilyId::new(1)));
                    }
                });
            }
        });
    }

    fn pattern() -> impl Strategy<Value = Vec<u8>> {
        let special = prop::sample::select(b"*?[]^-\\ab".as_slice());
        prop::collection::vec(prop_oneof![6 => special, 1 => any::<u8>()], 0..10)
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let likely = prop::sample::select(b"ab]^-\\*?\n".as_slice());
        prop::collection::vec(prop_oneof![6 => likely, 1 => any::<u8>()], 0..10)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_pattern_is_what_scan_takes_it_for(pattern in pattern(), keys in prop::collection::vec(key(), 1..8)) {
            if let Ok(glob) = Glob::parse(&pattern) {
                let patterns = Patterns::new(&[(FamilyId::new(0), glob)]).unwrap();
                for key in &keys {
                    prop_assert_eq!(patterns.find(key).is_some(), matches(&pattern, key), "{:?} {:?}", &pattern, key);
                }
            }
        }
    }
}
