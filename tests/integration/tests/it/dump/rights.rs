//! Users with the least rights, and with too few.

use anyhow::{Context as _, ensure};
use larder_cache_client::{DumpMethod, DumpOptions, Error};
use larder_test_support::{
    TestServer,
    conformance::{self, Contents},
    on_every_server,
};

use super::{populate, reach, source};

#[tokio::test]
async fn the_least_rights() {
    on_every_server(async |program| {
        for (method, rights, sees_functions) in [
            (DumpMethod::Replication, "+psync +replconf", true),
            (DumpMethod::Save, "+bgsave +info +config|get", true),
            (DumpMethod::Keys, "+info +scan +dump +pexpiretime +select", false),
            (DumpMethod::Keys, "+info +scan +dump +pttl +select +time +function|list", true),
        ] {
            let server =
                TestServer::builder(program).user(format!("user larder on >pass ~* {rights}")).start()?;
            populate(&server)?;
            let mut held = Contents::of_server(&server)?;
            if !sees_functions {
                held.functions.clear();
            }
            let client = reach(&server.url_as("larder", "pass")).await?;
            let source = source(&client, method, &DumpOptions::default()).await?;
            conformance::dump_source(source.as_ref(), &held).await.with_context(|| rights.to_owned())?;
        }
        Ok(())
    })
    .await;
}

/// Without the right to ask for rights, only the command itself tells.
#[tokio::test]
async fn too_few_rights() {
    on_every_server(async |program| {
        for (method, rights, may_ask, missing) in [
            (DumpMethod::Replication, "+ping", false, "+psync and +replconf"),
            (DumpMethod::Replication, "+replconf +acl|whoami +acl|dryrun", true, "psync"),
            (DumpMethod::Replication, "+psync +acl|whoami +acl|dryrun", true, "replconf"),
            (DumpMethod::Replication, "+replconf", false, "psync"),
            (DumpMethod::Save, "+info +config|get", false, "bgsave"),
            (DumpMethod::Save, "+info +config|get +acl|whoami +acl|dryrun", true, "bgsave"),
            (DumpMethod::Save, "+bgsave +info", true, "--rdb-file"),
            (DumpMethod::Keys, "+info +dump +pttl", true, "scan"),
            (DumpMethod::Keys, "+info +scan +pttl", true, "dump"),
            (DumpMethod::Keys, "+info +scan +dump", true, "pttl"),
            (DumpMethod::Keys, "+scan +dump +pttl", true, "info"),
        ] {
            let server =
                TestServer::builder(program).user(format!("user larder on >pass ~* {rights}")).start()?;
            server.run::<()>(&["SET", "k", "v"])?;
            let client = reach(&server.url_as("larder", "pass")).await?;
            let source = source(&client, method, &DumpOptions::default()).await?;
            let checked = source.check().await;
            ensure!(checked.is_err() == may_ask, "check of {method} with {rights}: {checked:?}");
            let opened = match source.open().await {
                Err(error) => Some(error),
                Ok(dump) => conformance::collect(dump).await.err().and_then(|error| error.downcast().ok()),
            };
            for error in checked
                .err()
                .into_iter()
                .chain([opened.with_context(|| format!("an image by {method} with {rights}"))?])
            {
                let words = error.with_causes();
                ensure!(error.is_blocked() && words.contains(missing), "{method} with {rights}: {words}");
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn commands_that_are_renamed_away() {
    on_every_server(async |program| {
        for (method, command) in
            [(DumpMethod::Replication, "PSYNC"), (DumpMethod::Save, "BGSAVE"), (DumpMethod::Keys, "DUMP")]
        {
            let server =
                TestServer::builder(program).config(format!("rename-command {command} \"\"")).start()?;
            let client = reach(&server.url()).await?;
            let source = source(&client, method, &DumpOptions::default()).await?;
            let error = source.check().await.err().context("all is well")?;
            ensure!(matches!(error, Error::UnknownCommand { .. }), "{method}: {error:?}");
        }
        Ok(())
    })
    .await;
}
