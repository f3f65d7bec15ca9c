//! How much memory something takes at most: it runs in a process of its own, which tells at its end.

use std::process::Command;

const CHILD: &str = "LARDER_RDB_CHILD";

/// True in the process that is measured; elsewhere such a test does nothing.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs a test in a process of its own; gives the most memory that it had, where the system tells it.
pub(crate) fn peak_of(test: &str) -> Option<u64> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let peak = said.lines().find_map(|line| line.strip_prefix("peak KiB: "));
    if peak.is_none() {
        eprintln!("{test}: peak memory not checked, because this system does not tell it");
    }
    peak.map(|peak| peak.parse().unwrap())
}

pub(crate) fn print_peak() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        eprintln!("peak KiB: {}", peak.trim().trim_end_matches("kB").trim());
    }
}
