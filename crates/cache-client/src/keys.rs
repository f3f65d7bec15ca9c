//! The seam for whole keyspaces.

use std::{borrow::Cow, collections::BTreeMap, fmt, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use larder_metrics_model::NodeAddress;
use serde::{Deserialize, Serialize};

use crate::{FullSpeed, Pace, Result};

bitflags::bitflags! {
    /// What is fetched of every key. Each costs the server work, so ask for what is used.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct KeyFields: u8 {
        /// The type.
        const TYPE = 1;
        /// The time it has left.
        const TTL = 1 << 1;
        /// How the server stores it.
        const ENCODING = 1 << 2;
        /// What it costs in memory.
        const BYTES = 1 << 3;
        /// Time since it was last used; servers that evict by frequency do not know it.
        const IDLE = 1 << 4;
        /// How often it is used; only servers that evict by frequency know it.
        const FREQUENCY = 1 << 5;
        /// How many elements it has; of a string, its bytes. Needs the type, which is then fetched first. The one field
        /// whose look counts as a use of the key on servers without CLIENT NO-TOUCH (before Redis 7.2).
        const ELEMENTS = 1 << 6;
    }
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyType {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A module's type, by the name that TYPE gives.
    Module(String),
}

/// How long a key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ttl {
    /// Until it is deleted or evicted.
    None,
    /// For this long.
    In(Duration),
}

/// One key with what was asked for. A field that was not asked for, or that the server does not know, is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The key. It may share memory with the others of its batch: copy it where it is kept for long.
    pub key: Bytes,
    /// The number of its database.
    pub database: u64,
    /// Its type.
    pub kind: Option<KeyType>,
    /// The time it has left.
    pub ttl: Option<Ttl>,
    /// How the server stores it.
    pub encoding: Option<Cow<'static, str>>,
    /// What it costs in memory: measured, as the server estimates it from five elements, or estimated by a source that is
    /// no server.
    pub memory_bytes: Option<u64>,
    /// What it takes in a file, its name and expiry included; only a source that is a file knows it.
    pub serialised_bytes: Option<u64>,
    /// Time since it was last used.
    pub idle: Option<Duration>,
    /// The logarithmic use counter, 0 to 255.
    pub frequency: Option<u8>,
    /// How many elements it has; of a string, its bytes.
    pub elements: Option<u64>,
}

/// What to go through, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Glob pattern as SCAN takes it; `None` for every key. The server goes through all keys either way.
    pub pattern: Option<Bytes>,
    /// What to fetch of each key.
    pub fields: KeyFields,
    /// About how many keys the server looks at in one step (COUNT).
    pub batch_keys: u32,
    /// Where to go on.
    pub from: Option<ScanPosition>,
    /// What to fetch beside `fields`, chosen by the key.
    pub choice: Option<FieldChoice>,
    /// How fast to go.
    pub pace: Arc<dyn Pace>,
    /// Which node of a shard is read.
    pub read_from: ReadFrom,
}

/// Chooses what is fetched of a key by its name, so that a sweep pays only for what it uses.
#[derive(Clone)]
pub struct FieldChoice(Arc<Choose>);

type Choose = dyn Fn(&[u8]) -> KeyFields + Send + Sync;

/// Which node of a shard a scan reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The primary.
    #[default]
    Primary,
    /// A replica, which spares the primary; what it has not yet got is not seen.
    Replica,
}

/// Keys that came in one step, and where to go on after them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyBatch {
    /// The node they came from.
    pub node: NodeAddress,
    /// The shard they are of, by the address that its primary had when the scan began.
    pub shard: NodeAddress,
    /// How often the shard was begun anew, because the server that was read is gone. When it grows, every key of the shard
    /// comes again: what came before is to be forgotten where keys are counted.
    pub round: u32,
    /// The keys; may be none although the sweep goes on.
    pub records: Vec<KeyRecord>,
    /// Where a sweep that has dealt with this batch goes on.
    pub position: ScanPosition,
}

/// Where a sweep is: a cursor for each shard, by the address of its primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScanPosition(BTreeMap<NodeAddress, ShardPosition>);

/// Where a sweep is in one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardPosition {
    /// It goes on at this cursor, which only the shard itself understands.
    At(String),
    /// It is through.
    Done,
}

