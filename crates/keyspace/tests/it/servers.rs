//! Reports of real servers, against a seeded data set and against what the servers say themselves.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use larder_cache_client::{CacheClient, ConnectOptions, FieldChoice, KeyFields, ReadFrom, ScanOptions, open};
use larder_keyspace::{
    About, BytesSource, Coverage, DumpOptions, DumpSource, KeyReport, KeySource, LiveSource, NameSample,
    ReportBuilder, ReportOptions, Survey, SurveyOptions, Wanted,
};
use larder_test_support::{TestServer, on_every_server, until};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use redis::Connection;

use crate::batches::{counted, everything, family, report};

const KEYS: usize = 20_000;

/// What is known of a family of the data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    keys: u64,
    without_ttl: u64,
    up_to_an_hour: u64,
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap()
}

/// Puts a seeded data set of all types into a pipeline; gives what it is made of.
fn fill(mut run: impl FnMut(redis::Pipeline) -> Result<()>) -> Result<BTreeMap<String, Known>> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for chunk in 0..KEYS / 500 {
        let mut pipeline = redis::pipe();
        for number in chunk * 500..(chunk + 1) * 500 {
            let (family, ttl_s) = add(&mut pipeline, number, &mut rng);
            let known = known.entry(family.to_owned()).or_default();
            known.keys += 1;
            known.without_ttl += u64::from(ttl_s.is_none());
            known.up_to_an_hour += u64::from(ttl_s.is_some_and(|ttl| ttl <= 3600));
        }
        run(pipeline)?;
    }
    Ok(known)
}

/// Adds a key; times to live are far from the ends of buckets.
fn add(pipeline: &mut redis::Pipeline, number: usize, rng: &mut ChaCha8Rng) -> (&'static str, Option<u64>) {
    let mut value = vec![0; rng.random_range(20..900)];
    rng.fill_bytes(&mut value);
    let items: Vec<String> = (0..rng.random_range(1..60)).map(|item| format!("item {item}")).collect();
    let (family, ttl_s) = match number % 20 {
        0..=7 => ("app:search:", Some([1800, 7200, 40_000][number % 3])),
        8..=13 => ("app:embedding:", (!number.is_multiple_of(5)).then_some(300_000)),
        14 => ("queue:", None),
        15 => ("tags:", None),
        16 => ("rank:day:", Some(50_000)),
        17 => ("user:", None),
        18 => ("events:", None),
        _ => ("", Some(2700)),
    };
    let key = if family.is_empty() { format!("lonely-{number}") } else { format!("{family}{number:08x}a") };
    match number % 20 {
        14 => pipeline.rpush(&key, items).ignore(),
        15 => pipeline.sadd(&key, items).ignore(),
        16 => {
            let scored: Vec<(usize, String)> = items.into_iter().enumerate().collect();
            pipeline.zadd_multiple(&key, &scored).ignore()
        }
        17 => {
            let fields: Vec<(String, usize)> = items.into_iter().zip(0..).collect();
            pipeline.hset_multiple(&key, &fields).ignore()
        }
        18 => pipeline.cmd("XADD").arg(&key).arg(&["1-1", "field", "value"]).ignore(),
        _ => pipeline.set(&key, value).ignore(),
    };
    if let Some(ttl_s) = ttl_s {
        pipeline.expire(&key, i64::try_from(ttl_s).unwrap()).ignore();
    }
    (family, ttl_s)
}

pub(crate) fn fill_server(server: &TestServer) -> Result<BTreeMap<String, Known>> {
    let mut admin = server.admin()?;
    fill(|pipeline| Ok(pipeline.query(&mut admin)?))
}

/// The sum of what MEMORY USAGE says of every key.
fn measured(connection: &mut Connection) -> Result<u64> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(connection)?;
    let mut sum = 0;
    for keys in keys.chunks(1000) {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("MEMORY").arg("USAGE").arg(key);
        }
        let bytes: Vec<Option<u64>> = pipeline.query(connection)?;
        sum += bytes.into_iter().flatten().sum::<u64>();
    }
    Ok(sum)
}

pub(crate) async fn client(url: &str) -> Result<CacheClient> {
    Ok(open(&url.parse()?, &ConnectOptions::default()).await?)
}

