//! Ending in good order.

use tokio_util::sync::CancellationToken;

/// Returns what is cancelled by the first Ctrl-C; the second one ends the process.
pub(crate) fn on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let heard = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            heard.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            #[expect(clippy::exit, reason = "who asks twice does not want to wait")]
            std::process::exit(130);
        }
    });
    stop
}
