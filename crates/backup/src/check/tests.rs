use chrono::{DateTime, TimeDelta, Utc};
use larder_metrics_model::Skipped;

use super::{BackupCheck, CheckState, CheckThresholds, check_backups, check_backups_of};
use crate::{
    DamagedBackup, Kind, ListedBackup, Listing, UnfinishedBackup, Verification, VerificationLevel,
    samples::{backup, safety, verified},
};

fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

fn good(hours: i64) -> ListedBackup {
    verified(backup(hours_ago(hours), 0), VerificationLevel::Load, true)
}

fn check(backups: Vec<ListedBackup>) -> BackupCheck {
    let listing = Listing { backups, ..Listing::default() };
    check_backups(&listing, &CheckThresholds::default(), now())
}

fn state_of(check: &BackupCheck, what: &str) -> Option<CheckState> {
    check.lines.iter().find(|line| line.what == what).map(|line| line.state)
}

#[test]
fn all_is_well() {
    let check = check((0..4).map(|day| good(24 * day)).collect());
    assert_eq!(check.state, CheckState::Ok, "{check:#?}");
    let data: Vec<String> = check.performance_data.iter().map(ToString::to_string).collect();
    let expected = [
        "'backups'=4;;;0",
        "'age'=0s;93600;180000;0",
        "'size'=1000B;;;0",
        "'verification_age'=0s;691200;1296000;0",
    ];
    assert_eq!(data, expected);
}

#[test]
fn ages_are_judged_at_their_bounds() {
    for (hours, state) in [
        (26, CheckState::Ok),
        (27, CheckState::Warning),
        (50, CheckState::Warning),
        (51, CheckState::Critical),
    ] {
        let check = check(vec![good(hours)]);
        assert_eq!(state_of(&check, "age"), Some(state), "{hours}");
        assert_eq!(check.state, state);
    }
    let check = check(vec![backup(hours_ago(-1), 0)]);
    assert_eq!(state_of(&check, "age"), Some(CheckState::Unknown));
}

#[test]
fn nothing_but_safety_backups_is_no_backup() {
    for backups in [vec![], vec![safety(good(1))]] {
        let check = check(backups);
        assert_eq!((check.state, check.state.exit_code()), (CheckState::Critical, 2));
        assert!(check.summary().contains("there is no backup"), "{}", check.summary());
    }
    let unknown = BackupCheck::unknown("the disk is gone");
    assert_eq!((unknown.state.exit_code(), unknown.summary().as_str()), (3, "repository: the disk is gone"));
}

#[test]
fn a_size_that_is_not_usual_is_a_warning() {
    for (bytes, state) in [
        (500, CheckState::Ok),
        (499, CheckState::Warning),
        (3000, CheckState::Ok),
        (3001, CheckState::Warning),
        (0, CheckState::Warning),
    ] {
        let mut backups: Vec<_> = (0..4).map(|day| good(24 * day)).collect();
        backups[0].manifest.shards[0].artifact.bytes = bytes;
        assert_eq!(state_of(&check(backups.clone()), "size"), Some(state), "{bytes}");
        backups.truncate(3);
        assert_eq!(state_of(&check(backups), "size"), Some(CheckState::Ok), "too few to tell");
    }
}

#[test]
fn backups_that_nobody_proves_become_a_warning() {
    let unproven = |days: i64| (0..days).map(|day| backup(hours_ago(24 * day), 0)).collect::<Vec<_>>();
    assert_eq!(state_of(&check(unproven(5)), "verification"), Some(CheckState::Ok));
    assert_eq!(state_of(&check(unproven(10)), "verification"), Some(CheckState::Warning));
    assert_eq!(state_of(&check(unproven(17)), "verification"), Some(CheckState::Critical));
    // Checksums prove that the bytes are the same, not that they are of use.
    let mut shallow = unproven(10);
    shallow[0] = verified(backup(hours_ago(0), 0), VerificationLevel::Checksum, true);
    assert_eq!(state_of(&check(shallow), "verification"), Some(CheckState::Warning));
}

#[test]
fn drills_are_looked_at_where_they_are_held() {
    let mut thresholds = CheckThresholds::default();
    let with_drill = |days: i64| {
        let mut backups = vec![good(1), good(24)];
        backups[1].verifications.push(Verification::passed(VerificationLevel::Drill, hours_ago(24 * days)));
        Listing { backups, ..Listing::default() }
    };
    let never = Listing { backups: vec![good(1)], ..Listing::default() };
    let of = |listing: &Listing, thresholds: &CheckThresholds| {
        state_of(&check_backups(listing, thresholds, now()), "drill")
    };
    assert_eq!(of(&never, &thresholds), None);
    assert_eq!(of(&with_drill(34), &thresholds), Some(CheckState::Ok));
    assert_eq!(of(&with_drill(36), &thresholds), Some(CheckState::Warning));
    assert_eq!(of(&with_drill(71), &thresholds), Some(CheckState::Critical));
    thresholds.expects_drills = true;
    assert_eq!(of(&never, &thresholds), Some(CheckState::Warning));
}

