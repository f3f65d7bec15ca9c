//! What is said to people on stderr.

use std::io::Write;

use anstyle::{AnsiColor, Style};

/// Says what went wrong.
pub(crate) fn error(words: &str) {
    say(AnsiColor::Red.on_default().bold(), "error", words);
}

/// Says what is not as it should be, and goes on.
pub(crate) fn warning(words: &str) {
    say(AnsiColor::Yellow.on_default().bold(), "warning", words);
}

/// Says what may help.
pub(crate) fn hint(words: &str) {
    say(AnsiColor::Cyan.on_default(), "hint", words);
}

/// Says what was done.
pub(crate) fn note(words: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}

/// When stderr is gone there is no one to tell.
fn say(style: Style, kind: &str, words: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{style}{kind}{style:#}: {words}");
}