async fn live(client: &CacheClient, wanted: Wanted) -> Result<KeyReport> {
    let source = LiveSource::new(client, ScanOptions::default());
    Ok(report(&source, wanted, now_ms()).await?)
}

fn agrees(report: &KeyReport, known: &BTreeMap<String, Known>) -> Result<()> {
    let total: u64 = known.values().map(|family| family.keys).sum();
    let lasting: u64 = known.values().map(|family| family.without_ttl).sum();
    ensure!(report.total_keys == total, "{} of {total} keys", report.total_keys);
    ensure!(report.expiring_keys == Some(total - lasting), "{:?}", report.expiring_keys);
    ensure!(report.families.len() == known.len(), "{:?}", report.families);
    for (name, known) in known {
        let found = family(report, if name.is_empty() { "(none)" } else { name });
        let within = |ttl: &larder_keyspace::TtlReport| {
            ttl.histogram
                .iter()
                .filter(|it| it.up_to_s.is_some_and(|end| end <= 3600))
                .map(|it| it.keys)
                .sum()
        };
        let seen = Known {
            keys: found.figures.keys,
            without_ttl: found.figures.without_ttl.unwrap_or(0),
            up_to_an_hour: found.ttl.as_ref().map_or(0, within),
        };
        ensure!(seen == *known, "{name}: {seen:?}, not {known:?}");
    }
    Ok(())
}

pub(crate) fn saved(server: &TestServer) -> Result<PathBuf> {
    server.run::<()>(&["SAVE"])?;
    let [_, name]: [String; 2] = server.run(&["CONFIG", "GET", "dbfilename"])?;
    Ok(server.folder().join(name))
}

fn percent_off(one: u64, other: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let (one, other) = (one as f64, other as f64);
    (one / other - 1.0) * 100.0
}

