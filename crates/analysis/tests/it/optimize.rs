//! What would make a cache better, on made histories.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{
    FamilyUse, NodeHistory, Optimization, OptimizeFacts, OptimizeThresholds, Refill, SeriesBreak,
    SlowCommand, Surroundings, TimeSeries, optimize, optimize_finding_ids, rates,
};
use larder_metrics_model::{Break, NodeAddress, Observed};

const MIB: f64 = 1024.0 * 1024.0;
const HOURS: i32 = 7 * 24;

fn at(hour: i32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_400 + i64::from(hour) * 3_600, 0).expect("an hour of 2025")
}

fn series(value: impl Fn(f64) -> f64) -> TimeSeries {
    (0..HOURS).map(|hour| (at(hour), value(f64::from(hour)))).collect()
}

/// Nothing known but one node, and nothing of that.
pub(crate) fn facts() -> OptimizeFacts {
    let mut facts = OptimizeFacts::unseen(at(0), at(HOURS));
    facts.nodes = vec![NodeHistory::unseen(NodeAddress::new("a:1"))];
    facts
}

fn found(facts: &OptimizeFacts) -> Vec<&'static str> {
    judged(facts).findings.iter().map(|finding| finding.id.as_str()).collect()
}

pub(crate) fn judged(facts: &OptimizeFacts) -> Optimization {
    optimize(facts, &OptimizeThresholds::default())
}

/// What `change` makes of nothing, and of a history of calm days.
fn found_with(change: impl Fn(&mut OptimizeFacts)) -> Vec<&'static str> {
    let mut facts = facts();
    change(&mut facts);
    found(&facts)
}

fn lookups(facts: &mut OptimizeFacts, hits_an_hour: impl Fn(f64) -> f64) {
    let mut sum = 0.0;
    let hits: TimeSeries = (0..HOURS)
        .map(|hour| {
            sum += hits_an_hour(hour.into());
            (at(hour), sum)
        })
        .collect();
    let asked = 10_000.0;
    let misses = hits
        .observations()
        .iter()
        .zip(1_i32..)
        .map(|(hit, hour)| (hit.at, f64::from(hour) * asked - hit.value));
    (facts.hits, facts.misses) = (rates(&hits), rates(&misses.collect()));
    let node = &mut facts.nodes[0];
    (node.hits, node.misses) = (facts.hits.clone(), facts.misses.clone());
}

fn falling(hour: f64) -> f64 {
    9_500.0 - hour * 10.0
}

