//! Forecasts of series whose future is known.

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{
    Forecast, ForecastError, ForecastMethod, ForecastOptions, Observation, TimeSeries, forecast,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// So many days, a value a day at noon.
fn daily(days: i32, value: impl Fn(f64) -> f64) -> TimeSeries {
    let at = |day: i32| begin() + TimeDelta::days(day.into()) + TimeDelta::hours(12);
    (0..days).map(|day| Observation { at: at(day), value: value(f64::from(day)) }).collect()
}

fn noise() -> impl Fn() -> f64 {
    let rng = std::cell::RefCell::new(ChaCha8Rng::seed_from_u64(20_261_124));
    move || rng.borrow_mut().random::<f64>() * 2.0 - 1.0
}

fn told(series: &TimeSeries, horizon: usize) -> Forecast {
    forecast(series, &ForecastOptions::new(TimeDelta::days(1), horizon))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn steady_growth_goes_on_and_its_interval_widens() {
    let noise = noise();
    let told = told(&daily(90, |day| 1_000.0 + 10.0 * day + 5.0 * noise()), 90);
    let last = told.mean.len() - 1;
    assert!((told.mean[last] - 2_790.0).abs() < 60.0, "{} by {:?}", told.mean[last], told.method);
    assert!(told.lower[last] < 2_790.0 && 2_790.0 < told.upper[last]);
    assert!(told.upper[last] - told.lower[last] >= told.upper[0] - told.lower[0]);
    assert_eq!(told.from, begin() + TimeDelta::days(90));
    assert_eq!(told.at(1), begin() + TimeDelta::days(91));
}

#[test]
fn a_week_comes_again() {
    let noise = noise();
    let week = |day: f64| if day % 7.0 > 4.5 { 200.0 } else { 1_000.0 };
    let told = told(&daily(70, |day| week(day) + 10.0 * noise()), 14);
    assert_eq!(told.seasons, [7]);
    for (day, mean) in (70_i32..).zip(&told.mean) {
        let expected = week(f64::from(day));
        assert!((mean - expected).abs() < 60.0, "day {day}: {mean} instead of {expected}");
    }
    assert!(told.backtest.is_some_and(|test| test.coverage > 0.9), "{:?}", told.backtest);
}

#[test]
fn what_is_constant_stays_so() {
    let told = told(&daily(60, |_| 42.0), 30);
    assert!(
        told.mean.iter().chain(&told.lower).chain(&told.upper).all(|it| (it - 42.0).abs() < 1e-6),
        "{told:?}"
    );
    let nothing = self::told(&daily(60, |_| 0.0), 30);
    assert!(nothing.mean.iter().all(|it| it.abs() < 1e-9));
}

#[test]
fn nothing_falls_below_its_floor() {
    let told = told(&daily(40, |day| 400.0 - 10.0 * day), 60);
    assert!(told.mean.iter().chain(&told.lower).all(|it| *it >= 0.0), "{told:?}");
}

#[test]
fn too_little_is_refused_and_little_is_foretold_with_a_note() {
    let error = forecast(&daily(5, |day| day), &ForecastOptions::new(TimeDelta::days(1), 5));
    assert_eq!(error, Err(ForecastError::TooShort { steps: 5, needed: 8 }));
    let short = told(&daily(9, |day| day), 5);
    assert!(short.mean.iter().all(|it| it.is_finite()), "{short:?}");
    assert!(forecast(&TimeSeries::default(), &ForecastOptions::new(TimeDelta::days(1), 5)).is_err());
}

#[test]
fn a_new_level_is_where_it_goes_on_from() {
    let noise = noise();
    let told = told(&daily(90, |day| if day < 45.0 { 500.0 } else { 2_000.0 } + noise()), 14);
    assert!((told.mean[13] - 2_000.0).abs() < 30.0, "{:?}", told.mean);
    assert_eq!(told.steps, 45);
    assert!(told.notes.iter().any(|note| note.contains("2026-02-15")), "{:?}", told.notes);
}

#[test]
fn the_name_of_a_method_is_for_people() {
    assert_eq!(ForecastMethod::Naive.as_str(), "seasonal naive");
}

#[test]
fn one_odd_value_does_not_widen_the_intervals_and_is_said() {
    let grown = |by: f64| {
        let (noise, is_odd) = (noise(), |day: f64| (day - 50.0).abs() < 0.5);
        let value = |day| 2_048.0 + 5.0 * day + 3.0 * noise() + if is_odd(day) { by } else { 0.0 };
        told(&daily(60, value), 28)
    };
    let calm = grown(0.0);
    for by in [300.0, 1_500.0, 1e6, -2_000.0] {
        let odd = grown(by);
        assert!((odd.mean[27] - calm.mean[27]).abs() < 20.0, "{by}: {} not {}", odd.mean[27], calm.mean[27]);
        let width = |told: &Forecast| told.upper[27] - told.lower[27];
        assert!(width(&odd) < 2.0 * width(&calm) + 10.0, "{by}: {} not {}", width(&odd), width(&calm));
        assert_eq!(odd.notes, ["1 odd value was taken for what is usual around: 2026-02-20"], "{by}");
    }
    assert_eq!(calm.notes, [""; 0]);
}

#[test]
fn intervals_that_nothing_would_hold_are_not_to_be_trusted_which_is_said() {
    let noise = noise();
    let fallen = told(&daily(60, |day| if day < 56.0 { 2_048.0 + 5.0 * day } else { 200.0 } + noise()), 14);
    assert!(
        fallen.notes.iter().any(|note| note.ends_with("the intervals are not to be trusted")),
        "{:?}",
        fallen.notes
    );
    assert!(fallen.upper.iter().all(|it| *it < 1e5), "{:?}", fallen.upper);
}
