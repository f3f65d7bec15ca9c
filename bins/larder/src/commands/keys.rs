//! `larder keys`.

mod diff;
mod diff_table;
mod hot;
mod images;
pub(crate) mod live;
pub(crate) mod report;
mod report_table;
mod resume;
pub(crate) mod sweep;
pub(crate) mod target;
mod top;
pub(crate) mod wanted;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::global::Global;

/// Look into the keys of a cache, live or from an RDB file
///
/// A live cache is gone through at a pace that its users do not feel. A file is read in one pass and its checksum is
/// compared; a damaged one is refused with the place and the key, and exit code 1.
#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Report(report::ReportArgs),
    Top(top::TopArgs),
    Hot(hot::HotArgs),
    Diff(diff::DiffArgs),
}

pub(crate) async fn run(args: &KeysArgs, global: &Global) -> Result<ExitCode> {
    match &args.action {
        Action::Report(args) => report::run(args, global).await,
        Action::Top(args) => top::run(args, global).await,
        Action::Hot(args) => hot::run(args, global).await,
        Action::Diff(args) => diff::run(args, global).await,
    }
}