/// A value in the server's own form, as DUMP gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpedValue {
    /// The payload, with version and checksum at its end.
    pub payload: Bytes,
    /// The time the key had left. It is what a restore goes by where no moment is known.
    pub ttl: Ttl,
    /// When the key's time is up, in milliseconds since 1970; known where the server tells it (Redis 7.0 and later). Where it
    /// is there, a restore goes by it: the key ends at that moment, however long the value was kept.
    pub expires_at_ms: Option<i64>,
    /// How long the key had not been used before it was dumped; servers that evict by frequency do not know it.
    pub idle: Option<Duration>,
}

/// By which a value is known again: length and checksum of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValueStamp {
    /// Bytes of the payload.
    pub bytes: u64,
    /// The CRC-64 that it ends with.
    pub checksum: u64,
}

/// A change that is made only if a key is still as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardedChange {
    /// The key.
    pub key: Bytes,
    /// The value that it must still have.
    pub value: ValueStamp,
    /// The end of its time that it must still have, in milliseconds since 1970; `None` for none.
    pub expires_at_ms: Option<i64>,
    /// What is done.
    pub action: GuardedAction,
}

/// What is done with a key that is still as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardedAction {
    /// It is removed.
    Unlink,
    /// Its time is up at this moment, in milliseconds since 1970.
    ExpireAt(i64),
    /// It stays.
    Persist,
}

/// A key to bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreItem {
    /// The key.
    pub key: Bytes,
    /// Its value and the time it gets.
    pub value: DumpedValue,
    /// Whether a key that is there is replaced.
    pub overwrite: bool,
}

/// What became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// It was done.
    Done,
    /// The key was not there (any more).
    Missing,
    /// A key of that name was there, and was left alone.
    Exists,
    /// The key is not as it was seen any more, and was left alone.
    Changed,
}

/// The keys of a cache, in batches.
///
/// # Contract
///
/// - A scan returns every key that is there from its beginning to its end at least once; one that comes or goes
///   meanwhile may be returned or not, and a key may be returned twice. A key that is gone when its fields are
///   fetched is left out.
/// - A scan that goes on from a position returns every key that was not yet returned. A position is only good for the
///   cache it came from; the part of a shard whose primary is no longer there begins anew.
/// - A shard whose primary is lost on the way is begun anew on its successor, and [`KeyBatch::round`] says so. A shard that
///   has none ends with one `Err` that says what was not seen; the other shards go on.
/// - A scan goes at the pace it is given, and looks at keys without using them: idle times stay what they are, but for
///   [`KeyFields::ELEMENTS`] on servers that cannot.
/// - Batch calls answer for each key in the order given, and one key's failure is that key's alone.
/// - Nothing here blocks a server for longer than one step of the scan, or one batch.
#[async_trait]
pub trait Keys: Debug + Send + Sync {
    /// Goes through the keys of all shards at once.
    fn scan(&self, options: ScanOptions) -> BoxStream<'static, Result<KeyBatch>>;

    /// Returns what is asked for of keys; `None` for a key that is not there.
    async fn look(&self, keys: &[Bytes], fields: KeyFields) -> Vec<Result<Option<KeyRecord>>>;

    /// Returns what the servers' clock says, in milliseconds since 1970: moments that a server is told, or tells, are of that
    /// clock, whatever the clock of this machine says.
    ///
    /// # Errors
    /// The server cannot be asked, or refuses.
    async fn clock_ms(&self) -> Result<i64>;

    /// Sets or removes the time that keys have left.
    async fn expire(&self, changes: &[(Bytes, Ttl)]) -> Vec<Result<KeyChange>>;

    /// Removes keys; where the server can, it frees their memory in the background.
    async fn unlink(&self, keys: &[Bytes]) -> Vec<Result<KeyChange>>;

    /// Changes keys that are still as they were seen, each in one step that nothing comes between.
    async fn change(&self, changes: &[GuardedChange]) -> Vec<Result<KeyChange>>;

    /// Returns values in the server's own form; `None` for a key that is not there.
    async fn dump(&self, keys: &[Bytes]) -> Vec<Result<Option<DumpedValue>>>;

