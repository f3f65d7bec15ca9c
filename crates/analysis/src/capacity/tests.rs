//! Series whose days are known.

use chrono::NaiveDate;
use chrono::TimeDelta;
use larder_metrics_model::Break;
use proptest::prelude::*;

use super::*;
use crate::{Severity, TrendWord, series::SeriesBreak, series::TimeSeries};

const GIB: f64 = 1_073_741_824.0;

/// The first of January 2026.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

fn at(day: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(day) + TimeDelta::hours(12)
}

/// Seeded noise between -0.5 and 0.5 (splitmix64 of the day).
fn noise(day: i64) -> f64 {
    let mut bits = day.unsigned_abs().wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap()) / f64::from(u32::MAX) - 0.5
}

fn daily(days: i64, value: impl Fn(f64) -> f64) -> TimeSeries {
    #[expect(clippy::cast_precision_loss, reason = "some days")]
    (0..days).map(|day| (at(day), value(day as f64))).collect()
}

/// Memory of a node, with 100 GiB of it.
fn memory(series: TimeSeries) -> ResourceFacts {
    let mut facts = ResourceFacts::unseen(ResourceKind::Memory, "a:1");
    facts.series = series;
    facts.limit = ResourceLimit::Known { value: 100.0 * GIB, source: LimitSource::Maxmemory };
    facts.policy = Some("noeviction".to_owned());
    facts
}

fn planned(resource: ResourceFacts, now: DateTime<Utc>) -> (ResourceOutlook, Vec<Finding>) {
    let mut facts = CapacityFacts::unseen(None);
    facts.resources.push(resource);
    let mut capacity = plan_capacity(&facts, &CapacityOptions::default(), now);
    (capacity.resources.remove(0), capacity.findings)
}

#[test]
fn a_line_passes_its_limit_on_the_day_that_it_does() {
    // 20 GiB and half a GiB a day, with noise: 85 GiB on day 130, which is 11 May, 100 GiB on day 160, which is 10 June.
    let series = daily(90, |day| (20.0 + 0.5 * day) * GIB).observations().to_vec();
    let noisy = series.iter().zip(0..).map(|(it, day)| (it.at, it.value + noise(day) * GIB)).collect();
    let (outlook, findings) = planned(memory(noisy), at(90));
    let days = |passing: &Passing, expected: &str| {
        let expected: NaiveDate = expected.parse().unwrap();
        let found = passing.expected.unwrap();
        assert!((found - expected).num_days().abs() <= 4, "{found} is not near {expected}: {passing:?}");
        assert!(passing.earliest.unwrap() <= expected && expected <= passing.latest.unwrap(), "{passing:?}");
        assert_eq!(passing.state, PassingState::Passes);
    };
    days(outlook.nearly_full().unwrap(), "2026-05-11");
    days(outlook.full().unwrap(), "2026-06-10");
    let growth = outlook.growth.unwrap();
    assert!((growth.per_month / GIB - 0.5 * MONTH_DAYS).abs() < 0.2, "{growth:?}");
    let compared = outlook.month_over_month.unwrap();
    assert_eq!((compared.before.month.as_str(), compared.after.month.as_str()), ("2026-02", "2026-03"));
    assert_eq!((findings[0].id.as_str(), findings[0].severity), ("capacity.memory_limit", Severity::Warning));
    assert!(findings[0].message.contains("85.0 % of that"), "{}", findings[0].message);
    let model = outlook.model.unwrap();
    assert!(model.backtest.is_some() && model.foretold_days == 177 && model.foretold.len() == 5, "{model:?}");
}

#[test]
fn a_cache_at_its_limit_is_full_though_it_stays_a_little_below() {
    for (policy, severity, words) in [
        ("allkeys-lru", Severity::Info, "It is full, and keys are evicted for new ones"),
        ("noeviction", Severity::Critical, "all of it: passed already."),
    ] {
        let mut resource = memory(daily(60, |day| (99.9 - 0.05 * (day % 2.0)) * GIB));
        resource.policy = Some(policy.to_owned());
        let (outlook, findings) = planned(resource, at(60));
        assert_eq!(outlook.full().unwrap().state, PassingState::Passed, "{policy}");
        assert_eq!(findings[0].severity, severity, "{policy}: {findings:?}");
        assert!(findings[0].message.contains(words), "{}", findings[0].message);
    }
    let (outlook, findings) = planned(memory(daily(60, |_| 98.0 * GIB)), at(60));
    assert_eq!(outlook.full().unwrap().state, PassingState::NotWithin);
    assert!(findings[0].recommendation.contains("or shorten TTLs; a policy"), "{findings:?}");
}

