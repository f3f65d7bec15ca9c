//! Anomalies of series whose answer is known, and what is said to have caused them.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(clippy::print_stderr, reason = "the figures are for people")]

use chrono::{DateTime, TimeDelta, Utc};
use larder_analysis::{
    Anomaly, AnomalyDetector, AnomalyOptions, CauseKind, Direction, Observation, Phase, Surroundings,
    TimeSeries, detect_anomalies, likely_cause,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const DAY: f64 = 24.0;

fn at(hours: f64) -> DateTime<Utc> {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of some weeks")]
    let seconds = (hours * 3_600.0).round() as i64;
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
}

/// So many days, a value in ten minutes, of the hour since the beginning and of noise between -1 and 1.
fn series(days: i32, value: impl Fn(f64, f64) -> f64) -> TimeSeries {
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_124);
    (0..days * 144)
        .map(|step| {
            let hour = f64::from(step) / 6.0;
            (at(hour), value(hour, rng.random::<f64>() * 2.0 - 1.0))
        })
        .collect()
}

fn wave(hour: f64) -> f64 {
    100.0 + 80.0 * (hour / DAY * std::f64::consts::TAU).sin()
}

fn is_within(hour: f64, from: f64, until: f64) -> bool {
    from <= hour && hour < until
}

fn episodes(series: &TimeSeries) -> Vec<Anomaly> {
    detect_anomalies(series, &AnomalyOptions::default()).episodes
}

#[test]
fn one_outage_is_one_episode_with_what_was_expected() {
    let outage =
        series(10, |hour, noise| if is_within(hour, 200.0, 202.0) { 10.0 } else { 100.0 + 3.0 * noise });
    let found = episodes(&outage);
    let [episode] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((episode.from, episode.direction), (at(200.0), Direction::Below));
    assert!(episode.until >= at(201.8) && episode.until <= at(208.0), "{episode:?}");
    assert!((episode.value - 10.0).abs() < 1e-9 && (episode.expected - 100.0).abs() < 1.0, "{episode:?}");
    assert!(episode.lower > 80.0 && episode.upper < 120.0 && episode.score > 10.0, "{episode:?}");
}

#[test]
fn what_is_usual_at_one_hour_is_out_of_the_ordinary_at_another() {
    let calm = series(12, |hour, noise| wave(hour) + 3.0 * noise);
    assert_eq!(episodes(&calm), []);
    // 100 lies amid all values, but not at the top of the day.
    let odd = series(
        12,
        |hour, noise| if is_within(hour, 246.0, 247.0) { 100.0 } else { wave(hour) + 3.0 * noise },
    );
    let found = episodes(&odd);
    assert_eq!(found.iter().map(|episode| episode.from).collect::<Vec<_>>(), [at(246.0)]);
    assert!((found[0].expected - 180.0).abs() < 10.0, "{found:?}");
}

#[test]
fn a_quiet_weekend_is_usual_once_it_was_seen_three_times() {
    let is_weekend = |hour: f64| hour.rem_euclid(7.0 * DAY) >= 5.0 * DAY;
    let weeks = series(42, |hour, noise| noise + if is_weekend(hour) { 20.0 } else { 100.0 });
    let late = at(28.0 * DAY);
    assert!(episodes(&weeks).iter().all(|episode| episode.from < late), "{:?}", episodes(&weeks));
    let busy = series(42, |hour, noise| {
        let quiet = is_weekend(hour) && !is_within(hour, 966.0, 971.0);
        noise + if quiet { 20.0 } else { 100.0 }
    });
    let found = episodes(&busy);
    assert_eq!(found.last().map(|episode| episode.from), Some(at(966.0)), "{found:?}");
}

#[test]
fn a_level_that_stays_is_one_alarm_and_then_the_level() {
    let step = series(21, |hour, noise| 3.0 * noise + if hour < 8.0 * DAY { 100.0 } else { 200.0 });
    let found = episodes(&step);
    assert_eq!(found.iter().map(|episode| episode.from).collect::<Vec<_>>(), [at(8.0 * DAY)]);
    let back =
        series(21, |hour, noise| 3.0 * noise + if is_within(hour, 192.0, 384.0) { 200.0 } else { 100.0 });
    let found = episodes(&back);
    assert_eq!(found.iter().map(|episode| episode.from).collect::<Vec<_>>(), [at(192.0), at(384.0)]);
    assert_eq!(found[1].direction, Direction::Below);
}

