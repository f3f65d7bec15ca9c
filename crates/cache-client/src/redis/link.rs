//! One way to send commands.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use larder_metrics_model::NodeAddress;
use redis::{Cmd, Pipeline, RedisResult, Value, aio::ConnectionLike};

use super::failure::{Request, command_name};
use crate::{ConnectOptions, Error, Result};

/// What a command does, which decides when it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It changes keys.
    Write,
}

/// One way to send commands: a connection to a server, to whatever server is the primary now, or into a cluster.
#[async_trait]
pub(crate) trait Link: fmt::Debug + Send + Sync {
    /// How errors call the other side.
    fn node(&self) -> &NodeAddress;

    /// Sends one command.
    async fn run(&self, command: Cmd, effect: Effect) -> Result<Value>;

    /// Sends several commands at once; each has an answer of its own.
    async fn run_all(&self, commands: Vec<Cmd>, effect: Effect) -> Vec<Result<Value>>;
}

/// Sends one command over a connection, within a time.
pub(crate) async fn send<C: ConnectionLike>(
    connection: &mut C,
    node: &NodeAddress,
    command: &Cmd,
    timeout: Duration,
) -> (Result<Value>, Breakage) {
    let name = command_name(command);
    let request = Request { node, command: &name, timeout };
    match tokio::time::timeout(timeout, command.query_async::<Value>(connection)).await {
        Ok(Ok(value)) => (Ok(value), Breakage::None),
        Ok(Err(error)) => (Err(request.failed(error.clone())), Breakage::of(&error)),
        Err(_) => (Err(request.timed_out()), Breakage::Broken),
    }
}

/// Sends several commands over a connection, within a time.
pub(crate) async fn send_all<C: ConnectionLike>(
    connection: &mut C,
    node: &NodeAddress,
    commands: &[Cmd],
    timeout: Duration,
) -> (Vec<Result<Value>>, Breakage) {
    if commands.is_empty() {
        return (Vec::new(), Breakage::None);
    }
    let name = command_name(&commands[0]);
    let request = Request { node, command: &name, timeout };
    let mut pipeline = Pipeline::with_capacity(commands.len());
    pipeline.ignore_errors();
    for command in commands {
        pipeline.add_command(command.clone());
    }
    let answers =
        tokio::time::timeout(timeout, pipeline.query_async::<Vec<RedisResult<Value>>>(connection)).await;
    let (error, breakage) = match answers {
        Ok(Ok(answers)) if answers.len() == commands.len() => {
            // Each is told by its own name: it is of one command that a user has no right to it.
            let named = |error, command| Request { command: &command_name(command), ..request }.failed(error);
            let answers = answers.into_iter().zip(commands);
            let answers = answers.map(|(answer, command)| answer.map_err(|error| named(error, command)));
            return (answers.collect(), Breakage::None);
        }
        Ok(Ok(answers)) => {
            let detail = format!("{} answers to {} commands", answers.len(), commands.len());
            (request.unexpected(detail), Breakage::Broken)
        }
        Ok(Err(error)) => (request.failed(error.clone()), Breakage::of(&error)),
        Err(_) => (request.timed_out(), Breakage::Broken),
    };
    (commands.iter().map(|_| Err(error.clone())).collect(), breakage)
}

/// Whether a connection can go on after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// It can.
    None,
    /// It cannot; a new one is needed.
    Broken,
}

impl Breakage {
    fn of(error: &redis::RedisError) -> Self {
        if error.is_unrecoverable_error() || error.is_io_error() { Self::Broken } else { Self::None }
    }
}

/// A connection that the embedding service owns. It is used as it is: reconnecting is the owner's matter.
pub(crate) struct OwnedLink<C> {
    connection: C,
    node: NodeAddress,
    timeout: Duration,
}

impl<C> OwnedLink<C> {
    pub(crate) fn new(connection: C, node: NodeAddress, timeout: Duration) -> Self {
        Self { connection, node, timeout }
    }
}

impl<C> fmt::Debug for OwnedLink<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedLink").field("node", &self.node).finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: ConnectionLike + Clone + Send + Sync> Link for OwnedLink<C> {
    fn node(&self) -> &NodeAddress {
        &self.node
    }

    async fn run(&self, command: Cmd, _effect: Effect) -> Result<Value> {
        send(&mut self.connection.clone(), &self.node, &command, self.timeout).await.0
    }

    async fn run_all(&self, commands: Vec<Cmd>, _effect: Effect) -> Vec<Result<Value>> {
        send_all(&mut self.connection.clone(), &self.node, &commands, self.timeout).await.0
    }
}

/// Sends again what failed for a passing reason: reads always, writes only where the server certainly did nothing.
#[derive(Debug)]
pub(crate) struct Retrying {
    inner: Arc<dyn Link>,
    backoff: ExponentialBuilder,
}

