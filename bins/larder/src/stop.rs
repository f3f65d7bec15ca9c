//! Ending in good order.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns what is cancelled by the first Ctrl-C; the second one ends the process.
pub(crate) fn on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let heard = stop.clone();
    // From here on, and not only once the task below runs. Where it cannot be heard, it ends the process as ever.
    let Ok(mut presses) = signal(SignalKind::interrupt()) else { return stop };
    tokio::spawn(async move {
        if presses.recv().await.is_some() {
            heard.cancel();
        }
        if presses.recv().await.is_some() {
            #[expect(clippy::exit, reason = "who asks twice does not want to wait")]
            std::process::exit(130);
        }
    });
    stop
}
