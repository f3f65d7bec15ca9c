//! Skims whatever it is given: any answer but a panic will do.
#![no_main]

use larder_rdb::{Limits, ReadOptions, Reader, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut options = ReadOptions::default();
    options.limits = Limits::untrusted();
    options.verify_checksum = false;
    options.total_bytes = data.len().is_multiple_of(2).then_some(data.len() as u64);
    let Ok(mut reader) = Reader::with_options(data, options) else { return };
    while let Ok(Some(record)) = reader.next_record() {
        if let Record::Key(entry) = record {
            let Ok(skimmed) = entry.skim() else { return };
            assert!(skimmed.offset + skimmed.record_bytes() <= data.len() as u64);
        }
    }
});
