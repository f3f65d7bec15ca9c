//! `[capacity]` of `larder.toml`.

use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use chrono::TimeDelta;
use larder_analysis::CapacityOptions;
use larder_metrics_model::Ratio;
use serde::{Deserialize, Serialize};

use crate::{command_error::UsageError, commands::capacity::horizon};

/// How far is foretold, and from when on it matters.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Capacity {
    #[serde(with = "humantime_serde")]
    pub(crate) horizon: Duration,
    pub(crate) near_share: Ratio,
    #[serde(with = "humantime_serde")]
    pub(crate) soon: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) urgent: Duration,
    pub(crate) memory_growth_max: Ratio,
    pub(crate) operations_growth_max: Ratio,
    pub(crate) keys_max: Option<u64>,
    pub(crate) operations_max: Option<u64>,
    pub(crate) network_in_max: Option<ByteSize>,
    pub(crate) network_out_max: Option<ByteSize>,
}

impl Default for Capacity {
    fn default() -> Self {
        let options = CapacityOptions::default();
        let time = |time: TimeDelta| time.to_std().unwrap_or_default();
        Self {
            horizon: time(options.horizon),
            near_share: options.near_share,
            soon: time(options.soon),
            urgent: time(options.urgent),
            memory_growth_max: options.memory_growth_max,
            operations_growth_max: options.operations_growth_max,
            keys_max: None,
            operations_max: None,
            network_in_max: None,
            network_out_max: None,
        }
    }
}

impl Capacity {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        self.options().map(drop)
    }

    /// Returns what it comes to.
    pub(crate) fn options(&self) -> Result<CapacityOptions> {
        let mut options = CapacityOptions::default();
        let words = humantime::format_duration(self.horizon).to_string();
        let horizon =
            horizon(&words).map_err(|why| UsageError(format!("capacity.horizon is `{words}`: {why}")))?;
        if self.near_share.get() <= 0.0 {
            return Err(UsageError("capacity.near_share has to be more than 0".to_owned()).into());
        }
        options.horizon = TimeDelta::from_std(horizon)?;
        options.near_share = self.near_share;
        options.soon = time("soon", self.soon)?;
        options.urgent = time("urgent", self.urgent)?;
        if options.urgent > options.soon {
            return Err(UsageError("capacity.urgent has to be no more than capacity.soon".to_owned()).into());
        }
        options.memory_growth_max = self.memory_growth_max;
        options.operations_growth_max = self.operations_growth_max;
        options.keys_max = most("keys_max", self.keys_max)?;
        options.operations_max = most("operations_max", self.operations_max)?;
        options.network_in_max = most("network_in_max", self.network_in_max.map(|most| most.as_u64()))?;
        options.network_out_max = most("network_out_max", self.network_out_max.map(|most| most.as_u64()))?;
        Ok(options)
    }
}

fn time(key: &str, time: Duration) -> Result<TimeDelta> {
    let too_long = || UsageError(format!("capacity.{key} is longer than there are days"));
    let furthest = TimeDelta::days(100 * 365);
    let time = TimeDelta::from_std(time).ok().filter(|time| *time <= furthest);
    Ok(time.ok_or_else(too_long)?)
}

#[expect(clippy::cast_precision_loss, reason = "a limit needs no more than 53 bits")]
fn most(key: &str, most: Option<u64>) -> Result<Option<f64>> {
    if most == Some(0) {
        return Err(UsageError(format!("capacity.{key} has to be more than 0")).into());
    }
    Ok(most.map(|most| most as f64))
}
