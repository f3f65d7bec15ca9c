//! The machine that the measuring process runs on.

use serde::{Deserialize, Serialize};

use crate::Ratio;

/// Memory, disks and load of one machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct Resources {
    /// The machine's name.
    pub hostname: Option<String>,
    /// Physical memory.
    pub memory_total_bytes: u64,
    /// Memory that programs can still get without swapping.
    pub memory_available_bytes: u64,
    /// Swap space.
    pub swap_total_bytes: u64,
    /// Swap space in use.
    pub swap_used_bytes: u64,
    /// Processors that the operating system schedules on.
    pub cpus: u32,
    /// The load averages, where the system has them.
    pub load: Option<LoadAverage>,
    /// The disks that were asked for.
    pub disks: Vec<Disk>,
}

/// Processes that run or wait, averaged over one, five and fifteen minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadAverage {
    /// Over one minute.
    pub one: f64,
    /// Over five minutes.
    pub five: f64,
    /// Over fifteen minutes.
    pub fifteen: f64,
}

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// Its size.
    pub total_bytes: u64,
    /// What an ordinary user can still write.
    pub available_bytes: u64,
}

impl Resources {
    /// Returns the share of memory in use.
    #[must_use]
    pub fn memory_used(&self) -> Option<Ratio> {
        Ratio::of(self.memory_total_bytes.checked_sub(self.memory_available_bytes)?, self.memory_total_bytes)
    }
}

impl Disk {
    /// Returns the share of the disk in use.
    #[must_use]
    pub fn used(&self) -> Option<Ratio> {
        Ratio::of(self.total_bytes.checked_sub(self.available_bytes)?, self.total_bytes)
    }
}
