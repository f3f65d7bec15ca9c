//! What is said to people on stderr.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

use anstyle::{AnsiColor, Style};

static QUIET: AtomicBool = AtomicBool::new(false);

/// Says nothing from now on but what went wrong.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Says what went wrong.
pub(crate) fn error(words: &str) {
    say(AnsiColor::Red.on_default().bold(), "error", words);
}

/// Says what is not as it should be, and goes on.
pub(crate) fn warning(words: &str) {
    if is_quiet() {
        return;
    }
    say(AnsiColor::Yellow.on_default().bold(), "warning", words);
}

/// Says what may help.
pub(crate) fn hint(words: &str) {
    if is_quiet() {
        return;
    }
    say(AnsiColor::Cyan.on_default(), "hint", words);
}

/// Says what was done.
pub(crate) fn note(words: &str) {
    if is_quiet() {
        return;
    }
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}

/// When stderr is gone there is no one to tell.
fn say(style: Style, kind: &str, words: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{style}{kind}{style:#}: {words}");
}
