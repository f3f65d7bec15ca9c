//! The machine that the check runs on: memory, disks, load.

use larder_metrics_model::{Disk, Observed, Resources, Unit};

use super::{
    HealthThresholds, PerformanceDatum, PerformanceUnit, ids,
    ledger::{Ledger, Outcome},
};
use crate::{
    Finding,
    wording::{bytes, counted, percent},
};

pub(super) fn judge(ledger: &mut Ledger, machine: &Observed<Resources>, thresholds: &HealthThresholds) {
    let Observed::Known(machine) = machine else {
        return ledger.record_unknown("machine", "machine", machine);
    };
    let name = machine.hostname.as_deref().unwrap_or("machine");
    ledger.record("machine.memory", name, memory(name, machine, thresholds));
    for disk in &machine.disks {
        ledger.record("machine.disk", &disk.mount, space(disk, thresholds));
    }
    ledger.record("machine.load", name, load(name, machine, thresholds));
    measure(ledger, machine, thresholds);
}

fn memory(name: &str, machine: &Resources, thresholds: &HealthThresholds) -> Outcome {
    let Some(used) = machine.memory_used() else {
        return Outcome::Skipped("the system does not tell how much memory is in use".to_owned());
    };
    let of_total = format!(
        "{} of {} used, {} available",
        percent(used.get()),
        bytes(machine.memory_total_bytes),
        bytes(machine.memory_available_bytes)
    );
    let Some(severity) = thresholds.machine_memory.severity_of(used.get()) else {
        return Outcome::Fine(of_total);
    };
    let finding = Finding::new(ids::MACHINE_MEMORY, severity, name)
        .saying(format!("Memory of the machine is short: {of_total}."))
        .with_evidence("memory_used", used, Unit::Ratio)
        .with_evidence("memory_available", machine.memory_available_bytes, Unit::Bytes)
        .with_evidence("threshold", thresholds.machine_memory.passed(severity), Unit::Ratio)
        .recommending("Find what uses the memory; lower maxmemory or move something off this machine.")
        .expecting("The system neither swaps nor kills the server for want of memory.");
    Outcome::found(of_total, finding)
}

fn space(disk: &Disk, thresholds: &HealthThresholds) -> Outcome {
    let Some(used) = disk.used() else {
        return Outcome::Skipped("the system does not tell how full it is".to_owned());
    };
    let of_total = format!(
        "{} of {} used, {} available",
        percent(used.get()),
        bytes(disk.total_bytes),
        bytes(disk.available_bytes)
    );
    let Some(severity) = thresholds.disk.severity_of(used.get()) else {
        return Outcome::Fine(of_total);
    };
    let finding = Finding::new(ids::MACHINE_DISK, severity, disk.mount.as_str())
        .saying(format!("The disk is nearly full: {of_total}."))
        .with_evidence("disk_used", used, Unit::Ratio)
        .with_evidence("disk_available", disk.available_bytes, Unit::Bytes)
        .with_evidence("threshold", thresholds.disk.passed(severity), Unit::Ratio)
        .recommending("Free space: expire old logs and prune old backups; then enlarge the disk.")
        .expecting("Dumps, append-only files and backups can be written.");
    Outcome::found(of_total, finding)
}

/// Returns the load average over five minutes, a processor: long enough that one job does not show, short enough to act.
fn load_per_cpu(machine: &Resources) -> Option<f64> {
    let load = machine.load.filter(|_| machine.cpus > 0)?;
    Some(load.five / f64::from(machine.cpus))
}

fn load(name: &str, machine: &Resources, thresholds: &HealthThresholds) -> Outcome {
    let Some(load) = load_per_cpu(machine) else {
        return Outcome::Skipped("the system does not tell its load".to_owned());
    };
    if !load.is_finite() || load < 0.0 {
        return Outcome::Unknown(format!("{load} is no load average"));
    }
    let seen = format!("{load:.2} a processor, {}", counted(machine.cpus.into(), "processor"));
    let Some(severity) = thresholds.load_per_cpu.severity_of(load) else {
        return Outcome::Fine(seen);
    };
    let finding = Finding::new(ids::MACHINE_LOAD, severity, name)
        .saying(format!("The machine is overloaded: its load over five minutes is {seen}."))
        .with_evidence("load_per_cpu", load, None)
        .with_evidence("cpus", u64::from(machine.cpus), Unit::Count)
        .with_evidence("threshold", thresholds.load_per_cpu.passed(severity), None)
        .recommending("Find what takes the processors; move it, or give the cache a machine of its own.")
        .expecting("Commands no longer wait for a processor.");
    Outcome::found(seen, finding)
}

fn measure(ledger: &mut Ledger, machine: &Resources, thresholds: &HealthThresholds) {
    let share = |label: &str, used: f64| {
        PerformanceDatum::new(label, used, PerformanceUnit::Percent).within(0.0, 100.0)
    };
    if let Some(used) = machine.memory_used() {
        ledger.measure(share("machine memory", used.percent()).under(thresholds.machine_memory, 100.0));
    }
    for disk in &machine.disks {
        if let Some(used) = disk.used() {
            let label = format!("disk {}", disk.mount);
            ledger.measure(share(&label, used.percent()).under(thresholds.disk, 100.0));
        }
    }
    if let Some(load) = load_per_cpu(machine) {
        let datum = PerformanceDatum::new("machine load per cpu", load, PerformanceUnit::Plain);
        ledger.measure(datum.under(thresholds.load_per_cpu, 1.0).within(0.0, None));
    }
}
