//! Ending in good order.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns what is cancelled by the first Ctrl-C or SIGTERM; the second one ends the process.
pub(crate) fn on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let heard = stop.clone();
    tokio::spawn(async move {
        if asked().await {
            heard.cancel();
        }
        if asked().await {
            #[expect(clippy::exit, reason = "who asks twice does not want to wait")]
            std::process::exit(130);
        }
    });
    stop
}

/// Waits until someone asks for an end; `false` where that cannot be heard.
async fn asked() -> bool {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return tokio::signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard.is_ok(),
        heard = terminate.recv() => heard.is_some(),
    }
}
