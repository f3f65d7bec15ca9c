//! A keyspace whose contents are known: families of the guide, keys that break its policy, keys that are none of its business.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use redis::{Cmd, ConnectionLike, cluster::ClusterConnection, cluster::cluster_pipe};

/// What the policy of the guide makes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It is as it should be.
    Sound,
    /// It must have a TTL and has none.
    MissingTtl,
    /// It lies where orphans are looked for and is of no family.
    Orphan,
}

/// One key of the keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeededKey {
    /// Its name.
    pub name: String,
    /// Its family as the guide calls it; of an orphan, and of a key that is not of the guide, what stands before the number.
    pub family: &'static str,
    /// Seconds until its time is up.
    pub ttl_s: Option<u64>,
    /// What the policy makes of it.
    pub fate: Fate,
    kind: Kind,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    Hash,
    List,
    Set,
    SortedSet,
}

/// Family, prefix, whether a TTL is required, whether the guide knows it.
const FAMILIES: [(&str, &str, bool, bool); 10] = [
    ("search", "codebase_rag:search:", true, true),
    ("embedding", "codebase_rag:embedding:", true, true),
    ("file", "codebase_rag:file:", true, true),
    ("project", "codebase_rag:project:", false, true),
    ("session", "codebase_rag:session:", false, true),
    ("temp", "codebase_rag:temp:", true, true),
    ("codebase_rag:old:", "codebase_rag:old:", false, false),
    ("codebase_rag:draft:", "codebase_rag:draft:", false, false),
    ("other:", "other:", false, false),
    ("shop:cart:", "shop:cart:", false, false),
];

/// The key of a number. One in four has no TTL, one in ten is no string.
#[must_use]
pub fn seeded_key(number: u64) -> SeededKey {
    // Mixed, so that neither families nor TTLs come in a pattern (SplitMix64, Steele, Lea and Flood, 2014).
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // Orphans are a tenth, so that the limits of the policy are kept.
    let family = match mixed % 20 {
        index @ 0..=11 => index / 2,
        12 => 6,
        13 => 7,
        14..=16 => 8,
        _ => 9,
    };
    #[expect(clippy::cast_possible_truncation, reason = "below ten")]
    let (family, prefix, requires_ttl, known) = FAMILIES[family as usize];
    let ttl_s = (!(mixed >> 8).is_multiple_of(4)).then_some(3_600 + (mixed >> 16) % 80_000);
    let fate = match (known, requires_ttl, ttl_s) {
        (true, true, None) => Fate::MissingTtl,
        (false, ..) if prefix.starts_with("codebase_rag:") => Fate::Orphan,
        _ => Fate::Sound,
    };
    let kind = match (mixed >> 40) % 40 {
        0 => Kind::Hash,
        1 => Kind::List,
        2 => Kind::Set,
        3 => Kind::SortedSet,
        _ => Kind::String,
    };
    SeededKey { name: format!("{prefix}{number:08x}"), family, ttl_s, fate, kind, number }
}

/// How many keys there are, and how many of each family have no TTL.
#[must_use]
pub fn seeded_counts(keys: u64) -> BTreeMap<&'static str, (u64, u64)> {
    let mut counts: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    for key in (0..keys).map(seeded_key) {
        let (count, without_ttl) = counts.entry(key.family).or_default();
        *count += 1;
        *without_ttl += u64::from(key.ttl_s.is_none());
    }
    counts
}

impl SeededKey {
    fn commands(&self) -> Vec<Cmd> {
        let value =
            format!("{:032x}", self.number).repeat(1 + usize::from(self.number.is_multiple_of(7)) * 5);
        let mut write = redis::cmd(match self.kind {
            Kind::String => "SET",
            Kind::Hash => "HSET",
            Kind::List => "RPUSH",
            Kind::Set => "SADD",
            Kind::SortedSet => "ZADD",
        });
        write.arg(&self.name);
        match self.kind {
            Kind::String => write.arg(value),
            Kind::Hash => write.arg("field").arg(&value).arg("other").arg(self.number),
            Kind::List | Kind::Set => write.arg(&value).arg("another"),
            Kind::SortedSet => write.arg(self.number).arg(&value),
        };
        let mut commands = vec![write];
        if let Some(ttl) = self.ttl_s {
            let mut expire = redis::cmd("EXPIRE");
            expire.arg(&self.name).arg(ttl);
            commands.push(expire);
        }
        commands
    }
}

const AT_ONCE: u64 = 2_000;

fn chunks(keys: u64) -> impl Iterator<Item = Vec<Cmd>> {
    let starts = (0..keys).step_by(usize::try_from(AT_ONCE).unwrap_or(1));
    starts.map(move |start| {
        (start..(start + AT_ONCE).min(keys)).flat_map(|number| seeded_key(number).commands()).collect()
    })
}

/// Writes the first keys of the keyspace into a server.
pub fn seed(connection: &mut dyn ConnectionLike, keys: u64) -> Result<()> {
    for commands in chunks(keys) {
        let mut pipeline = redis::Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command).ignore();
        }
        pipeline.query::<()>(connection).context("the keyspace is written")?;
    }
    Ok(())
}

/// Writes the first keys of the keyspace into a cluster.
pub fn seed_cluster(connection: &mut ClusterConnection, keys: u64) -> Result<()> {
    for commands in chunks(keys) {
        let mut pipeline = cluster_pipe();
        for command in commands {
            pipeline.add_command(command).ignore();
        }
        pipeline.query::<()>(connection).context("the keyspace is written")?;
    }
    Ok(())
}
