//! Everything can be tried without a server.

use std::fs;

use anyhow::Result;
use serde_json::Value;

use crate::larder::Larder;

#[test]
fn maintain_daily_judges_and_writes_todays_file() -> Result<()> {
    let larder = Larder::new();
    let run = larder.ends(0, &["--cache", "memory:sample", "maintain", "daily"])?;
    run.says("== health: done")?;
    run.says("OK - 0 critical")?;
    run.says("== collect: done")?;

    let files: Vec<_> = fs::read_dir(larder.folder().join("metrics"))?.collect::<Result<_, _>>()?;
    let daily =
        files.iter().map(fs::DirEntry::path).find(|path| path.extension().is_some_and(|kind| kind == "json"));
    let daily = daily.expect("there is a daily file");
    let name = daily.file_name().unwrap_or_default().to_string_lossy().into_owned();
    assert!(
        name.starts_with("cache_metrics_2") && name.len() == "cache_metrics_2026-01-01.json".len(),
        "{name}"
    );

    let file: Value = serde_json::from_str(&fs::read_to_string(&daily)?)?;
    for (part, fields) in [
        ("cache_stats", ["hit_rate", "miss_rate", "total_operations", "hit_count", "set_count"].as_slice()),
        ("health_info", &["status", "redis_connected", "redis_ping_time", "memory_usage"]),
        ("performance_metrics", &["avg_latency_ms", "max_latency_ms", "min_latency_ms"]),
    ] {
        for field in fields {
            assert!(!file[part][field].is_null(), "{part}.{field} is not measured");
        }
    }
    // Null, and said why.
    assert!(file["health_info"]["connection_pool_stats"].is_null());
    let absent = file["absent"].as_array().expect("a list");
    assert!(absent.iter().any(|absent| absent["what"] == "health_info.connection_pool_stats"), "{absent:?}");
    Ok(())
}

#[test]
fn the_cycle_is_told_as_json_too() -> Result<()> {
    let outcome = Larder::of("memory:sample").ends(0, &["--output", "json", "maintain", "daily"])?.json()?;
    assert_eq!(outcome["cycle"], "daily");
    let jobs: Vec<&str> =
        outcome["jobs"].as_array().expect("jobs").iter().filter_map(|job| job["job"].as_str()).collect();
    assert_eq!(jobs, ["health", "collect"]);
    assert_eq!(outcome["jobs"][0]["report"]["health"]["status"], "ok");
    Ok(())
}

#[test]
fn nothing_is_coloured_where_no_one_sees_it() -> Result<()> {
    for larder in [Larder::of("memory:sample"), Larder::of("memory:sample").with("NO_COLOR", "1")] {
        let run = larder.ends(0, &["health"])?;
        assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:#?}");
    }
    Ok(())
}

#[test]
fn help_completions_and_manual() -> Result<()> {
    let larder = Larder::new();
    larder.ends(0, &["--help"])?.says("memory:sample")?;
    larder.ends(0, &["completions", "bash"])?.says("_larder")?;
    larder.ends(0, &["man"])?.says(".TH larder")?;
    larder.ends(0, &["--version"])?.says(env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
