//! Finding the family of a key: ten families against a thousand, prefixes and patterns, beside a scan of all families
//! one by one. The time of a run is that of [`KEYS`] keys, of which a fifth belong to no family.
//!
//! ```text
//! cargo bench -p larder-keyspace --bench policy
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use divan::{Bencher, black_box, counter::ItemsCount};
use larder_keyspace::Policy;

const FAMILIES: [usize; 2] = [10, 1000];
const KEYS: usize = 10_000;

fn main() {
    divan::main();
}

/// Names as people give them: `app:orders-017:`.
fn prefix(index: usize) -> String {
    const NAMES: [&str; 8] = ["search", "embedding", "file", "session", "cart", "orders", "profile", "rate"];
    format!("app:{}-{:03}:", NAMES[index % NAMES.len()], index / NAMES.len())
}

/// Families that differ behind their star.
fn pattern(index: usize) -> String {
    format!("user:*:{}", prefix(index).trim_start_matches("app:").trim_end_matches(':'))
}

fn policy(families: usize, of: &str, selector: fn(usize) -> String) -> Policy {
    let family = |index| format!("[[family]]\n{of} = \"{}\"\n", selector(index));
    Policy::parse(&(0..families).map(family).collect::<String>(), "bench").unwrap()
}

/// Keys of all families in turn, mixed (splitmix64 of the index), and of none.
fn keys(families: usize, key: fn(usize, u64) -> String) -> Vec<Vec<u8>> {
    let mixed = |index: usize| {
        let mut state = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^ (state >> 27)
    };
    let one = |index: usize| {
        let noise = mixed(index);
        if index.is_multiple_of(5) {
            return format!("app:unknown:{noise:016x}").into_bytes();
        }
        key(usize::try_from(noise % families as u64).unwrap(), noise).into_bytes()
    };
    (0..KEYS).map(one).collect()
}

fn prefix_keys(families: usize) -> Vec<Vec<u8>> {
    keys(families, |family, noise| format!("{}{noise:016x}", prefix(family)))
}

fn pattern_keys(families: usize) -> Vec<Vec<u8>> {
    keys(families, |family, noise| pattern(family).replace('*', &format!("{noise:016x}")))
}

fn find_all(bencher: Bencher<'_, '_>, policy: &Policy, keys: &[Vec<u8>]) {
    let matcher = policy.matcher();
    let run = || keys.iter().filter(|key| matcher.family(black_box(key)).is_some()).count();
    assert_eq!(run(), KEYS / 5 * 4);
    bencher.counter(ItemsCount::new(KEYS)).bench_local(run);
}

#[divan::bench(args = FAMILIES)]
fn prefixes(bencher: Bencher<'_, '_>, families: usize) {
    find_all(bencher, &policy(families, "prefix", prefix), &prefix_keys(families));
}

#[divan::bench(args = FAMILIES)]
fn prefixes_one_by_one(bencher: Bencher<'_, '_>, families: usize) {
    let prefixes: Vec<Vec<u8>> = (0..families).map(|index| prefix(index).into_bytes()).collect();
    let keys = prefix_keys(families);
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| {
        let belongs = |key: &&Vec<u8>| prefixes.iter().any(|prefix| black_box(key).starts_with(prefix));
        keys.iter().filter(belongs).count()
    });
}

#[divan::bench(args = FAMILIES)]
fn patterns(bencher: Bencher<'_, '_>, families: usize) {
    find_all(bencher, &policy(families, "pattern", pattern), &pattern_keys(families));
}

/// The patterns have one star each, so head and tail are all that a scan has to compare.
#[divan::bench(args = FAMILIES)]
fn patterns_one_by_one(bencher: Bencher<'_, '_>, families: usize) {
    let patterns: Vec<String> = (0..families).map(pattern).collect();
    let parts: Vec<(&str, &str)> = patterns.iter().map(|pattern| pattern.split_once('*').unwrap()).collect();
    let keys = pattern_keys(families);
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| {
        let fits = |key: &[u8], (head, tail): &(&str, &str)| {
            key.len() >= head.len() + tail.len()
                && key.starts_with(head.as_bytes())
                && key.ends_with(tail.as_bytes())
        };
        keys.iter().filter(|key| parts.iter().any(|parts| fits(black_box(key), parts))).count()
    });
}

/// Reading and checking the policy, overlaps included.
#[divan::bench(args = FAMILIES)]
fn reading_prefixes(bencher: Bencher<'_, '_>, families: usize) {
    let family = |index| format!("[[family]]\nprefix = \"{}\"\n", prefix(index));
    let text: String = (0..families).map(family).collect();
    bencher.bench_local(|| Policy::parse(black_box(&text), "bench").unwrap());
}

#[divan::bench(args = FAMILIES)]
fn reading_patterns(bencher: Bencher<'_, '_>, families: usize) {
    let family = |index| format!("[[family]]\npattern = \"{}\"\n", pattern(index));
    let text: String = (0..families).map(family).collect();
    bencher.bench_local(|| Policy::parse(black_box(&text), "bench").unwrap());
}
