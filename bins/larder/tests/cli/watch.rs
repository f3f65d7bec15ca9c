//! `larder watch` without a terminal.

use anyhow::{Result, ensure};
use larder_test_support::{TestServer, on_every_server};
use serde_json::Value;

use crate::larder::Larder;

#[tokio::test]
async fn a_line_for_every_node_at_every_look() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let run = Larder::of(&server.url()).ends(0, &["watch", "--interval", "100ms", "--count", "3"])?;
        let looks: Vec<Value> = run.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(looks.len() == 3, "{run:#?}");
        for look in &looks {
            ensure!(look["node"] == server.node().as_str() && look["ping_ms"].is_number(), "{look:#}");
            ensure!(look["used_memory_bytes"].as_u64() > Some(0) && look["role"] == "primary", "{look:#}");
            ensure!(look["breaks"] == serde_json::json!([]), "{look:#}");
        }
        ensure!(looks[2]["operations_per_second"].as_f64() > Some(0.0), "its own questions are counted");
        Ok(())
    })
    .await;
}

#[test]
fn a_cache_that_is_not_there() -> Result<()> {
    let run = Larder::of("redis://127.0.0.1:1").ends(1, &["watch", "--count", "1"])?;
    let line: Value = serde_json::from_str(run.stdout.trim())?;
    assert!(line["error"].as_str().unwrap_or_default().contains("refused"), "{line}");
    Ok(())
}
