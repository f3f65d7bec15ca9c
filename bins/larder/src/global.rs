//! What every command takes. The comments are the help that is printed.
#![expect(clippy::doc_markdown, reason = "help is no Markdown")]

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// The cache [default: redis://127.0.0.1:6379]
    #[arg(long, global = true, env = "LARDER_CACHE", hide_env_values = true, value_name = "URL")]
    pub(crate) cache: Option<String>,
    /// The configuration file [default: larder.toml, then /etc/larder/larder.toml, where there is one]
    #[arg(long, global = true, env = "LARDER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The form of what is printed to stdout
    #[arg(long, global = true, env = "LARDER_OUTPUT", value_enum, value_name = "FORM")]
    pub(crate) output: Option<OutputForm>,
    /// How long a check or an answer may take, such as 500ms or 2s [default: 2s]
    #[arg(long, global = true, env = "LARDER_TIMEOUT", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// The user to log in as
    #[arg(long, global = true, env = "LARDER_USERNAME", value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// A file that holds the password; or set LARDER_PASSWORD, or a `password_command` in the configuration
    #[arg(long, global = true, env = "LARDER_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The certificate of the authority that signed the server's (PEM) [default: the system's]
    #[arg(long, global = true, env = "LARDER_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// This client's certificate (PEM)
    #[arg(long, global = true, env = "LARDER_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of this client's certificate (PEM)
    #[arg(long, global = true, env = "LARDER_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Say nothing but data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The form of what is printed to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputForm {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// One line with performance data, as monitoring plugins print it (`health`, `audit`, `backup check`)
    Nagios,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
    Everything,
}

impl Global {
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Everything,
        }
    }
}
