//! The commands, a file each.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod capacity;
pub(crate) mod clean;
pub(crate) mod collect;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod drill;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod maintain;
pub(crate) mod metrics;
pub(crate) mod optimize;
pub(crate) mod policy;
pub(crate) mod restore;
pub(crate) mod undo;
pub(crate) mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    cli::{Cli, Command},
    command_error::UsageError,
    config::Settings,
    global::OutputForm,
};

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Completions(args) => completions::completions(&args),
        Command::Man(_) => completions::man(),
        Command::Config(args) => config::run(&args, &cli.global),
        Command::Keys(args) => on_runtime(keys::run(&args, &cli.global)),
        Command::Policy(args) => on_runtime(policy::run(&args, &cli.global)),
        command => {
            let settings = Settings::resolve(&cli.global)?;
            if settings.output == OutputForm::Nagios && !command.is_check() {
                return Err(UsageError(
                    "only `health`, `audit` and `backup check` have the form nagios".to_owned(),
                )
                .into());
            }
            on_runtime(reaching(command, &settings))
        }
    }
}

fn on_runtime(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    let ended = runtime.block_on(work);
    // A look-up of a name, or a disk that hangs, is not waited for.
    runtime.shutdown_background();
    ended
}

async fn reaching(command: Command, settings: &Settings) -> Result<ExitCode> {
    match command {
        Command::Health(_) => health::run(settings).await,
        Command::Audit(_) => audit::run(settings).await,
        Command::Optimize(args) => optimize::run(&args, settings).await,
        Command::Capacity(args) => capacity::run(&args, settings).await,
        Command::Watch(args) => watch::run(&args, settings).await,
        Command::Collect(_) => collect::run(settings).await,
        Command::Clean(args) => clean::run(&args, settings).await,
        Command::Backup(args) => backup::run(&args, settings).await,
        Command::Restore(args) => restore::run(&args, settings).await,
        Command::Drill(args) => drill::run(&args, settings).await,
        Command::Undo(args) => undo::run(&args, settings).await,
        Command::Metrics(args) => metrics::run(&args, settings).await,
        Command::Maintain(args) => maintain::run(&args, settings).await,
        Command::Config(_)
        | Command::Keys(_)
        | Command::Policy(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(ExitCode::SUCCESS),
    }
}
