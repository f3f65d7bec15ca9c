//! Findings about a machine, which several nodes may share.

use crate::Finding;

/// Rules whose finding is of the machine, whichever of its nodes shows it.
const OF_MACHINE: [&str; 2] = ["audit.huge_pages", "audit.overcommit"];

/// Tells whether a finding of this id is about the machine.
pub(super) fn is_of_machine(id: &str) -> bool {
    OF_MACHINE.contains(&id)
}

/// Returns the host of a node, `10.0.0.1` of `10.0.0.1:6379`; what has no port is returned as it is.
pub(super) fn host(node: &str) -> &str {
    match node.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => node,
    }
}

/// Makes one finding of those that say the same of one machine.
pub(super) fn bundle(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: Vec<Vec<Finding>> = Vec::new();
    for finding in findings {
        let fits = |group: &&mut Vec<Finding>| group.first().is_some_and(|first| are_one(first, &finding));
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups.into_iter().filter_map(as_one).collect()
}

fn are_one(one: &Finding, other: &Finding) -> bool {
    is_of_machine(one.id.as_str())
        && one.id == other.id
        && one.message == other.message
        && host(&one.subject) == host(&other.subject)
}

fn as_one(group: Vec<Finding>) -> Option<Finding> {
    let nodes: Vec<String> = group.iter().map(|finding| finding.subject.clone()).collect();
    let first = group.into_iter().next()?;
    if nodes.len() == 1 {
        return Some(first);
    }
    let subject = host(&first.subject).to_owned();
    let mut one = first.with_evidence("nodes", nodes.join(", ").as_str(), None);
    one.subject = subject;
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FindingId, Severity};

    #[test]
    fn the_host_is_what_is_before_the_port() {
        for (node, expected) in [
            ("10.0.0.1:6379", "10.0.0.1"),
            ("[::1]:6379", "[::1]"),
            ("cache.example:7000", "cache.example"),
            ("/run/valkey.sock", "/run/valkey.sock"),
            ("unix:/run/valkey.sock", "unix:/run/valkey.sock"),
            ("", ""),
        ] {
            assert_eq!(host(node), expected, "{node}");
        }
    }

    #[test]
    fn one_machine_has_one_finding() {
        let finding = |id: &'static str, subject: &str, message: &str| {
            Finding::new(FindingId::new(id), Severity::Warning, subject).saying(message)
        };
        let bundled = bundle(vec![
            finding("audit.overcommit", "a:1", "0"),
            finding("audit.overcommit", "a:2", "0"),
            finding("audit.overcommit", "a:3", "2"),
            finding("audit.overcommit", "b:1", "0"),
            finding("audit.huge_pages", "a:1", "0"),
            finding("audit.no_password", "a:1", "0"),
            finding("audit.no_password", "a:2", "0"),
        ]);
        let subjects: Vec<&str> = bundled.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(subjects, ["a", "a:3", "b:1", "a:1", "a:1", "a:2"]);
        assert_eq!(bundled[0].evidence[0].value, "a:1, a:2".into());
        assert!(bundle(Vec::new()).is_empty());
    }
}
