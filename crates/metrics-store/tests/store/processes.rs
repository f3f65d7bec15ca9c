//! Several processes that write at once, and processes that are killed while they write.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use larder_metrics_store::{Appended, Query, Resolution, Result, SeriesQuery};

use crate::support::{Seeded, files, keyspace, keyspace_seconds, seconds, sqlite, with_node};

const CHILD: &str = "LARDER_METRICS_STORE_CHILD";

fn append(kind: &str, folder: &Path, second: i64) -> Result<Appended> {
    match kind {
        "files" => files(folder).append_blocking(&with_node(second)),
        "families" => sqlite(folder).append_keyspace_blocking(&keyspace(second)),
        "family files" => files(folder).append_keyspace_blocking(&keyspace(second)),
        _ => sqlite(folder).append_blocking(&with_node(second)),
    }
}

/// The seconds of what is there, all of it whole.
fn read(kind: &str, folder: &Path) -> Vec<i64> {
    let all = Query::default();
    let (history, keyspaces) = match kind {
        "files" | "family files" => {
            (files(folder).read_blocking(&all), files(folder).read_keyspaces_blocking(&all))
        }
        _ => (sqlite(folder).read_blocking(&all), sqlite(folder).read_keyspaces_blocking(&all)),
    };
    let (history, keyspaces) = (history.unwrap(), keyspaces.unwrap());
    assert_eq!((history.damaged, keyspaces.damaged), (vec![], vec![]), "{kind}");
    [seconds(&history.snapshots), keyspace_seconds(&keyspaces.snapshots)].concat()
}

/// The writing process: this test binary again, told by the environment to write instead of testing.
#[test]
fn child() {
    let Ok(order) = env::var(CHILD) else { return };
    let [kind, folder, first, step, count] = order.split('|').collect::<Vec<_>>()[..] else {
        panic!("{order}")
    };
    let [first, step, count] = [first, step, count].map(|number| number.parse::<i64>().unwrap());
    let mut out = std::io::stdout();
    for number in 0..count {
        let second = first + number * step;
        append(kind, Path::new(folder), second).unwrap();
        writeln!(out, "stored {second}").unwrap();
    }
}

fn spawn(kind: &str, folder: &Path, [first, step, count]: [i64; 3]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "processes::child", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, format!("{kind}|{}|{first}|{step}|{count}", folder.display()));
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

fn acknowledged(line: &str) -> Option<i64> {
    line.rsplit_once("stored ")?.1.parse().ok()
}

#[test]
fn processes_and_threads_that_write_at_once_lose_nothing() {
    for kind in ["files", "sqlite", "families", "family files"] {
        let folder = tempfile::tempdir().unwrap();
        let processes: Vec<Child> = (0..4).map(|first| spawn(kind, folder.path(), [first, 6, 25])).collect();
        thread::scope(|scope| {
            for first in 4..6 {
                let folder = folder.path();
                scope.spawn(move || {
                    (0..25).for_each(|number| drop(append(kind, folder, first + 6 * number).unwrap()));
                });
            }
        });
        for process in processes {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{kind}");
        }
        let expected = if kind == "family files" { 149..150 } else { 0..150 };
        assert_eq!(read(kind, folder.path()), expected.collect::<Vec<i64>>(), "{kind}");
    }
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    const ROUNDS: i64 = 25;
    for kind in ["files", "sqlite", "families", "family files"] {
        let folder = tempfile::tempdir().unwrap();
        let mut seeded = Seeded(41);
        let mut stored = BTreeSet::new();
        let mut killed = 0;
        for round in 0..ROUNDS {
            let mut child = spawn(kind, folder.path(), [round * 1000, 1, 1000]);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let wanted = 1 + seeded.below(4);
            let mut seen = 0;
            while seen < wanted {
                let line = lines.next().unwrap().unwrap();
                if let Some(second) = acknowledged(&line) {
                    stored.insert(second);
                    seen += 1;
                }
            }
            // Somewhere in what it does next.
            thread::sleep(Duration::from_micros(seeded.below(8_000)));
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            stored.extend(lines.map_while(std::result::Result::ok).filter_map(|line| acknowledged(&line)));

            let found: BTreeSet<i64> = read(kind, folder.path()).into_iter().collect();
            if kind == "family files" {
                assert_eq!(found.len(), 1, "{round}: the newest of the day");
                stored.retain(|second| found.first().is_none_or(|newest| second > newest));
            }
            let lost: Vec<_> = stored.difference(&found).collect();
            assert!(lost.is_empty(), "{kind} {round}: {lost:?}");
        }
        assert_eq!(i64::from(killed), ROUNDS, "{kind}: every one was killed in the middle");
        append(kind, folder.path(), -1).unwrap();
        let query = match kind {
            "sqlite" => SeriesQuery::new("hits"),
            "families" => SeriesQuery::new("family_bytes").of_family("app:"),
            _ => continue,
        };
        let store = sqlite(folder.path());
        assert_eq!(store.check().unwrap(), []);
        let raw = store.series_blocking(&query.clone().at(Resolution::Raw)).unwrap();
        let daily = store.series_blocking(&query.at(Resolution::Daily)).unwrap();
        let count: u64 = daily.points.iter().map(|point| point.count).sum();
        assert_eq!(count, raw.points.len() as u64, "days and samples are stored together or not at all");
    }
}
