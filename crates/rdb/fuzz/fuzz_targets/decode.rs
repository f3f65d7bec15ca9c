//! Decodes whatever it is given: what is accepted can be copied and written again.
#![no_main]

use larder_rdb::{KeyHasher, Limits, ReadOptions, Reader, Server, Value, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut options = ReadOptions::default();
    options.limits = Limits::untrusted();
    options.verify_checksum = false;
    options.total_bytes = data.len().is_multiple_of(2).then_some(data.len() as u64);
    let Ok(mut reader) = Reader::with_options(data, options) else { return };
    let mut digested = Reader::with_options(data, options).expect("the header was read before");
    let mut hasher = KeyHasher::new();
    let server = if data.len() % 3 == 0 { Server::valkey(9, 0) } else { Server::redis(8, 0) };
    let Ok(mut writer) = Writer::new(Vec::new(), server) else { return };
    let mut written = Vec::new();
    while let Ok(Some(entry)) = reader.next_key() {
        let (key, meta) = (entry.key().to_vec(), entry.meta());
        let digest = digested.next_key().expect("it was read before").expect("it is there").digest(&mut hasher);
        let Ok(value) = entry.value() else {
            assert!(digest.is_err(), "a digest is made of what decodes");
            break;
        };
        assert!(digest.is_ok(), "what decodes has a digest");
        if writer.value(&key, &meta, &value).is_ok() {
            written.push((key, meta, value));
        }
    }
    let Ok(bytes) = writer.finish() else { return };
    let mut reader = Reader::from_slice(&bytes).expect("what was written is read");
    for (key, meta, value) in written {
        let entry = reader.next_key().expect("what was written is read").expect("every key is there");
        assert!(entry.key() == key && entry.meta() == meta);
        let again = entry.value().expect("what was written is decoded");
        // A stream may say more entries than it has and ids that are lower than its entries'.
        assert!(again == value || matches!(value, Value::Stream(_)));
    }
});
