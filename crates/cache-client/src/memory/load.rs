//! An embedded cache with what is in a dump.

use std::{
    fs::File,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use larder_rdb::{KeyMeta, ReadOptions, Reader};

use super::{
    store::{MemoryCache, MemoryOptions, Stored},
    value::HeldValue,
};
use crate::{Error, Result, Source, Ttl};

/// Makes a cache with the keys of one database of a file.
///
/// Keys whose time is up are left out, as a server leaves them out when it loads its data set.
pub(crate) async fn load(path: &Path, database: u32, options: MemoryOptions) -> Result<MemoryCache> {
    let (cache, file) = (MemoryCache::new(options), path.to_owned());
    let filled = cache.clone();
    let work = move || fill(&filled, &file, database, SystemTime::now());
    let left_out =
        tokio::task::spawn_blocking(work).await.map_err(|broken| refused(path, Arc::new(broken)))??;
    left_out.say(path, database);
    Ok(cache)
}

/// What of a file is not in the cache.
#[derive(Debug, Default, PartialEq, Eq)]
struct LeftOut {
    other_databases: u64,
    expired: u64,
    empty: u64,
    /// Keys that are in the cache, without what modules attached to them.
    module_attributes: u64,
}

impl LeftOut {
    fn say(&self, path: &Path, database: u32) {
        let path = path.display();
        if self.other_databases > 0 {
            tracing::warn!(
                "{} keys of {path} are left out, because they are not in database {database}",
                self.other_databases
            );
        }
        if self.module_attributes > 0 {
            let keys = self.module_attributes;
            tracing::warn!("{keys} keys of {path} lose what modules attached to them");
        }
        tracing::debug!("{} keys of {path} had expired, {} were empty", self.expired, self.empty);
    }
}

fn refused(path: &Path, source: Source) -> Error {
    Error::Dump { path: path.to_owned(), source }
}

fn fill(cache: &MemoryCache, path: &Path, database: u32, now: SystemTime) -> Result<LeftOut> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let refused = |error: larder_rdb::Error| refused(path, Arc::new(error));
    let (file, options) = open(path)?;
    let mut reader = Reader::with_options(file, options).map_err(refused)?;
    let mut left_out = LeftOut::default();
    while let Some(entry) = reader.next_key().map_err(refused)? {
        let meta = entry.meta();
        if meta.db != u64::from(database) {
            left_out.other_databases += 1;
            continue;
        }
        let Some(ttl) = time_left(meta, now) else {
            left_out.expired += 1;
            continue;
        };
        left_out.module_attributes += u64::from(entry.has_module_meta());
        let key = Bytes::copy_from_slice(entry.key());
        let Some(value) = HeldValue::from_entry(entry, &key).map_err(refused)? else {
            left_out.empty += 1;
            continue;
        };
        let idle = Duration::from_secs(meta.idle_s.unwrap_or(0));
        cache.insert_loaded(key, Stored::new(value, ttl).idle_for(idle));
    }
    Ok(left_out)
}

fn open(path: &Path) -> Result<(File, ReadOptions)> {
    let unreadable = |source| Error::File { what: "dump", path: path.to_owned(), source: Arc::new(source) };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let mut options = ReadOptions::default();
    if metadata.is_file() {
        options.total_bytes = Some(metadata.len());
        // A value that is in the file is no longer than the file, and the cache is to hold all of it.
        options.limits.max_payload_bytes = options.limits.max_payload_bytes.max(metadata.len());
    }
    Ok((file, options))
}

