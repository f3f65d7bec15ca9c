//! Nodes of one cache that should be alike.

use std::collections::BTreeSet;

use super::AuditedNode;

/// Settings that every node of a cache should have alike.
const ALIKE: [&str; 5] = ["maxmemory", "maxmemory-policy", "maxclients", "io-threads", "tls-port"];

/// Returns what differs, each with the values that there are.
///
/// # Errors
/// Why a node could not be compared.
pub(super) fn differences(nodes: &[&AuditedNode]) -> Result<Vec<String>, String> {
    let mut differing = Vec::new();
    // A port may differ; whether there is one may not.
    for name in ALIKE {
        let values = of_all(nodes, |node| {
            if name == "tls-port" {
                return Ok(if node.listens(name)? { "on" } else { "off" }.to_owned());
            }
            Ok(node.setting(&[name])?.unwrap_or("not there").to_owned())
        })?;
        note(&mut differing, name, &values);
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

fn of_all(
    nodes: &[&AuditedNode],
    value: impl Fn(&AuditedNode) -> Result<String, String>,
) -> Result<BTreeSet<String>, String> {
    nodes.iter().map(|node| value(node).map_err(|why| format!("{}: {why}", node.node))).collect()
}

fn note(differing: &mut Vec<String>, what: &str, values: &BTreeSet<String>) {
    if values.len() > 1 {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        differing.push(format!("{what} ({})", values.join(", ")));
    }
}
