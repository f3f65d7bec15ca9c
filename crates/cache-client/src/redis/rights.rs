//! Whether a user may run a command, found out without running it.

use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::{
    answer::read,
    failure::{Request, said},
    link::{Effect, Link},
};
use crate::{Error, Result};

/// A key that nobody has, so that questions about it cost nothing.
pub(crate) const NO_KEY: &str = "larder:probe:no-such-key";

/// Asks whether the server has a command (COMMAND INFO, Redis 2.8.13) and lets this user run it (ACL DRYRUN, Redis 7.0).
///
/// What cannot be found out, because the user may not ask either, is let through: the command itself will tell.
pub(crate) async fn may_run(link: &dyn Link, words: &[&str]) -> Result<()> {
    let name = words.first().copied().unwrap_or_default();
    let node = link.node();
    if let Some(Value::Array(found)) = ask(link, &["COMMAND", "INFO", name]).await?
        && matches!(found.first(), Some(Value::Nil))
    {
        let source = said("COMMAND INFO does not know it");
        return Err(Error::UnknownCommand { node: node.clone(), command: name.to_owned(), source });
    }
    let Some(user) = ask(link, &["ACL", "WHOAMI"]).await? else { return Ok(()) };
    let request = Request { node, command: "ACL WHOAMI", timeout: Duration::ZERO };
    let user: String = read(user, request)?;
    let mut question = vec!["ACL", "DRYRUN", &user];
    question.extend(words);
    match ask(link, &question).await? {
        None | Some(Value::Okay) => Ok(()),
        Some(refusal) => {
            let request = Request { node, command: "ACL DRYRUN", timeout: Duration::ZERO };
            let refusal: String = read(refusal, request)?;
            if refusal == "OK" {
                return Ok(());
            }
            let command = name.to_owned();
            Err(Error::NotPermitted { node: node.clone(), command, source: said(&refusal) })
        }
    }
}

/// Tells whether a question about a key that is not there may be asked.
pub(crate) async fn may_ask(link: &dyn Link, words: &[&str]) -> Result<bool> {
    match link.run(command(words), Effect::Read).await {
        Ok(_) | Err(Error::Server { .. }) => Ok(true),
        Err(error) if error.is_elsewhere() => Ok(true),
        Err(error) if error.is_blocked() => Ok(false),
        Err(error) => Err(error),
    }
}

/// An answer; `None` where the server does not give one to this user.
pub(crate) async fn ask(link: &dyn Link, words: &[&str]) -> Result<Option<Value>> {
    match link.run(command(words), Effect::Read).await {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Server { .. }) => Ok(None),
        Err(error) if error.is_blocked() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn command(words: &[&str]) -> Cmd {
    let mut command = cmd(words.first().copied().unwrap_or_default());
    command.arg(words.get(1..).unwrap_or_default());
    command
}
