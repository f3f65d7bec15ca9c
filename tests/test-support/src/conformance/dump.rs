//! What every source of images must do.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use larder_cache_client::{Dump, DumpMethod, DumpSource, KeyFields, Keys, ScanOptions, Ttl};
use larder_rdb::{Checksum, HashField, Kind, Payload, Reader, Record, Value};

use crate::TestServer;

/// What a server or an image holds, whatever the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Keys by database and name.
    pub keys: BTreeMap<(u64, Vec<u8>), KeyContents>,
    /// Sources of function libraries.
    pub functions: BTreeSet<Vec<u8>>,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyContents {
    kind: Kind,
    /// A hash of the value.
    value: u64,
    /// When its time is up, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

impl Contents {
    /// Asks a server for everything that it holds (Redis 7.0 and later).
    pub fn of_server(server: &TestServer) -> Result<Self> {
        let mut contents = Self::default();
        let mut admin = server.admin()?;
        // A replica of a cluster sends readers to its primary otherwise; who is in no cluster refuses.
        drop(redis::cmd("READONLY").query::<()>(&mut admin));
        let keyspace: String = redis::cmd("INFO").arg("keyspace").query(&mut admin)?;
        for line in keyspace.lines() {
            let Some((number, _)) = line.strip_prefix("db").and_then(|line| line.split_once(':')) else {
                continue;
            };
            let database: u64 = number.parse()?;
            redis::cmd("SELECT").arg(database).query::<()>(&mut admin)?;
            let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut admin)?;
            for name in names {
                let payload: Vec<u8> = redis::cmd("DUMP").arg(&name).query(&mut admin)?;
                let moment: i64 = redis::cmd("PEXPIRETIME").arg(&name).query(&mut admin)?;
                let value = Payload::parse(&payload)?.value()?;
                contents.add(database, name, value, Some(moment).filter(|moment| *moment >= 0));
            }
        }
        let libraries: Vec<BTreeMap<String, redis::Value>> =
            redis::cmd("FUNCTION").arg("LIST").arg("WITHCODE").query(&mut admin)?;
        for mut library in libraries {
            let code = library.remove("library_code").context("library_code")?;
            contents.functions.insert(redis::from_redis_value(code)?);
        }
        Ok(contents)
    }

    /// Asks a keyspace of one database for everything that it holds. Of a cache without moments, they are left out.
    pub async fn of_keys(keys: &dyn Keys) -> Result<Self> {
        let mut contents = Self::default();
        let mut batches = keys.scan(ScanOptions::with_fields(KeyFields::empty()));
        while let Some(batch) = batches.try_next().await? {
            let names: Vec<Bytes> = batch.records.into_iter().map(|record| record.key).collect();
            for (name, value) in names.iter().zip(keys.dump(&names).await) {
                let Some(value) = value? else { continue };
                let moment = value.expires_at_ms.filter(|_| value.ttl != Ttl::None);
                contents.add(0, name.to_vec(), Payload::parse(&value.payload)?.value()?, moment);
            }
        }
        Ok(contents)
    }

    /// Reads an image to its end.
    pub fn of_image(image: &[u8]) -> Result<Self> {
        let mut contents = Self::default();
        let mut reader = Reader::from_slice(image)?;
        let mut has_ctime = false;
        while let Some(record) = reader.next_record()? {
            match record {
                Record::Aux { name: b"ctime", .. } => has_ctime = true,
                Record::Function { code } => drop(contents.functions.insert(code.to_vec())),
                Record::Key(entry) => {
                    let (name, meta) = (entry.key().to_vec(), entry.meta());
                    contents.add(meta.db, name, entry.value()?, meta.expires_at_ms);
                }
                _ => {}
            }
        }
        ensure!(matches!(reader.checksum(), Checksum::Verified(_)), "the checksum: {:?}", reader.checksum());
        ensure!(has_ctime, "the image does not say when it was created");
        Ok(contents)
    }

    /// Takes what another part of the same cache holds.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.functions.extend(other.functions);
    }

    fn add(&mut self, database: u64, name: Vec<u8>, value: Value, expires_at_ms: Option<i64>) {
        let key = KeyContents { kind: value.kind(), value: hash(value), expires_at_ms };
        assert!(self.keys.insert((database, name), key).is_none(), "a key is there twice");
    }

    /// Says where two differ. Moments that are told from the time that is left may be off by some milliseconds.
    pub fn ensure_same(&self, other: &Self, tolerance_ms: u64) -> Result<()> {
        for (name, key) in &self.keys {
            let shown = format!("key \"{}\" of database {}", name.1.escape_ascii(), name.0);
            let found = other.keys.get(name).with_context(|| format!("{shown} is missing"))?;
            ensure!((key.kind, key.value) == (found.kind, found.value), "{shown} has another value");
            let is_near = match (key.expires_at_ms, found.expires_at_ms) {
                (None, None) => true,
                (Some(one), Some(two)) => one.abs_diff(two) <= tolerance_ms,
                _ => false,
            };
            ensure!(is_near, "{shown} expires at {:?}, not at {:?}", found.expires_at_ms, key.expires_at_ms);
        }
        ensure!(self.keys.len() == other.keys.len(), "{} keys, not {}", other.keys.len(), self.keys.len());
        ensure!(self.functions == other.functions, "the function libraries differ");
        Ok(())
    }
}

