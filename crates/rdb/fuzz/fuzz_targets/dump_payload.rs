//! Checks and decodes whatever payload it is given; both must agree.
#![no_main]

use larder_rdb::{Limits, Payload, ReadOptions, Server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut options = ReadOptions::default();
    options.limits = Limits::untrusted();
    options.verify_checksum = false;
    let Ok(payload) = Payload::with_options(data, options) else { return };
    let sound = payload.check().is_ok();
    let value = payload.value();
    assert_eq!(sound, value.is_ok());
    let shape = payload.skim();
    if let Ok(value) = value {
        assert!(shape.is_ok(), "what decodes can be skimmed");
        for server in [Server::redis(8, 0), Server::valkey(9, 0)] {
            if let Ok(again) = value.to_payload(server, b"key") {
                let payload = Payload::parse(&again).expect("what was written is read");
                assert!(payload.check().is_ok());
            }
        }
    }
});