    /// Brings values back, with their moments (`ABSTTL`) and idle times (`IDLETIME`; both since Redis 5.0) where they are known.
    ///
    /// A key whose moment is over is not made, and is [`KeyChange::Done`] all the same; with
    /// [`overwrite`](RestoreItem::overwrite) it takes the place of the one that is there, so that none is left. Without, a key
    /// that is there is [`KeyChange::Exists`], whatever the moment. A server that evicts by frequency takes an idle time and
    /// makes nothing of it. So it is on Redis 7.0 and 8.0 and on Valkey 8.1 and 9.1.
    ///
    /// Several calls at once are faster than one after the other: while one waits for its last answers, the server works on
    /// the next. Where a connection breaks, values that were sent and not answered may have been restored or not; their
    /// answer is an error.
    async fn restore(&self, items: &[RestoreItem]) -> Vec<Result<KeyChange>>;
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            pattern: None,
            fields: KeyFields::empty(),
            batch_keys: 1000,
            from: None,
            choice: None,
            pace: Arc::new(FullSpeed),
            read_from: ReadFrom::Primary,
        }
    }
}

impl ScanOptions {
    /// Asks for every key with these fields.
    #[must_use]
    pub fn with_fields(fields: KeyFields) -> Self {
        Self { fields, ..Self::default() }
    }
}

impl KeyRecord {
    /// Begins the record of a key.
    #[must_use]
    pub fn new(key: Bytes) -> Self {
        Self {
            key,
            database: 0,
            kind: None,
            ttl: None,
            encoding: None,
            memory_bytes: None,
            serialised_bytes: None,
            idle: None,
            frequency: None,
            elements: None,
        }
    }
}

impl KeyBatch {
    /// Makes a batch.
    #[must_use]
    pub fn new(node: NodeAddress, records: Vec<KeyRecord>, position: ScanPosition) -> Self {
        Self { shard: node.clone(), node, round: 0, records, position }
    }
}

impl FieldChoice {
    /// Makes a choice.
    pub fn new(choose: impl Fn(&[u8]) -> KeyFields + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// Returns what is fetched of a key.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> KeyFields {
        (self.0)(key)
    }
}

impl Debug for FieldChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldChoice(…)")
    }
}

impl ScanOptions {
    /// Returns what is fetched of a key.
    #[must_use]
    pub fn fields_of(&self, key: &[u8]) -> KeyFields {
        let chosen = self.choice.as_ref().map_or(KeyFields::empty(), |choice| choice.of(key));
        let fields = self.fields | chosen;
        if fields.contains(KeyFields::ELEMENTS) { fields | KeyFields::TYPE } else { fields }
    }
}

impl ValueStamp {
    /// Takes the stamp of a payload; `None` for what is too short to be one.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Self> {
        let checksum = payload.last_chunk::<8>()?;
        Some(Self { bytes: payload.len() as u64, checksum: u64::from_le_bytes(*checksum) })
    }
}

impl DumpedValue {
    /// Makes a value with the time that its key has left.
    #[must_use]
    pub fn new(payload: Bytes, ttl: Ttl) -> Self {
        Self { payload, ttl, expires_at_ms: None, idle: None }
    }
}

impl ScanPosition {
    /// Returns where the sweep is in a shard; `None` where it has not begun.
    #[must_use]
    pub fn shard(&self, primary: &NodeAddress) -> Option<&ShardPosition> {
        self.0.get(primary)
    }

    /// Records where the sweep is in a shard.
    pub fn set_shard(&mut self, primary: NodeAddress, position: ShardPosition) {
        self.0.insert(primary, position);
    }

    /// Tells whether every shard that was begun is through.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.values().all(|position| *position == ShardPosition::Done)
    }
}

impl KeyType {
    /// Returns the word that TYPE answers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module(name) => name,
        }
    }
}

impl From<&str> for KeyType {
    /// Reads what TYPE answers.
    fn from(name: &str) -> Self {
        match name {
            "string" => Self::String,
            "list" => Self::List,
            "set" => Self::Set,
            "zset" => Self::SortedSet,
            "hash" => Self::Hash,
            "stream" => Self::Stream,
            other => Self::Module(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted set",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module(name) => name,
        })
    }
}
