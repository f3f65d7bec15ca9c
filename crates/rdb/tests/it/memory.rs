//! The memory estimate against what servers answer to `MEMORY USAGE key SAMPLES 0`.

use std::collections::BTreeMap;

use larder_rdb::{Allocator, MemoryEstimate, MemoryModel, Reader, Server};

use crate::data::{self, Numbers};
use crate::generate::fixtures;
use crate::servers::{Installed, Running, installed};

/// Sums of one type and encoding.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    keys: u64,
    within_5_percent: u64,
    estimated: u64,
    measured: u64,
}

impl Sums {
    fn add(&mut self, estimated: u64, measured: u64) -> bool {
        self.keys += 1;
        self.estimated += estimated;
        self.measured += measured;
        let is_close = estimated.abs_diff(measured) * 20 <= measured;
        self.within_5_percent += u64::from(is_close);
        is_close
    }

    fn error_percent(self) -> f64 {
        percent(self.estimated, self.measured) - 100.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// Compares key by key; gives the sums by type and encoding.
#[derive(Debug, Default)]
struct Comparison {
    sums: BTreeMap<(String, String), Sums>,
    far: Vec<String>,
}

impl Comparison {
    fn add(&mut self, key: &str, kind: &str, encoding: &str, estimate: MemoryEstimate, measured: u64) {
        if !estimate.is_known {
            return;
        }
        let sums = self.sums.entry((kind.to_owned(), encoding.to_owned())).or_default();
        if !sums.add(estimate.usage_bytes, measured) {
            self.far.push(format!(
                "{kind} {encoding} {key}: estimated {} measured {measured}",
                estimate.usage_bytes
            ));
        }
    }

    fn check(&self, name: &str) {
        let mut all = Sums::default();
        for ((kind, encoding), sums) in &self.sums {
            let error = sums.error_percent();
            let Sums { keys, within_5_percent, measured, .. } = sums;
            eprintln!(
                "| {name} | {kind} | {encoding} | {keys} | {measured} | {error:+.2} % | {within_5_percent} |"
            );
            assert!(error.abs() <= 3.0, "{name} {kind} {encoding}: {error:.2} %\n{}", self.far.join("\n"));
            all.keys += keys;
            all.within_5_percent += within_5_percent;
        }
        let share = percent(all.within_5_percent, all.keys);
        eprintln!("{name}: {share:.2} % of {} keys within 5 %", all.keys);
        assert!(share >= 99.0, "{name}: only {share:.2} % of {} keys\n{}", all.keys, self.far.join("\n"));
    }
}

/// The model of the servers that the fixtures were made with: they have a distribution's jemalloc.
fn model(server: Server) -> MemoryModel {
    MemoryModel::new(server).with_allocator(Allocator::System)
}

fn estimates(bytes: &[u8], server: Server) -> Vec<(u64, Vec<u8>, MemoryEstimate)> {
    let mut reader = Reader::from_slice(bytes).unwrap();
    let mut estimates = Vec::new();
    while let Some(entry) = reader.next_key().unwrap() {
        let (db, key) = (entry.meta().db, entry.key().to_vec());
        estimates.push((db, key, entry.memory(&model(server)).unwrap()));
    }
    estimates
}

#[test]
fn fixtures_are_estimated_as_their_servers_measured_them() {
    for name in ["redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1"] {
        let server: Server = name.parse().unwrap();
        let folder = fixtures().join(name);
        let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
        let mut comparison = Comparison::default();
        let mut read: BTreeMap<&str, std::vec::IntoIter<_>> = BTreeMap::new();
        for line in manifest.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let file = read.entry(fields[0]).or_insert_with(|| {
                estimates(&std::fs::read(folder.join(fields[0])).unwrap(), server).into_iter()
            });
            let (_, key, estimate) = file.next().unwrap();
            assert_eq!(key.escape_ascii().to_string(), fields[2]);
            comparison.add(fields[2], fields[3], fields[5], estimate, fields[8].parse().unwrap());
        }
        comparison.check(name);
    }
}

#[test]
fn one_pass_gives_what_two_give() {
    for name in ["redis-7.0", "redis-8.0", "valkey-8.1", "valkey-9.1"] {
        let model = model(name.parse().unwrap());
        let bytes = std::fs::read(fixtures().join(name).join("data.rdb")).unwrap();
        let (mut once, mut sized) =
            (Reader::from_slice(&bytes).unwrap(), Reader::from_slice(&bytes).unwrap());
        let (mut skimmed, mut keys) = (Reader::from_slice(&bytes).unwrap(), 0);
        while let Some(entry) = once.next_key().unwrap() {
            let (found, estimate) = entry.skim_with_memory(&model).unwrap();
            assert_eq!(Some(found), skimmed.skim_next().unwrap(), "{name}");
            assert_eq!(estimate, sized.next_key().unwrap().unwrap().memory(&model).unwrap(), "{name}");
            keys += 1;
        }
        assert!(keys > 100, "{name}: {keys} keys");
        assert_eq!(skimmed.skim_next().unwrap(), None, "{name}");
        assert_eq!(once.checksum(), skimmed.checksum());
    }
}

/// Many keys of every kind, of random sizes.
fn fill_randomly(running: &mut Running) {
    let mut numbers = Numbers::new(99);
    let each = if cfg!(debug_assertions) { 60 } else { 300 };
    for i in 0..each {
        let text = |numbers: &mut Numbers, most: u64| {
            let len = usize::try_from(1 + numbers.below(most)).unwrap();
            numbers.noise(len)
        };
        let key = |kind: &str, numbers: &mut Numbers| {
            [format!("{kind}:{i}:").into_bytes(), text(numbers, 40)].concat()
        };
        let name = key("string", &mut numbers);
        let value = text(&mut numbers, 2000);
        running.run(&[b"SET", &name, &value]);
        let name = key("small", &mut numbers);
        let value = text(&mut numbers, 80);
        running.run(&[b"SET", &name, &value]);
        if i % 2 == 0 {
            running.run(&[b"PEXPIREAT", &name, data::EXPIRES_AT_MS.to_string().as_bytes()]);
        }
        for (kind, command) in [("list", "RPUSH"), ("set", "SADD"), ("hash", "HSET"), ("zset", "ZADD")] {
            let name = key(kind, &mut numbers);
            let members = 1 + numbers.below(if i % 2 == 0 { 40 } else { 1000 });
            let most = 1 + numbers.below(50);
            let mut words: Vec<Vec<u8>> = vec![command.into(), name];
            for member in 0..members {
                if kind == "zset" {
                    words.push(numbers.below(100_000).to_string().into_bytes());
                }
                words.push([format!("{member}:").into_bytes(), text(&mut numbers, most)].concat());
                if kind == "hash" {
                    words.push(text(&mut numbers, most));
                }
            }
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            running.run(&words);
        }
        let name = key("stream", &mut numbers);
        for entry in 0..=numbers.below(120) {
            let id = format!("{}-{}", 1_700_000_000_000 + entry * 50, numbers.below(50));
            running.run(&[b"XADD", &name, id.as_bytes(), b"field", &text(&mut numbers, 40)]);
        }
    }
}

#[test]
fn random_keys_are_estimated_as_servers_measure_them() {
    for installed in installed("random_keys_are_estimated_as_servers_measure_them") {
        let bytes = {
            let mut running = installed.start(None, &[]);
            fill_randomly(&mut running);
            running.save()
        };
        let mut comparison = Comparison::default();
        compare_loaded(&installed, &bytes, &mut comparison);
        comparison.check(&installed.name);
    }
}

/// Loads a file and compares every key.
fn compare_loaded(installed: &Installed, bytes: &[u8], comparison: &mut Comparison) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut loaded = installed.start(Some(file.path()), &[]);
    let mut selected = 0;
    for (db, key, estimate) in estimates(bytes, installed.server) {
        if db != selected {
            selected = db;
            loaded.say(&format!("SELECT {db}"));
        }
        let kind = loaded.run(&[b"TYPE", &key]).text();
        let encoding = loaded.run(&[b"OBJECT", b"ENCODING", &key]).text();
        let measured = loaded.run(&[b"MEMORY", b"USAGE", &key, b"SAMPLES", b"0"]).int();
        let key = key.escape_ascii().to_string();
        comparison.add(&key, &kind, &encoding, estimate, u64::try_from(measured).unwrap());
    }
}

#[test]
fn a_file_of_an_older_server_is_estimated_for_newer_ones() {
    for installed in installed("a_file_of_an_older_server_is_estimated_for_newer_ones") {
        let mut comparison = Comparison::default();
        for name in ["data", "lru", "lfu", "plain", "cluster"] {
            let bytes = std::fs::read(fixtures().join(format!("redis-7.0/{name}.rdb"))).unwrap();
            compare_loaded(&installed, &bytes, &mut comparison);
        }
        comparison.check(&format!("redis-7.0 on {}", installed.name));
    }
}