#[test]
fn gaps_and_irregular_steps_do_not_break_it() {
    let whole =
        series(14, |hour, noise| if is_within(hour, 300.0, 301.0) { 500.0 } else { wave(hour) + noise });
    let gappy = whole.keep(|observation| {
        let hour = observation.at - at(0.0);
        !(TimeDelta::hours(150)..TimeDelta::hours(170)).contains(&hour) && hour.num_minutes() % 70 != 0
    });
    let anomalies = detect_anomalies(&gappy, &AnomalyOptions::default());
    assert_eq!(anomalies.episodes.iter().filter(|it| it.from >= at(300.0)).count(), 1, "{anomalies:?}");
    assert!(anomalies.episodes.iter().any(|it| it.from >= at(300.0) && it.from < at(301.0)), "{anomalies:?}");
    assert!(
        anomalies.notes[0].starts_with("nothing was measured once, at most from 2026-01-07"),
        "{anomalies:?}"
    );
}

#[test]
fn constants_numbers_that_are_none_and_few_values_are_answered() {
    assert_eq!(episodes(&series(10, |_, _| 7.0)), []);
    assert_eq!(episodes(&series(10, |_, _| 0.0)), []);
    let first = series(10, |hour, _| if is_within(hour, 200.0, 200.1) { 3.0 } else { 0.0 });
    let found = episodes(&first);
    assert!(found.len() == 1 && found[0].score.is_finite(), "{found:?}");
    for few in [TimeSeries::default(), series(1, |hour, _| hour)] {
        let answer = detect_anomalies(&few, &AnomalyOptions::default());
        assert_eq!((answer.episodes.len(), answer.judged), (0, 0));
        assert!(answer.notes[0].contains("too few"), "{answer:?}");
    }
    let mut detector = AnomalyDetector::new(AnomalyOptions::default());
    for value in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 0.0] {
        assert_eq!(detector.judge(Observation { at: at(1.0), value }), None);
    }
    let wild = series(5, |_, noise| noise * f64::MAX);
    assert!(detect_anomalies(&wild, &AnomalyOptions::default()).judged > 0);
}

#[test]
fn a_run_is_asked_for_where_one_value_says_nothing() {
    let spikes = series(10, |hour, noise| {
        let value = if is_within(hour, 150.0, 150.1) { 300.0 } else { 100.0 + noise };
        if is_within(hour, 200.0, 201.0) { 900.0 + 100.0 * (hour - 200.0) } else { value }
    });
    let mut options = AnomalyOptions::default();
    options.least_run = 2;
    options.margin = 1.0;
    let found = detect_anomalies(&spikes, &options).episodes;
    assert_eq!(found.iter().map(|it| it.from).collect::<Vec<_>>(), [at(200.0 + 1.0 / 6.0)]);
}

#[test]
fn a_value_is_judged_by_those_before_it_alone() {
    let series = series(9, |hour, noise| wave(hour) + 20.0 * noise);
    let mut detector = AnomalyDetector::new(AnomalyOptions::default());
    let whole: Vec<_> = series.observations().iter().map(|it| detector.judge(*it)).collect();
    let mut detector = AnomalyDetector::new(AnomalyOptions::default());
    let half = &series.observations()[..whole.len() / 2];
    let part: Vec<_> = half.iter().map(|it| detector.judge(*it)).collect();
    assert_eq!(part, whole[..part.len()]);
    let begins = whole.iter().flatten().filter(|judged| judged.phase == Phase::Begins).count();
    assert_eq!(begins, episodes(&series).len());
}

/// An anomaly at hour 200, of an hour.
fn anomaly() -> Anomaly {
    let found =
        episodes(&series(10, |hour, noise| if is_within(hour, 200.0, 201.0) { 90.0 } else { 5.0 + noise }));
    found[0]
}

/// What counts up by as much a second as is told of the hour.
fn counter(a_second: impl Fn(f64) -> f64) -> TimeSeries {
    let mut counted = 0.0;
    (0..1_440)
        .map(|step| {
            let hour = f64::from(step) / 6.0;
            counted += a_second(hour) * 600.0;
            (at(hour), counted)
        })
        .collect()
}

fn during(hour: f64, then: f64, else_: f64) -> f64 {
    if is_within(hour, 200.0, 201.0) { then } else { else_ }
}

fn cause(surroundings: &Surroundings) -> Option<(CauseKind, String)> {
    likely_cause(&anomaly(), surroundings).map(|cause| {
        assert!(!cause.evidence.is_empty());
        (cause.kind, cause.message)
    })
}

