//! Orphans that are marked first, and removed when they stay unused.

use anyhow::{Result, ensure};
use larder_cache_client::CacheClient;
use larder_keyspace::{Action, CleanOutcome, CleanPlan, Marks, Policy, apply_clean, plan_clean};
use larder_test_support::{TestServer, on_every_server, until_async};

use super::{options, planned, reach};

const POLICY: &str = "[[family]]\nprefix = \"known:\"\n[orphans]\nwithin = [\"old:\"]\ngrace = \"3s\"\n";

#[tokio::test]
async fn a_marked_key_goes_when_it_stays_unused_and_stays_when_it_is_used() {
    on_every_server(async |program| {
        let server = TestServer::start(program)?;
        let client = reach(&server.url()).await?;
        for key in ["old:unused", "old:used", "known:1", "elsewhere:1"] {
            server.run::<()>(&["SET", key, "v"])?;
        }
        let folder = tempfile::tempdir()?;
        let policy = Policy::parse(POLICY, "a policy")?;
        let mut options = options();
        options.marks = Some(folder.path().join("marks.jsonl"));
        let run = async |name: &str| -> Result<(CleanPlan, CleanOutcome)> {
            run(&client, &policy, &options, &folder.path().join(name)).await
        };

        let (mut made, outcome) = run("first.rdb").await?;
        ensure!(planned(&mut made, Action::Mark)?.len() == 2 && made.keys() == 0, "marked, not removed");
        ensure!(outcome.done() == 0 && outcome.undo_file.is_none() && server.run::<u64>(&["DBSIZE"])? == 4);
        ensure!(Marks::open(folder.path().join("marks.jsonl"), client.name())?.len() == 2);

        until_async("the grace time to be over", || async {
            server.run::<Option<String>>(&["GET", "old:used"])?;
            Ok((server.run::<u64>(&["OBJECT", "IDLETIME", "old:unused"])? > 4).then_some(()))
        })
        .await?;
        let (mut made, outcome) = run("second.rdb").await?;
        ensure!(planned(&mut made, Action::Remove)?.into_iter().eq(["old:unused".to_owned()]));
        ensure!(outcome.done() == 1 && !server.run::<bool>(&["EXISTS", "old:unused"])?);
        ensure!(server.run::<bool>(&["EXISTS", "old:used"])?, "it was used, and is marked anew");
        ensure!(Marks::open(folder.path().join("marks.jsonl"), client.name())?.len() == 1);
        ensure!(server.run::<u64>(&["DBSIZE"])? == 3, "what is elsewhere or known is left alone");
        Ok(())
    })
    .await;
}

async fn run(
    client: &CacheClient,
    policy: &Policy,
    options: &larder_keyspace::CleanOptions,
    undo: &std::path::Path,
) -> Result<(CleanPlan, CleanOutcome)> {
    let mut plan = plan_clean(client, policy, options).await?;
    let outcome = apply_clean(client, &mut plan, options, undo).await?;
    Ok((plan, outcome))
}