#[test]
fn what_was_measured_long_ago_grows_no_more() {
    let series = daily(60, |day| (20.0 + 0.5 * day) * GIB);
    let of = |now| {
        let mut facts = CapacityFacts::unseen(None);
        facts.memory.series = series.clone();
        plan_capacity(&facts, &CapacityOptions::default(), now).findings.len()
    };
    assert_eq!((of(at(61)), of(at(68))), (1, 0));
}

#[test]
fn what_was_measured_long_ago_is_never_critical_and_says_when_that_was() {
    let of = |now| planned(memory(daily(60, |day| (40.0 + day) * GIB)), now).1.remove(0);
    let fresh = of(at(60));
    assert!(fresh.message.starts_with("99.0 GiB of 100.0 GiB"), "{}", fresh.message);
    assert_eq!(fresh.severity, Severity::Critical);
    let stale = of(at(90));
    assert!(
        stale.message.starts_with("As of 2026-03-01, when it was measured last: 99.0 GiB"),
        "{}",
        stale.message
    );
    assert_eq!(stale.severity, Severity::Warning);
}

#[test]
fn edges_have_no_dates_and_say_why() {
    let values = |values: &[f64]| (0..).zip(values).map(|(day, value)| (at(day), *value)).collect();
    for (name, series, why) in [
        ("empty", TimeSeries::default(), "nothing was measured"),
        ("one", values(&[GIB]), "too short"),
        ("two equal", values(&[GIB, GIB]), "too short"),
        ("all no numbers", values(&[f64::NAN; 40]), "nothing was measured"),
        ("a week of days", values(&[GIB; 7]), "too few"),
    ] {
        let (outlook, findings) = planned(memory(series), at(40));
        assert!(
            outlook.why_not_foretold.as_deref().is_some_and(|it| it.contains(why)),
            "{name}: {outlook:?}"
        );
        assert_eq!(outlook.full().unwrap().state, PassingState::NotEnoughData, "{name}");
        assert_eq!(outlook.full().unwrap().words(at(40)), "not enough data");
        assert!(findings.is_empty(), "{name}: {findings:?}");
    }
}

#[test]
fn what_is_constant_zero_or_shrinks_does_not_pass_and_divides_by_nothing() {
    for (name, series, trend) in [
        ("constant", daily(60, |_| GIB), TrendWord::Stable),
        ("zero", daily(60, |_| 0.0), TrendWord::Stable),
        ("shrinking", daily(60, |day| (80.0 - day) * GIB), TrendWord::Decreasing),
    ] {
        let (outlook, findings) = planned(memory(series), at(60));
        assert_eq!(outlook.full().unwrap().state, PassingState::NotWithin, "{name}: {outlook:?}");
        assert_eq!(outlook.trend, trend, "{name}");
        assert!(findings.is_empty(), "{name}: {findings:?}");
        let growth = outlook.growth.unwrap();
        assert!(growth.per_month.is_finite() && growth.share_per_month.is_none_or(f64::is_finite), "{name}");
    }
    // From nothing on: the guide divides by the first value.
    let mut facts = CapacityFacts::unseen(None);
    facts.memory.series = daily(60, |day| day * GIB);
    let capacity = plan_capacity(&facts, &CapacityOptions::default(), at(60));
    let trends = capacity.memory_trends.known().unwrap();
    assert!(trends.growth_rate_percent.is_some_and(f64::is_finite), "{trends:?}");
    assert_eq!(capacity.findings[0].id.as_str(), "capacity.memory_growth");
    facts.memory.series = facts.memory.series.until(at(14));
    let capacity = plan_capacity(&facts, &CapacityOptions::default(), at(14));
    assert!(capacity.findings.is_empty(), "two weeks are no month: {:?}", capacity.findings);
}

#[test]
fn what_is_past_its_limit_says_so_and_what_evicts_counts_less() {
    let full = || memory(daily(60, |_| 101.0 * GIB));
    let (outlook, findings) = planned(full(), at(60));
    assert_eq!(outlook.full().unwrap().words(at(60)), "passed already");
    assert_eq!(findings[0].severity, Severity::Critical);
    let mut evicting = full();
    evicting.policy = Some("allkeys-lru".to_owned());
    let (_, findings) = planned(evicting.clone(), at(60));
    assert_eq!(findings[0].severity, Severity::Info, "it is as it is meant to be");
    assert!(findings[0].message.contains("keys are evicted for new ones"), "{}", findings[0].message);
    evicting.series = daily(60, |day| (20.0 + day) * GIB);
    assert_eq!(planned(evicting, at(60)).1[0].severity, Severity::Warning, "it will begin to evict");
    // Known to be full, however little of a history there is.
    let (outlook, findings) = planned(memory(daily(1, |_| 101.0 * GIB)), at(1));
    assert_eq!((outlook.full().unwrap().state, findings.len()), (PassingState::Passed, 1));
}