#[test]
fn nothing_is_named_where_nothing_moved() {
    let calm = Surroundings::of("ping_ms")
        .with("node_uptime_seconds", series(10, |hour, _| hour * 3_600.0))
        .with("node_keys", series(10, |_, noise| 1_000.0 + noise))
        .with("node_latest_fork_ms", series(10, |_, _| 3.5))
        .with("node_rss_bytes", series(10, |_, _| 1e9))
        .with("node_clients", series(10, |_, noise| 50.0 + noise))
        .with("node_connections", counter(|_| 2.0))
        .with("node_expired_keys", counter(|_| 5.0))
        .with("node_output_bytes", counter(|_| 1e6))
        .with("node_commands", counter(|_| 800.0));
    assert_eq!(cause(&calm), None);
    assert_eq!(cause(&Surroundings::default()), None);
    // It moved, but as it does every day.
    let daily = Surroundings::of("ping_ms")
        .with("node_expired_keys", counter(|hour| if is_within(hour % DAY, 8.0, 9.0) { 900.0 } else { 5.0 }));
    assert_eq!(cause(&daily), None);
}

#[test]
fn a_restart_is_named_before_what_moves_with_it() {
    let restarted = Surroundings::of("ping_ms")
        .with(
            "node_uptime_seconds",
            series(10, |hour, _| (if hour < 200.2 { hour } else { hour - 200.2 }) * 3_600.0),
        )
        .with("node_keys", series(10, |hour, _| if hour < 200.2 { 1_000.0 } else { 0.0 }))
        .with("node_clients", series(10, |hour, _| during(hour, 900.0, 50.0)));
    let (kind, message) = cause(&restarted).unwrap();
    assert_eq!(kind, CauseKind::Restart);
    assert_eq!(message, "the server was started anew before 2026-01-09 08:20 UTC");
}

#[test]
fn a_flush_is_told_by_the_keys_that_went() {
    let keys = series(10, |hour, _| if hour < 200.2 { 1_000.0 } else { 0.0 });
    let (kind, message) = cause(&Surroundings::of("node_keys").with("node_keys", keys)).unwrap();
    assert_eq!(kind, CauseKind::Flush);
    assert!(message.ends_with("0 were left of 1000"), "{message}");
}

#[test]
fn a_fork_is_told_by_its_time_and_by_what_rose_with_it() {
    let forks = series(10, |hour, _| if hour < 200.2 { 3.0 } else { 480.0 });
    let alone = Surroundings::of("ping_ms").with("node_latest_fork_ms", forks);
    assert_eq!(cause(&alone), None, "a fork that moved nothing");
    let with_memory = alone.with("node_rss_bytes", series(10, |hour, _| during(hour, 1.6e9, 1e9)));
    let (kind, message) = cause(&with_memory).unwrap();
    assert_eq!(kind, CauseKind::Fork);
    assert_eq!(message, "the server forked, which took 480.0 ms; node_rss_bytes rose with it");
}

#[test]
fn a_storm_of_clients_is_told_by_connections_or_by_clients() {
    let connections = counter(|hour| during(hour, 300.0, 2.0));
    let of_connections = Surroundings::of("ping_ms").with("node_connections", connections);
    assert_eq!(cause(&of_connections).unwrap().0, CauseKind::ClientStorm);
    let clients = series(10, |hour, _| during(hour, 900.0, 50.0));
    let of_clients = Surroundings::of("ping_ms").with("node_clients", clients.clone());
    assert_eq!(cause(&of_clients).unwrap().1, "900 clients were connected, usually 50");
    assert_eq!(cause(&Surroundings::of("node_clients").with("node_clients", clients)), None, "of itself");
}

#[test]
fn a_burst_of_expiry_is_told_by_its_rate() {
    let expired = counter(|hour| during(hour, 400.0, 0.5));
    let (kind, message) = cause(&Surroundings::of("ping_ms").with("node_expired_keys", expired)).unwrap();
    assert_eq!(kind, CauseKind::ExpiryBurst);
    assert_eq!(message, "400.0 keys a second expired, usually 0.5: many were due at once");
}

#[test]
fn large_answers_to_as_many_commands_are_large_values() {
    let sent = counter(|hour| during(hour, 9e7, 1e6));
    let flat = Surroundings::of("ping_ms")
        .with("node_output_bytes", sent.clone())
        .with("node_commands", counter(|_| 800.0));
    assert_eq!(cause(&flat).unwrap().0, CauseKind::BigKey);
    let busy = Surroundings::of("ping_ms")
        .with("node_output_bytes", sent)
        .with("node_commands", counter(|hour| during(hour, 72_000.0, 800.0)));
    assert_eq!(cause(&busy), None);
}

#[test]
fn steady_growth_is_usual_and_a_spike_on_it_is_not() {
    let grown = |spike: f64| {
        series(30, |hour, noise| {
            500.0 + 2.5 * hour + 5.0 * noise + if is_within(hour, 480.0, 481.0) { spike } else { 0.0 }
        })
    };
    assert_eq!(episodes(&grown(0.0)), []);
    let found = episodes(&grown(200.0));
    assert_eq!(found.iter().map(|episode| episode.from).collect::<Vec<_>>(), [at(480.0)], "{found:?}");
    assert!((found[0].expected - 1_700.0).abs() < 20.0, "{found:?}");
    let hourly = grown(0.0).keep(|observation| (observation.at - at(0.0)).num_minutes() % 60 == 0);
    assert_eq!(episodes(&hourly), []);
    let shrunk = series(20, |hour, noise| 5_000.0 - 5.0 * hour + 5.0 * noise);
    assert_eq!(episodes(&shrunk), []);
}

