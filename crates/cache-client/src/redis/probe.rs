//! What a server lets a user do, found out without changing anything.

use larder_metrics_model::ServerFacts;
use redis::{Cmd, cmd};

use super::{
    link::{Effect, Link},
    rights,
};
use crate::{Availability, Capabilities, Capability, Error, Result};

/// A key that nobody has, so that commands on it change nothing.
const NO_KEY: &str = "larder:probe:no-such-key";

/// Asks for every capability.
///
/// Commands are sent in a form that does nothing: on a key that does not exist, or with a payload that no server takes.
/// CLIENT NO-TOUCH and MONITOR are only looked up, because they would change this connection.
pub(crate) async fn capabilities(link: &dyn Link) -> Result<Capabilities> {
    let mut found = Capabilities::default();
    for capability in Capability::ALL {
        let availability = match capability {
            Capability::CommandStatistics => command_statistics(link).await?,
            Capability::NoTouch => no_touch(link).await?,
            Capability::Monitor => judge(rights::may_run(link, &["MONITOR"]).await)?,
            _ => judge(link.run(question(capability), Effect::Read).await)?,
        };
        found.record(capability, availability);
    }
    Ok(found)
}

fn question(capability: Capability) -> Cmd {
    let words: &[&str] = match capability {
        Capability::Ping => &["PING"],
        Capability::Info | Capability::CommandStatistics => &["INFO", "server"],
        Capability::Config => &["CONFIG", "GET", "maxmemory"],
        Capability::Clients => &["CLIENT", "LIST"],
        Capability::SlowLog => &["SLOWLOG", "GET", "1"],
        Capability::Latency => &["LATENCY", "LATEST"],
        Capability::MemoryStatistics => &["MEMORY", "STATS"],
        Capability::Cluster => &["CLUSTER", "INFO"],
        Capability::Scan => &["SCAN", "0", "COUNT", "1"],
        Capability::ReadKeys => &["GET", NO_KEY],
        Capability::KeyMemory => &["MEMORY", "USAGE", NO_KEY],
        Capability::KeyObject => &["OBJECT", "ENCODING", NO_KEY],
        // XX: only if the key is there, which it is not.
        Capability::WriteKeys => &["SET", NO_KEY, "", "XX"],
        Capability::Expire => &["PEXPIRE", NO_KEY, "1000"],
        Capability::Unlink => &["UNLINK", NO_KEY],
        Capability::Dump => &["DUMP", NO_KEY],
        Capability::Restore => &["RESTORE", NO_KEY, "0", ""],
        Capability::NoTouch => &["COMMAND", "DOCS", "client|no-touch"],
        Capability::Monitor => &["COMMAND", "INFO", "monitor"],
    };
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command
}

/// An error answer to a question that nothing can be done for means that the command itself is allowed.
fn judge<T>(answer: Result<T>) -> Result<Availability> {
    match answer {
        Ok(_) => Ok(Availability::Available),
        Err(error) if error.is_blocked() => Ok(Availability::Blocked(error.with_causes())),
        Err(Error::Server { source, .. }) => {
            let words = source.to_string();
            let lower = words.to_lowercase();
            if lower.contains("not allowed") {
                return Ok(Availability::Blocked(words));
            }
            // RESTORE of an empty payload, OBJECT on a missing key before 7.0, and MOVED in a cluster.
            let understood = ["checksum", "bad data format", "no such key", "moved"];
            Ok(if understood.iter().any(|word| lower.contains(word)) {
                Availability::Available
            } else {
                Availability::Unknown(words)
            })
        }
        Err(error @ (Error::ReadOnly { .. } | Error::OutOfMemory { .. } | Error::ClusterDown { .. })) => {
            Ok(Availability::Blocked(error.with_causes()))
        }
        Err(error) => Err(error),
    }
}

async fn command_statistics(link: &dyn Link) -> Result<Availability> {
    let mut command = cmd("INFO");
    command.arg("commandstats");
    match link.run(command, Effect::Read).await {
        Ok(value) => {
            let text = redis::from_redis_value::<String>(value).unwrap_or_default();
            let facts = ServerFacts::from(&larder_metrics_model::Info::parse(&text));
            Ok(if facts.commands.is_empty() {
                Availability::Blocked("INFO has no section commandstats".to_owned())
            } else {
                Availability::Available
            })
        }
        Err(error) => judge::<()>(Err(error)),
    }
}

/// `COMMAND DOCS` gives an empty answer for a command that is not there; servers before 7.0 do not have it either.
async fn no_touch(link: &dyn Link) -> Result<Availability> {
    match link.run(question(Capability::NoTouch), Effect::Read).await {
        Ok(redis::Value::Array(docs)) if docs.is_empty() => {
            Ok(Availability::Blocked("the server has no CLIENT NO-TOUCH".to_owned()))
        }
        Ok(redis::Value::Map(docs)) if docs.is_empty() => {
            Ok(Availability::Blocked("the server has no CLIENT NO-TOUCH".to_owned()))
        }
        Ok(_) => Ok(Availability::Available),
        Err(Error::NotPermitted { .. }) => {
            Ok(Availability::Unknown("this user may not run COMMAND".to_owned()))
        }
        Err(error) => judge::<()>(Err(error)),
    }
}
