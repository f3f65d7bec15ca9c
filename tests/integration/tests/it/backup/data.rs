//! Keys of every type and encoding, with TTLs and without, of fields too.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use larder_test_support::{ServerProgram, TestCluster, TestServer};
use redis::{Cmd, ConnectionLike, cmd};

pub(super) const LIBRARY: &str =
    "#!lua name=fixture\nredis.register_function('answer', function() return 42 end)";
/// In the year 2100.
const FAR_MS: i64 = 4_102_444_800_000;
/// Enough for every shard to have some.
const PLAIN: usize = 120;
const LARGE: usize = 600;

/// What a server says of one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keyspace {
    pub(super) keys: u64,
    pub(super) expiring: u64,
}

fn command(name: &str, key: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(key);
    command
}

fn line(words: &str) -> Cmd {
    let mut words = words.split(' ');
    let mut command = cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
}

/// Everything that goes into one database.
fn commands(program: &ServerProgram) -> Vec<Cmd> {
    let mut all = Vec::new();
    for number in 0..PLAIN {
        let mut set = command("SET", &format!("plain:{number}"));
        set.arg("x".repeat(number));
        if number % 3 == 0 {
            set.arg("PXAT").arg(FAR_MS + 1);
        }
        all.push(set);
    }
    let noise: Vec<u8> =
        (0..40_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    all.push(command("SET", "string:noise").arg(noise).clone());
    all.push(command("SET", "string:compressible").arg("abc".repeat(9_000)).clone());
    all.push(cmd("SET").arg(b"name \r\n\0\xff").arg(b"\0\xfe".as_slice()).clone());
    for (size, count) in [("small", 5), ("large", LARGE)] {
        let (mut list, mut set) =
            (command("RPUSH", &format!("list:{size}")), command("SADD", &format!("set:{size}")));
        let (mut integers, mut scores) =
            (command("SADD", &format!("integers:{size}")), command("ZADD", &format!("scores:{size}")));
        let mut hash = command("HSET", &format!("hash:{size}"));
        for number in 0..count {
            list.arg(format!("item {number}"));
            set.arg(format!("member {number}"));
            integers.arg(number * 7);
            scores.arg(number as f64 / 7.0).arg(format!("m{number}"));
            hash.arg(format!("f{number}")).arg(number);
        }
        all.extend([list, set, integers, scores, hash]);
        all.push(command("PEXPIREAT", &format!("hash:{size}")).arg(FAR_MS).clone());
    }
    for number in 0..150 {
        let mut add = command("XADD", "stream");
        all.push(add.arg(format!("1700000000000-{}", number + 1)).arg("name").arg(number).clone());
    }
    let lines = [
        "SET string:integer 12345",
        "SET string:negative -9223372036854775808",
        "SET string:empty ",
        "SETBIT bits 999 1",
        "PFADD hyperloglog a b c",
        "GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        "SADD integers:long -9223372036854775808 9223372036854775807 0",
        "ZADD scores:ends -inf lowest inf highest 1e300 large -0.1 below 3 whole",
        "XGROUP CREATE stream readers 0",
        "XGROUP CREATE stream idle $",
        "XREADGROUP GROUP readers alice COUNT 30 STREAMS stream >",
        "XREADGROUP GROUP readers bob COUNT 3 STREAMS stream >",
        "XACK stream readers 1700000000000-1 1700000000000-2",
        "XDEL stream 1700000000000-9",
        "XGROUP CREATE stream:empty readers $ MKSTREAM",
        "XGROUP CREATECONSUMER stream:empty readers carol",
        "RPUSH list:expiring a b",
        "PEXPIREAT list:expiring 4102444800123",
    ];
    all.extend(lines.map(line));
    all.push(command("RPUSH", "list:long").arg("y".repeat(10_000)).arg("z").clone());
    if program.has_field_ttls() {
        for (key, count) in [("fields:small", 6), ("fields:large", LARGE)] {
            let mut hash = command("HSET", key);
            for number in 0..count {
                hash.arg(format!("f{number}")).arg("v");
            }
            all.push(hash);
            for number in (0..count).step_by(count / 3) {
                let mut expire = command("HPEXPIREAT", key);
                let (at, field) = (FAR_MS + i64::try_from(number).unwrap_or(0), format!("f{number}"));
                all.push(expire.arg(at).arg("FIELDS").arg(1).arg(field).clone());
            }
        }
    }
    all
}

fn run(connection: &mut dyn ConnectionLike, commands: &[Cmd]) -> Result<()> {
    for command in commands {
        let said =
            || String::from_utf8_lossy(&command.get_packed_command()).chars().take(80).collect::<String>();
        command.query::<redis::Value>(connection).with_context(said)?;
    }
    Ok(())
}

/// Fills a server: three databases and a library of functions.
pub(super) fn fill(server: &TestServer) -> Result<()> {
    let mut admin = server.admin()?;
    run(&mut admin, &commands(server.program()))?;
    server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
    let lines = ["SELECT 1", "SET one 1", "RPUSH plain:0 a b", "SELECT 9", "SET nine 9"].map(line);
    run(&mut admin, &lines)?;
    run(&mut admin, &[line("SET timed v PXAT 4102444800777")])
}

/// Fills a cluster.
pub(super) fn fill_cluster(cluster: &TestCluster) -> Result<()> {
    let seeds: Vec<String> = cluster.servers.iter().map(TestServer::url).collect();
    let mut connection = redis::cluster::ClusterClient::new(seeds)?.get_connection()?;
    run(&mut connection, &commands(cluster.servers[0].program()))?;
    for server in &cluster.servers {
        server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
    }
    Ok(())
}

/// What servers hold together, by database.
pub(super) fn keyspaces(servers: &[&TestServer]) -> Result<BTreeMap<u64, Keyspace>> {
    let mut all: BTreeMap<u64, Keyspace> = BTreeMap::new();
    for server in servers {
        let text: String = server.run(&["INFO", "keyspace"])?;
        for (database, counts) in text.lines().filter_map(|line| line.strip_prefix("db")?.split_once(':')) {
            let number = |name: &str| -> Result<u64> {
                let found = counts.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
                Ok(found.with_context(|| format!("{name} in {counts}"))?.trim().parse()?)
            };
            let sum = all.entry(database.parse()?).or_default();
            sum.keys += number("keys")?;
            sum.expiring += number("expires")?;
        }
    }
    Ok(all)
}

/// The server's own digest of its data.
pub(super) fn servers_digest(server: &TestServer) -> Result<String> {
    server.run(&["DEBUG", "DIGEST"])
}

/// Looks that a server holds what another holds, by the servers' own digest, and that its functions work.
pub(super) fn ensure_same(one: &TestServer, other: &TestServer) -> Result<()> {
    anyhow::ensure!(servers_digest(one)? == servers_digest(other)?, "the servers' own digests differ");
    anyhow::ensure!(keyspaces(&[one])? == keyspaces(&[other])?, "the servers' counts differ");
    anyhow::ensure!(other.run::<u64>(&["FCALL", "answer", "0"])? == 42);
    Ok(())
}
