//! `larder backup`.

mod check;
mod create;
mod list;
mod prune;
mod show;
mod target;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use self::{
    create::{CreateArgs, backup_options},
    target::{RepositoryArgs, ServerArgs, UnlockArgs, WhichArgs, families, family_of, offset},
    verify::{job_options, verify_options},
};
use crate::config::Settings;

/// Make backups, look at them, prove them, and remove what is past its time
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: BackupCommand,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    Create(CreateArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
    Prune(prune::PruneArgs),
    Check(check::CheckArgs),
}

impl BackupArgs {
    pub(crate) fn is_check(&self) -> bool {
        matches!(self.command, BackupCommand::Check(_))
    }
}

pub(crate) async fn run(args: &BackupArgs, settings: &Settings) -> Result<ExitCode> {
    match &args.command {
        BackupCommand::Create(args) => create::run(args, settings).await,
        BackupCommand::List(args) => list::run(args, settings).await,
        BackupCommand::Show(args) => show::run(args, settings).await,
        BackupCommand::Verify(args) => verify::run(args, settings).await,
        BackupCommand::Prune(args) => prune::run(args, settings).await,
        BackupCommand::Check(args) => check::run(args, settings).await,
    }
}
