//! `larder health`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_maintenance::check_health;

use crate::{
    command_error,
    config::Settings,
    global::OutputForm,
    output::{stdout, verdict},
};

/// Judge the machine, every node, the application and its containers
///
/// Exit code: 0 ok, 1 warning, 2 critical, 3 unknown. `--output nagios` prints performance data.
#[derive(Args, Debug)]
pub(crate) struct HealthArgs {}

pub(crate) async fn run(settings: &Settings) -> Result<ExitCode> {
    let client = settings.client().await?;
    let judged = check_health(&client, &settings.health()).await;
    let printed = match settings.output {
        OutputForm::Table => stdout::text(&verdict::for_people(&judged)),
        OutputForm::Json => stdout::json(&judged),
        OutputForm::Nagios => stdout::text(&verdict::for_monitoring(&judged)),
    };
    // A reader that has seen enough does not change the verdict.
    if let Err(error) = printed
        && !command_error::is_broken_pipe(&error)
    {
        return Err(error);
    }
    Ok(ExitCode::from(judged.status.exit_code()))
}
