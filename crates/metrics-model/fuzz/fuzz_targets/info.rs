//! Whatever a server answers to INFO, CLUSTER INFO or CLIENT LIST is read without a panic, and nothing is lost.
#![no_main]

use larder_metrics_model::{ClientInfo, ClusterState, Counters, Info, ServerFacts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let info = Info::parse_bytes(bytes);
    let facts = ServerFacts::from(&info);
    let _ = (facts.keys(), facts.keys_with_ttl(), facts.error_replies(), facts.stats.hit_rate(), facts.memory.usage());
    let _ = Counters::from(&facts);
    for (section, field, value) in info.fields() {
        assert!(info.section(section).any(|seen| seen == (field, value)));
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = (ClusterState::parse(&text), ClientInfo::parse(&text));
});
