//! Images of live caches: they report what files and questions report, and say what is wrong with them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_cache_client::{
    CacheClient, ConnectOptions, Dump, DumpFacts, DumpMethod, DumpOptions as ImageOptions,
    DumpSource as ShardSource, Error as CacheError, KeyFields, ScanOptions, open,
};
use larder_keyspace::{
    BytesSource, DumpOptions, DumpSource, Error, KeyReport, KeySource, LiveSource, StreamOptions,
    StreamSource, TimeBase, Wanted,
};
use larder_metrics_model::NodeAddress;
use larder_rdb::{Checksum, KeyMeta, Server, WriteOptions, Writer};
use larder_test_support::{TestServer, on_every_server};

use crate::{
    batches::{everything, report},
    servers::{client, fill_server, saved},
};

/// A cache's images, sent without waiting for more replicas.
pub(crate) async fn images(client: &CacheClient, options: StreamOptions) -> Result<StreamSource> {
    let source = StreamSource::new(client.dump_shards(&ImageOptions::default()).await?, options);
    source.check().await?;
    Ok(source)
}

/// All of a report but where its keys came from.
fn figures(report: &KeyReport) -> KeyReport {
    let mut figures = report.clone();
    figures.source.clear();
    figures.nodes.clear();
    figures
}

#[tokio::test]
async fn images_report_what_a_file_and_questions_do() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        fill_server(&server)?;
        let file = saved(&server)?;
        let client = client(&server.url()).await?;
        let source = images(&client, StreamOptions::default()).await?;
        let by_image = report(&source, everything(), 0).await?;
        ensure!(by_image.nodes.keys().eq([server.node().as_str()]), "{:?}", by_image.nodes);
        ensure!(by_image.bytes_source == BytesSource::Estimated);
        let [shard] = source.outcome().try_into().unwrap();
        ensure!(shard.node == server.node() && matches!(shard.read.checksum, Checksum::Verified(_)));
        ensure!(shard.read.keys == by_image.total_keys && source.progress().bytes > 100_000);

        let mut options = DumpOptions::at(by_image.at_ms);
        options.time_base = TimeBase::Now;
        let by_file = report(&DumpSource::open(file, options)?, everything(), 0).await?;
        ensure!(figures(&by_image) == figures(&by_file), "{by_image:#?} {by_file:#?}");

        let scan = LiveSource::new(&client, ScanOptions::default());
        let by_scan = report(&scan, everything(), by_image.at_ms).await?;
        ensure!(by_scan.types == by_image.types, "{:?} {:?}", by_scan.types, by_image.types);
        ensure!((by_scan.total_keys, by_scan.expiring_keys) == (by_image.total_keys, by_image.expiring_keys));
        for family in &by_scan.families {
            let same = by_image.families.iter().find(|it| it.name == family.name);
            let same = same.map(|it| (it.figures.keys, it.figures.without_ttl));
            ensure!(same == Some((family.figures.keys, family.figures.without_ttl)), "{}", family.name);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_the_database_that_is_asked_for_is_read() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        server.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        for (number, name) in [(0, "a"), (3, "b"), (3, "c")] {
            let mut admin = server.admin()?;
            redis::pipe().cmd("SELECT").arg(number).cmd("SET").arg(name).arg("v").exec(&mut admin)?;
        }
        let client = client(&server.url()).await?;
        for (database, keys) in [(None, 3), (Some(0), 1), (Some(3), 2), (Some(5), 0)] {
            let mut options = StreamOptions::default();
            options.database = database;
            let source = images(&client, options).await?;
            let report = report(&source, Wanted::new(KeyFields::TTL), 0).await?;
            ensure!(report.total_keys == keys, "{database:?}: {}", report.total_keys);
            ensure!(source.outcome()[0].read.keys == keys);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_may_not_replicate_is_told_so_before_anything_is_sent() {
    on_every_server(async |program| {
        let few = "user few on >few ~* +ping +info +scan";
        let asks = "user asks on >asks ~* +ping +info +scan +command|info +acl|whoami +acl|dryrun";
        let server = TestServer::builder(program).user(few).user(asks).start()?;
        for (user, is_told_before) in [("asks", true), ("few", false)] {
            let client = client(&server.url_as(user, user)).await?;
            let shards = client.dump_shards(&ImageOptions::default()).await?;
            let source = StreamSource::new(shards, StreamOptions::default());
            let blocked =
                |refused: Error| matches!(refused, Error::NoImage { source, .. } if source.is_blocked());
            // Who may not ask what he may do learns it when it is done.
            ensure!(source.check().await.map_or_else(blocked, |()| !is_told_before), "{user}");
            ensure!(source.batches(everything()).try_next().await.is_err_and(blocked), "{user}");
        }
        Ok(())
    })
    .await;
}

/// A shard that sends what it is told to.
#[derive(Debug, Clone)]
struct Told {
    pieces: Vec<Result<Bytes, CacheError>>,
    taken: Arc<AtomicUsize>,
    goes_on: bool,
}

#[async_trait]
impl ShardSource for Told {
    fn method(&self) -> DumpMethod {
        DumpMethod::Replication
    }

    async fn check(&self) -> larder_cache_client::Result<()> {
        Ok(())
    }

    async fn open(&self) -> larder_cache_client::Result<Dump> {
        let facts = DumpFacts::new(DumpMethod::Replication, NodeAddress::new("told:1"), MOMENT_MS);
        let taken = Arc::clone(&self.taken);
        let pieces = stream::iter(self.pieces.clone()).inspect(move |_| {
            taken.fetch_add(1, Ordering::Relaxed);
        });
        let bytes = if self.goes_on { pieces.chain(stream::pending()).boxed() } else { pieces.boxed() };
        Ok(Dump { facts, bytes })
    }
}

const MOMENT_MS: i64 = 1_800_000_000_000;

/// An image of so many keys, some of which are due.
fn image(keys: usize, checksum: bool) -> Vec<u8> {
    let mut options = WriteOptions::default();
    options.checksum = checksum;
    let mut writer = Writer::with_options(Vec::new(), Server::redis(7, 2), options).unwrap();
    for number in 0..keys {
        let lasts = KeyMeta::default();
        let meta = if number % 4 == 0 { lasts.expiring_at_ms(MOMENT_MS) } else { lasts };
        writer.string(format!("k:{number}").as_bytes(), &meta, b"value").unwrap();
    }
    writer.finish().unwrap()
}

/// Makes a source of shards that send these pieces.
async fn told(shards: Vec<Told>) -> StreamSource {
    let client = open(&"memory:".parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let of_memory = client.dump_shards(&ImageOptions::default()).await.unwrap().remove(0);
    let shards = shards.into_iter().enumerate().map(|(number, told)| {
        let mut shard = of_memory.clone();
        shard.node = NodeAddress::new(format!("told:{number}"));
        shard.sources = vec![Arc::new(told)];
        shard
    });
    StreamSource::new(shards.collect(), StreamOptions::default())
}

fn sends(pieces: Vec<Result<Bytes, CacheError>>) -> Told {
    Told { pieces, taken: Arc::default(), goes_on: false }
}

fn pieces(image: &[u8], length: usize) -> Vec<Result<Bytes, CacheError>> {
    image.chunks(length).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

#[tokio::test]
async fn pieces_of_any_length_make_the_same_report() {
    let image = image(4000, true);
    for length in [1, 9, 1000, image.len()] {
        let source = told(vec![sends(pieces(&image, length))]).await;
        let report = report(&source, everything(), 0).await.unwrap();
        assert_eq!((report.total_keys, report.at_ms), (3000, MOMENT_MS), "{length}");
        let read = source.outcome().remove(0).read;
        assert_eq!((read.expired_keys, source.progress().bytes), (1000, image.len() as u64));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_transfer_is_told_from_what_is_wrong_with_an_image() {
    let sound = image(1000, true);
    let broken = || Err(CacheError::Loading { node: NodeAddress::new("told:0") });
    let half = pieces(&sound[..sound.len() / 2], 700);
    let error = async |pieces| {
        let source = told(vec![sends(pieces)]).await;
        let error = report(&source, everything(), 0).await.unwrap_err();
        assert!(source.outcome().is_empty(), "{error:?}");
        error
    };
    let cut = error(half.iter().cloned().chain([broken()]).collect()).await;
    assert!(
        matches!(&cut, Error::Transfer { node, source: CacheError::Loading { .. } } if node.as_str() == "told:0")
    );
    assert!(matches!(error(vec![broken()]).await, Error::Transfer { .. }));
    assert!(matches!(error(half).await, Error::Image { source: larder_rdb::Error::Truncated { .. }, .. }));
    assert!(matches!(
        error(Vec::new()).await,
        Error::Image { source: larder_rdb::Error::Truncated { .. }, .. }
    ));
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    assert!(matches!(error(pieces(&flipped, 700)).await, Error::Image { .. }));
    let longer = [&sound[..], b"x"].concat();
    assert!(matches!(error(pieces(&longer, 700)).await, Error::Image { .. }));
    assert!(matches!(error(pieces(&image(1000, false), 700)).await, Error::Unchecked { .. }));
}

#[tokio::test]
async fn other_shards_go_on_and_each_has_its_moment() {
    let sound = image(1000, true);
    let broken = vec![Err(CacheError::Loading { node: NodeAddress::new("told:1") })];
    let source = told(vec![sends(pieces(&sound, 700)), sends(broken), sends(pieces(&sound, 90))]).await;
    let mut batches = source.batches(everything());
    let (mut keys, mut errors) = (0, Vec::new());
    while let Some(batch) = batches.next().await {
        match batch {
            Ok(batch) => {
                assert_eq!(source.counted_from_ms(0), MOMENT_MS);
                keys += batch.records.len();
            }
            Err(error) => errors.push(error),
        }
    }
    assert_eq!((keys, source.outcome().len()), (1500, 2));
    assert!(matches!(errors.as_slice(), [Error::Transfer { node, .. }] if node.as_str() == "told:1"));
}

#[tokio::test]
async fn batches_that_no_one_takes_hold_the_transfer_up_and_dropped_ones_end_it() {
    let image = image(200_000, true);
    let mut shard = sends(pieces(&image, 1000));
    shard.goes_on = true;
    let (taken, of) = (Arc::clone(&shard.taken), shard.pieces.len());
    let source = told(vec![shard]).await;
    let mut batches = source.batches(everything());
    batches.try_next().await.unwrap().unwrap();
    // Whatever else runs has had its turn when nothing more is taken.
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let now = taken.load(Ordering::Relaxed);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < of / 4, "{before} of {of} pieces were taken for one batch");
    drop(batches);
    assert!(source.outcome().is_empty());
}

#[tokio::test]
async fn a_cache_without_a_replication_stream_says_so() {
    let client = open(&"memory:".parse().unwrap(), &ConnectOptions::default()).await.unwrap();
    let shards = client.dump_shards(&ImageOptions::default()).await.unwrap();
    let source = StreamSource::new(shards, StreamOptions::default());
    assert!(matches!(source.check().await, Err(Error::NoStream { .. })));
    assert!(matches!(source.batches(everything()).try_next().await, Err(Error::NoStream { .. })));
}
