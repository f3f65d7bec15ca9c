//! `larder keys`.

mod report;
mod top;

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use clap::{Args, Subcommand};
use larder_keyspace::{DumpFile, DumpRead, Error};
use larder_rdb::{Checksum, Skimmed};

use crate::{
    command_error::UsageError,
    config::Settings,
    output::{message, progress},
};

/// Look into the keys of an RDB file
///
/// The file is read in one pass and its checksum is compared; a damaged one is refused with the place and the key, and
/// exit code 1. Bytes are those that a key takes in the file.
#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What the keyspace is made of: types, families, keys with and without TTL
    Report(report::ReportArgs),
    /// The biggest keys, by bytes and by elements
    Top(top::TopArgs),
}

pub(crate) fn run(args: &KeysArgs, settings: &Settings) -> Result<ExitCode> {
    match &args.action {
        Action::Report(args) => report::run(args, settings)?,
        Action::Top(args) => top::run(args, settings)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Goes through a file with a bar on the terminal, and says where its checksum could not be compared.
fn read(path: &Path, settings: &Settings, key: impl FnMut(&Skimmed<'_>)) -> Result<DumpRead> {
    let file = match DumpFile::open(path) {
        Err(error @ Error::Open { .. }) => {
            return Err(anyhow::Error::new(error).context(UsageError("no dump".to_owned())));
        }
        file => file?,
    };
    let bar = progress::of_bytes(settings.quiet);
    let read = file.read(key, |read| {
        if let Some(total) = read.total_bytes {
            progress::set_length(&bar, total);
        }
        bar.set_position(read.bytes);
    });
    bar.finish_and_clear();
    let read = read.map_err(|error| match &error {
        Error::Refused { source: larder_rdb::Error::Limit { .. }, .. } => anyhow::Error::new(error)
            .context("the file may be sound, but it asks for more than is taken from a file whose lengths may be damaged"),
        _ => error.into(),
    })?;
    if read.checksum == Checksum::Off || read.checksum == Checksum::Absent {
        message::warning(&format!("{} has no checksum, so damage may have gone unseen", path.display()));
    }
    Ok(read)
}
