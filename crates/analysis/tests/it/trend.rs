//! Trends of series whose answer is known.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{Better, TimeSeries, Trend, TrendOptions, TrendWord, judge_trend};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 20_261_124;

fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

/// So many days, a value an hour.
fn hourly(days: i32, value: impl Fn(f64) -> f64) -> TimeSeries {
    (0..days * 24)
        .map(|hour| (begin() + TimeDelta::hours(hour.into()), value(f64::from(hour) / 24.0)))
        .collect()
}

/// Noise between -1 and 1, the same every time.
fn noise(seed: u64) -> impl Fn() -> f64 {
    let rng = std::cell::RefCell::new(ChaCha8Rng::seed_from_u64(SEED ^ seed));
    move || rng.borrow_mut().random::<f64>() * 2.0 - 1.0
}

fn judge(series: &TimeSeries) -> Trend {
    judge_trend(series, &TrendOptions::default())
}

fn judge_as(better: Better, series: &TimeSeries) -> TrendWord {
    let mut options = TrendOptions::default();
    options.better = better;
    judge_trend(series, &options).word
}

#[test]
fn a_slope_is_found_with_its_size_and_the_word_that_it_has_for_users() {
    let noise = noise(1);
    let rising = hourly(30, |day| 100.0 + 2.0 * day + noise());
    let trend = judge(&rising);
    let slope = trend.slope.unwrap();
    assert!(slope.lower <= 2.0 && 2.0 <= slope.upper, "{slope:?}");
    assert!((slope.per_day - 2.0).abs() < 0.05, "{slope:?}");
    assert_eq!(trend.word, TrendWord::Increasing);
    assert_eq!((trend.values, trend.step_seconds), (30, Some(86_400)));
    assert_eq!(trend.changes, []);
    assert_eq!(judge_as(Better::Higher, &rising), TrendWord::Improving);
    assert_eq!(judge_as(Better::Lower, &rising), TrendWord::Declining);
    let falling = hourly(30, |day| 100.0 - 2.0 * day);
    assert_eq!(judge_as(Better::Higher, &falling), TrendWord::Declining);
    assert_eq!(judge_as(Better::Lower, &falling), TrendWord::Improving);
    assert_eq!(judge_as(Better::Neither, &falling), TrendWord::Decreasing);
}

#[test]
fn the_order_in_which_files_were_read_does_not_matter() {
    let noise = noise(2);
    let series = hourly(14, |day| 0.9 - 0.02 * day + 0.01 * noise());
    let reversed: TimeSeries = series.observations().iter().rev().copied().collect();
    assert_eq!(judge(&series), judge(&reversed));
    assert_eq!(judge_as(Better::Higher, &reversed), TrendWord::Declining);
}

#[test]
fn what_is_flat_is_stable() {
    let noise = noise(3);
    assert_eq!(judge(&hourly(30, |_| 100.0 + noise())).word, TrendWord::Stable);
    let constant = judge(&hourly(30, |_| 7.0));
    assert_eq!(constant.word, TrendWord::Stable);
    let slope = constant.slope.unwrap();
    assert_eq!((slope.per_day, slope.lower, slope.upper), (0.0, 0.0, 0.0));
    assert_eq!(constant.changes, []);
    assert_eq!(judge(&hourly(30, |_| 0.0)).word, TrendWord::Stable);
}

#[test]
fn a_season_of_days_and_one_of_weeks_are_no_trend() {
    let noise = noise(4);
    let day = hourly(30, |day| 100.0 + 40.0 * (day * std::f64::consts::TAU).sin() + noise());
    let week = hourly(42, |day| 100.0 + 40.0 * (day / 7.0 * std::f64::consts::TAU).sin() + noise());
    for series in [day, week] {
        let trend = judge(&series);
        assert_eq!(trend.word, TrendWord::Stable, "{trend:?}");
    }
}

#[test]
fn a_trend_under_a_season_is_found() {
    let noise = noise(5);
    let series = hourly(42, |day| 100.0 + day + 20.0 * (day * std::f64::consts::TAU).sin() + noise());
    let trend = judge(&series);
    assert_eq!(trend.word, TrendWord::Increasing);
    assert!((trend.slope.unwrap().per_day - 1.0).abs() < 0.1, "{:?}", trend.slope);
}

#[test]
fn a_step_is_a_change_at_its_moment_with_both_levels() {
    let noise = noise(6);
    let series = hourly(30, |day| if day < 18.0 { 0.9 } else { 0.6 } + 0.01 * noise());
    let trend = judge(&series);
    assert_eq!(trend.changes.len(), 1, "{:?}", trend.changes);
    let change = trend.changes[0];
    assert_eq!(change.at, begin() + TimeDelta::days(18));
    assert!((change.before - 0.9).abs() < 0.01 && (change.after - 0.6).abs() < 0.01, "{change:?}");
    assert_eq!(judge_as(Better::Higher, &series), TrendWord::Declining);
}