/// The time that a key has left; `None` if it is up.
fn time_left(meta: KeyMeta, now: Duration) -> Option<Ttl> {
    let Some(at) = meta.expires_at_ms else { return Some(Ttl::None) };
    let at = Duration::from_millis(u64::try_from(at).unwrap_or(0));
    at.checked_sub(now).filter(|left| !left.is_zero()).map(Ttl::In)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use larder_rdb::{KeyMeta, Server, Value, Writer};
    use tempfile::TempDir;

    use super::*;
    use crate::{Cache, KeyFields, KeyRecord, KeyType, Keys, ScanOptions};

    /// Far enough from now that no clock of a machine that runs tests is past it.
    const LATER_MS: i64 = 4_102_444_800_000;

    type Lines<'a> = &'a [(&'a str, KeyMeta, Value)];

    fn text(text: &str) -> Value {
        Value::String(text.as_bytes().to_vec())
    }

    fn list() -> Value {
        Value::List(vec![b"a".to_vec(), b"b".to_vec()])
    }

    fn written(lines: Lines<'_>) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), Server::redis(7, 0)).unwrap();
        for (key, meta, value) in lines {
            writer.value(key.as_bytes(), meta, value).unwrap();
        }
        writer.finish().unwrap()
    }

    async fn loaded(file: &[u8], database: u32) -> (Result<MemoryCache>, TempDir) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dump.rdb");
        fs::write(&path, file).unwrap();
        (load(&path, database, MemoryOptions::default()).await, folder)
    }

    async fn records(cache: &MemoryCache) -> Vec<KeyRecord> {
        use futures_util::TryStreamExt;
        let batches: Vec<_> =
            cache.scan(ScanOptions::with_fields(KeyFields::all())).try_collect().await.unwrap();
        batches.into_iter().flat_map(|batch| batch.records).collect()
    }

    #[tokio::test]
    async fn only_the_database_that_is_asked_for_is_loaded() {
        let file = written(&[
            ("a", KeyMeta::default(), text("0")),
            ("b", KeyMeta::in_db(3).expiring_at_ms(LATER_MS), list()),
        ]);
        for (database, name, kind) in [(0, "a", KeyType::String), (3, "b", KeyType::List)] {
            let cache = loaded(&file, database).await.0.unwrap();
            let records = records(&cache).await;
            assert_eq!(records.len(), 1);
            assert_eq!((&records[0].key[..], records[0].kind.as_ref()), (name.as_bytes(), Some(&kind)));
            assert_eq!(cache.counts(), [0; 4], "loading is nothing that the cache did");
        }
        assert!(records(&loaded(&file, 9).await.0.unwrap()).await.is_empty());
    }

    #[test]
    fn a_key_is_left_out_from_the_moment_at_which_its_time_is_up() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("dump.rdb");
        let meta = |at| KeyMeta::default().expiring_at_ms(at);
        let file = written(&[
            ("negative", meta(-1), text("x")),
            ("up", meta(1_000), text("x")),
            ("left", meta(1_001), text("x")),
            ("for-ever", meta(i64::MAX), text("x")),
            ("other", KeyMeta::in_db(1), text("x")),
        ]);
        fs::write(&path, file).unwrap();
        let cache = MemoryCache::default();
        let left_out = fill(&cache, &path, 0, UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        assert_eq!(left_out, LeftOut { other_databases: 1, expired: 2, ..LeftOut::default() });
        let _ = cache.clean_expired();
        assert!(matches!(cache.peek(b"for-ever"), Some((_, Ttl::In(_)))));
        assert!(cache.peek(b"left").is_some());
    }

    #[tokio::test]
    async fn every_value_is_told_by_type_and_only_strings_are_read() {
        let hash = Value::Hash(vec![larder_rdb::HashField::new("f", "v")]);
        let mut idle = KeyMeta::default();
        idle.idle_s = Some(60);
        let file = written(&[("hash", idle, hash), ("text", KeyMeta::default(), text("123"))]);
        let cache = loaded(&file, 0).await.0.unwrap();
        let records = records(&cache).await;
        let (hash, text) = (&records[0], &records[1]);
        assert_eq!((hash.kind.as_ref(), hash.encoding.as_deref()), (Some(&KeyType::Hash), Some("hashtable")));
        assert_eq!((hash.elements, text.elements, text.encoding.as_deref()), (Some(1), Some(3), Some("int")));
        assert!(hash.idle.is_some_and(|idle| idle >= Duration::from_mins(1)));
        let error = cache.get(b"hash").await.unwrap_err();
        assert!(error.with_causes().contains("WRONGTYPE"), "{}", error.with_causes());
        assert!(cache.get_entry(b"hash").await.is_err() && cache.exists(b"hash").await.unwrap());
        cache.set(b"hash", "now text".into(), None).await.unwrap();
        assert_eq!(cache.get(b"hash").await.unwrap().as_deref(), Some(&b"now text"[..]));
    }

    #[tokio::test]
    async fn modules_values_are_kept_and_empty_ones_left_out() {
        // The id of `test___dt` in version 1, one unsigned number, the end mark.
        let id = 0xb5_ec_ed_bf_ef_dd_e4_01_u64.to_be_bytes();
        let file =
            [b"REDIS0010\x07\x01m\x81".as_slice(), &id, b"\x02\x07\x00\x01\x01e\x00\xff", &[0; 8]].concat();
        let cache = loaded(&file, 0).await.0.unwrap();
        let records = records(&cache).await;
        assert_eq!(records.len(), 1);
        assert!(matches!(&records[0].kind, Some(KeyType::Module(name)) if name.len() == 9), "{records:?}");
        assert_eq!((records[0].elements, records[0].encoding.as_deref()), (None, Some("raw")));
        let dumped = cache.dump(&["m".into()]).await.remove(0).unwrap().unwrap();
        assert_eq!(dumped.payload[1..10], file[12..21]);
    }

    #[tokio::test]
    async fn a_file_that_is_not_sound_is_refused_with_the_place() {
        let good = written(&[("list", KeyMeta::default(), list()), ("text", KeyMeta::default(), text("v"))]);
        assert!(loaded(&good, 0).await.0.is_ok());
        for cut in 0..good.len() {
            let error = loaded(&good[..cut], 0).await.0.unwrap_err();
            assert!(matches!(error, Error::Dump { .. }), "{cut} bytes: {error:?}");
        }
        let mut flipped = good.clone();
        flipped[9] ^= 1;
        assert!(matches!(loaded(&flipped, 0).await.0, Err(Error::Dump { .. })));
        let in_list = b"REDIS0010\x01\x04list\x80\xff\xff\xff\xff";
        let words = loaded(in_list, 0).await.0.unwrap_err().with_causes();
        assert!(words.contains("dump.rdb is refused") && words.contains("byte 20, key \"list\""), "{words}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_another_matter() {
        let folder = TempDir::new().unwrap();
        for path in [folder.path(), &folder.path().join("none.rdb")] {
            let error = load(path, 0, MemoryOptions::default()).await.unwrap_err();
            assert!(matches!(error, Error::File { .. }), "{error:?}");
        }
    }
}
