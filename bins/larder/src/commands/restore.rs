//! `larder restore`.

mod before;
mod folder;
mod key_options;
mod live;
mod people;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{ArgGroup, Args, ValueEnum};
use larder_cache_client::CacheUrl;

use crate::{
    commands::backup::{RepositoryArgs, UnlockArgs, WhichArgs},
    config::Settings,
    pace::Rate,
};

/// Bring a backup back: into a running cache of any topology, or into a folder that a server boots from
///
/// Without --apply nothing is changed: the backup is read whole, and what would be done is said. A running cache is backed up
/// before anything is brought into it. It can be stopped, and done again: what is there already is left alone. Exit code: 0
/// done and found equal, 1 failed, 2 usage, 4 done in part.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("target").required(true).args(["to", "to_folder"])))]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// The running cache that keys are brought into
    #[arg(long, value_name = "URL")]
    to: Option<CacheUrl>,
    /// The folder that a server will boot from
    #[arg(long, value_name = "FOLDER")]
    to_folder: Option<PathBuf>,
    /// Do it; without it nothing is changed
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    keys: KeyArgs,
    /// Makes no backup of the cache before it is changed
    #[arg(long, conflicts_with = "to_folder")]
    no_safety_backup: bool,
    /// Keys a second, `max` for as fast as it goes, or `governed`: so that other clients do not feel it
    #[arg(long, value_name = "N|max", conflicts_with = "to_folder")]
    rate: Option<Rate>,
    /// Goes on although the cache seems to have too little room
    #[arg(long, conflicts_with = "to_folder")]
    force: bool,
    /// Data and configuration files that are there are put aside; the server of the data must be stopped
    #[arg(long, conflicts_with = "to")]
    swap: bool,
    /// Writes the data as an append-only file as well: a server with `appendonly yes` reads nothing else
    #[arg(long, conflicts_with = "to")]
    append_only: bool,
    /// Places the backup's configuration files under this folder; without it they go into a folder beside the data
    #[arg(long, value_name = "FOLDER", conflicts_with = "to")]
    configuration_to: Option<PathBuf>,
}

/// Which keys are brought into a running cache, and how.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    /// Keys that are there get value and TTL of the backup; without it they stay as they are
    #[arg(long, conflicts_with = "to_folder")]
    overwrite: bool,
    /// The cache is to hold what the backup holds: keys that are there get its values and TTLs, and keys that it does not have
    /// are removed, in every database of the cache or in that which the URL names; all of them are in the backup that is made
    /// first, which brings them back the same way. Keys that are written meanwhile stay
    #[arg(
        long,
        conflicts_with_all = [
            "to_folder", "no_safety_backup", "families", "prefixes", "types", "into_database", "rename"
        ]
    )]
    exact: bool,
    /// Only keys of this family, as `keys report` and the policy call it; may be given several times
    #[arg(long = "family", value_name = "NAME", conflicts_with = "to_folder")]
    families: Vec<String>,
    /// Only keys whose name begins so; may be given several times
    #[arg(long = "prefix", value_name = "TEXT", conflicts_with = "to_folder")]
    prefixes: Vec<String>,
    /// Only keys of this type; may be given several times
    #[arg(long = "type", value_enum, value_name = "TYPE", conflicts_with = "to_folder")]
    types: Vec<TypeName>,
    /// Only keys of this database of the backup; may be given several times
    #[arg(long = "database", value_name = "NUMBER", conflicts_with = "to_folder")]
    databases: Vec<u64>,
    /// Brings the keys of all databases into this one
    #[arg(long, value_name = "NUMBER", conflicts_with = "to_folder")]
    into_database: Option<u64>,
    /// Names that begin with FROM begin with TO instead; either may be empty
    #[arg(long, value_name = "FROM=TO", conflicts_with = "to_folder")]
    rename: Option<String>,
    /// What becomes of TTLs
    #[arg(long, value_enum, default_value = "keep", conflicts_with = "to_folder")]
    ttl: TtlName,
    /// Brings function libraries back, too, where only some of the keys are asked for by family, prefix or type
    #[arg(long, conflicts_with_all = ["to_folder", "no_functions"])]
    functions: bool,
    /// Leaves function libraries out
    #[arg(long, conflicts_with = "to_folder")]
    no_functions: bool,
}

/// Types of keys.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TypeName {
    String,
    List,
    Set,
    Zset,
    Hash,
    Stream,
}

/// What becomes of TTLs.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TtlName {
    /// Keys end when they would have ended; those whose time is up are not brought back
    Keep,
    /// The time that was left when the backup was taken counts from now
    Rebase,
    /// Keys get no TTL
    Drop,
}

pub(crate) async fn run(args: &RestoreArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open_existing(settings)?;
    let cache = match &args.to {
        Some(url) if !settings.names_cache => url.name(),
        _ => settings.url.name(),
    };
    let manifest = args.which.find_to_restore(&place, &cache).await?;
    let (done, target) = match (&args.to, &args.to_folder) {
        (Some(url), _) => (live::run(args, url, &place, &manifest, settings).await, url.name()),
        (None, Some(folder)) => {
            (folder::run(args, folder, &place, &manifest, settings).await, folder.display().to_string())
        }
        (None, None) => return Ok(ExitCode::SUCCESS),
    };
    if let Err(error) = &done
        && args.apply
    {
        let mut written = report::begin(args, &place, &manifest, target);
        written.lines = vec![format!("Error: {error:#}")];
        report::write(&written, settings);
    }
    done
}
