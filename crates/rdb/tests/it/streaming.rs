//! Values larger than the memory that decoding them may take.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Command;

use larder_rdb::Reader;

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
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "streaming::decode_huge_collections",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("LARDER_RDB_CHILD", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let Some(peak) = text.lines().find_map(|line| line.strip_prefix("peak KiB: ")) else {
        eprintln!("peak memory not checked: this system does not tell it");
        return;
    };
    let peak: u64 = peak.parse().unwrap();
    eprintln!("four million elements decoded, at most {peak} KiB resident");
    assert!(peak < 16 << 10, "{peak} KiB");
}

#[test]
#[ignore = "run by huge_collections_are_decoded_in_little_memory, in a process of its own"]
fn decode_huge_collections() {
    if std::env::var_os("LARDER_RDB_CHILD").is_none() {
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
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        eprintln!("peak KiB: {}", peak.trim().trim_end_matches("kB").trim());
    }
}
