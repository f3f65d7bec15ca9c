//! Backups on the command line: made, listed, judged, proven, brought back.

mod cycles;
mod exact;
mod forms;
mod guide;

use anyhow::{Result, ensure};
use larder_test_support::{ServerProgram, TestServer};
use serde_json::Value;

use crate::larder::Larder;

const KEYS: usize = 60;
const LIBRARY: &str = "#!lua name=fixture\nredis.register_function('answer', function() return 42 end)";

/// A server with keys in two databases, some with a TTL, and a library of functions.
fn filled(program: &ServerProgram) -> Result<TestServer> {
    let server = TestServer::builder(program).config("enable-debug-command yes").start()?;
    let mut admin = server.admin()?;
    let mut pipeline = redis::pipe();
    for number in 0..KEYS {
        let mut set = redis::cmd("SET");
        set.arg(format!("app:page:{number}")).arg(format!("value {number}"));
        if number % 3 == 0 {
            set.arg("PXAT").arg(4_102_444_800_000_i64);
        }
        pipeline.add_command(set).ignore();
    }
    pipeline.rpush("app:list", &["a", "b", "c"]).ignore();
    pipeline.cmd("SELECT").arg(3).ignore().set("other:key", "v").ignore();
    pipeline.query::<()>(&mut admin)?;
    server.run::<()>(&["FUNCTION", "LOAD", LIBRARY])?;
    Ok(server)
}

/// Where servers are that backups may be loaded with; nothing else is looked for in the tests.
fn configure(larder: &Larder, program: &ServerProgram, more: &str) {
    larder.configure(&format!("[backup]\nservers = [\"{}\"]\n{more}", program.path.display()));
}

fn ensure_same(one: &TestServer, other: &TestServer) -> Result<()> {
    let digest = |server: &TestServer| server.run::<String>(&["DEBUG", "DIGEST"]);
    ensure!(digest(one)? == digest(other)?, "another digest");
    ensure!(other.run::<i64>(&["PEXPIRETIME", "app:page:0"])? == 4_102_444_800_000);
    ensure!(other.run::<u64>(&["FCALL", "answer", "0"])? == 42);
    Ok(())
}

/// The ids of the backups in the repository that is configured, the newest first.
fn listed(larder: &Larder) -> Result<Vec<String>> {
    let listing = larder.ends(0, &["--output", "json", "backup", "list"])?.json()?;
    let ids = listing["backups"].as_array().into_iter().flatten();
    Ok(ids.filter_map(|backup| backup["id"].as_str()).map(ToOwned::to_owned).collect())
}

fn created(larder: &Larder, more: &[&str]) -> Result<Value> {
    larder.ends(0, &[&["--output", "json", "backup", "create"], more].concat())?.json()
}
