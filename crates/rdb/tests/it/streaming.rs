//! Values larger than the memory that decoding them may take.

use std::fs::File;
use std::io::{BufWriter, Write};

use larder_rdb::{Limits, ReadOptions, Reader};

use crate::peak::{is_child, peak_of, print_peak};

/// One list of two million items and one hash as large; 130 MB that nobody ever has in memory whole.
fn write_huge(file: &File) {
    let mut out = BufWriter::new(file);
    let count = [&[0x80][..], &2_000_000u32.to_be_bytes()].concat();
    out.write_all(b"REDIS0007").unwrap();
    for (type_byte, name, strings) in [(1u8, b'l', 1), (4, b'h', 2)] {
        out.write_all(&[type_byte, 1, name]).unwrap();
        out.write_all(&count).unwrap();
        for number in 0..2_000_000 {
            for part in 0..strings {
                write!(out, "\x13{number:014}:{part:04}").unwrap();
            }
        }
    }
    out.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    out.flush().unwrap();
}

#[test]
fn huge_collections_are_decoded_in_little_memory() {
    if let Some(peak) = peak_of("streaming::decode_huge_collections") {
        eprintln!("four million elements decoded, at most {peak} KiB resident");
        assert!(peak < 16 << 10, "{peak} KiB");
    }
}

/// What takes most memory and is still allowed in data from anywhere: strings and packed strings of nearly 4 MiB,
/// all their members different, names of nearly 1 MiB, hash templates of nearly 4 MiB.
fn write_greedy(file: &File) {
    let mut out = BufWriter::new(file);
    let long = |byte: u8, len: u32| [&[0x80][..], &len.to_be_bytes(), &vec![byte; len as usize]].concat();
    let most = (4u32 << 20) - 200;
    out.write_all(b"REDIS0015").unwrap();
    out.write_all(&[0xf2, 0, 3]).unwrap();
    for (byte, len) in [(b'a', 1_000_000), (b'b', 1_000_001), (b'c', 1_000_002)] {
        out.write_all(&long(byte, len)).unwrap();
    }
    for number in 0..3u8 {
        // A hash of one field, a list of four items, a set in a listpack.
        out.write_all(&[4]).unwrap();
        out.write_all(&long(b'k', 1_000_000)).unwrap();
        out.write_all(&[1]).unwrap();
        out.write_all(&long(b'f', most)).unwrap();
        out.write_all(&long(b'v', most)).unwrap();
        out.write_all(&[1, 1, b'l', 4]).unwrap();
        (0..3).for_each(|_| out.write_all(&long(b'i', most)).unwrap());
        out.write_all(&long(b'i', most / 4)).unwrap();
        let mut packed = vec![0; 6];
        let mut member = 1u32 << 20;
        while packed.len() < most as usize {
            let [a, b, c, _] = member.to_le_bytes();
            packed.extend([0xf2, a, b, c, 4]);
            member += 1;
        }
        packed.push(0xff);
        let len = u32::try_from(packed.len()).unwrap();
        packed[..4].copy_from_slice(&len.to_le_bytes());
        packed[4..6].copy_from_slice(&[0xff, 0xff]);
        out.write_all(&[20, 1, b's', 0x80]).unwrap();
        out.write_all(&len.to_be_bytes()).unwrap();
        out.write_all(&packed).unwrap();
        out.write_all(&[0, 2, b'z', number, 1, b'v']).unwrap();
    }
    out.write_all(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    out.flush().unwrap();
}

#[test]
fn greedy_input_stays_under_64_mib() {
    let peak = peak_of("streaming::read_greedy_input");
    if let Some(peak) = peak {
        eprintln!("greedy input: at most {peak} KiB resident");
        assert!(peak < 64 << 10, "{peak} KiB");
    }
}

#[test]
#[ignore = "run by greedy_input_stays_under_64_mib, in a process of its own"]
fn read_greedy_input() {
    if !is_child() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    write_greedy(file.as_file());
    let mut options = ReadOptions::default();
    options.limits = Limits::untrusted();
    for depth in ["skim", "decode", "copy", "all"] {
        let mut reader = Reader::with_options(File::open(file.path()).unwrap(), options).unwrap();
        let mut keys = 0;
        while let Some(entry) = reader.next_key().unwrap() {
            keys += 1;
            if depth == "skim" {
                entry.skim().unwrap();
            } else if depth == "copy" || depth == "all" && keys % 4 == 2 {
                assert!(entry.raw_value().unwrap().as_bytes().len() < 16 << 20);
            } else {
                let mut elements = entry.elements().unwrap();
                while elements.next().unwrap().is_some() {}
            }
        }
        assert_eq!(keys, 12);
    }
    print_peak();
}

#[test]
#[ignore = "run by huge_collections_are_decoded_in_little_memory, in a process of its own"]
fn decode_huge_collections() {
    if !is_child() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    write_huge(file.as_file());
    let mut reader = Reader::new(File::open(file.path()).unwrap()).unwrap();
    while let Some(entry) = reader.next_key().unwrap() {
        let mut elements = entry.elements().unwrap();
        let mut count = 0;
        while elements.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 2_000_000);
    }
    print_peak();
}