#[test]
fn without_a_limit_there_is_no_date_and_the_machine_is_one_where_it_was_measured() {
    let mut unlimited = memory(daily(60, |day| (20.0 + day) * GIB));
    unlimited.limit = ResourceLimit::Unlimited("maxmemory is 0".to_owned());
    let (outlook, findings) = planned(unlimited.clone(), at(60));
    assert!(outlook.passings.is_empty() && findings.is_empty());
    assert_eq!(outlook.why_no_limit.as_deref(), Some("maxmemory is 0"));
    unlimited.limit = ResourceLimit::Known { value: 100.0 * GIB, source: LimitSource::Machine };
    unlimited.policy = Some("allkeys-lru".to_owned());
    let (outlook, findings) = planned(unlimited, at(60));
    assert!(!outlook.evicts, "nothing is evicted without maxmemory");
    assert_eq!(findings[0].id.as_str(), "capacity.machine_memory");
}

#[test]
fn a_change_of_level_a_gap_a_restart_and_an_old_history_are_said() {
    let noisy = |days, value: fn(f64) -> f64| -> TimeSeries {
        let series: TimeSeries = daily(days, value);
        series.observations().iter().zip(0..).map(|(it, day)| (it.at, it.value + noise(day) * GIB)).collect()
    };
    let said = |facts: ResourceFacts, now: i64, words: &str| {
        let (outlook, _) = planned(facts, at(now));
        assert!(outlook.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", outlook.notes);
        outlook
    };
    let stepped = memory(noisy(120, |day| if day < 60.0 { 20.0 * GIB } else { 50.0 * GIB }));
    let outlook = said(stepped, 120, "the level changed on 2026-03-02");
    assert_eq!(outlook.used_from.map(|from| from.date_naive()), "2026-03-02".parse().ok());
    assert_eq!(outlook.full().unwrap().within_days, 118, "twice what was used");
    assert!(outlook.growth.is_some_and(|growth| growth.per_month.abs() < GIB), "{outlook:?}");

    let thin = memory(noisy(90, |_| 20.0 * GIB).keep(|it| (it.at - start()).num_days() % 4 == 0));
    said(thin, 90, "the history is gappy: something was measured in 2");

    let long_ago = memory(noisy(90, |_| 20.0 * GIB));
    let outlook = said(long_ago, 120, "nothing has been measured since 2026-03-31 12:00 UTC");
    assert!(outlook.model.is_some());
    let (outlook, _) = planned(memory(daily(30, |_| GIB)), at(200));
    assert!(outlook.why_not_foretold.is_some_and(|why| why.contains("say nothing of today")));

    let mut emptied = memory(noisy(90, |day| if day < 60.0 { 50.0 * GIB } else { (day - 59.0) * GIB }));
    emptied.breaks = vec![SeriesBreak { after: at(59), until: at(60), what: Break::Flushed }];
    let outlook = said(emptied.clone(), 90, "all keys were removed on 2026-03-02");
    assert_eq!(outlook.used_from, Some(at(60)), "it has not filled again for 29 days");
    emptied.series = emptied.series.until(at(75));
    let (outlook, findings) = planned(emptied, at(75));
    assert!(outlook.why_not_foretold.is_some_and(|why| why.contains("it fills again")));
    assert!(outlook.growth.is_none() && findings.is_empty());
    said(memory(noisy(30, |_| 20.0 * GIB)), 30, "30 days of history say nothing of what is further away");
}

#[test]
fn a_level_of_some_days_is_foretold_from_its_hours_and_one_of_seven_measurements_is_not() {
    let hour = |hour: i64| start() + TimeDelta::hours(hour);
    let of = |since: i64| {
        let value = |it: i64| (if it < since { 30.0 } else { 60.0 } + 0.2 * noise(it)) * GIB;
        let series: TimeSeries = (0..30 * 24).map(|it| (hour(it), value(it))).collect();
        planned(memory(series), hour(720))
    };
    let (outlook, findings) = of(475);
    assert_eq!(
        outlook.used_from.map(|from| from.date_naive()),
        "2026-01-20".parse().ok(),
        "{:?}",
        outlook.notes
    );
    assert_eq!(outlook.full().unwrap().state, PassingState::NotWithin, "{outlook:?}");
    assert_eq!((outlook.model.unwrap().step_seconds, findings.len()), (3_600, 0));
    let growth = outlook.growth.unwrap();
    assert!(growth.upper - growth.lower < 2.0 * GIB, "{growth:?}");
    assert!(
        outlook.notes.iter().any(|note| note.contains("changed on 2026-01-20 by +100 %: what was before"))
    );
    let (outlook, findings) =
        planned(memory(daily(30, |day| if day < 23.0 { GIB } else { 2.0 * GIB })), at(30));
    let why = outlook.why_not_foretold.unwrap();
    assert!(
        why.starts_with("the level changed on 2026-01-24 by +100 %; since then: 7 days in which"),
        "{why}"
    );
    assert!(outlook.growth.is_none() && findings.is_empty());
}

#[test]
fn days_of_hours_are_foretold_by_hours_and_no_further_than_twice_as_long() {
    let hour = |hour: i64| start() + TimeDelta::hours(hour);
    #[expect(clippy::cast_precision_loss, reason = "some hours")]
    let value =
        |it: i64| (20.0 + it as f64 * 0.3 + ((it % 24) as f64 / 24.0 * std::f64::consts::TAU).sin()) * GIB;
    let series: TimeSeries = (0..10 * 24).map(|it| (hour(it), value(it))).collect();
    let (outlook, _) = planned(memory(series), hour(240));
    let model = outlook.model.clone().unwrap();
    assert_eq!((model.step_seconds, model.seasons.as_slice()), (3_600, [24].as_slice()));
    assert_eq!(model.foretold_days, 20);
    // 100 GiB at hour 267.
    let expected = outlook.full().unwrap().expected.unwrap();
    assert!((expected - hour(267).date_naive()).num_days().abs() <= 1, "{expected}");
}

#[test]
fn the_guides_keys_are_kept() {
    let mut facts = CapacityFacts::unseen(Some("redis://a:1".to_owned()));
    facts.memory.series = daily(60, |day| (20.0 + day) * GIB);
    facts.operations.series = daily(60, |day| 100.0 + 10.0 * day);
    facts.resources.push(memory(daily(60, |day| (20.0 + day) * GIB)));
    let capacity = plan_capacity(&facts, &CapacityOptions::default(), at(60));
    let json = serde_json::to_value(&capacity).unwrap();
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .map(|object| object.keys().cloned().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    };
    let lines = [
        keys(&json),
        keys(&json["memory_trends"]),
        keys(&json["operation_trends"]),
        keys(&json["growth_projections"]),
        keys(&json["capacity_recommendations"][0]),
        keys(&json["capacity_recommendations"][1]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    cache capacity_recommendations findings growth_projections horizon_days memory_trends notes now operation_trends resources skipped
    average_usage growth_rate_percent peak_usage trend
    average_daily_operations growth_rate_percent operations_per_second_peak peak_daily_operations
    6_month_memory_projection 6_month_operations_projection memory_growth_monthly operations_growth_monthly
    category issue priority projected_requirement recommendation
    category issue priority projected_ops_per_second recommendation
    ");
    assert_eq!(json["memory_trends"]["trend"], "increasing");
    let nothing = plan_capacity(&CapacityFacts::unseen(None), &CapacityOptions::default(), at(0));
    let json = serde_json::to_value(&nothing).unwrap();
    assert_eq!(json["memory_trends"], serde_json::json!({"status": "no_data"}));
    assert_eq!(json["operation_trends"], serde_json::json!({"status": "no_data"}));
    assert!(json["growth_projections"]["6_month_memory_projection"].is_null());
    assert_eq!(nothing.summary(), "not enough data: nothing is foretold");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_interval_of_dates_holds_the_date(
        values in proptest::collection::vec(0.0_f64..200.0, 8..60), slope in -2.0_f64..4.0,
    ) {
        #[expect(clippy::cast_precision_loss, reason = "some days")]
        let of = |(day, value): (i64, &f64)| (at(day), ((value + slope * day as f64).max(0.0)) * GIB / 3.0);
        let series: TimeSeries = (0..).zip(&values).map(of).collect();
        let last = i64::try_from(values.len()).unwrap();
        let (outlook, _) = planned(memory(series), at(last));
        for passing in &outlook.passings {
            if let Some(expected) = passing.expected {
                prop_assert!(passing.earliest.is_some_and(|earliest| earliest <= expected), "{passing:?}");
                prop_assert!(passing.latest.is_none_or(|latest| expected <= latest), "{passing:?}");
            }
            if passing.latest.is_some() {
                prop_assert!(passing.expected.is_some());
            }
        }
        let (near, full) = (outlook.nearly_full().unwrap(), outlook.full().unwrap());
        if let (Some(near), Some(full)) = (near.expected, full.expected) {
            prop_assert!(near <= full);
        }
    }
}
