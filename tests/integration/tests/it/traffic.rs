//! What clients ask servers for, looked at while they do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{
    Capability, ConnectOptions, EarlyEnd, KeyUses, TrafficOptions, TrafficSample, open,
};
use larder_test_support::{ServerProgram, TestCluster, TestServer, on_every_server_at_once};
use redis::{Commands, Connection};

const HOT: &[u8] = b"hot key\xff\r\n";

fn options(commands: u64, time: Duration, rounds: u32) -> TrafficOptions {
    let mut options = TrafficOptions::default();
    (options.commands, options.time, options.rounds) = (commands, time, rounds);
    options
}

/// Uses of a key of database 0.
fn uses(sample: &TrafficSample, name: &[u8]) -> (u64, u64) {
    let found = sample.uses.iter().find(|(key, _)| key.database == 0 && key.name == name);
    found.map_or((0, 0), |(_, KeyUses { commands, writes, .. })| (*commands, *writes))
}

/// Nobody looks any more, a moment later.
async fn is_left_alone(server: &TestServer) -> Result<bool> {
    for _ in 0..100 {
        let clients: String = server.run(&["CLIENT", "LIST"])?;
        if !clients.contains("cmd=monitor") {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(false)
}

/// Eleven calls of many forms, of which six name the hot key, and two of these may change it.
fn ask(connection: &mut Connection) -> Result<()> {
    let _: Option<Vec<u8>> = connection.get(HOT)?;
    let _: Vec<Option<Vec<u8>>> = connection.mget(&[b"a".as_slice(), HOT, HOT, b"b"])?;
    let _: () = connection.set(HOT, vec![b'"'; 100_000])?;
    let script = "redis.call('SET', KEYS[1], 'x') return redis.call('GET', KEYS[1])";
    let _: Option<Vec<u8>> = redis::cmd("EVAL").arg(script).arg(1).arg(HOT).query(connection)?;
    let _: redis::Value = redis::cmd("OBJECT").arg("ENCODING").arg(HOT).query(connection)?;
    let _: redis::Value = redis::cmd("COPY").arg(HOT).arg("copy").arg("REPLACE").query(connection)?;
    let streams = ["XREAD", "COUNT", "1", "STREAMS", "s", "t", "0", "0"];
    let _: redis::Value = redis::cmd(streams[0]).arg(&streams[1..]).query(connection)?;
    let _: () = redis::cmd("MSET").arg(&["c", "1", "d", "2"]).query(connection)?;
    let _: () = redis::cmd("SELECT").arg(1).query(connection)?;
    let _: Option<Vec<u8>> = connection.get(HOT)?;
    let _: () = redis::cmd("SELECT").arg(0).query(connection)?;
    Ok(())
}

/// Asks in a thread of its own until it is told to stop, and tells how often it did.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u32>>,
}

impl Asking {
    fn begin(
        server: &TestServer,
        ask: impl Fn(&mut Connection) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let mut connection = redis::Client::open(server.url())?.get_connection()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut asked = 0;
            while !stopped.load(Ordering::Relaxed) {
                ask(&mut connection)?;
                asked += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(asked)
        });
        Ok(Self { stop, thread })
    }

    fn end(self) -> Result<u32> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that asks"))?
    }
}

/// Valkey 8.1.0 and 8.1.1 do not mark where words end.
fn marks_words(program: &ServerProgram) -> bool {
    !(program.product == "valkey" && ["8.1.0", "8.1.1"].contains(&program.version.as_str()))
}

