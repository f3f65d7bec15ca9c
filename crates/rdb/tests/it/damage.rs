//! Damaged and hostile input: an error, never a panic, and never much memory.

use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use larder_rdb::{
    Element, Error, HashField, KeyMeta, Limits, Payload, ReadOptions, Reader, Server, StreamPart, Value,
    Writer,
};

use crate::data::Numbers;
use crate::generate::fixtures;
use crate::peak::{is_child, peak_of, print_peak};

/// Reads a file to its end at either depth; gives the number of keys.
fn read_all(source: impl Read, options: ReadOptions, decode: bool) -> Result<u64, Error> {
    let mut reader = Reader::with_options(source, options)?;
    let mut keys = 0;
    if !decode {
        while reader.skim_next()?.is_some() {
            keys += 1;
        }
        return Ok(keys);
    }
    while let Some(entry) = reader.next_key()? {
        let mut elements = entry.elements()?;
        while let Some(element) = elements.next()? {
            if let Element::Stream(StreamPart::Entry { fields, .. }) = element {
                fields.for_each(drop);
            }
        }
        keys += 1;
    }
    Ok(keys)
}

fn untrusted(total_bytes: Option<u64>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.limits = Limits::untrusted();
    options.total_bytes = total_bytes;
    options
}

/// The small fixtures of every server, checksummed.
fn small_files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(fixtures()).unwrap() {
        for name in ["lru.rdb", "cluster.rdb"] {
            if let Ok(bytes) = std::fs::read(folder.as_ref().unwrap().path().join(name)) {
                files.push(bytes);
            }
        }
    }
    assert!(files.len() >= 7, "only {} files", files.len());
    files
}

#[test]
fn one_flipped_bit_anywhere_in_a_small_file_is_an_error() {
    for (number, mut bytes) in small_files().into_iter().enumerate() {
        for at in 0..bytes.len() {
            let bit = 1 << ((at + number) % 8);
            bytes[at] ^= bit;
            for decode in [false, true] {
                let known = Some(bytes.len() as u64).filter(|_| at % 2 == 0);
                let read = read_all(&bytes[..], untrusted(known), decode);
                assert!(read.is_err(), "bit {bit:#x} of byte {at} in file {number} decoded: {decode}");
                // Without the checksum any answer will do, as long as there is one.
                let mut options = untrusted(known);
                options.verify_checksum = false;
                let _ = read_all(&bytes[..], options, decode);
            }
            bytes[at] ^= bit;
        }
        assert!(read_all(&bytes[..], untrusted(None), true).is_ok());
    }
}

#[test]
fn a_cut_anywhere_in_a_small_file_is_an_error() {
    for bytes in small_files() {
        for len in 0..bytes.len() {
            for (decode, known) in [(false, false), (true, true), (true, false), (false, true)] {
                let options = untrusted(known.then_some(len as u64));
                let read = read_all(&bytes[..len], options, decode);
                assert!(matches!(read, Err(Error::Truncated { .. })), "{len} of {}: {read:?}", bytes.len());
            }
        }
    }
}

#[test]
fn a_byte_at_a_time_gives_the_same() {
    /// Gives one byte at a time.
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let (Some((first, rest)), Some(place)) = (self.0.split_first(), out.first_mut()) else {
                return Ok(0);
            };
            *place = *first;
            self.0 = rest;
            Ok(1)
        }
    }
    for folder in std::fs::read_dir(fixtures()).unwrap() {
        let Ok(bytes) = std::fs::read(folder.unwrap().path().join("data.rdb")) else { continue };
        let mut whole = Reader::from_slice(&bytes).unwrap();
        let mut drip = Reader::new(Drip(&bytes)).unwrap();
        loop {
            let (a, b) = (whole.skim_next().unwrap(), drip.skim_next().unwrap());
            assert_eq!(a, b);
            if a.is_none() {
                break;
            }
        }
        assert_eq!(whole.checksum(), drip.checksum());
        let mut whole = Reader::from_slice(&bytes).unwrap();
        let mut drip = Reader::new(Drip(&bytes)).unwrap();
        while let Some(entry) = whole.next_key().unwrap() {
            let again = drip.next_key().unwrap().unwrap();
            assert_eq!(entry.key(), again.key());
            assert_eq!(entry.value().unwrap(), again.value().unwrap());
        }
        assert!(drip.next_key().unwrap().is_none());
    }
}

#[test]
fn a_value_left_in_the_middle_is_checked_on_the_way_to_the_next() {
    let bytes = std::fs::read(fixtures().join("redis-7.0/data.rdb")).unwrap();
    let all = read_all(&bytes[..], ReadOptions::default(), false).unwrap();
    let mut reader = Reader::from_slice(&bytes).unwrap();
    let mut keys = 0;
    while let Some(entry) = reader.next_key().unwrap() {
        keys += 1;
        match keys % 4 {
            0 => {}
            1 => drop(entry.elements().unwrap()),
            2 => drop(entry.elements().unwrap().next().unwrap().is_some()),
            _ => drop(entry.raw_value().unwrap()),
        }
    }
    assert_eq!(keys, all);
}

