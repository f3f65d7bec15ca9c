//! Skimming and decoding against the servers' own `check-rdb`, on the same file in the same run.
//!
//! ```text
//! LARDER_TEST_SERVERS=/path/to/bin[:…] cargo bench -p larder-rdb --bench check
//! ```
//!
//! `LARDER_BENCH_KEYS` is the number of string keys (default 200,000; 5,000,000 make a file of 2 GB),
//! `LARDER_BENCH_MIXED` the number of keys of all kinds (default 4,000).
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crc_fast::{CrcAlgorithm, Digest};
use larder_rdb::{
    DataDigest, HashField, KeyHasher, KeyMeta, Reader, Server, Stream, StreamEntry, StreamId, Value, Writer,
};
use larder_test_support::write_query_cache;

/// Runs of each pass, of which the best counts.
const RUNS: usize = 3;
/// Marks the run of this program in a process of its own, whose memory is then its peak.
const CHILD: &str = "LARDER_BENCH_CHILD";

fn main() {
    if let Some(path) = std::env::var_os(CHILD) {
        print_families(Path::new(&path));
        println!("peak {} KiB", peak_kib().unwrap_or(0));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let strings = folder.path().join("strings.rdb");
    let keys = number("LARDER_BENCH_KEYS", 200_000);
    write_query_cache(&strings, keys).unwrap();
    let len = std::fs::metadata(&strings).unwrap().len();
    println!("strings: {keys} keys, {len} bytes");
    let bare = best(|| bare_pass(&strings));
    report("bare pass with CRC-64", bare, len);
    let skim = best(|| drop(black_box(families(&strings))));
    report("skim with CRC-64 and families", skim, len);
    println!("{}", skim_alone(&strings));
    let digested = best(|| {
        black_box(digest(&strings));
    });
    report("digest with CRC-64", digested, len);
    compare(&strings, skim, len);

    let mixed = folder.path().join("mixed.rdb");
    let keys = number("LARDER_BENCH_MIXED", 4000);
    write_mixed(&mixed, keys);
    let len = std::fs::metadata(&mixed).unwrap().len();
    println!("mixed: {keys} keys of all kinds, {len} bytes");
    let decode = best(|| {
        black_box(decode(&mixed));
    });
    report("decode with CRC-64", decode, len);
    let digested = best(|| {
        black_box(digest(&mixed));
    });
    report("digest with CRC-64", digested, len);
    compare(&mixed, decode, len);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn best(mut run: impl FnMut()) -> Duration {
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "a speed")]
fn report(what: &str, time: Duration, bytes: u64) {
    println!("  {what}: {:.3} s, {:.2} GB/s", time.as_secs_f64(), bytes as f64 / 1e9 / time.as_secs_f64());
}

/// Runs the check program of every server that is there.
fn compare(path: &Path, ours: Duration, bytes: u64) {
    let folders = std::env::var("LARDER_TEST_SERVERS").unwrap_or_default();
    let mut programs: Vec<PathBuf> = Vec::new();
    for folder in folders.split(':').filter(|folder| !folder.is_empty()) {
        let both = ["redis-check-rdb", "valkey-check-rdb"].map(|name| Path::new(folder).join(name));
        programs.extend(both.into_iter().find(|path| path.is_file()));
    }
    if programs.is_empty() {
        println!("  no check-rdb to compare with: LARDER_TEST_SERVERS names no folders");
    }
    for program in programs {
        let time = best(|| {
            let status = Command::new(&program).arg(path).stdout(Stdio::null()).status().unwrap();
            assert!(status.success(), "{} does not accept the file", program.display());
        });
        let name = program.iter().rev().nth(2).unwrap().display().to_string();
        report(&format!("check-rdb of {name}"), time, bytes);
        println!("  ratio to {name}: {:.2}", time.as_secs_f64() / ours.as_secs_f64());
    }
}

/// What any reader has to do: read every byte and checksum it.
fn bare_pass(path: &Path) {
    let mut file = File::open(path).unwrap();
    let mut crc = Digest::new(CrcAlgorithm::Crc64Redis);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            read => crc.update(&buffer[..read]),
        }
    }
    black_box(crc.finalize());
}

