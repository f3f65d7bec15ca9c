//! The daily file of the guide's collector is read and written back without loss.

use larder_metrics_model::{Snapshot, Tier, TierStats};
use serde_json::{Value, json};

/// Built by hand in the field names of the guide's collector, with what its services might add.
fn daily_file() -> Value {
    json!({
        "timestamp": 1_763_856_000.123_456,
        "date": "2025-11-23T01:00:00.123456",
        "cache_stats": {
            "hit_rate": 0.853_211_009_174_311_9, "miss_rate": 0.146_788_990_825_688_07, "total_operations": 1090,
            "hit_count": 930, "miss_count": 160, "set_count": 155, "delete_count": 12, "error_count": 0
        },
        "health_info": {
            "status": "healthy", "redis_connected": true, "redis_ping_time": 0.412,
            "memory_usage": {"used_memory": 1_048_576, "used_memory_human": "1.00M", "used_memory_peak": 2_097_152},
            "connection_pool_stats": {"created_connections": 4, "available_connections": 3, "in_use_connections": 1}
        },
        "tier_stats": {"l1": {"size": 120, "hit_rate": 0.5}, "l2": {"hit_rate": 0.8}, "promotions": 17},
        "performance_metrics": {"avg_latency_ms": 0.61, "max_latency_ms": 1.9, "min_latency_ms": 0.3},
        "deployment": {"region": "eu-west-1"}
    })
}

#[test]
fn nothing_is_lost() {
    for change in [
        json!({}),
        json!({"tier_stats": null}),
        json!({"tier_stats": "not what one would expect"}),
        json!({"health_info": {"status": "unhealthy", "redis_connected": false, "redis_ping_time": null,
               "memory_usage": null, "connection_pool_stats": null}}),
        json!({"timestamp": 1_763_856_000.0}),
    ] {
        let mut file = daily_file();
        for (field, value) in change.as_object().unwrap() {
            file[field] = value.clone();
        }
        let snapshot: Snapshot = serde_json::from_value(file.clone()).unwrap();
        assert_eq!(serde_json::to_value(&snapshot).unwrap(), file);
        let text = serde_json::to_string_pretty(&file).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot, "through text");
    }
}

#[test]
fn its_figures_are_understood() {
    let snapshot: Snapshot = serde_json::from_value(daily_file()).unwrap();
    assert_eq!(snapshot.time().unwrap().to_rfc3339(), "2025-11-23T00:00:00.123456+00:00");
    assert_eq!(snapshot.cache_stats.hit_count, Some(930));
    assert_eq!(snapshot.health_info.memory_usage.as_ref().unwrap().used_memory, Some(1_048_576));
    assert_eq!(snapshot.tier_stats.as_ref().unwrap().tiers()["l1"].hit_rate, Some(0.5));
    let names: Vec<&str> = snapshot.samples().iter().map(|sample| sample.metric.name).collect();
    assert!(
        names.contains(&"hit_ratio") && names.contains(&"used_memory_bytes") && names.contains(&"ping_ms")
    );
}

#[test]
fn a_time_that_is_none_is_not_made_up() {
    for wrong in [f64::NAN, f64::INFINITY, 1e300] {
        let mut snapshot = Snapshot::default();
        snapshot.timestamp = wrong;
        assert_eq!(snapshot.time(), None, "{wrong}");
    }
}

#[test]
fn tiers_are_written_as_they_are_read() {
    let mut tier = Tier::default();
    (tier.hit_count, tier.entries) = (Some(3), Some(2));
    let stats = TierStats::new([("l1", tier.clone())]);
    assert_eq!(stats.tiers()["l1"], tier);
    assert!(TierStats::default().tiers().is_empty());
}
