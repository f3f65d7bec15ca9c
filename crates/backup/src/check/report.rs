//! What a check found, in the words of monitoring plugins.

use std::fmt;

use serde::Serialize;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BackupCheck {
    /// The worst that was found; where nothing is bad and something could not be told, [`Unknown`](CheckState::Unknown).
    pub state: CheckState,
    /// Everything that was looked at, the worst first.
    pub lines: Vec<CheckLine>,
    /// The numbers.
    pub performance_data: Vec<PerformanceDatum>,
}

/// A state, with the exit code of monitoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// All is well.
    Ok,
    /// Has to be looked at in working hours.
    Warning,
    /// There is no backup to rely on, or soon will be none.
    Critical,
    /// It cannot be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckLine {
    /// What was found of it.
    pub state: CheckState,
    /// What was looked at: `age`, `size`, `verification`, `drill`, `missing`, `damaged`, `unfinished`.
    pub what: &'static str,
    /// What was seen, with the numbers.
    pub text: String,
}

/// A number of a check; written as `label=valueunit;warn;crit;min`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerformanceDatum {
    /// What it is, and of which cache where there are several; without `'`, `=` and `|`, which the form does not allow.
    pub label: String,
    /// The value.
    pub value: u64,
    /// Its unit: `s` or `B`, or nothing where things are counted.
    pub unit: &'static str,
    /// Where a warning begins.
    pub warn: Option<u64>,
    /// Where it becomes critical.
    pub crit: Option<u64>,
}

impl CheckState {
    /// Returns the exit code of monitoring plugins.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// What hides what: critical before warning, before unknown, before ok.
    fn weight(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }
}

impl BackupCheck {
    /// Says that nothing can be told, such as where the repository cannot be read.
    #[must_use]
    pub fn unknown(reason: impl Into<String>) -> Self {
        let line = CheckLine { state: CheckState::Unknown, what: "repository", text: reason.into() };
        Self::new(vec![line], Vec::new())
    }

    pub(super) fn new(mut lines: Vec<CheckLine>, performance_data: Vec<PerformanceDatum>) -> Self {
        lines.sort_by_key(|line| std::cmp::Reverse(line.state.weight()));
        let state = lines.first().map_or(CheckState::Unknown, |line| line.state);
        Self { state, lines, performance_data }
    }

    /// Says it in one line: what is wrong, or what was looked at.
    #[must_use]
    pub fn summary(&self) -> String {
        let telling = self.lines.iter().filter(|line| line.state == self.state);
        let texts: Vec<String> = telling.map(|line| format!("{}: {}", line.what, line.text)).collect();
        texts.join("; ")
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for PerformanceDatum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: Option<u64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        let Self { label, value, unit, .. } = self;
        write!(f, "'{label}'={value}{unit};{};{};0", bound(self.warn), bound(self.crit))
    }
}
