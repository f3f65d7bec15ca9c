//! A server with keys.

use anyhow::Result;
use larder_test_support::{TestServer, server_programs};

const VALUE_BYTES: usize = 300;
/// The answer to a GET: `$300`, the value, and the ends of both lines.
pub(crate) const ANSWER_BYTES: usize = 4 + 2 + VALUE_BYTES + 2;

const PIPELINED: u32 = 1_000;
/// Every other key has a time to live, which no bench outlasts.
const TTL_SECONDS: u64 = 24 * 3600;

/// Starts a server and fills it; `None` where there is no server to start.
pub(crate) fn start(keys: u32) -> Result<Option<TestServer>> {
    let Some(program) = server_programs().into_iter().next() else { return Ok(None) };
    let server = TestServer::start(&program)?;
    let mut connection = server.admin()?;
    for first in (0..keys).step_by(PIPELINED as usize) {
        let mut pipeline = redis::pipe();
        for number in first..keys.min(first + PIPELINED) {
            let value = format!("{number:0>VALUE_BYTES$}");
            if number % 2 == 0 {
                pipeline.set_ex(key(number), value, TTL_SECONDS).ignore();
            } else {
                pipeline.set(key(number), value).ignore();
            }
        }
        pipeline.query::<()>(&mut connection)?;
    }
    Ok(Some(server))
}

/// The name of a key.
pub(crate) fn key(number: u32) -> String {
    format!("user:{number:08}:session")
}