#[test]
fn keys_are_counted_in_commands_of_every_form() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let asking = Asking::begin(&server, ask)?;
        let samples = client.sample_traffic(&options(2_000, Duration::from_secs(8), 4)).await?;
        let asked = asking.end()?;
        let [(node, sample)] = samples.as_slice() else { anyhow::bail!("{} samples", samples.len()) };
        let sample = sample.as_ref().map_err(Clone::clone)?;
        ensure!(*node == server.node(), "{node}");
        ensure!(asked > 100 && sample.ended.is_none(), "{asked} asked: {:?}", sample.ended);
        // A round begins and ends in the middle of the eleven; larder's own commands are among them.
        let times = uses(sample, b"c").0;
        ensure!(sample.commands <= 2_000 && times > 50, "{} commands, {times}", sample.commands);
        let about = |count: u64, expected: u64| count.abs_diff(expected) <= 4 * 6;
        let marks = marks_words(program);
        // Without marks the second name of MGET and the numbered one of EVAL are not believed, and what the script runs is.
        let (hot, writes) = uses(sample, HOT);
        let expected = if marks { (6, 2) } else { (5, 2) };
        ensure!(
            about(hot, expected.0 * times) && about(writes, expected.1 * times),
            "{hot}, {writes} of {times}"
        );
        let of_others = if marks { times } else { 0 };
        for (name, expected, of_writes) in [
            ("a", times, 0),
            ("b", of_others, 0),
            ("copy", of_others, of_others),
            ("s", of_others, 0),
            ("t", of_others, 0),
            ("c", times, times),
            ("d", of_others, of_others),
        ] {
            let (all, writes) = uses(sample, name.as_bytes());
            ensure!(about(all, expected) && about(writes, of_writes), "{name}: {all}, {writes} of {times}");
        }
        ensure!((sample.half_read == 0) == marks, "{}", sample.half_read);
        let others = sample.uses.keys().filter(|key| key.database == 1 && key.name == HOT).count();
        ensure!(others == 1, "the same name in another database is another key");
        let (hottest, of_hottest) = sample.hottest(1).pop().context("a hottest key")?;
        ensure!(hottest.name == HOT && hottest.database == 0, "{hottest:?}");
        let share = sample.share_of(&of_hottest);
        ensure!((share - f64::from(u32::try_from(expected.0)?) / 11.0).abs() < 0.08, "{share}");
        ensure!(is_left_alone(&server).await?, "it is looked at for ever");
        Ok(())
    });
}

#[test]
fn what_a_value_says_is_never_taken_for_a_key() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let asking = Asking::begin(&server, |connection| {
            let value = r#"v x" "SECRET" "y"#;
            let _: () = redis::cmd("MSET").arg(&["m1", value, "m2", value]).query(connection)?;
            let _: () = connection.set("m3", value)?;
            let script = r#"return "a" .. " SECRET" "#;
            let _: redis::Value = redis::cmd("EVAL").arg(script).arg(0).arg(value).query(connection)?;
            Ok(())
        })?;
        let samples = client.sample_traffic(&options(300, Duration::from_secs(1), 2)).await?;
        asking.end()?;
        let sample = samples[0].1.as_ref().map_err(Clone::clone)?;
        let names: Vec<_> = sample.uses.keys().map(|key| key.name.clone()).collect();
        ensure!(names.len() == if marks_words(program) { 3 } else { 2 }, "{names:?}");
        ensure!(names.iter().all(|name| name.starts_with(b"m")), "{names:?}");
        Ok(())
    });
}

#[test]
fn bursts_are_told_as_what_they_come_to_over_the_time() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let count =
            || -> Result<u64> { Ok(server.info("total_commands_processed")?.context("a count")?.parse()?) };
        let before = count()?;
        // 200 commands in a pipeline, ten times a second.
        let asking = Asking::begin(&server, |connection| {
            let mut pipeline = redis::pipe();
            (0..200).for_each(|_| _ = pipeline.get("k"));
            pipeline.exec(connection)?;
            std::thread::sleep(Duration::from_millis(99));
            Ok(())
        })?;
        let begun = Instant::now();
        let samples = client.sample_traffic(&options(100_000, Duration::from_secs(4), 8)).await?;
        let (time, after) = (begun.elapsed(), count()?);
        asking.end()?;
        let sample = samples[0].1.as_ref().map_err(Clone::clone)?;
        let sent = f64::from(u32::try_from(after - before)?) / time.as_secs_f64();
        let told = sample.per_second();
        ensure!((0.75..1.33).contains(&(told / sent)), "{told} a second of {sent}");
        Ok(())
    });
}