#[test]
fn growth_and_a_day_together_are_usual() {
    let both = series(21, |hour, noise| 2_000.0 + 2.0 * hour + wave(hour) + 3.0 * noise);
    assert_eq!(episodes(&both), []);
}

type Noise = fn(&mut ChaCha8Rng, f64) -> f64;

/// The kinds of noise that metrics are made of, around 100 or above 0.
const NOISES: [(&str, Noise); 6] = [
    ("normal", |rng, _| 100.0 + 5.0 * normal(rng)),
    ("Laplace", |rng, _| 100.0 + 5.0 * (exponential(rng) - exponential(rng))),
    ("log-normal", |rng, _| 20.0 * normal(rng).exp()),
    ("Pareto, of index 2", |rng, _| 10.0 / rng.random::<f64>().max(1e-9).sqrt()),
    ("a day with noise as high as it", |rng, hour| wave(hour) * (0.2 * normal(rng)).exp()),
    ("bursts", |rng, _| {
        let burst = if rng.random::<f64>() < 0.02 { 30.0 + 30.0 * rng.random::<f64>() } else { 0.0 };
        100.0 + 3.0 * normal(rng) + burst
    }),
];
const NOISY_DAYS: i32 = 28;

/// Twelve uniform numbers less six, whose distribution is nearly normal.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -rng.random::<f64>().max(1e-12).ln()
}

/// Begins of outages of an hour, days apart.
const OUTAGES: [f64; 3] = [8.0 * DAY + 8.0, 14.0 * DAY + 3.0, 21.0 * DAY + 14.0];

/// Of alike values one in so many days is greater than all of the last three, whatever their distribution.
const RECORD_DAYS: i32 = 3;

#[test]
fn noise_of_any_kind_raises_one_alarm_a_week_and_hides_no_outage() {
    let mut of_all = 0;
    for (name, noise) in NOISES {
        let mut rng = ChaCha8Rng::seed_from_u64(20_261_128);
        let calm =
            series(NOISY_DAYS, |hour, _| hour).observations().iter().map(|it| it.value).collect::<Vec<_>>();
        let values: Vec<f64> = calm.iter().map(|hour| noise(&mut rng, *hour)).collect();
        let highest = values.iter().copied().fold(0.0, f64::max);
        let made = |outage: f64| -> TimeSeries {
            let is_out = |hour: f64| OUTAGES.iter().any(|from| is_within(hour, *from, from + 1.0));
            let pairs = calm.iter().zip(&values);
            pairs
                .map(|(hour, value)| (at(*hour), if is_out(*hour) { value + outage } else { *value }))
                .collect()
        };
        let false_alarms = i32::try_from(episodes(&made(0.0)).len()).unwrap();
        of_all += false_alarms;
        let found = episodes(&made(1.5 * highest));
        // It is told where it begins an episode, or goes on with one that the noise has begun.
        let is_told = |from: f64, it: &Anomaly| it.from < at(from + 1.0) && it.until >= at(from);
        let found = OUTAGES.map(|from| found.iter().any(|it| is_told(from, it)));
        eprintln!("{name:32} {false_alarms} false in {NOISY_DAYS} days, outages found: {found:?}");
        assert!(false_alarms <= NOISY_DAYS / RECORD_DAYS, "{name}: {false_alarms}");
        assert_eq!(found, [true; 3], "{name}");
    }
    let kinds = i32::try_from(NOISES.len()).unwrap();
    assert!(of_all * 7 <= NOISY_DAYS * kinds, "{of_all} false alarms");
}

#[test]
fn what_grows_worse_from_time_to_time_is_an_alarm_each_time() {
    // Five spikes, 23 hours apart, each three times the one before.
    let spike = |hour: f64| {
        (0..5).find(|time| is_within(hour, 200.0 + 23.0 * f64::from(*time), 200.2 + 23.0 * f64::from(*time)))
    };
    let worse =
        series(16, |hour, noise| 100.0 + noise + spike(hour).map_or(0.0, |time| 60.0 * 3.0_f64.powi(time)));
    assert_eq!(episodes(&worse).len(), 5, "{:?}", episodes(&worse));
    let alike = series(16, |hour, noise| 100.0 + noise + spike(hour).map_or(0.0, |_| 60.0));
    assert_eq!(episodes(&alike).len(), 1, "what recurs: {:?}", episodes(&alike));
}
