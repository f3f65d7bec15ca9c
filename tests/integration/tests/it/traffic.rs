//! What clients ask servers for, looked at while they do.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use larder_cache_client::{Capability, ConnectOptions, KeyUses, TrafficOptions, TrafficSample, open};
use larder_test_support::{TestCluster, TestServer, on_every_server_at_once};
use redis::{Commands, Connection};

/// Valkey 8.1 tells quotes and backslashes in a way that cannot be read for sure.
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

/// Ten commands of many forms, of which six name the hot key.
fn ask(connection: &mut Connection) -> Result<()> {
    let _: Option<Vec<u8>> = connection.get(HOT)?;
    let _: Vec<Option<Vec<u8>>> = connection.mget(&[b"a".as_slice(), HOT, b"b"])?;
    let _: () = connection.set(HOT, vec![b'"'; 100_000])?;
    let script = redis::cmd("EVAL").arg("return redis.call('GET', KEYS[1])").arg(1).arg(HOT).to_owned();
    let _: Option<Vec<u8>> = script.query(connection)?;
    let _: redis::Value = redis::cmd("OBJECT").arg("ENCODING").arg(HOT).query(connection)?;
    let streams = ["XREAD", "COUNT", "1", "STREAMS", "s", "t", "0", "0"];
    let _: redis::Value = redis::cmd(streams[0]).arg(&streams[1..]).query(connection)?;
    let _: () = redis::cmd("MSET").arg(&["c", "1", "d", "2"]).query(connection)?;
    let _: () = redis::cmd("SELECT").arg(1).query(connection)?;
    let _: Option<Vec<u8>> = connection.get(HOT)?;
    let _: () = redis::cmd("SELECT").arg(0).query(connection)?;
    Ok(())
}

#[test]
fn keys_are_counted_in_commands_of_every_form() {
    on_every_server_at_once(async |program| {
        let server = TestServer::start(program)?;
        let client = open(&server.url().parse()?, &ConnectOptions::default()).await?;
        let mut connection = redis::Client::open(server.url())?.get_connection()?;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let asked = std::thread::spawn({
            let stop = std::sync::Arc::clone(&stop);
            move || -> Result<u32> {
                let mut asked = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    ask(&mut connection)?;
                    asked += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(asked)
            }
        });
        let samples = client.sample_traffic(&options(2_000, Duration::from_secs(8), 4)).await?;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let asked = asked.join().map_err(|_| anyhow::anyhow!("the thread that asks"))??;
        let [(node, sample)] = samples.as_slice() else { anyhow::bail!("{} samples", samples.len()) };
        let sample = sample.as_ref().map_err(Clone::clone)?;
        ensure!(*node == server.node(), "{node}");
        ensure!(asked > 100, "only {asked} were asked");
        // A round begins and ends in the middle of the ten; larder's own commands are among them.
        let times = uses(sample, b"a").0;
        ensure!(sample.commands <= 2_000 && times > 50, "{} commands, {times}", sample.commands);
        let about = |count: u64, expected: u64| count.abs_diff(expected) <= 4 * 6;
        let (hot, writes) = uses(sample, HOT);
        ensure!(about(hot, 6 * times) && about(writes, times), "{hot} and {writes} of {times}");
        for (name, of_writes) in [("b", 0), ("s", 0), ("t", 0), ("c", times), ("d", times)] {
            let (all, writes) = uses(sample, name.as_bytes());
            ensure!(about(all, times) && about(writes, of_writes), "{name}: {all} and {writes} of {times}");
        }
        let others = sample.uses.keys().filter(|key| key.database == 1 && key.name == HOT).count();
        ensure!(others == 1, "the same name in another database is another key");
        ensure!(sample.uses.len() == 8, "{:?}", sample.uses.keys());
        let (hottest, _) = sample.hottest(1).pop().context("a hottest key")?;
        ensure!(hottest.name == HOT && hottest.database == 0, "{hottest:?}");
        ensure!(is_left_alone(&server).await?, "it is looked at for ever");
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