#[test]
fn large_values_end_it_and_a_fault_leaves_what_was_seen() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let value = vec![b'x'; 3 << 20];
        let asking = Asking::begin(&server, move |connection| {
            let _: () = connection.set("large", value.as_slice())?;
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        })?;
        let samples = client.sample_traffic(&options(1_000, Duration::from_secs(3), 3)).await?;
        asking.end()?;
        let sample = samples[0].1.as_ref().map_err(Clone::clone)?;
        ensure!(matches!(sample.ended, Some(EarlyEnd::LargeCommand)) && sample.rounds == 1, "{sample:?}");

        let asking = Asking::begin(&server, |connection| Ok(connection.set("k", "v")?))?;
        let long = options(1_000, Duration::from_secs(3), 6);
        let looking = tokio::spawn(async move { client.sample_traffic(&long).await });
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        drop(server);
        let samples = looking.await??;
        let sample = samples[0].1.as_ref().map_err(Clone::clone)?;
        ensure!(matches!(sample.ended, Some(EarlyEnd::Failed(_))) && uses(sample, b"k").0 > 10, "{sample:?}");
        drop(asking);
        Ok(())
    });
}

#[test]
fn a_server_that_is_asked_nothing_is_looked_at_as_long_as_was_said() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let begun = Instant::now();
        let samples = client.sample_traffic(&options(100, Duration::from_millis(400), 2)).await?;
        let sample = samples[0].1.as_ref().map_err(Clone::clone)?;
        ensure!(sample.uses.is_empty() && sample.commands < 20, "{sample:?}");
        ensure!(sample.time <= begun.elapsed() && sample.time >= Duration::from_millis(200), "{sample:?}");
        ensure!(is_left_alone(&server).await?, "it is looked at for ever");
        Ok(())
    });
}

#[test]
fn who_may_not_look_is_told_so() {
    on_every_server_at_once(async |program| {
        let server = TestServer::builder(program)
            .user("user blind on >pass ~* +@all -monitor")
            .user("user ignorant on >pass ~* +@all -command")
            .start()?;
        for (user, missing) in [("blind", "MONITOR"), ("ignorant", "COMMAND")] {
            let url = server.url_as(user, "pass").parse()?;
            let client = open(&url, &ConnectOptions::default()).await?;
            let samples = client.sample_traffic(&options(10, Duration::from_millis(100), 1)).await?;
            let error = samples[0].1.as_ref().err().with_context(|| format!("{user} may look"))?;
            ensure!(error.is_blocked() && error.with_causes().contains(missing), "{}", error.with_causes());
            let capabilities = client.nodes().discover().await?.nodes[0].capabilities().await?;
            ensure!(capabilities.has(Capability::Monitor) == (user == "ignorant"), "{capabilities:?}");
        }
        let connection = redis::Client::open(server.url())?.get_multiplexed_async_connection().await?;
        let owned =
            larder_cache_client::CacheClient::from_connection(connection, "owned", Duration::from_secs(1));
        let samples = owned.sample_traffic(&TrafficOptions::default()).await?;
        ensure!(samples[0].1.as_ref().is_err_and(larder_cache_client::Error::is_blocked), "{samples:?}");
        Ok(())
    });
}

#[tokio::test]
async fn an_embedded_cache_has_no_traffic() -> Result<()> {
    let embedded = open(&"memory:sample".parse()?, &ConnectOptions::default()).await?;
    let refused = embedded.sample_traffic(&TrafficOptions::default()).await;
    ensure!(refused.is_err_and(|error| error.is_blocked()));
    Ok(())
}

#[test]
fn every_primary_of_a_cluster_is_looked_at() {
    on_every_server_at_once(async |program| {
        let cluster = TestCluster::start(program, 0)?;
        let client = open(&cluster.url().parse()?, &ConnectOptions::default()).await?;
        let looking = options(100_000, Duration::from_millis(1_500), 3);
        let ask = async {
            for number in 0..600_u32 {
                client.cache().get(format!("key:{}", number % 30).as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            anyhow::Ok(())
        };
        let (samples, asked) = tokio::join!(client.sample_traffic(&looking), ask);
        asked?;
        let samples = samples?;
        ensure!(samples.len() == cluster.servers.len(), "{} samples", samples.len());
        for (node, sample) in &samples {
            let sample = sample.as_ref().map_err(Clone::clone)?;
            ensure!(!sample.uses.is_empty() && sample.uses.len() < 30, "{node}: {sample:?}");
        }
        let sum: usize =
            samples.iter().flat_map(|(_, sample)| sample.as_ref()).map(|one| one.uses.len()).sum();
        ensure!(sum == 30, "{sum} keys");
        Ok(())
    });
}
