//! `larder policy`.

mod check;
mod init;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::global::Global;

/// Write a policy from what is there, or say what breaks it
#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Init(init::InitArgs),
    Check(check::CheckArgs),
}

pub(crate) async fn run(args: &PolicyArgs, global: &Global) -> Result<ExitCode> {
    match &args.action {
        Action::Init(args) => init::run(args, global).await,
        Action::Check(args) => check::run(args, global).await,
    }
}
