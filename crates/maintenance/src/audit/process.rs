//! The process of a server, where it is one of this machine's.

use larder_analysis::MachineTuning;
use larder_metrics_model::{Info, NodeAddress, Observed};

/// Returns the number of a server's process.
///
/// # Errors
/// Why it is not to be seen from here, which is no fault of the cache.
pub(super) async fn find(node: &NodeAddress, info: Option<&Info>) -> Result<u32, &'static str> {
    let number = info.and_then(|info| info.number::<u32>("process_id"));
    let number = number.ok_or("the server gives no process_id")?;
    if !is_local(node.as_str()) {
        return Err("the server is not on this machine");
    }
    // A container's process has another number here, and another program may have this one.
    let program = text_of(&format!("/proc/{number}/cmdline")).await.unwrap_or_default();
    if program.contains("redis") || program.contains("valkey") {
        Ok(number)
    } else {
        Err("the server's process is not to be seen on this machine")
    }
}

fn is_local(address: &str) -> bool {
    ["127.", "localhost:", "[::1]", "/", "unix:"].iter().any(|start| address.starts_with(start))
}

/// Reads what is set on this machine for a process.
pub(super) async fn tuning(process: u32) -> Observed<MachineTuning> {
    let huge_pages = text_of("/sys/kernel/mm/transparent_hugepage/enabled").await;
    let chosen = huge_pages.as_deref().and_then(|text| text.split_once('[')?.1.split_once(']'));
    let overcommit =
        text_of("/proc/sys/vm/overcommit_memory").await.and_then(|text| text.trim().parse().ok());
    let limits = text_of(&format!("/proc/{process}/limits")).await;
    Observed::Known(MachineTuning::new(
        chosen.map(|(word, _)| word.to_owned()),
        overcommit,
        limits.as_deref().and_then(open_files),
    ))
}

async fn text_of(path: &str) -> Option<String> {
    tokio::fs::read_to_string(path).await.ok()
}

/// `Max open files            1024                 524288               files`
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files            unlimited unlimited files"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn addresses_of_this_machine_are_known() {
        for (address, expected) in [
            ("127.0.0.1:6379", true),
            ("localhost:6379", true),
            ("[::1]:6379", true),
            ("/run/redis.sock", true),
            ("10.0.0.1:6379", false),
            ("localhost.example:6379", false),
            ("", false),
        ] {
            assert_eq!(is_local(address), expected, "{address}");
        }
    }
}