#[test]
fn the_guides_keys_are_those_of_the_report() {
    let mut facts = facts();
    lookups(&mut facts, |_| 5_000.0);
    facts.latency_ms = series(|_| 80.0);
    facts.operations = rates(&series(|hour| hour * 7_200.0));
    facts.used_memory_bytes = series(|_| 96.0 * MIB);
    facts.nodes[0].used_memory_bytes = facts.used_memory_bytes.clone();
    facts.nodes[0].maxmemory_bytes = series(|_| 100.0 * MIB);
    let mut report = serde_json::to_value(judged(&facts)).unwrap();
    report["findings"] = serde_json::Value::Null;
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn where_nothing_was_measured_nothing_is_claimed() {
    let none = judged(&facts());
    let json = serde_json::to_value(&none).unwrap();
    for analysis in ["hit_rate_analysis", "latency_analysis", "memory_analysis", "operation_analysis"] {
        assert_eq!(json[analysis], serde_json::json!({"status": "no_data"}), "{analysis}");
    }
    assert!(none.findings.is_empty() && none.recommendations.is_empty());
    assert!(
        none.notes[0].starts_with("not enough data, with 0 measurements in this time"),
        "{:?}",
        none.notes
    );
    assert_eq!(none.skipped.iter().filter(|skipped| skipped.what.starts_with("analysis of")).count(), 4);
    assert!(none.skipped.iter().any(|skipped| skipped.what == "slow log of a:1"));
}

#[test]
fn ids() {
    let ids: Vec<&str> = optimize_finding_ids().iter().map(|id| id.as_str()).collect();
    insta::assert_snapshot!(ids.join("\n"));
}

#[test]
fn the_guides_three() {
    assert_eq!(found_with(|facts| lookups(facts, |_| 6_900.0)), ["optimize.hit_rate_low"]);
    assert!(found_with(|facts| lookups(facts, |_| 7_100.0)).is_empty());
    assert_eq!(found_with(|facts| facts.latency_ms = series(|_| 51.0)), ["optimize.latency_high"]);
    assert!(found_with(|facts| facts.latency_ms = series(|_| 50.0)).is_empty());
    let at_share = |share: f64| {
        found_with(|facts| {
            facts.used_memory_bytes = series(|_| share * MIB);
            facts.nodes[0].used_memory_bytes = series(|_| share * MIB);
            facts.nodes[0].maxmemory_bytes = series(|_| 100.0 * MIB);
        })
    };
    assert_eq!(at_share(86.0), ["optimize.memory_pressure"]);
    assert!(at_share(84.0).is_empty());
}

/// What a finding says that has this id, and is of this figure.
fn said(judged: &Optimization, id: &str, words: &str) -> Option<String> {
    let of_id = judged.findings.iter().filter(|finding| finding.id.as_str() == id);
    of_id.map(|finding| finding.message.clone()).find(|message| message.contains(words))
}

/// Five days ago, of seven.
const CHANGED: f64 = 48.0;

#[test]
fn a_hit_rate_that_fell_and_stays_there_is_told_and_judged_by_what_it_is_now() {
    let mut facts = facts();
    lookups(&mut facts, |hour| if hour <= CHANGED { 9_900.0 } else { 6_000.0 });
    let judged = judged(&facts);
    let known = judged.hit_rate_analysis.known().unwrap();
    assert!(known.average_hit_rate > 0.7, "the mean alone is fine: {known:?}");
    assert_eq!(known.trend.as_str(), "declining");
    assert!((known.now() - 0.6).abs() < 1e-6, "{known:?}");
    let changed = said(&judged, "optimize.level_changed", "The hit rate").unwrap();
    assert_eq!(
        changed,
        "The hit rate fell from 99.0 % to 60.0 % at 2025-10-11 10:00 UTC and has stayed there."
    );
    let low = said(&judged, "optimize.hit_rate_low", "").unwrap();
    assert_eq!(
        low,
        "60.0 % of the look-ups found a value since 2025-10-11 10:00 UTC, which is less than 70.0 %; before that it was 99.0 %, and \
         the trend since then is stable."
    );
    assert_eq!(judged.recommendations[0].current_value.map(|rate| (rate * 1e6).round()), Some(6e5));
    assert!(judged.summary().ends_with(", declining: 60.0 % since 2025-10-11"), "{}", judged.summary());
}

#[test]
fn a_hit_rate_that_was_low_and_is_not_now_is_no_warning() {
    let mut facts = facts();
    lookups(&mut facts, |hour| if hour <= 120.0 { 6_000.0 } else { 9_000.0 });
    let judged = judged(&facts);
    assert!(judged.hit_rate_analysis.known().is_some_and(|known| known.average_hit_rate < 0.7));
    assert_eq!(found(&facts), ["optimize.level_changed"]);
    assert!(judged.recommendations.is_empty());
}

#[test]
fn latency_memory_and_operations_have_levels_too() {
    let mut facts = facts();
    let step = |low: f64, high: f64| series(move |hour| if hour < CHANGED { low } else { high });
    facts.latency_ms = step(1.0, 60.0);
    facts.used_memory_bytes = step(600.0 * MIB, 300.0 * MIB);
    let mut sum = 0.0;
    facts.operations = rates(
        &(0..HOURS)
            .map(|hour| {
                sum += if f64::from(hour) <= CHANGED { 3_600.0 * 50.0 } else { 3_600.0 * 80.0 };
                (at(hour), sum)
            })
            .collect(),
    );
    let judged = judged(&facts);
    for (figure, words) in [
        ("The latency", "rose from 1.00 ms to 60.00 ms"),
        ("Memory", "fell from 600.0 MiB to 300.0 MiB"),
        ("The number of operations", "rose from 50.0 a second to 80.0 a second"),
    ] {
        let said = said(&judged, "optimize.level_changed", &format!("{figure} ")).unwrap();
        assert!(said.contains(words) && said.ends_with("and has stayed there."), "{said}");
    }
    let high = said(&judged, "optimize.latency_high", "").unwrap();
    assert!(high.contains("60.0 ms in the mean since 2025-10-11 09:00 UTC"), "{high}");
    let memory = judged.memory_analysis.known().unwrap();
    assert_eq!((memory.trend.as_str(), memory.growth_bytes_per_day), ("decreasing", None));
}

#[test]
fn the_beginning_of_a_level_is_no_anomaly_beside_it() {
    let mut facts = facts();
    facts.watched.latency_ms =
        watched(|hour| if hour < CHANGED { 1.0 } else { 3.0 } + (hour * 7.0).rem_euclid(13.0) / 100.0);
    assert_eq!(found(&facts), ["optimize.anomaly"]);
    facts.latency_ms = facts.watched.latency_ms.since(at(0));
    assert_eq!(found(&facts), ["optimize.level_changed"]);
}

#[test]
fn five_days_and_a_little_are_enough_to_say_that_it_stays() {
    let mut facts = facts();
    facts.until = at(2 * HOURS);
    facts.latency_ms =
        (0..2 * HOURS).map(|hour| (at(hour), if hour < 2 * HOURS - 121 { 1.0 } else { 3.0 })).collect();
    let judged = judged(&facts);
    let changed = said(&judged, "optimize.level_changed", "The latency").unwrap();
    assert!(changed.ends_with("and has stayed there."), "{changed}");
}

/// Memory of three weeks before and of the week, with a restart before this hour.
fn emptied(facts: &mut OptimizeFacts, restart: i32, memory: impl Fn(f64) -> f64) {
    let found = SeriesBreak { after: at(restart - 1), until: at(restart), what: Break::Restarted };
    let memory = watched(memory);
    let refill = Refill::of(&memory, &[found]);
    facts.used_memory_bytes = memory.since(at(restart.max(0)));
    facts.memory_refill = refill;
    facts.nodes[0].used_memory_bytes = facts.used_memory_bytes.clone();
    facts.nodes[0].memory_refill = refill;
    facts.nodes[0].maxmemory_bytes = series(|_| 0.0);
}

#[test]
fn what_fills_again_does_not_grow() {
    let mut filling = facts();
    let restart = 100;
    emptied(&mut filling, restart, |hour| {
        if hour < 100.0 { 600.0 * MIB } else { (5.0 + (hour - 100.0) * 6.0) * MIB }
    });
    let judged = judged(&filling);
    let memory = judged.memory_analysis.known().unwrap();
    assert_eq!((memory.trend.as_str(), memory.growth_bytes_per_day), ("not enough data", None));
    assert_eq!(memory.filling_since, Some(at(restart)));
    assert!(judged.notes.iter().any(|note| note.contains("it is filling again since")), "{:?}", judged.notes);
    assert!(found(&filling).is_empty(), "no limit is no warning while it fills");
}

#[test]
fn what_is_full_again_and_grows_grows() {
    let mut grown = facts();
    // Full again after a day, and a MiB more each hour from then on.
    emptied(&mut grown, -200, |hour| {
        let filled = (5.0 + (hour + 200.0) * 25.0).min(600.0);
        if hour < -200.0 { 600.0 * MIB } else { (filled + (hour + 176.0).max(0.0)) * MIB }
    });
    let judged = judged(&grown);
    let memory = judged.memory_analysis.known().unwrap();
    assert_eq!((memory.trend.as_str(), memory.filling_since), ("increasing", None));
    assert!(
        memory.growth_bytes_per_day.is_some_and(|growth| (growth / MIB - 24.0).abs() < 0.1),
        "{memory:?}"
    );
    assert_eq!(found(&grown), ["optimize.no_memory_limit"]);
}

#[test]
fn one_restart_that_two_figures_show_is_one_anomaly() {
    let mut facts = facts();
    let wobble = |hour: f64| (hour * 7.0).rem_euclid(13.0) / 100.0;
    let is_restart = |hour: f64| (50.0..52.0).contains(&hour);
    facts.watched.latency_ms = watched(|hour| if is_restart(hour) { 30.0 } else { 1.0 + wobble(hour) });
    facts.watched.used_memory_bytes =
        watched(|hour| if is_restart(hour) { 10.0 * MIB } else { (500.0 + wobble(hour)) * MIB });
    assert_eq!(found(&facts), ["optimize.anomaly"; 2], "what moved with them is not known");
    let uptime = watched(|hour| if hour < 50.0 { 1e7 + hour * 3_600.0 } else { (hour - 49.9) * 3_600.0 });
    let around = Surroundings::default().with("node_uptime_seconds", uptime);
    facts.watched.surroundings = vec![(NodeAddress::new("a:1"), around)];
    let judged = judged(&facts);
    let words = messages(&judged);
    assert!(words.len() == 1 && words[0].matches("was started anew").count() == 1, "{words:#?}");
    assert!(
        words[0].contains("the latency went up to") && words[0].contains("the memory went down to"),
        "{words:#?}"
    );
}

#[test]
fn what_is_stable_has_no_slope() {
    let mut facts = facts();
    facts.used_memory_bytes = series(|hour| 100.0 * MIB + (hour * 7.0).rem_euclid(13.0) * MIB);
    let judged = judged(&facts);
    let memory = judged.memory_analysis.known().unwrap();
    assert_eq!((memory.trend.as_str(), memory.growth_bytes_per_day), ("stable", None));
}

#[test]
fn few_values_have_no_p95_and_few_look_ups_no_rate() {
    let mut facts = facts();
    facts.latency_ms = (0..19).map(|hour| (at(hour), 1.0)).collect();
    lookups(&mut facts, |_| 5_000.0);
    facts.hits = rates(&(0..3).map(|hour| (at(hour), f64::from(hour))).collect());
    facts.misses = facts.hits.clone();
    let judged = judged(&facts);
    assert_eq!(judged.latency_analysis.known().unwrap().p95_latency, None);
    assert_eq!(judged.hit_rate_analysis.known(), None);
    assert!(judged.notes.iter().any(|note| note.contains("look-ups are fewer")), "{:?}", judged.notes);
}

#[test]
fn the_order_of_the_history_does_not_matter() {
    let falling = |hours: &mut dyn Iterator<Item = i32>| {
        let mut facts = facts();
        facts.hit_ratio = hours.map(|hour| (at(hour), 0.95 - f64::from(hour) * 0.001)).collect();
        serde_json::to_value(judged(&facts).hit_rate_analysis).unwrap()
    };
    let forwards = falling(&mut (0..HOURS));
    assert_eq!(forwards["trend"], "declining");
    assert_eq!(forwards, falling(&mut (0..HOURS).rev()));
    assert_eq!(forwards, falling(&mut (0..HOURS).step_by(2).chain((1..HOURS).step_by(2))));
}

#[test]
fn evictions_and_what_the_policy_has_to_do_with_them() {
    let evicting = |an_hour: f64, policy: &str, hits: fn(f64) -> f64| {
        found_with(|facts| {
            lookups(facts, hits);
            let node = &mut facts.nodes[0];
            node.keys = series(|_| 10_000.0);
            node.evicted = rates(&series(|hour| hour * an_hour));
            node.policy = Some(policy.to_owned());
        })
    };
    assert_eq!(
        evicting(100.0, "allkeys-lru", falling),
        ["optimize.eviction_pressure", "optimize.policy_evicts_what_is_used"]
    );
    assert_eq!(evicting(100.0, "allkeys-lru", |_| 9_000.0), ["optimize.eviction_pressure"]);
    assert!(evicting(40.0, "allkeys-lru", |_| 9_000.0).is_empty());
    assert!(evicting(0.0, "allkeys-lru", falling).is_empty());
}

#[test]
fn the_policy_against_the_use() {
    let full = |share: f64, policy: &str, with_ttl: f64| {
        found_with(|facts| {
            let node = &mut facts.nodes[0];
            node.used_memory_bytes = series(|_| share * MIB);
            node.maxmemory_bytes = series(|_| 100.0 * MIB);
            (node.keys, node.keys_with_ttl) = (series(|_| 1_000.0), series(|_| with_ttl));
            node.policy = Some(policy.to_owned());
        })
    };
    assert_eq!(full(96.0, "noeviction", 0.0), ["optimize.policy_refuses_writes"]);
    assert!(full(50.0, "noeviction", 0.0).is_empty());
    assert_eq!(full(96.0, "volatile-lru", 50.0), ["optimize.policy_few_ttls"]);
    assert!(full(96.0, "volatile-lru", 500.0).is_empty());
    let unlimited = |growth: f64| {
        found_with(|facts| {
            facts.nodes[0].maxmemory_bytes = series(|_| 0.0);
            facts.nodes[0].used_memory_bytes = series(|hour| 100.0 * MIB + hour * growth);
        })
    };
    assert_eq!(unlimited(MIB), ["optimize.no_memory_limit"]);
    assert!(unlimited(0.0).is_empty());
}

#[test]
fn memory_that_is_lost_or_not_there() {
    let resident = |used: f64, rss: f64| {
        found_with(|facts| {
            let node = &mut facts.nodes[0];
            (node.used_memory_bytes, node.rss_bytes) = (series(|_| used * MIB), series(|_| rss * MIB));
            node.fragmentation_ratio = series(|_| rss / used);
        })
    };
    assert_eq!(resident(200.0, 400.0), ["optimize.fragmentation"]);
    assert!(resident(20.0, 100.0).is_empty(), "not worth the work");
    assert_eq!(resident(200.0, 150.0), ["optimize.swapped_out"]);
    assert!(resident(200.0, 240.0).is_empty());
}

#[test]
fn bursts_of_expiry() {
    let expiring = |every: i32| {
        let mut sum = 0.0;
        let expired: TimeSeries = (0..HOURS)
            .map(|hour| {
                sum += if hour % every == 0 { 360_000.0 } else { 3_600.0 };
                (at(hour), sum)
            })
            .collect();
        found_with(|facts| facts.nodes[0].expired = rates(&expired))
    };
    assert_eq!(expiring(24), ["optimize.expiry_bursts"]);
    assert!(expiring(1).is_empty(), "always as many");
}

#[test]
fn connections_that_do_not_live() {
    let coming = |a_second: f64, clients: f64| {
        found_with(|facts| {
            facts.nodes[0].connections = rates(&series(|hour| hour * 3_600.0 * a_second));
            facts.nodes[0].clients = series(|_| clients);
        })
    };
    assert_eq!(coming(20.0, 10.0), ["optimize.connection_churn"]);
    assert!(coming(20.0, 1_000.0).is_empty());
    assert!(coming(0.1, 0.1).is_empty());
    assert!(coming(0.0, 5.0).is_empty());
}

#[test]
fn families_that_are_kept_for_longer_than_they_are_used() {
    let family = |name: &str, idle_hours: f64, mib: f64, keys: f64| {
        let mut family = FamilyUse::new(name, at(HOURS));
        family.idle_median_seconds = Some(idle_hours * 3_600.0);
        (family.bytes, family.keys) = (Some(mib * MIB), Some(keys));
        family
    };
    let of = |families: &[FamilyUse]| found_with(|facts| facts.families = families.to_vec());
    let calm = [family("a:", 1.0, 50.0, 1e6), family("b:", 2.0, 50.0, 1e6), family("c:", 3.0, 50.0, 1e6)];
    assert!(of(&calm).is_empty());
    let idle = family("d:", 240.0, 50.0, 1e6);
    assert_eq!(of(&[&calm[..], std::slice::from_ref(&idle)].concat()), ["optimize.ttl_longer_than_use"]);
    assert!(of(&[calm[0].clone(), idle]).is_empty(), "too few to compare");
    assert!(of(&[&calm[..], &[family("d:", 240.0, 0.5, 1e6)]].concat()).is_empty(), "too small");
    assert_eq!(of(&[family("e:", 1.0, 50.0, 10.0)]), ["optimize.big_keys"]);
    let mut one_is_big = family("e:", 1_000.0, 5.0, 10.0);
    one_is_big.biggest_bytes = Some(1024.0 * 1024.0);
    assert_eq!(of(&[one_is_big.clone()]), ["optimize.big_keys"]);
    one_is_big.biggest_bytes = Some(1024.0 * 1024.0 - 1.0);
    assert_eq!(of(&[one_is_big]), [""; 0]);
}

#[test]
fn slow_commands_are_grouped_by_command_and_shape() {
    let mut facts = facts();
    let entry = |command: &str, arguments, ms| {
        SlowCommand::new(at(0) + TimeDelta::minutes(1), command, arguments, Duration::from_millis(ms))
    };
    facts.nodes[0].slow_log = Observed::Known(vec![
        entry("keys", 1, 120),
        entry("KEYS", 1, 80),
        entry("del", 31, 20),
        entry("del", 1, 20),
    ]);
    let judged = judged(&facts);
    let words: Vec<_> = judged.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(words.len(), 3, "{words:?}");
    assert_eq!(
        words[0],
        "KEYS with 1 argument is in the slow log 2 times, at most for 120.0 ms and together for 200.0 ms."
    );
    assert!(judged.findings[0].recommendation.contains("SCAN"));
}

#[test]
fn every_finding_says_what_to_do_what_for_and_at_what_risk() {
    let mut facts = facts();
    lookups(&mut facts, |hour| 6_000.0 - hour * 10.0);
    facts.latency_ms = series(|_| 60.0);
    facts.nodes[0].evicted = rates(&series(|hour| hour * 1_000.0));
    facts.nodes[0].keys = series(|_| 10_000.0);
    let judged = judged(&facts);
    assert!(judged.findings.len() >= 3);
    for finding in &judged.findings {
        assert!(!finding.evidence.is_empty() && !finding.recommendation.is_empty(), "{finding}");
        assert!(finding.expected_effect.is_some() && finding.risk.is_some(), "{finding}");
    }
}

/// Three weeks before the week that is looked at, and that week.
fn watched(value: impl Fn(f64) -> f64) -> TimeSeries {
    (-21 * 24..HOURS).map(|hour| (at(hour), value(f64::from(hour)))).collect()
}

fn messages(judged: &Optimization) -> Vec<&str> {
    judged.findings.iter().map(|finding| finding.message.as_str()).collect()
}

#[test]
fn what_was_out_of_the_ordinary_is_told_with_its_cause() {
    let mut facts = facts();
    let wobble = |hour: f64| (hour * 7.0).rem_euclid(13.0) / 100.0;
    facts.watched.latency_ms =
        watched(|hour| if hour.to_bits() == 50.0_f64.to_bits() { 30.0 } else { 1.0 + wobble(hour) });
    let unexplained = judged(&facts);
    assert_eq!(found(&facts), ["optimize.anomaly"]);
    let words = messages(&unexplained)[0];
    assert!(
        words.starts_with("At 2025-10-11 11:00 UTC the latency went up to 30.00 ms, where 1.0"),
        "{words}"
    );
    assert!(words.ends_with("What else moved then is not in the history."), "{words}");

    let calm = Surroundings::default().with("node_clients", watched(|_| 5.0));
    facts.watched.surroundings = vec![(NodeAddress::new("a:1"), calm.clone())];
    assert!(messages(&judged(&facts))[0].ends_with("Nothing else that is followed explains it."));
    let stormed = watched(|hour| if hour.to_bits() == 50.0_f64.to_bits() { 500.0 } else { 5.0 });
    let stormed = Surroundings::default().with("node_clients", stormed);
    facts.watched.surroundings.push((NodeAddress::new("b:1"), stormed));
    let told = judged(&facts);
    let words = messages(&told)[0];
    assert!(words.ends_with("The likely cause on b:1: 500 clients were connected, usually 5."), "{words}");
    assert!(told.findings[0].recommendation.contains("pool"), "{}", told.findings[0].recommendation);
    assert!(told.findings[0].evidence.iter().any(|evidence| evidence.name == "node_clients"));
}

#[test]
fn what_was_out_of_the_ordinary_before_is_not_told() {
    let mut facts = facts();
    facts.watched.latency_ms = watched(|hour| if (-60.0..-58.0).contains(&hour) { 30.0 } else { 1.0 });
    assert!(found(&facts).is_empty());
}

#[test]
fn the_hour_of_a_hit_rate_counts_for_the_cause() {
    // In the middle of an hour the server is started anew, and half of what is asked for is not found in that hour.
    let at = |step: i32| at(0) + TimeDelta::minutes(10) * step;
    let steps = -21 * 144..7 * 144;
    let (mut hits, mut misses) = (0.0, 0.0);
    let counted: Vec<_> = steps
        .clone()
        .map(|step| {
            let share = if (303..306).contains(&step) { 0.5 } else { 0.9 };
            hits += 1_000.0 * share;
            misses += 1_000.0 * (1.0 - share);
            (at(step), hits, misses)
        })
        .collect();
    let mut facts = facts();
    facts.watched.hits = rates(&counted.iter().map(|(at, hits, _)| (*at, *hits)).collect());
    facts.watched.misses = rates(&counted.iter().map(|(at, _, misses)| (*at, *misses)).collect());
    let uptime =
        steps.map(|step| (at(step), f64::from(if step < 303 { step + 1_000_000 } else { step - 303 })));
    facts.watched.surroundings = vec![(
        NodeAddress::new("a:1"),
        Surroundings::default().with("node_uptime_seconds", uptime.collect()),
    )];
    let judged = judged(&facts);
    let words = messages(&judged);
    assert!(words.len() == 1 && words[0].contains("the hit rate went down to"), "{words:#?}");
    assert!(words[0].contains("the server was started anew before"), "{words:#?}");
}

#[test]
fn no_more_than_five_anomalies_of_a_figure_are_told() {
    let mut facts = facts();
    // Each is far greater than those before, so that none of them is usual.
    let spike =
        |hour: f64| (hour >= 0.0 && hour.rem_euclid(23.0) < 0.5).then_some(20.0 * (hour / 8.0).exp2());
    facts.watched.latency_ms =
        watched(|hour| spike(hour).unwrap_or(1.0 + (hour * 7.0).rem_euclid(13.0) / 100.0));
    let judged = judged(&facts);
    assert_eq!(judged.findings.len(), 5, "{:#?}", messages(&judged));
    assert!(
        judged.notes.iter().any(|note| note.contains("that were less far off are not told")),
        "{:?}",
        judged.notes
    );
}

#[test]
fn a_sum_is_one_line() {
    assert_eq!(judged(&facts()).summary(), "0 findings; hit rate unknown");
    let mut facts = facts();
    lookups(&mut facts, |_| 6_000.0);
    assert_eq!(judged(&facts).summary(), "1 finding, 1 of them a warning or worse; hit rate 60.0 %, stable");
}
