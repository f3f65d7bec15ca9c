//! How far is foretold, and from when on it matters.

use chrono::TimeDelta;
use larder_metrics_model::Ratio;

use super::{LimitSource, ResourceKind, ResourceLimit};

/// How far is foretold, and from when on it matters.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CapacityOptions {
    /// How far is foretold; 180 days.
    pub horizon: TimeDelta,
    /// The share of a limit from which on something counts as nearly full; 0.85.
    pub near_share: Ratio,
    /// What passes that share so soon is worth a warning; 90 days.
    pub soon: TimeDelta,
    /// What is full so soon, and refuses users then, is critical; 30 days.
    pub urgent: TimeDelta,
    /// The growth of memory a month that is fine, as a share of it; 0.10, as in the guide.
    pub memory_growth_max: Ratio,
    /// The growth of operations a month that is fine, as a share of them; 0.15, as in the guide.
    pub operations_growth_max: Ratio,
    /// The most keys that the cache is made for.
    pub keys_max: Option<f64>,
    /// The most commands a second that it is made for.
    pub operations_max: Option<f64>,
    /// The most bytes a second that it may receive.
    pub network_in_max: Option<f64>,
    /// The most bytes a second that it may send.
    pub network_out_max: Option<f64>,
}

impl Default for CapacityOptions {
    fn default() -> Self {
        let percent = |share| Ratio::of(share, 100).unwrap_or(Ratio::ONE);
        Self {
            horizon: TimeDelta::days(180),
            near_share: percent(85),
            soon: TimeDelta::days(90),
            urgent: TimeDelta::days(30),
            memory_growth_max: percent(10),
            operations_growth_max: percent(15),
            keys_max: None,
            operations_max: None,
            network_in_max: None,
            network_out_max: None,
        }
    }
}

impl CapacityOptions {
    /// Returns the limit that is configured for a resource of which no server knows one.
    #[must_use]
    pub fn limit(&self, kind: ResourceKind) -> ResourceLimit {
        let (configured, key) = match kind {
            ResourceKind::Memory | ResourceKind::Connections => (None, "no such key"),
            ResourceKind::Keys => (self.keys_max, "keys_max"),
            ResourceKind::Operations => (self.operations_max, "operations_max"),
            ResourceKind::NetworkIn => (self.network_in_max, "network_in_max"),
            ResourceKind::NetworkOut => (self.network_out_max, "network_out_max"),
        };
        match configured {
            Some(value) => ResourceLimit::Known { value, source: LimitSource::Configuration },
            None => ResourceLimit::Unlimited(format!("capacity.{key} is not configured")),
        }
    }
}