#[test]
fn spikes_are_neither_a_trend_nor_a_change() {
    let noise = noise(7);
    let series = hourly(30, |day| {
        100.0 + noise() + if ((day * 24.0) % 37.0 - 5.0).abs() < 0.5 { 5_000.0 } else { 0.0 }
    });
    let trend = judge(&series);
    assert_eq!(trend.word, TrendWord::Stable);
    assert_eq!(trend.changes, []);
    let level = trend.level.unwrap();
    assert!(level.max > 5_000.0 && level.median < 101.5 && level.spread < 2.0, "{level:?}");
}

#[test]
fn too_few_values_are_said_to_be_so() {
    let one = judge(&TimeSeries::from_iter([(begin(), 5.0)]));
    assert_eq!((one.word, one.slope), (TrendWord::NotEnoughData, None));
    assert!((one.level.unwrap().median - 5.0).abs() < 1e-12);
    let two = judge(&TimeSeries::from_iter([0, 1].map(|day| (begin() + TimeDelta::days(day), 5.0))));
    assert_eq!(two.word, TrendWord::NotEnoughData);
    assert!(two.notes[0].contains("too few"), "{:?}", two.notes);
    let none = judge(&TimeSeries::default());
    assert_eq!((none.word, none.level), (TrendWord::NotEnoughData, None));
}

#[test]
fn values_that_are_no_numbers_are_left_out_and_named() {
    let series = hourly(30, |day| if ((day * 24.0) % 5.0).abs() < 0.5 { f64::NAN } else { 10.0 + day });
    let trend = judge(&series);
    assert_eq!(trend.word, TrendWord::Increasing);
    assert!(trend.notes.iter().any(|note| note.contains("no numbers")), "{:?}", trend.notes);
    assert_eq!(judge(&hourly(10, |_| f64::NAN)).word, TrendWord::NotEnoughData);
}

#[test]
fn irregular_steps_and_gaps_do_not_bend_the_slope() {
    let rng = noise(8);
    let series: TimeSeries = (0..2_000)
        .filter(|minute| !(600..1_200).contains(minute))
        .map(|minute| (f64::from(minute) + 0.5 + 0.4 * rng()) * 20.0)
        .map(|minute| {
            (
                begin() + TimeDelta::from_std(Duration::from_secs_f64(minute * 60.0)).unwrap(),
                50.0 + minute / 1_440.0,
            )
        })
        .collect();
    let trend = judge(&series);
    assert!((trend.slope.unwrap().per_day - 1.0).abs() < 0.02, "{:?}", trend.slope);
    assert!(trend.notes.iter().any(|note| note.contains("nothing was measured")), "{:?}", trend.notes);
}

#[test]
fn seven_daily_values_are_a_week_and_enough() {
    let falling: TimeSeries =
        (0..7_i32).map(|day| (begin() + TimeDelta::days(day.into()), 0.9 - 0.01 * f64::from(day))).collect();
    assert_eq!(judge_as(Better::Higher, &falling), TrendWord::Declining);
}

#[test]
fn what_is_significant_but_small_does_not_matter() {
    let trend = judge(&hourly(60, |day| 1_000.0 + 0.05 * day));
    assert_eq!(trend.word, TrendWord::Stable);
    assert!(trend.significance.unwrap().p_value < 0.001);
}

/// Of 2,000 series of noise, no more than 5 in 100 may be called a trend; 3 standard deviations of that share are 1.5.
#[test]
fn flat_noise_is_seldom_called_a_trend() {
    let mut options = TrendOptions::default();
    options.least_change = 0.0;
    for days in [7, 14, 30, 60] {
        let called = (0..500)
            .filter(|run| {
                let noise = noise(1_000 + run);
                let series = (0..days).map(|day| (begin() + TimeDelta::days(day), 100.0 + noise())).collect();
                judge_trend(&series, &options).word != TrendWord::Stable
            })
            .count();
        assert!(called <= 40, "{called} of 500 series of {days} days of noise are called a trend");
    }
}

#[test]
fn ten_years_of_hours_are_summed_up_by_week() {
    let trend = judge(&hourly(3_650, |day| 10.0 + day));
    assert_eq!(trend.step_seconds, Some(7 * 86_400));
    assert!((trend.slope.unwrap().per_day - 1.0).abs() < 1e-6);
}
