//! Hot keys, on samples of the traffic that are made.

use std::time::Duration;

use larder_analysis::{HotKey, Optimization, Traffic};
use larder_metrics_model::Observed;

use crate::optimize::{facts, judged};

/// One key that this share of a sample names, so many times a second, in so many of ten rounds.
fn sampled(commands: u64, key: HotKey) -> Optimization {
    let mut facts = facts();
    let mut traffic = Traffic::new(commands, Duration::from_secs(4), 10);
    traffic.hottest = vec![key];
    facts.nodes[0].traffic = Observed::Known(traffic);
    judged(&facts)
}

#[test]
fn a_key_is_hot_where_the_sample_is_sure_of_it() {
    let is_hot = |commands, share, per_second, rounds| {
        let found = sampled(commands, HotKey::new("user:7", share, per_second, rounds));
        found.findings.iter().any(|finding| finding.id.as_str() == "optimize.hot_keys")
    };
    for (commands, share, per_second, rounds, expected) in [
        (10_000, 0.6, 1_500.0, 10, true),
        (10_000, 0.11, 300.0, 10, true),
        (10_000, 0.104, 300.0, 10, false),
        (10_000, 0.09, 300.0, 10, false),
        (10_000, 0.6, 1_500.0, 5, true),
        (10_000, 0.6, 1_500.0, 4, false),
        (1_000, 0.5, 100.0, 10, true),
        (1_000, 0.5, 99.0, 10, false),
        (99, 1.0, 500.0, 10, false),
        (0, 0.0, 0.0, 0, false),
        (1_000, f64::NAN, f64::NAN, 10, false),
    ] {
        assert_eq!(
            is_hot(commands, share, per_second, rounds),
            expected,
            "{share} of {commands}, {rounds} rounds"
        );
    }
}

#[test]
fn a_hot_key_is_told_with_what_would_help() {
    let of_writes = |share, writes| {
        let mut key = HotKey::new("user:7", share, share * 2_500.0, 9);
        (key.writes, key.database) = (writes, 3);
        sampled(10_000, key).findings.remove(0)
    };
    let read = of_writes(0.4, 0.1);
    assert_eq!(
        read.message,
        "40.0 % of the commands name the key user:7 of database 3: about 1000 a second, 10.0 % of them may change it."
    );
    let recommendation = &read.recommendation;
    assert!(recommendation.contains("near cache") && !recommendation.contains("several nodes"), "{read:?}");
    assert!(read.expected_effect.as_deref().is_some_and(|effect| effect.contains(" 900 ")), "{read:?}");
    let written = of_writes(0.6, 0.9);
    assert_eq!(written.severity, larder_analysis::Severity::Warning);
    assert!(written.recommendation.contains("Collect the changes"), "{written:?}");
}

#[test]
fn hot_keys_that_cannot_be_told_are_skipped_with_the_reason() {
    let reason = |found: &Optimization| {
        let hot = found.skipped.iter().find(|skipped| skipped.what == "hot keys of a:1");
        hot.map(|skipped| skipped.reason.clone())
    };
    let key = || HotKey::new("a", 0.5, 1.0, 1);
    assert_eq!(reason(&judged(&facts())).as_deref(), Some("the live server was not asked"));
    assert_eq!(reason(&sampled(3, key())).as_deref(), Some("3 commands in 4.0 s; it takes 100 to tell"));
    assert_eq!(reason(&sampled(100, key())), None);
}
