//! `larder config`.

use std::{fs, io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    command_error::UsageError,
    config::{Settings, TEMPLATE},
    global::Global,
    output::{message, stdout},
};

/// Write, check and show the configuration
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a configuration to begin with; to stdout without a file
    Init {
        /// The file to write; it must not be there yet
        file: Option<PathBuf>,
    },
    /// Say what is wrong with the configuration
    Check,
    /// Show what is in force, as JSON
    Show,
}

pub(crate) fn run(args: &ConfigArgs, global: &Global) -> Result<ExitCode> {
    match &args.action {
        Action::Init { file: None } => stdout::text(TEMPLATE)?,
        Action::Init { file: Some(path) } => init(path)?,
        Action::Check => {
            let settings = Settings::resolve(global)?;
            settings.check()?;
            let place = settings.source.as_ref().map(|path| path.display().to_string());
            message::note(&format!(
                "{}: ok",
                place.as_deref().unwrap_or("no configuration file; the defaults")
            ));
        }
        Action::Show => stdout::json(&shown(&Settings::resolve(global)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn init(path: &PathBuf) -> Result<()> {
    let file = fs::File::options().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    message::note(&format!("written to {}", path.display()));
    Ok(())
}

/// Secrets are not in it: only where they come from.
fn shown(settings: &Settings) -> serde_json::Value {
    let mut shown = json!(settings.file);
    shown["cache"] = json!(settings.url.to_string());
    shown["output"] = json!(settings.output);
    shown["timeout"] = json!(humantime::format_duration(settings.timeout).to_string());
    shown["retries"] = json!(settings.connect.retries);
    shown["username"] = json!(settings.connect.username);
    for section in [None, Some("sentinel")] {
        let holder = match section {
            Some(name) => &mut shown[name],
            None => &mut shown,
        };
        if !holder["password_command"].is_null() {
            holder["password_command"] = json!("set");
        }
    }
    shown["password"] = json!(if settings.connect.password.is_some() { "set" } else { "not set" });
    shown["tls"] = json!({
        "ca_file": settings.connect.tls.ca_file,
        "cert_file": settings.connect.tls.cert_file,
        "key_file": settings.connect.tls.key_file,
    });
    shown["application"] =
        json!({ "url": settings.application.as_ref().map(larder_cache_client::ApplicationEndpoints::name) });
    shown["health"] = json!({ "thresholds": settings.thresholds });
    shown["configuration"] = json!(settings.source);
    shown
}