fn hash(value: Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::String(bytes) => bytes.hash(&mut hasher),
        Value::List(items) => items.hash(&mut hasher),
        Value::Set(mut members) => {
            members.sort_unstable();
            members.hash(&mut hasher);
        }
        Value::SortedSet(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, score)| (name, score.to_bits())).collect();
            members.sort_unstable();
            members.hash(&mut hasher);
        }
        Value::Hash(mut fields) => {
            fields.sort_unstable_by(|one, two| one.name.cmp(&two.name));
            for HashField { name, value, expires_at_ms, .. } in fields {
                (name, value, expires_at_ms).hash(&mut hasher);
            }
        }
        other => format!("{other:?}").hash(&mut hasher),
    }
    hasher.finish()
}

/// Takes a whole image.
pub async fn collect(dump: Dump) -> Result<Vec<u8>> {
    let mut image = Vec::new();
    let mut pieces = dump.bytes;
    while let Some(piece) = pieces.try_next().await? {
        ensure!(!piece.is_empty(), "a piece of nothing");
        image.extend_from_slice(&piece);
    }
    if let Some(total) = dump.facts.total_bytes {
        ensure!(total == image.len() as u64, "{} bytes came, and {total} were announced", image.len());
    }
    Ok(image)
}

/// How far the clocks of this machine and of a server on it, and the time that a fork takes, may put two moments apart.
const TOLERANCE: Duration = Duration::from_mins(2);

/// Checks an implementation of [`DumpSource`]; `held` is what its node holds, which must not change meanwhile.
pub async fn dump_source(source: &dyn DumpSource, held: &Contents) -> Result<()> {
    let method = source.method();
    source.check().await.with_context(|| format!("check of {method}"))?;
    // Twice, and between the two one that is given up.
    for round in 0..2 {
        let before = now_ms();
        let dump = source.open().await.with_context(|| format!("{method}, round {round}"))?;
        let facts = dump.facts.clone();
        ensure!(facts.method == method, "it says {:?}", facts.method);
        let off = facts.taken_at_ms.abs_diff(before);
        ensure!(u128::from(off) < TOLERANCE.as_millis(), "{method}: it says that it was taken {off} ms off");
        if let Some((id, _)) = &facts.replication {
            ensure!(id.len() == 40, "{id} is no id of a stream of changes");
        }
        let image = collect(dump).await.with_context(|| format!("{method}, round {round}"))?;
        let contents = Contents::of_image(&image).with_context(|| format!("image by {method}"))?;
        // Told from PTTL, a moment is off by as long as the answer took.
        let tolerance_ms = if method == DumpMethod::Keys { 1_000 } else { 0 };
        held.ensure_same(&contents, tolerance_ms).with_context(|| format!("image by {method}"))?;
        if round == 0 {
            let mut given_up = source.open().await?.bytes;
            given_up.next().await.context("a first piece")??;
        }
    }
    Ok(())
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
