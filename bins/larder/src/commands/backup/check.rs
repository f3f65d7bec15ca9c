//! `larder backup check`.

use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use larder_backup::{BackupCheck, check_backups, check_backups_of};

use super::RepositoryArgs;
use crate::{
    command_error,
    config::Settings,
    global::OutputForm,
    output::{stdout, table, verdict},
};

/// Judge the backups: age and size of the newest, age of its proof and of the last drill
///
/// Each cache of the repository is judged by itself, and the worst decides; where a cache is named, that one only.
///
/// Exit code: 0 ok, 1 warning, 2 critical, 3 unknown. `--output nagios` prints performance data.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
}

pub(crate) async fn run(args: &CheckArgs, settings: &Settings) -> Result<ExitCode> {
    let place = args.repository.open(settings)?;
    let (thresholds, now) = (settings.file.backup.check.thresholds(), Utc::now());
    let judged = match place.repository.list().await {
        Ok(listing) if settings.names_cache => {
            check_backups_of(&settings.url.name(), &listing, &thresholds, now)
        }
        Ok(listing) => check_backups(&listing, &thresholds, now),
        Err(error) => BackupCheck::unknown(error.with_causes()),
    };
    let printed = match settings.output {
        OutputForm::Table => stdout::text(&for_people(&judged)),
        OutputForm::Json => stdout::json(&judged),
        OutputForm::Nagios => stdout::text(&for_monitoring(&judged)),
    };
    // A reader that has seen enough does not change the verdict.
    if let Err(error) = printed
        && !command_error::is_broken_pipe(&error)
    {
        return Err(error);
    }
    Ok(ExitCode::from(judged.state.exit_code()))
}

fn for_people(judged: &BackupCheck) -> String {
    let mut table = table::table(&["state", "check", "seen"]);
    for line in &judged.lines {
        table.add_row([line.state.to_string().as_str(), line.what, &line.text]);
    }
    format!("{}\n\n{}", judged.state.to_string().to_uppercase(), table::written(&table))
}

fn for_monitoring(judged: &BackupCheck) -> String {
    let data: Vec<String> = judged.performance_data.iter().map(ToString::to_string).collect();
    let state = judged.state.to_string().to_uppercase();
    let summary = verdict::one_line(&judged.summary());
    let mut text = format!("LARDER BACKUP {state} - {summary}");
    if !data.is_empty() {
        let _ = write!(text, " | {}", data.join(" "));
    }
    text.push('\n');
    for line in &judged.lines {
        let _ =
            writeln!(text, "{}", verdict::one_line(&format!("{} {}: {}", line.state, line.what, line.text)));
    }
    text
}
