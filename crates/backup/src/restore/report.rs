//! The report of a recovery, in the form of the guide's.

use std::fmt::Write;

use chrono::{DateTime, FixedOffset};

/// What became of a recovery.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// When it ended.
    pub at: DateTime<FixedOffset>,
    /// The backup, and where it was.
    pub backup: String,
    /// What was asked for: `latest`, an id, a date.
    pub mode: String,
    /// Whether everything came back and was found equal.
    pub ok: bool,
    /// Where it was brought back to.
    pub target: String,
    /// The backup of what was there before; `None` where there was none to make.
    pub way_back: Option<String>,
    /// What was done, line by line.
    pub lines: Vec<String>,
    /// The servers, line by line.
    pub services: Vec<String>,
    /// The health of the cache afterwards, in words.
    pub health: Option<String>,
}

impl RecoveryReport {
    /// Begins a report.
    #[must_use]
    pub fn new(at: DateTime<FixedOffset>, backup: String, mode: String, target: String) -> Self {
        Self {
            at,
            backup,
            mode,
            ok: false,
            target,
            way_back: None,
            lines: Vec::new(),
            services: Vec::new(),
            health: None,
        }
    }

    /// Returns the name of its file, as the guide calls it.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("recovery_report_{}.txt", self.at.format("%Y%m%d_%H%M%S"))
    }

    /// Writes it for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from("Cache System Recovery Report\n");
        let status = if self.ok { "SUCCESS" } else { "FAILED" };
        // A string takes everything.
        let _ = writeln!(text, "Date: {}", self.at.to_rfc2822());
        let _ = writeln!(text, "Backup Used: {}", self.backup);
        let _ = writeln!(text, "Recovery Mode: {}", self.mode);
        let _ = writeln!(text, "Target: {}", self.target);
        let _ = writeln!(text, "Status: {status}");
        if let Some(way_back) = &self.way_back {
            let _ = writeln!(text, "Way Back: {way_back}");
        }
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        if !self.services.is_empty() {
            let _ = writeln!(text, "\nServices Status:\n{}", self.services.join("\n"));
        }
        if let Some(health) = &self.health {
            let _ = writeln!(text, "\nCache Health:\n{health}");
        }
        text
    }
}