/// Keys and bytes of every family (the name up to the second colon).
fn families(path: &Path) -> HashMap<Box<[u8]>, (u64, u64)> {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
    let mut families: HashMap<Box<[u8]>, (u64, u64)> = HashMap::new();
    while let Some(key) = reader.skim_next().unwrap() {
        let colons = key.key.iter().enumerate().filter(|(_, byte)| **byte == b':').nth(1);
        let family = &key.key[..colons.map_or(0, |(at, _)| at)];
        let bytes = key.record_bytes();
        if let Some((keys, sum)) = families.get_mut(family) {
            *keys += 1;
            *sum += bytes;
        } else {
            families.insert(family.into(), (1, bytes));
        }
    }
    families
}

fn print_families(path: &Path) {
    let mut families: Vec<_> = families(path).into_iter().collect();
    families.sort();
    for (family, (keys, bytes)) in families {
        println!("  {}: {keys} keys, {bytes} bytes", family.escape_ascii());
    }
}

/// Skims in a process of its own; gives what it says of families and memory.
fn skim_alone(path: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap()).env(CHILD, path).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Decodes every element; gives their number.
fn decode(path: &Path) -> u64 {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
    let mut count = 0;
    while let Some(entry) = reader.next_key().unwrap() {
        let mut elements = entry.elements().unwrap();
        while let Some(element) = elements.next().unwrap() {
            black_box(&element);
            count += 1;
        }
    }
    count
}

/// Decodes every value and adds up the digests.
fn digest(path: &Path) -> DataDigest {
    let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
    let (mut hasher, mut sum) = (KeyHasher::new(), DataDigest::default());
    while let Some(entry) = reader.next_key().unwrap() {
        sum += entry.digest(&mut hasher).unwrap().whole;
    }
    sum
}

/// Numbers that are the same in every run (Marsaglia's xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn json(&mut self, len: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"{\"results\":[");
        while (out.len() as u64) < len {
            let (id, score, line) = (self.next(), self.below(10_000), self.below(4000));
            let item = format!("{{\"id\":\"{id:016x}\",\"score\":0.{score:04},\"line\":{line}}},");
            out.extend_from_slice(item.as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
}

/// Keys of every kind.
fn write_mixed(path: &Path, keys: u64) {
    let mut numbers = Numbers(0xfeed_beef_1234_5671);
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap()), Server::redis(7, 0)).unwrap();
    for number in 0..keys {
        let key = format!("mixed:{number}");
        let count = 10 + numbers.below(if number % 10 == 0 { 3000 } else { 300 });
        let mut text = |len: u64| {
            let mut out = Vec::new();
            numbers.json(12 + len, &mut out);
            out
        };
        let names = (0..count).map(|i| format!("member:{i:06}").into_bytes());
        let value = match number % 6 {
            0 => Value::String(text(2000)),
            1 => Value::List((0..count).map(|_| text(30)).collect()),
            2 => Value::Set(names.collect()),
            3 => Value::SortedSet(
                names
                    .enumerate()
                    .map(|(i, name)| (name, f64::from(u32::try_from(i).unwrap()) / 3.0))
                    .collect(),
            ),
            4 => Value::Hash(names.map(|name| HashField::new(name, text(20))).collect()),
            _ => {
                let mut stream = Stream::default();
                for i in 0..count {
                    let fields =
                        vec![(b"name".to_vec(), text(20)), (b"count".to_vec(), i.to_string().into_bytes())];
                    stream
                        .entries
                        .push(StreamEntry::new(StreamId::new(1_700_000_000_000 + i * 13, 0), fields));
                }
                Value::Stream(Box::new(stream))
            }
        };
        writer.value(key.as_bytes(), &KeyMeta::default(), &value).unwrap();
    }
    writer.finish().unwrap();
}
