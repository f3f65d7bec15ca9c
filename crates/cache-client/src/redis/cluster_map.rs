//! The answer to CLUSTER NODES.

use larder_metrics_model::Role;

use crate::url::HostPort;

/// One node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterMember {
    pub(crate) host: HostPort,
    pub(crate) role: Role,
    /// Its own id, and of a replica that of its primary.
    pub(crate) id: String,
    pub(crate) primary_id: Option<String>,
    /// First and last slot of each range that it holds.
    pub(crate) slots: Vec<(u16, u16)>,
}

/// Reads the answer of the node `seed`: a line a node, `ID IP:PORT@BUSPORT[,HOSTNAME] FLAGS PRIMARY … [SLOTS]`
/// (Redis 3.0; `@BUSPORT` since 4.0, the host name since 7.0). Nodes without an address and nodes that are only being
/// met are left out; nodes that have failed are not. Certificates are made for names, so with TLS a name is preferred.
pub(crate) fn members(map: &str, seed: &str, tls: bool) -> Vec<ClusterMember> {
    map.lines().filter_map(|line| member(line, seed, tls)).collect()
}

fn member(line: &str, seed: &str, tls: bool) -> Option<ClusterMember> {
    let mut fields = line.split_ascii_whitespace();
    let (id, address, flags, primary) = (fields.next()?, fields.next()?, fields.next()?, fields.next());
    let flags: Vec<&str> = flags.split(',').collect();
    if flags.contains(&"noaddr") || flags.contains(&"handshake") {
        return None;
    }
    let role = if flags.contains(&"master") { Role::Primary } else { Role::Replica };
    // Behind the primary: ping sent, pong received, epoch, link state, then slots.
    let slots = fields.skip(4).filter(|slots| !slots.starts_with('[')).filter_map(range).collect();
    Some(ClusterMember {
        host: host(address, seed, tls)?,
        role,
        id: id.to_owned(),
        primary_id: primary.filter(|id| *id != "-").map(str::to_owned),
        slots,
    })
}

fn range(slots: &str) -> Option<(u16, u16)> {
    let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn host(address: &str, seed: &str, tls: bool) -> Option<HostPort> {
    let mut parts = address.split(',');
    let socket = parts.next()?.split('@').next()?;
    let hostname = parts.next().filter(|name| !name.is_empty() && !name.contains('='));
    let (ip, port) = socket.rsplit_once(':')?;
    let host = match (hostname, ip) {
        (Some(name), ip) if tls || ip.is_empty() => name,
        // A node that has never been told its own address leaves it out.
        (None, "") => seed,
        (_, ip) => ip,
    };
    Some(HostPort { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
a1 127.0.0.1:7000@17000,name.example myself,master - 0 0 1 connected 0-5460 [5461->-b2]
b2 :7001@17001 master - 0 0 2 connected
c3 ::1:7002@17002,,shard-id=x slave,fail? a1 0 0 3 connected
d4 :0@0 master,noaddr - 0 0 4 disconnected 5461
e5 10.0.0.1:1@2 handshake - 0 0 0 connected
f6 10.0.0.2:7003 master,fail - 0 0 5 disconnected [1-<-a1] 10
broken";

    #[test]
    fn a_map_of_every_kind_of_node() {
        let found: Vec<_> = members(MAP, "seed", false)
            .into_iter()
            .map(|member| (member.host.address().to_string(), member.role, member.slots, member.primary_id))
            .collect();
        let expected = [
            ("127.0.0.1:7000", Role::Primary, vec![(0, 5460)], None),
            ("seed:7001", Role::Primary, vec![], None),
            ("[::1]:7002", Role::Replica, vec![], Some("a1")),
            ("10.0.0.2:7003", Role::Primary, vec![(10, 10)], None),
        ];
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!((found.0.as_str(), found.1, found.2.clone(), found.3.as_deref()), expected);
        }
    }

    #[test]
    fn with_tls_the_name_is_preferred() {
        assert_eq!(members(MAP, "seed", true)[0].host.host, "name.example");
        assert!(members("", "seed", true).is_empty());
    }
}
