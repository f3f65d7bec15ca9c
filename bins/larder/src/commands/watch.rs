//! `larder watch`.

mod screen;

use std::{io::IsTerminal, num::NonZeroU64, pin::pin, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Args;
use larder_maintenance::{LiveFigures, Watch};
use serde_json::json;

use crate::{
    command_error::FAILED,
    config::Settings,
    context::now,
    global::OutputForm,
    output::{message, stdout},
};

/// Show the live numbers: hit rate, operations a second, memory, clients, latency
///
/// On a terminal it draws a table until q or Ctrl-C; otherwise, and with `--output json`, it prints a JSON line for every
/// node at every look. Rates are those since the last look.
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// The time between two looks
    #[arg(long, default_value = "2s", value_parser = interval, value_name = "TIME")]
    interval: Duration,
    /// End after so many looks
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval < Duration::from_millis(100) { Err("at least 100ms".to_owned()) } else { Ok(interval) }
}

pub(crate) async fn run(args: &WatchArgs, settings: &Settings) -> Result<ExitCode> {
    let mut watch = Watch::new(settings.client().await?, settings.timeout);
    if settings.output == OutputForm::Table && std::io::stdout().is_terminal() {
        return screen::run(args, settings, &mut watch).await;
    }
    let mut ticks = tokio::time::interval(args.interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = 0;
    let mut answered = false;
    // One for all: between two waits a signal would go by unseen.
    let mut ended = pin!(tokio::signal::ctrl_c());
    loop {
        let look = async {
            ticks.tick().await;
            watch.look(now()).await
        };
        let look = tokio::select! {
            look = look => look,
            _ = &mut ended => break,
        };
        answered |= print(look)?;
        looks += 1;
        if args.count.is_some_and(|count| looks >= count.get()) {
            break;
        }
    }
    Ok(if answered || looks == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Prints a look, and tells whether any node gave figures.
fn print(look: Result<Vec<LiveFigures>, String>) -> Result<bool> {
    match look {
        Ok(figures) => {
            for figures in &figures {
                stdout::json_line(figures)?;
            }
            Ok(figures.iter().any(|figures| figures.error.is_none()))
        }
        Err(reason) => {
            stdout::json_line(&json!({ "at": now().to_rfc3339(), "error": reason }))?;
            message::error(&reason);
            Ok(false)
        }
    }
}
