//! How else the keys of a server are gone through.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use larder_metrics_model::Info;
use larder_test_support::TestServer;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How the phase is called in which the server's own client sweeps.
pub(crate) const MEMKEYS: &str = "--memkeys";

/// Finds the client that came with a server.
pub(crate) fn cli(server: &TestServer) -> Option<PathBuf> {
    let program = server.program();
    Some(program.path.with_file_name(format!("{}-cli", program.product))).filter(|path| path.is_file())
}

/// The server's own client asks for the memory of every key; it asks for the types as well.
pub(crate) fn memkeys(server: &TestServer, until: Instant) -> Result<u64> {
    let program = cli(server).context("there is no client beside the server")?;
    let before = asked_for_memory(server)?;
    while Instant::now() < until {
        let child = Command::new(&program)
            .args(["-p", &server.port().to_string(), "--memkeys"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        wait(child, until)?;
    }
    Ok(asked_for_memory(server)? - before)
}

/// A command of the environment; gives how often it ended by itself.
pub(crate) fn command(server: &TestServer, command: &str, until: Instant) -> Result<u64> {
    let mut ended = 0;
    while Instant::now() < until {
        let child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .env("PORT", server.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| command.to_owned())?;
        wait(child, until)?;
        ended += u64::from(Instant::now() < until);
    }
    Ok(ended)
}

/// Waits until a process ends, and ends it when the time is up.
fn wait(mut child: Child, until: Instant) -> Result<()> {
    while child.try_wait()?.is_none() {
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            break;
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// How often MEMORY USAGE ran so far, as `cmdstat_memory|usage:calls=…,usec=…` says (since 7.0).
fn asked_for_memory(server: &TestServer) -> Result<u64> {
    let text: String = server.run(&["INFO", "commandstats"])?;
    let info = Info::parse(&text);
    let calls = info
        .field("cmdstat_memory|usage")
        .and_then(|figures| figures.split(',').find_map(|figure| figure.strip_prefix("calls=")));
    Ok(calls.map_or(Ok(0), str::parse)?)
}

/// One command for all keys, again and again.
pub(crate) fn keys(server: &TestServer, until: Instant) -> Result<u64> {
    let mut connection = server.admin()?;
    let mut keys = 0;
    while Instant::now() < until {
        let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection)?;
        keys += names.len() as u64;
    }
    Ok(keys)
}