#[test]
fn a_deep_failure_is_not_hidden_by_a_shallow_success() {
    let mut newest = verified(backup(hours_ago(2), 0), VerificationLevel::Load, false);
    newest.verifications.push(Verification::passed(VerificationLevel::Structure, hours_ago(1)));
    assert!(newest.is_bad() && !newest.is_proven());
    let found = check(vec![newest.clone(), good(24)]);
    assert_eq!(state_of(&found, "damaged"), Some(CheckState::Critical));
    newest.verifications.push(Verification::passed(VerificationLevel::Drill, hours_ago(0)));
    assert!(newest.is_proven());
    let old = verified(backup(hours_ago(24), 0), VerificationLevel::Load, false);
    let found = check(vec![newest, old]);
    assert_eq!(state_of(&found, "damaged"), Some(CheckState::Warning));
}

#[test]
fn what_is_damaged_missing_and_unfinished_is_said() {
    let mut newest = good(1);
    newest.manifest.missing.push(Skipped::new("metrics", "the folder is not there"));
    let id = |hours| backup(hours_ago(hours), 1).manifest.id;
    let mut listing = Listing { backups: vec![newest], ..Listing::default() };
    listing.damaged.push(DamagedBackup { id: id(48), reason: "it was altered".to_owned() });
    let unfinished =
        |hours| UnfinishedBackup { id: id(hours), objects: 1, bytes: 10, newest_write: hours_ago(hours) };
    listing.unfinished = vec![unfinished(1)];
    let found = check_backups(&listing, &CheckThresholds::default(), now());
    assert_eq!(state_of(&found, "missing"), Some(CheckState::Warning));
    assert_eq!(state_of(&found, "damaged"), Some(CheckState::Warning));
    assert_eq!(state_of(&found, "unfinished"), None, "it may be in the making");
    listing.unfinished = vec![unfinished(30), unfinished(40)];
    listing.damaged[0].id = id(0);
    let found = check_backups(&listing, &CheckThresholds::default(), now());
    assert_eq!(state_of(&found, "unfinished"), Some(CheckState::Warning));
    assert_eq!(found.state, CheckState::Critical, "the newest of all is damaged");
}

const OTHER: &str = "redis://10.0.0.2:6379";

fn of(cache: &str, mut backup: ListedBackup) -> ListedBackup {
    cache.clone_into(&mut backup.manifest.cache);
    backup
}

#[test]
fn the_old_backups_of_a_cache_do_not_hide_behind_the_new_ones_of_another() {
    let backups = vec![good(1), of(OTHER, good(60)), of(OTHER, good(84))];
    let mut listing = Listing { backups, ..Listing::default() };
    let thresholds = CheckThresholds::default();
    let found = check_backups(&listing, &thresholds, now());
    assert_eq!(found.state, CheckState::Critical, "{found:#?}");
    let summary = found.summary();
    assert!(
        summary.starts_with(&format!("age: {OTHER}: the newest, ")) && !summary.contains(';'),
        "{summary}"
    );
    let labels: Vec<&str> = found.performance_data.iter().map(|datum| datum.label.as_str()).collect();
    for label in [format!("age {OTHER}"), "age redis://10.0.0.1:6379".to_owned(), format!("backups {OTHER}")]
    {
        assert!(labels.contains(&label.as_str()), "{labels:?}");
    }

    let named = |cache: &str, listing: &Listing| check_backups_of(cache, listing, &thresholds, now());
    let mine = named("redis://10.0.0.1:6379", &listing);
    assert_eq!(mine, check(vec![good(1)]), "as where there is no other");
    assert_eq!(named(OTHER, &listing), check(listing.backups[1..].to_vec()));
    let none = named("redis://10.0.0.3:6379", &listing).summary();
    let expected =
        "age: there is no backup of redis://10.0.0.3:6379; what is there is of redis://10.0.0.1:6379, ";
    assert_eq!(none, format!("{expected}{OTHER}"));

    // The newest of each is judged as such: of the other it is bad.
    let bad = verified(backup(hours_ago(2), 0), VerificationLevel::Load, false);
    let found = check(vec![good(1), of(OTHER, bad)]);
    assert_eq!(state_of(&found, "damaged"), Some(CheckState::Critical), "{found:#?}");

    // What is damaged may be the newest of the other.
    let id = backup(hours_ago(20), 1).manifest.id;
    listing.damaged.push(DamagedBackup { id, reason: "it was altered".to_owned() });
    let found = check_backups(&listing, &thresholds, now());
    assert_eq!(state_of(&found, "damaged"), Some(CheckState::Critical));
    assert_eq!(state_of(&named("redis://10.0.0.1:6379", &listing), "damaged"), Some(CheckState::Warning));
}

#[test]
fn backups_of_the_guide_are_of_the_only_cache() {
    let guides = |hours| {
        let mut backup = of("a-machine", good(hours));
        backup.manifest.kind = Kind::Guide;
        backup
    };
    let alone = vec![guides(2), guides(26)];
    let listing = Listing { backups: alone.clone(), ..Listing::default() };
    let thresholds = CheckThresholds::default();
    assert_eq!(check_backups_of(OTHER, &listing, &thresholds, now()), check(alone));
    let moved = check(vec![good(1), guides(60)]);
    assert_eq!(moved.state, CheckState::Ok, "{moved:#?}");
    assert_eq!(moved.performance_data[0].label, "backups");
    let beside = check(vec![good(1), of(OTHER, good(2)), guides(60)]);
    assert!(beside.summary().starts_with("age: a-machine: the newest, "), "{}", beside.summary());
    // A fresh one of another machine hides nothing.
    let mut another = guides(1);
    another.manifest.cache = "another-machine".to_owned();
    let apart = check(vec![another, guides(60)]);
    assert!(apart.summary().starts_with("age: a-machine: the newest, "), "{}", apart.summary());
}
