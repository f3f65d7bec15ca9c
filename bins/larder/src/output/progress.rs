//! How far long work is, on stderr, where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Begins a bar for so many bytes; it hides itself where stderr is no terminal, or nothing is to be said.
pub(crate) fn of_bytes(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    // A pipe has no length, and so no end that could be told.
    set_form(&bar, "{spinner} {binary_bytes}  {binary_bytes_per_sec}");
    bar
}

/// Begins a bar for so many keys, if that is known.
pub(crate) fn of_keys(keys: Option<u64>, quiet: bool) -> ProgressBar {
    let bar = of_bytes(quiet);
    match keys {
        Some(keys) => {
            bar.set_length(keys);
            set_form(&bar, "{bar:30} {human_pos} of {human_len} keys  {per_sec}  {eta} left");
        }
        None => set_form(&bar, "{spinner} {human_pos} keys  {per_sec}"),
    }
    bar
}

/// Sets the length, once it is known.
pub(crate) fn set_length(bar: &ProgressBar, bytes: u64) {
    if bar.length() != Some(bytes) {
        bar.set_length(bytes);
        set_form(bar, "{bar:30} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left");
    }
}

/// The forms are known to be such.
fn set_form(bar: &ProgressBar, form: &str) {
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
}
