//! `larder backup verify`.

use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use clap::{Args, ValueEnum};
use larder_backup::{Effort, Verification, VerificationLevel, VerifyOptions, verify_backup};
use serde::Serialize;

use super::{RepositoryArgs, ServerArgs, UnlockArgs, WhichArgs};
use crate::{
    command_error::{FAILED, UsageError},
    config::Settings,
    global::OutputForm,
    output::{message, stdout, work},
    pace::Rate,
    stop,
};

/// Prove that a backup is what it was when it was made
///
/// The result is kept beside it. Exit code: 0 it is, 1 it is not, or could not be looked at, 2 usage.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    repository: RepositoryArgs,
    /// How deep
    #[arg(long, value_enum, default_value = "structure")]
    level: LevelName,
    #[command(flatten)]
    unlock: UnlockArgs,
    #[command(flatten)]
    servers: ServerArgs,
    /// `max` for as fast as it goes, `governed` for what nobody else on this machine wants
    #[arg(long, value_name = "max|governed", default_value = "governed")]
    rate: Rate,
}

/// How deep a backup is verified.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelName {
    /// Size and SHA-256 of every object
    Checksum,
    /// Every element of every key, counts and digest
    Structure,
    /// A server of a fitting version loads it, and what it then writes is compared
    Load,
}

#[derive(Serialize)]
struct Printed<'a> {
    id: &'a str,
    repository: &'a str,
    #[serde(flatten)]
    verification: &'a Verification,
}

impl From<LevelName> for VerificationLevel {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Checksum => Self::Checksum,
            LevelName::Structure => Self::Structure,
            LevelName::Load => Self::Load,
        }
    }
}

/// How a backup is verified, or brought back to servers of our own, on a command line.
pub(crate) async fn verify_options(
    settings: &Settings,
    level: VerificationLevel,
    unlock: &UnlockArgs,
    servers: &ServerArgs,
    rate: Rate,
) -> Result<VerifyOptions> {
    let effort = if rate == Rate::Max { Effort::Full } else { Effort::Yielding };
    let mut options = job_options(settings, level, effort).await?;
    options.keyring = settings.keyring(unlock.identity_file.as_ref())?;
    if level >= VerificationLevel::Load {
        options.programs = servers.programs(settings).await?;
        if options.programs.found.is_empty() {
            let words = "there is no redis-server or valkey-server to load it with: name a program or its folder with \
                         --server or backup.servers, or put it on PATH";
            return Err(UsageError(words.to_owned()).into());
        }
    }
    options.scratch_folder = servers.scratch_folder.clone().or(options.scratch_folder);
    Ok(options)
}

/// The same as it is configured.
pub(crate) async fn job_options(
    settings: &Settings,
    level: VerificationLevel,
    effort: Effort,
) -> Result<VerifyOptions> {
    let mut options = VerifyOptions::at(level);
    options.keyring = settings.keyring(None)?;
    if level >= VerificationLevel::Load {
        options.programs = settings.server_programs(&[]).await?;
    }
    options.scratch_folder.clone_from(&settings.file.backup.scratch_folder);
    options.effort = effort;
    options.stop = stop::on_ctrl_c();
    Ok(options)
}

pub(crate) async fn run(args: &VerifyArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let manifest = args.which.find(&place, settings).await?;
    let options = verify_options(settings, args.level.into(), &args.unlock, &args.servers, args.rate).await?;
    let shown = work::show(options.progress.clone(), settings, "verify");
    let verified = verify_backup(&place.repository, &manifest, &options, Utc::now()).await;
    shown.end();
    let verification = verified?;
    if settings.output == OutputForm::Json {
        let (id, repository) = (manifest.id.as_str(), place.name.as_str());
        stdout::json(&Printed { id, repository, verification: &verification })?;
    } else {
        let verdict = if verification.ok { "sound" } else { "not sound" };
        let by =
            verification.server.as_ref().map(|server| format!(", loaded by {server}")).unwrap_or_default();
        stdout::text(&format!("{} is {verdict} (level {}{by})", manifest.id, verification.level))?;
    }
    for problem in &verification.problems {
        message::error(problem);
    }
    Ok(if verification.ok { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
