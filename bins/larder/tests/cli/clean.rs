//! `larder clean` and `larder undo` on a keyspace whose contents are known.

mod damaged;
mod disk;
mod input;
mod killed;
mod limits;
mod there_and_back;

use std::{collections::BTreeMap, path::PathBuf, process::Child};

use anyhow::{Result, ensure};
use larder_test_support::{Fate, ServerProgram, TestServer, seed, seeded_key, until};

use crate::larder::Larder;

/// A server with the first keys of the keyspace, and the binary that knows where it is.
struct Seeded {
    server: TestServer,
    larder: Larder,
    names: Vec<String>,
}

/// When the time of each key is up, as the server says it: -1 for never. Keys that are not there are left out.
type Moments = BTreeMap<String, i64>;

impl Seeded {
    fn start(program: &ServerProgram, keys: u64) -> Result<Self> {
        let server = TestServer::builder(program).config("enable-debug-command yes").start()?;
        seed(&mut server.admin()?, keys)?;
        let larder = Larder::of(&server.url());
        // Nobody else is there who could feel it.
        larder.configure("[clean]\nrate = \"max\"\n");
        Ok(Self { server, larder, names: (0..keys).map(|number| seeded_key(number).name).collect() })
    }

    fn digest(&self) -> Result<String> {
        self.server.run(&["DEBUG", "DIGEST"])
    }

    fn moments(&self) -> Result<Moments> {
        let (mut admin, mut moments) = (self.server.admin()?, Moments::new());
        for names in self.names.chunks(2_000) {
            let mut pipeline = redis::pipe();
            for name in names {
                pipeline.cmd("PEXPIRETIME").arg(name);
            }
            let answers: Vec<i64> = pipeline.query(&mut admin)?;
            moments.extend(names.iter().cloned().zip(answers).filter(|(_, moment)| *moment != -2));
        }
        Ok(moments)
    }

    fn keys(&self) -> Result<u64> {
        self.server.run(&["DBSIZE"])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.larder.folder().join(name)
    }

    /// Gives everything back, and looks whether the keyspace is what it was.
    fn undoes(&self, file: &str, before: &Before) -> Result<()> {
        self.larder.ends(0, &["undo", file, "--apply", "--rate", "max"])?;
        before.is_again(self)
    }
}

/// What a keyspace was.
struct Before {
    digest: String,
    moments: Moments,
}

impl Before {
    fn of(cache: &Seeded) -> Result<Self> {
        Ok(Self { digest: cache.digest()?, moments: cache.moments()? })
    }

    /// The keys that are gone, or whose time is up at another moment.
    fn changed(&self, cache: &Seeded) -> Result<Vec<String>> {
        let now = cache.moments()?;
        let changed = self.moments.iter().filter(|(name, moment)| !is_same(**moment, now.get(*name)));
        Ok(changed.map(|(name, _)| name.clone()).collect())
    }

    fn is_again(&self, cache: &Seeded) -> Result<()> {
        ensure!(cache.digest()? == self.digest, "the keyspace is not what it was");
        let moved = self.changed(cache)?;
        ensure!(
            moved.is_empty(),
            "{} keys have another TTL than before, such as {:?}",
            moved.len(),
            moved[0]
        );
        Ok(())
    }
}

/// Tells whether the time of a key is up when it was; the time that is left is told in milliseconds, and asking takes some.
fn is_same(before: i64, now: Option<&i64>) -> bool {
    match (before, now) {
        (-1, Some(now)) => *now == -1,
        (_, None | Some(-1)) => false,
        (before, Some(now)) => before.abs_diff(*now) <= 2_000,
    }
}

/// How many of the first keys have this fate.
fn count(keys: u64, fate: Fate) -> u64 {
    (0..keys).filter(|number| seeded_key(*number).fate == fate).count() as u64
}

/// Waits for a moment in the life of a child that must not end before it.
fn while_it_runs(child: &mut Child, what: &str, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
    until(what, || {
        let is_there = ask()?;
        Ok(match (is_there, child.try_wait()?) {
            (true, None) => Some(Ok(())),
            (_, Some(status)) => Some(Err(anyhow::anyhow!("it ended with {status} before {what}"))),
            (false, None) => None,
        })
    })?
}
