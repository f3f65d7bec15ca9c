//! Waiting for a state.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long a state is waited for before a test fails. Far more than any state takes on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

const BETWEEN: Duration = Duration::from_millis(5);

/// Asks until there is an answer.
///
/// # Errors
/// There was none within [`PATIENCE`]; the error says what was waited for and what the last attempt said.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match ask() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => "not yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > deadline {
            bail!("waited {PATIENCE:?} for {what}; the last attempt said: {last}");
        }
        thread::sleep(BETWEEN);
    }
}

/// Asks until there is an answer, without blocking the runtime.
///
/// # Errors
/// There was none within [`PATIENCE`]; the error says what was waited for and what the last attempt said.
pub async fn until_async<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => "not yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > deadline {
            bail!("waited {PATIENCE:?} for {what}; the last attempt said: {last}");
        }
        tokio::time::sleep(BETWEEN).await;
    }
}
