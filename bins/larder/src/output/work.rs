//! How far long work is: a bar on a terminal, a JSON line a second where programs listen.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use larder_backup::{HowFar, Progress};
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use super::progress;
use crate::{config::Settings, global::OutputForm};

/// Work that is shown; the bar goes when it ends.
#[derive(Debug)]
pub(crate) struct Shown {
    bar: ProgressBar,
    _ticking: AbortOnDropHandle<()>,
}

/// One line of progress for programs. stdout has the result alone, so it goes to stderr.
#[derive(Serialize)]
struct Line {
    progress: &'static str,
    #[serde(flatten)]
    how_far: HowFar,
    elapsed_ms: u128,
    bytes_per_second: f64,
    seconds_left: Option<f64>,
}

const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Shows how far work is until it ends.
pub(crate) fn show(progress: Progress, settings: &Settings, what: &'static str) -> Shown {
    let is_json = settings.output == OutputForm::Json;
    let bar = progress::of_bytes(settings.quiet || is_json);
    let moving = bar.clone();
    let says = is_json && !settings.quiet;
    let begun = Instant::now();
    let ticking = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(if is_json { LINE_INTERVAL } else { BAR_INTERVAL });
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let how_far = progress.how_far();
            if says {
                say(what, how_far, begun);
            } else {
                if how_far.total_bytes > 0 {
                    progress::set_length(&moving, how_far.total_bytes.max(how_far.bytes));
                }
                moving.set_position(how_far.bytes);
            }
        }
    });
    Shown { bar, _ticking: AbortOnDropHandle::new(ticking) }
}

#[expect(clippy::cast_precision_loss, reason = "a speed")]
fn say(what: &'static str, how_far: HowFar, begun: Instant) {
    use std::io::Write;
    let elapsed = begun.elapsed();
    let bytes_per_second = how_far.bytes as f64 / elapsed.as_secs_f64();
    let left = how_far.total_bytes.saturating_sub(how_far.bytes) as f64;
    let line = Line {
        progress: what,
        how_far,
        elapsed_ms: elapsed.as_millis(),
        bytes_per_second,
        seconds_left: (left > 0.0 && bytes_per_second > 0.0).then(|| left / bytes_per_second),
    };
    if let Ok(text) = serde_json::to_string(&line) {
        // Where no one listens there is no one to tell.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

impl Shown {
    /// Takes the bar away.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