#[tokio::test]
async fn a_live_report_is_exact_and_that_of_its_dump_nearly() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let known = fill_server(&server)?;
        let client = client(&server.url()).await?;
        let live = live(&client, everything()).await?;
        agrees(&live, &known)?;
        let measured = measured(&mut server.admin()?)?;
        ensure!(live.bytes == Some(measured), "{:?}, and the server says {measured}", live.bytes);
        ensure!(
            live.nodes.values().sum::<u64>() == KEYS as u64 && live.bytes_source == BytesSource::Measured
        );
        for name in ["list", "set", "zset", "hash", "stream"] {
            ensure!(live.types.get(name) == Some(&(KEYS as u64 / 20)), "{:?}", live.types);
        }
        ensure!(family(&live, "user:").elements.is_some_and(|elements| elements > 1000), "{live:?}");

        let source = DumpSource::open(saved(&server)?, DumpOptions::at(0))?;
        let dumped = report(&source, everything(), 0).await?;
        agrees(&dumped, &known)?;
        ensure!(dumped.types == live.types, "{:?} {:?}", dumped.types, live.types);
        for (name, bytes) in &live.bytes_by_type {
            let off = percent_off(dumped.bytes_by_type[name], *bytes);
            ensure!(off.abs() < 3.0, "{name}: {off:.2} %");
        }
        let off = percent_off(dumped.bytes.unwrap_or(0), measured);
        ensure!(off.abs() < 3.0, "{off:.2} %");
        ensure!(fs::metadata(saved(&server)?)?.len() > dumped.serialised_bytes.unwrap_or(u64::MAX));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_survey_says_what_there_is_and_what_may_be_asked() {
    on_every_server(async |program| {
        let least = "user few on >few ~* +ping +info +scan +ttl +pttl +type";
        let server = TestServer::builder(program).user(least).start()?;
        server.run::<()>(&["SET", "a:1", "v"])?;
        let mut admin = server.admin()?;
        redis::pipe().cmd("SELECT").arg(3).cmd("SET").arg("b").arg("v").exec(&mut admin)?;
        let client = client(&server.url_as("few", "few")).await?;
        let mut options = SurveyOptions::default();
        options.fields = KeyFields::all() - KeyFields::ELEMENTS;
        let survey = Survey::of(&client, options).await?;
        ensure!(survey.fields == KeyFields::TTL | KeyFields::TYPE, "{:?}", survey.fields);
        ensure!((survey.keys, survey.has_random_order, survey.is_embedded) == (Some(1), true, false));
        let run_id = server.info("run_id")?;
        ensure!(survey.run_ids.values().next() == run_id.as_ref(), "{:?}", survey.run_ids);
        let said: Vec<String> = survey.skipped.iter().map(ToString::to_string).collect();
        for words in ["encoding of keys", "bytes of keys", "idle of keys", "1 keys in database 3"] {
            ensure!(said.iter().any(|line| line.contains(words)), "{words}: {said:?}");
        }
        server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"])?;
        let survey = Survey::of(&self::client(&server.url()).await?, options).await?;
        ensure!(survey.fields == options.fields - KeyFields::IDLE, "{:?}", survey.fields);
        let report = live(&client, Wanted::new(KeyFields::TTL | KeyFields::TYPE)).await?;
        ensure!((report.total_keys, report.bytes, report.expiring_keys) == (1, None, Some(0)), "{report:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn samples_of_a_server_hold_the_truth() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        fill_server(&server)?;
        let client = client(&server.url()).await?;
        let whole = live(&client, everything()).await?;
        let source = LiveSource::new(&client, ScanOptions::default());

        let mut about = About::new("first", BytesSource::Measured);
        about.coverage = Coverage::FirstKeys { of: KEYS as u64 };
        let mut builder = ReportBuilder::new(ReportOptions::default());
        let mut batches = source.batches(everything());
        while builder.keys() < 2000
            && let Some(batch) = futures_util::TryStreamExt::try_next(&mut batches).await?
        {
            builder.add(&batch, now_ms());
        }
        let first = builder.report(&about);
        ensure!(first.total_keys == KEYS as u64 && first.bytes_source == BytesSource::SampledMeasured);

        let sample = NameSample::new(0.1, 1);
        let all = KeyFields::all();
        let chosen = FieldChoice::new(move |key| if sample.chooses(key) { all } else { KeyFields::empty() });
        let wanted = Wanted::new(KeyFields::empty()).with_choice(chosen);
        let builder = counted(&source, wanted, now_ms(), ReportOptions::default()).await?;
        about.coverage = Coverage::ChosenByName;
        let chosen = builder.report(&about);
        ensure!(chosen.total_keys == KEYS as u64, "{}", chosen.total_keys);
        let read = chosen.sample.as_ref().map_or(0, |sample| sample.keys_read);
        ensure!((1700..2300).contains(&read), "{read}");
        for family in &whole.families {
            let figures = self::family(&chosen, &family.name).figures;
            ensure!(figures.keys == family.figures.keys, "names are counted exactly: {figures:?}");
        }
        for report in [&first, &chosen] {
            let (held, of) = held(&whole, report);
            // Which keys come first is up to the server, so this may not hold now and then; that half of the families fail
            // is all but impossible. Seeded data show the rate.
            ensure!(held * 2 >= of, "{held} of {of} intervals hold the truth: {report:#?}");
        }
        Ok(())
    })
    .await;
}

/// How many intervals of a sample's families hold the truth, of how many.
fn held(whole: &KeyReport, sample: &KeyReport) -> (usize, usize) {
    let mut intervals = Vec::new();
    for found in &sample.families {
        let (figures, truth) = (found.figures, family(whole, &found.name).figures);
        let estimated = figures.intervals.unwrap_or_default();
        for (interval, truth) in [
            (estimated.keys, Some(truth.keys)),
            (estimated.bytes, truth.bytes),
            (estimated.without_ttl, truth.without_ttl),
        ] {
            intervals.extend(interval.zip(truth));
        }
    }
    let holds = intervals.iter().filter(|(interval, truth)| (interval.low..=interval.high).contains(truth));
    (holds.count(), intervals.len())
}

#[tokio::test]
async fn a_replica_gives_the_same_report() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let known = fill_server(&server)?;
        let replica = server.start_replica()?;
        until("the replica to be on line", || {
            Ok(server.info("slave0")?.filter(|told| told.contains("state=online")))
        })?;
        let mut options = ScanOptions::default();
        options.read_from = ReadFrom::Replica;
        let source = LiveSource::new(&client(&server.url()).await?, options);
        let report = report(&source, everything(), now_ms()).await?;
        agrees(&report, &known)?;
        ensure!(report.nodes.contains_key(replica.node().as_str()), "{:?}", report.nodes);
        Ok(())
    })
    .await;
}