impl Retrying {
    pub(crate) fn new(inner: Arc<dyn Link>, options: &ConnectOptions) -> Self {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(1))
            .with_max_times(options.retries as usize)
            .with_jitter();
        Self { inner, backoff }
    }
}

fn may_repeat(error: &Error, effect: Effect) -> bool {
    error.is_retryable() && (effect == Effect::Read || error.was_refused())
}

#[async_trait]
impl Link for Retrying {
    fn node(&self) -> &NodeAddress {
        self.inner.node()
    }

    async fn run(&self, command: Cmd, effect: Effect) -> Result<Value> {
        let attempt = || self.inner.run(command.clone(), effect);
        attempt.retry(self.backoff).when(|error| may_repeat(error, effect)).await
    }

    /// Sends again only what failed, in its order.
    async fn run_all(&self, commands: Vec<Cmd>, effect: Effect) -> Vec<Result<Value>> {
        let mut answers = self.inner.run_all(commands.clone(), effect).await;
        let mut delays = backon::BackoffBuilder::build(self.backoff);
        loop {
            let failed: Vec<usize> = answers
                .iter()
                .enumerate()
                .filter(|(_, answer)| answer.as_ref().is_err_and(|error| may_repeat(error, effect)))
                .map(|(index, _)| index)
                .collect();
            let (false, Some(delay)) = (failed.is_empty(), delays.next()) else { return answers };
            tokio::time::sleep(delay).await;
            let again = failed.iter().map(|index| commands[*index].clone()).collect();
            for (index, answer) in failed.into_iter().zip(self.inner.run_all(again, effect).await) {
                answers[index] = answer;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use redis::cmd;

    use super::*;
    use crate::Source;

    /// A link that fails in a given way a given number of times.
    #[derive(Debug)]
    struct Failing {
        node: NodeAddress,
        errors: Mutex<Vec<Error>>,
        sent: Mutex<Vec<String>>,
    }

    impl Failing {
        fn answer(&self, command: &Cmd) -> Result<Value> {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(command_name(command));
            match self.errors.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                Some(error) => Err(error),
                None => Ok(Value::Okay),
            }
        }
    }

    #[async_trait]
    impl Link for Failing {
        fn node(&self) -> &NodeAddress {
            &self.node
        }

        async fn run(&self, command: Cmd, _effect: Effect) -> Result<Value> {
            self.answer(&command)
        }

        async fn run_all(&self, commands: Vec<Cmd>, _effect: Effect) -> Vec<Result<Value>> {
            commands.iter().map(|command| self.answer(command)).collect()
        }
    }

    fn broken() -> Error {
        let source: Source = Arc::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        Error::Unreachable { node: NodeAddress::new("n"), source }
    }

    fn loading() -> Error {
        Error::Loading { node: NodeAddress::new("n") }
    }

    fn denied() -> Error {
        let source: Source = Arc::new(std::io::Error::other("NOPERM"));
        Error::NotPermitted { node: NodeAddress::new("n"), command: "GET".to_owned(), source }
    }

    fn link(errors: Vec<Error>) -> (Retrying, Arc<Failing>) {
        let failing =
            Failing { node: NodeAddress::new("n"), errors: Mutex::new(errors), sent: Mutex::default() };
        let failing = Arc::new(failing);
        (Retrying::new(Arc::clone(&failing) as Arc<dyn Link>, &ConnectOptions::default()), failing)
    }

    async fn attempts(errors: Vec<Error>, effect: Effect) -> (bool, usize) {
        let (link, failing) = link(errors);
        let answer = link.run(cmd("SET"), effect).await;
        (answer.is_ok(), failing.sent.lock().unwrap_or_else(PoisonError::into_inner).len())
    }

    #[tokio::test(start_paused = true)]
    async fn reads_are_sent_again_and_writes_only_where_nothing_was_done() {
        assert_eq!(attempts(vec![broken()], Effect::Read).await, (true, 2));
        assert_eq!(attempts(vec![broken()], Effect::Write).await, (false, 1));
        assert_eq!(attempts(vec![loading()], Effect::Write).await, (true, 2));
        assert_eq!(attempts(vec![denied()], Effect::Read).await, (false, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_it() {
        assert_eq!(attempts(vec![loading(); 9], Effect::Read).await, (false, 3), "once, and two retries");
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_batch_only_what_failed_is_sent_again() {
        // Errors are taken from the end: the first command fails, the second does not.
        let (link, failing) = link(vec![broken()]);
        let answers = link.run_all(vec![cmd("GET"), cmd("TTL")], Effect::Read).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(*failing.sent.lock().unwrap_or_else(PoisonError::into_inner), ["GET", "TTL", "GET"]);
    }

    #[test]
    fn the_name_of_a_command_tells_no_argument() {
        let mut set = cmd("SET");
        set.arg("key").arg("value");
        assert_eq!(command_name(&set), "SET");
        let mut config = cmd("CONFIG");
        config.arg("GET").arg("requirepass");
        assert_eq!(command_name(&config), "CONFIG GET");
    }
}
