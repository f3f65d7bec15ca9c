//! The service that uses the cache.

use anyhow::Result;
use larder_test_support::Application;
use serde_json::json;

use crate::larder::{Larder, findings};

fn larder(application: &Application) -> Larder {
    let larder = Larder::of("memory:sample");
    larder.configure(&format!("timeout = \"1s\"\n[application]\nurl = \"{}\"\n", application.url()));
    larder
}

#[test]
fn its_health_and_its_statistics_are_asked_for() -> Result<()> {
    let application = Application::start()?;
    application.set_health(200, &json!({"status": "ok"}));
    let stats = json!({"hit_rate": 0.75, "miss_rate": 0.25, "total_operations": 8, "hit_count": 3, "miss_count": 1,
        "set_count": 3, "delete_count": 1, "error_count": 0, "tier_stats": {"l1": {"hit_count": 2}}});
    application.set_metrics(200, stats.to_string());
    let larder = larder(&application);
    larder.ends(0, &["health"])?.says("application.health")?;

    let snapshot = larder.ends(0, &["--output", "json", "collect"])?.json()?;
    assert_eq!(snapshot["cache_stats"]["hit_count"], 3);
    assert_eq!(snapshot["cache_stats"]["origin"]["source"], "application");
    assert_eq!(snapshot["tier_stats"]["l1"]["hit_count"], 2);
    Ok(())
}

#[test]
fn one_that_is_ill_is_critical_and_the_cache_is_measured_all_the_same() -> Result<()> {
    let application = Application::start()?;
    application.set_health(503, &json!({}));
    application.set_metrics(500, "no");
    let larder = larder(&application);
    let verdict = larder.ends(2, &["--output", "json", "health"])?.json()?;
    assert_eq!(findings(&verdict, &application.url()), ["application.unhealthy"]);

    let snapshot = larder.ends(0, &["--output", "json", "collect"])?.json()?;
    assert_eq!(snapshot["cache_stats"]["origin"]["source"], "in_process");
    let absent = snapshot["absent"].as_array().expect("a list");
    assert!(absent.iter().any(|absent| absent["what"] == "the application's own statistics"), "{absent:?}");
    Ok(())
}

#[test]
fn one_that_does_not_answer_in_time_is_said() -> Result<()> {
    let application = Application::start()?;
    application.set_delay(std::time::Duration::from_secs(30));
    let verdict = larder(&application).ends(2, &["--output", "json", "health"])?.json()?;
    assert_eq!(findings(&verdict, &application.url()), ["application.timeout"]);
    Ok(())
}