#[test]
fn lengths_and_counts_of_hostile_input_are_refused_at_once() {
    let huge = [&b"\x81"[..], &(u64::MAX - 1).to_be_bytes()].concat();
    let large = [&b"\x80"[..], &(400u32 << 20).to_be_bytes()].concat();
    for version in [&b"REDIS0015"[..], b"VALKEY081"] {
        for type_byte in 0..=40u8 {
            for count in [&huge, &large] {
                for prefix in
                    [&b""[..], b"\0", b"\x01", b"\x10aaaaaaaaaaaaaaaa", b"\xc3", b"\0\0\0\0\0\0\0\0"]
                {
                    let file = [version, &[type_byte, 1, b'k'], prefix, count, &[0; 64]].concat();
                    for decode in [false, true] {
                        for known in [None, Some(file.len() as u64)] {
                            let read = read_all(&file[..], untrusted(known), decode);
                            assert!(read.is_err(), "type {type_byte} {prefix:?} {count:?} decoded: {decode}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let bytes = std::fs::read(fixtures().join("redis-8.0/data.rdb")).unwrap();
    let mut reader = Reader::from_slice(&bytes).unwrap();
    let mut numbers = Numbers::new(11);
    while let Some(entry) = reader.next_key().unwrap() {
        let payload = entry.raw_value().unwrap().to_payload(Server::redis(8, 0), b"k").unwrap();
        for _ in 0..20 {
            let mut damaged = payload.clone();
            let at = usize::try_from(numbers.below(payload.len() as u64)).unwrap();
            damaged[at] ^= 1 << numbers.below(8);
            assert!(Payload::parse(&damaged).and_then(|payload| payload.check()).is_err());
            let mut options = untrusted(None);
            options.verify_checksum = false;
            let _ = Payload::with_options(&damaged, options).and_then(|payload| payload.check());
            let _ = Payload::with_options(&damaged[..at], options).and_then(|payload| payload.check());
        }
    }
}

/// Writes a file of all kinds of values, some of them large.
fn write_large(path: &Path, bytes: u64) {
    let mut numbers = Numbers::new(7);
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap()), Server::redis(8, 0)).unwrap();
    let mut number = 0;
    while writer.written() < bytes {
        number += 1;
        let key = format!("key:{number}");
        let mut text = |len| numbers.noise(len);
        let value = match number % 6 {
            0 => Value::String(text(200_000)),
            1 => Value::List((0..2000).map(|_| text(30)).collect()),
            2 => Value::Set((0..2000).map(|i| [format!("{i}:").into_bytes(), text(20)].concat()).collect()),
            3 => Value::Hash((0..2000).map(|i| HashField::new(format!("field:{i}"), text(30))).collect()),
            4 => Value::SortedSet(
                (0..2000).map(|i| (format!("member:{i}").into_bytes(), f64::from(i))).collect(),
            ),
            _ => Value::String("{\"id\":1},".repeat(20_000).into_bytes()),
        };
        writer.value(key.as_bytes(), &KeyMeta::default(), &value).unwrap();
    }
    writer.finish().unwrap();
}

/// Gives a file with one bit flipped.
struct Flipped {
    file: File,
    offset: u64,
    at: u64,
    bit: u8,
}

impl Read for Flipped {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(out)?;
        if let Some(at) = self.at.checked_sub(self.offset).and_then(|at| usize::try_from(at).ok())
            && at < len
        {
            out[at] ^= self.bit;
        }
        self.offset += len as u64;
        Ok(len)
    }
}

/// Places tried in the large file; a build without optimisation is too slow for all of them.
const PLACES: u64 = if cfg!(debug_assertions) { 40 } else { 1000 };

#[test]
fn damage_at_seeded_places_of_a_large_file_is_an_error_in_little_memory() {
    if let Some(peak) = peak_of("damage::damage_a_large_file") {
        eprintln!("{PLACES} places, at most {peak} KiB resident");
        assert!(peak < 64 << 10, "{peak} KiB");
    }
}

#[test]
#[ignore = "run by damage_at_seeded_places_of_a_large_file_is_an_error_in_little_memory, in a process of its own"]
fn damage_a_large_file() {
    if !is_child() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    write_large(file.path(), 40 << 20);
    let len = file.as_file().metadata().unwrap().len();
    let mut numbers = Numbers::new(3);
    for place in 0..PLACES {
        let at = numbers.below(len);
        let bit = 1 << numbers.below(8);
        let decode = place % 2 == 0;
        let known = Some(len).filter(|_| place % 4 < 2);
        let flipped = Flipped { file: File::open(file.path()).unwrap(), offset: 0, at, bit };
        assert!(read_all(flipped, untrusted(known), decode).is_err(), "bit {bit:#x} of byte {at}");
        let cut = File::open(file.path()).unwrap().take(at);
        assert!(read_all(cut, untrusted(known), decode).is_err(), "cut at {at}");
    }
    print_peak();
}
