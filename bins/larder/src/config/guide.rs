//! The guide's `monitoring_config.json`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use larder_analysis::{GuideThresholds, HealthThresholds};
use serde::Deserialize;

use crate::command_error::UsageError;

/// The part of the guide's file that is used so far; the others (cooldown, interval, e-mail) belong to alerting.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MonitoringConfig {
    thresholds: GuideThresholds,
}

/// Reads the thresholds of the guide's file.
pub(crate) fn thresholds(path: &Path) -> Result<HealthThresholds> {
    let wrong = |words: String| UsageError(format!("{}: {words}", path.display()));
    let text = fs::read_to_string(path).with_context(|| wrong("it cannot be read".to_owned()))?;
    let config: MonitoringConfig = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(HealthThresholds::try_from(config.thresholds)
        .map_err(|error| wrong(format!("thresholds: {error}")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_file_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitoring_config.json");
        let text = r#"{"thresholds": {"hit_rate_min": 0.6, "latency_max_ms": 40, "memory_usage_max_percent": 80,
            "error_rate_max_percent": 5, "connection_usage_max_percent": 90}, "alert_cooldown_minutes": 30,
            "monitoring_interval_seconds": 60, "email": {"enabled": false, "smtp_server": "localhost"}}"#;
        fs::write(&path, text).unwrap();
        let taken = thresholds(&path).unwrap();
        assert!((taken.hit_rate_min.get() - 0.6).abs() < 1e-12);
        fs::write(&path, r#"{"thresholds": {"hit_rate_min": 60}}"#).unwrap();
        assert!(thresholds(&path).unwrap_err().to_string().contains("hit_rate_min"));
        fs::write(&path, "{").unwrap();
        assert!(thresholds(&path).unwrap_err().to_string().contains("monitoring_config.json"));
    }
}
