//! Nodes of one cache that should be alike.

use std::collections::BTreeMap;

use super::AuditedNode;
use crate::wording::bytes;

/// Settings that every node of a cache should have alike.
const ALIKE: [&str; 5] = ["maxmemory", "maxmemory-policy", "maxclients", "io-threads", "tls-port"];

/// The nodes that have each value.
type Holders<'a> = BTreeMap<String, Vec<&'a str>>;

/// Returns what differs, each with the values that there are and the nodes that have them.
///
/// # Errors
/// Why a node could not be compared.
pub(super) fn differences(nodes: &[&AuditedNode]) -> Result<Vec<String>, String> {
    let mut differing = Vec::new();
    for name in ALIKE {
        let holders = of_all(nodes, |node| setting(node, name))?;
        note(&mut differing, name, &holders);
    }
    let versions = of_all(nodes, |node| {
        let identity = &node.info()?.identity;
        Ok(identity.version.map_or("unknown".to_owned(), |version| format!("{} {version}", identity.line)))
    })?;
    note(&mut differing, "version", &versions);
    let open = of_all(nodes, |node| {
        Ok(if node.lets_everyone_in()? { "no password" } else { "a password" }.to_owned())
    })?;
    note(&mut differing, "password", &open);
    Ok(differing)
}

fn setting(node: &AuditedNode, name: &str) -> Result<String, String> {
    match name {
        // A port may differ; whether there is one may not.
        "tls-port" => Ok(if node.listens(name)? { "on" } else { "off" }.to_owned()),
        "maxmemory" => Ok(match node.number::<u64>(&[name])? {
            Some(0) => "no limit".to_owned(),
            Some(limit) => bytes(limit),
            None => "not there".to_owned(),
        }),
        _ => Ok(node.setting(&[name])?.unwrap_or("not there").to_owned()),
    }
}

fn of_all<'a>(
    nodes: &[&'a AuditedNode],
    value: impl Fn(&AuditedNode) -> Result<String, String>,
) -> Result<Holders<'a>, String> {
    let mut holders = Holders::new();
    for node in nodes {
        let value = value(node).map_err(|why| format!("{}: {why}", node.node))?;
        holders.entry(value).or_default().push(node.node.as_str());
    }
    Ok(holders)
}

fn note(differing: &mut Vec<String>, what: &str, holders: &Holders<'_>) {
    if holders.len() > 1 {
        let each = holders.iter().map(|(value, nodes)| format!("{value} on {}", nodes.join(", ")));
        differing.push(format!("{what}: {}", each.collect::<Vec<_>>().join("; ")));
    }
}
