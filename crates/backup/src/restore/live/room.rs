//! Whether the cache has room for what comes.

use bytesize::ByteSize;

use super::TargetFacts;

/// What is said of the room that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is enough.
    Enough,
    /// There is no limit to compare with.
    Unlimited(String),
    /// There is too little.
    Short(String),
}

/// Compares what comes with what is free. Both are sums over all shards.
pub(super) fn judge(facts: &TargetFacts, comes_bytes: u64) -> Room {
    let size = |bytes| ByteSize::b(bytes).display().iec().to_string();
    let Some(max_bytes) = facts.max_bytes else {
        return Room::Unlimited(format!(
            "the cache has no limit (maxmemory 0): {} come to {} that are used",
            size(comes_bytes),
            size(facts.used_bytes)
        ));
    };
    if facts.used_bytes.saturating_add(comes_bytes) <= max_bytes {
        return Room::Enough;
    }
    let policy = facts.policy.as_deref().unwrap_or("unknown");
    let then = if policy == "noeviction" {
        "the cache would refuse writes, the application's too"
    } else {
        "the cache would evict keys, what was restored among them"
    };
    Room::Short(format!(
        "about {} come, and {} of {} are used (maxmemory): {then} (maxmemory-policy {policy})",
        size(comes_bytes),
        size(facts.used_bytes),
        size(max_bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_policy_are_told() {
        let facts = |max_bytes, policy: &str| TargetFacts {
            used_bytes: 1 << 20,
            max_bytes,
            policy: Some(policy.to_owned()),
            ..TargetFacts::default()
        };
        assert_eq!(judge(&facts(Some(2 << 20), "noeviction"), 1 << 20), Room::Enough);
        assert!(matches!(judge(&facts(None, "noeviction"), u64::MAX), Room::Unlimited(_)));
        for (policy, part) in [("noeviction", "refuse writes"), ("allkeys-lru", "evict keys")] {
            let Room::Short(words) = judge(&facts(Some(2 << 20), policy), (1 << 20) + 1) else {
                panic!("it fits")
            };
            assert!(words.contains(part) && words.contains("2.0 MiB") && words.contains(policy), "{words}");
        }
        assert!(matches!(judge(&facts(Some(1), "noeviction"), u64::MAX), Room::Short(_)));
    }
}
