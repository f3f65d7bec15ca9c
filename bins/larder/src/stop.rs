//! Ending in good order.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns what is cancelled by the first Ctrl-C or SIGTERM; the second one ends the process.
pub(crate) fn on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let heard = stop.clone();
    // From here on, and not only once the task below runs. What cannot be heard ends the process as ever.
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt()).ok(), signal(SignalKind::terminate()).ok());
    tokio::spawn(async move {
        tokio::select! {
            () = asked(&mut interrupt) => {}
            () = asked(&mut terminate) => {}
        }
        heard.cancel();
        tokio::select! {
            () = asked(&mut interrupt) => {}
            () = asked(&mut terminate) => {}
        }
        #[expect(clippy::exit, reason = "who asks twice does not want to wait")]
        std::process::exit(130);
    });
    stop
}

/// Waits until someone asks for an end; for ever where that cannot be heard.
async fn asked(signal: &mut Option<Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}
