//! From where on something is wrong.

use larder_metrics_model::Ratio;
use serde::{Deserialize, Serialize};

use super::{Ceiling, ThresholdError};

/// From where on something is wrong. Every value is fine at its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HealthThresholds {
    /// Share of the machine's memory in use; also of a node that has no limit of its own.
    pub machine_memory: Ceiling<Ratio>,
    /// Share of each disk in use.
    pub disk: Ceiling<Ratio>,
    /// Load average over five minutes, a processor.
    pub load_per_cpu: Ceiling<f64>,
    /// Round trip of a PING, in milliseconds.
    pub ping_ms: Ceiling<f64>,
    /// Share of `maxmemory` in use.
    pub memory: Ceiling<Ratio>,
    /// Share of `maxclients` in use.
    pub clients: Ceiling<Ratio>,
    /// Seconds for which a replica has not been heard, or a primary by its replica.
    pub replication_lag_seconds: Ceiling<f64>,
    /// The lowest hit rate that is fine.
    pub hit_rate_min: Ratio,
    /// Look-ups before the hit rate is judged.
    pub lookups_min: u64,
    /// The largest share of commands that may end in an error.
    pub error_rate_max: Ratio,
    /// Commands before the error rate is judged.
    pub commands_min: u64,
    /// A server that has run for less than this is said to have restarted.
    pub restart_seconds: u64,
}

/// The `thresholds` of the guide's `monitoring_config.json`, under the names they have there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuideThresholds {
    /// The lowest hit rate that is fine, 0 to 1.
    pub hit_rate_min: f64,
    /// The longest round trip that is fine, in milliseconds; more is critical.
    pub latency_max_ms: f64,
    /// The largest share of memory that is fine, 0 to 100.
    pub memory_usage_max_percent: f64,
    /// The largest share of failed commands that is fine, 0 to 100.
    pub error_rate_max_percent: f64,
    /// The largest share of connections that is fine, 0 to 100.
    pub connection_usage_max_percent: f64,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        Self {
            machine_memory: Ceiling::in_order(percent(90), percent(97)),
            disk: Ceiling::in_order(percent(85), percent(95)),
            load_per_cpu: Ceiling::in_order(1.5, 3.0),
            ping_ms: Ceiling::in_order(25.0, 50.0),
            memory: Ceiling::in_order(percent(85), percent(95)),
            clients: Ceiling::in_order(percent(90), percent(98)),
            replication_lag_seconds: Ceiling::in_order(10.0, 30.0),
            hit_rate_min: percent(70),
            lookups_min: 1_000,
            error_rate_max: percent(5),
            commands_min: 1_000,
            restart_seconds: 600,
        }
    }
}

impl Default for GuideThresholds {
    fn default() -> Self {
        Self {
            hit_rate_min: 0.7,
            latency_max_ms: 50.0,
            memory_usage_max_percent: 85.0,
            error_rate_max_percent: 5.0,
            connection_usage_max_percent: 90.0,
        }
    }
}

/// Takes over the guide's five thresholds; the rest are the defaults.
///
/// Its severities are kept: too long a round trip is critical (and warns at the default or the same), the others
/// warn (and are critical at the default or the same).
impl TryFrom<GuideThresholds> for HealthThresholds {
    type Error = ThresholdError;

    fn try_from(guide: GuideThresholds) -> Result<Self, ThresholdError> {
        let default = Self::default();
        let latency_ms = guide.latency_max_ms;
        let memory = share("memory_usage_max_percent", guide.memory_usage_max_percent, 100.0)?;
        let clients = share("connection_usage_max_percent", guide.connection_usage_max_percent, 100.0)?;
        Ok(Self {
            hit_rate_min: share("hit_rate_min", guide.hit_rate_min, 1.0)?,
            ping_ms: Ceiling::new(default.ping_ms.warning().min(latency_ms), latency_ms)?,
            memory: warning_from(memory, default.memory)?,
            error_rate_max: share("error_rate_max_percent", guide.error_rate_max_percent, 100.0)?,
            clients: warning_from(clients, default.clients)?,
            ..default
        })
    }
}

fn warning_from(warning: Ratio, default: Ceiling<Ratio>) -> Result<Ceiling<Ratio>, ThresholdError> {
    let critical = if warning > default.critical() { warning } else { default.critical() };
    Ceiling::new(warning, critical)
}

/// Reads a number that is a share where `most` stands for all.
fn share(field: &'static str, value: f64, most: f64) -> Result<Ratio, ThresholdError> {
    Ratio::try_from(value / most).map_err(|_| ThresholdError::OutOfRange { field, value, most })
}

fn percent(share: u64) -> Ratio {
    Ratio::of(share, 100).unwrap_or(Ratio::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_order_and_are_read_back() {
        let default = HealthThresholds::default();
        let json = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<HealthThresholds>(&json).unwrap(), default);
        assert_eq!(serde_json::from_str::<HealthThresholds>("{}").unwrap(), default);
    }

    #[test]
    fn the_guides_defaults_are_ours() {
        let taken = HealthThresholds::try_from(GuideThresholds::default()).unwrap();
        assert_eq!(taken, HealthThresholds::default());
    }

    #[test]
    fn the_guides_numbers_are_taken_over() {
        let text =
            r#"{"hit_rate_min": 0.5, "latency_max_ms": 10, "memory_usage_max_percent": 99, "added": 1}"#;
        let guide: GuideThresholds = serde_json::from_str(text).unwrap();
        let taken = HealthThresholds::try_from(guide).unwrap();
        assert_eq!(Some(taken.hit_rate_min), Ratio::of(1, 2));
        assert_eq!((taken.ping_ms.warning(), taken.ping_ms.critical()), (10.0, 10.0));
        assert_eq!((taken.memory.warning().get(), taken.memory.critical().get()), (0.99, 0.99));
        assert_eq!(taken.clients, HealthThresholds::default().clients);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let default = GuideThresholds::default();
        let wrong = GuideThresholds { memory_usage_max_percent: 850.0, ..default };
        let error = HealthThresholds::try_from(wrong).unwrap_err();
        assert_eq!(error.to_string(), "memory_usage_max_percent is 850, and must lie between 0 and 100");
        for wrong in [
            GuideThresholds { hit_rate_min: 70.0, ..default },
            GuideThresholds { hit_rate_min: f64::NAN, ..default },
            GuideThresholds { latency_max_ms: -1.0, ..default },
            GuideThresholds { latency_max_ms: f64::NAN, ..default },
            GuideThresholds { error_rate_max_percent: -1.0, ..default },
            GuideThresholds { connection_usage_max_percent: f64::INFINITY, ..default },
        ] {
            assert!(HealthThresholds::try_from(wrong).is_err(), "{wrong:?}");
        }
        for wrong in
            [r#"{"memroy": {}}"#, r#"{"hit_rate_min": 70}"#, r#"{"ping_ms": {"warning": 2, "critical": 1}}"#]
        {
            assert!(serde_json::from_str::<HealthThresholds>(wrong).is_err(), "{wrong}");
        }
    }
}
