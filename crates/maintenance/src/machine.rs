//! The machine that the check runs on.

use std::path::{Path, PathBuf};

use larder_metrics_model::{Disk, LoadAverage, Observed, Resources};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::deadline::failed;

/// What of the machine is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MachineOptions {
    /// Whether it is looked at; a cache on another machine says nothing about this one.
    pub enabled: bool,
    /// Folders whose file systems are looked at.
    pub disks: Vec<PathBuf>,
}

impl Default for MachineOptions {
    fn default() -> Self {
        Self { enabled: true, disks: vec![PathBuf::from("/")] }
    }
}

/// Reads memory, disks and load; takes well under a millisecond, but may wait for a disk.
pub(crate) async fn observe(options: &MachineOptions) -> Observed<Resources> {
    if !options.enabled {
        return Observed::skipped("the machine is not to be looked at");
    }
    let disks = options.disks.clone();
    match tokio::task::spawn_blocking(move || read(&disks)).await {
        Ok(Ok(resources)) => Observed::Known(resources),
        Ok(Err(reason)) => failed(reason),
        Err(error) => failed(error),
    }
}

fn read(disks: &[PathBuf]) -> Result<Resources, String> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(memory).map_err(|error| format!("memory and load: {error}"))?;
    let mut resources = Resources::default();
    resources.hostname = System::host_name().ok();
    resources.memory_total_bytes = system.total_memory();
    resources.memory_available_bytes = system.available_memory();
    resources.swap_total_bytes = system.total_swap();
    resources.swap_used_bytes = system.used_swap();
    resources.cpus =
        std::thread::available_parallelism().map_or(0, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    let load = System::load_average().ok();
    resources.load = load.map(|load| LoadAverage { one: load.one, five: load.five, fifteen: load.fifteen });
    resources.disks = disks.iter().map(|folder| disk(folder)).collect::<Result<_, _>>()?;
    Ok(resources)
}

fn disk(folder: &Path) -> Result<Disk, String> {
    let space =
        rustix::fs::statvfs(folder).map_err(|error| format!("the disk of {}: {error}", folder.display()))?;
    Ok(Disk {
        mount: folder.display().to_string(),
        total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_has_memory_and_a_disk() {
        let observed = observe(&MachineOptions::default()).await;
        let resources = observed.known().unwrap();
        assert!(resources.memory_total_bytes > resources.memory_available_bytes);
        assert!(resources.disks[0].used().is_some());
        assert!(resources.cpus > 0);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_named() {
        let options =
            MachineOptions { disks: vec![PathBuf::from("/no/such/folder")], ..MachineOptions::default() };
        assert!(observe(&options).await.why_unknown().unwrap().contains("/no/such/folder"));
        let options = MachineOptions { enabled: false, ..MachineOptions::default() };
        assert!(matches!(observe(&options).await, Observed::Skipped(_)));
    }
}
