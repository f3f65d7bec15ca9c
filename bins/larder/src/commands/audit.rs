//! `larder audit`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use larder_maintenance::check_audit;

use crate::{
    command_error,
    config::Settings,
    context::now,
    global::OutputForm,
    output::{stdout, verdict},
};

/// Judge security and configuration of every node
///
/// Changes nothing. Exit code: 0 ok, 1 warning, 2 critical, 3 unknown. What CONFIG or ACL do not show is unknown, never ok.
/// Findings that are lived with are listed in the configuration, with a reason and an end.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {}

pub(crate) async fn run(settings: &Settings) -> Result<ExitCode> {
    let client = settings.client().await?;
    let judged = check_audit(&client, &settings.audit(), settings.timeout, now().to_utc()).await;
    let printed = match settings.output {
        OutputForm::Table => stdout::text(&verdict::audit_for_people(&judged)),
        OutputForm::Json => stdout::json(&judged),
        OutputForm::Nagios => stdout::text(&verdict::audit_for_monitoring(&judged)),
    };
    // A reader that has seen enough does not change the verdict.
    if let Err(error) = printed
        && !command_error::is_broken_pipe(&error)
    {
        return Err(error);
    }
    Ok(ExitCode::from(judged.status.exit_code()))
}
