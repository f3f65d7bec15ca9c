//! What libraries say while they work, on stderr.

use tracing_subscriber::EnvFilter;

use crate::global::Verbosity;

/// Begins to say as much as was asked for; `LARDER_LOG` overrides it with a filter of its own.
pub(crate) fn begin(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => "error",
        Verbosity::Normal => "warn",
        Verbosity::Verbose => "larder=info,warn",
        Verbosity::Everything => "debug",
    };
    let filter = EnvFilter::try_from_env("LARDER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // Only fails where another subscriber is set, and there is none.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(!no_color && std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .try_init();
}
