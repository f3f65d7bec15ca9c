//! Which backups are to be kept.

use std::{fmt, time::Duration};

use serde::Serialize;

/// Which backups are to be kept: a backup stays if one rule keeps it. Without a rule everything stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeepPolicy {
    /// This many of the newest.
    pub last: Option<u32>,
    /// The newest of each of this many hours.
    pub hourly: Option<u32>,
    /// The newest of each of this many days.
    pub daily: Option<u32>,
    /// The newest of each of this many weeks, from Monday.
    pub weekly: Option<u32>,
    /// The newest of each of this many months.
    pub monthly: Option<u32>,
    /// The newest of each of this many years.
    pub yearly: Option<u32>,
    /// All that are not older than the newest by more than this. While no new ones are made, the old ones stay.
    pub within: Option<Duration>,
}

impl KeepPolicy {
    /// Keeps the backups of so many days, as the guide's script does.
    #[must_use]
    pub fn days(days: u32) -> Self {
        let within = Some(Duration::from_hours(24) * days);
        Self { within, ..Self::default() }
    }

    /// Tells whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for KeepPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ];
        let mut rules: Vec<String> =
            counts.iter().filter_map(|(name, count)| Some(format!("{name} {}", (*count)?))).collect();
        rules.extend(self.within.map(|within| format!("within {}", span(within))));
        if rules.is_empty() {
            return f.write_str("no rule");
        }
        f.write_str(&rules.join(", "))
    }
}

/// A length of time in days and hours, or in smaller units where it is short.
pub(crate) fn span(time: Duration) -> String {
    const HOUR: u64 = 3600;
    let seconds = time.as_secs();
    let counted = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match (seconds / (24 * HOUR), seconds % (24 * HOUR) / HOUR) {
        (0, 0) if seconds < 60 => counted(seconds, "second"),
        (0, 0) => counted(seconds / 60, "minute"),
        (0, hours) => counted(hours, "hour"),
        (days, 0) => counted(days, "day"),
        (days, hours) => format!("{} {}", counted(days, "day"), counted(hours, "hour")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_said_in_words() {
        assert_eq!(KeepPolicy::default().to_string(), "no rule");
        let policy = KeepPolicy { last: Some(3), daily: Some(7), ..KeepPolicy::days(30) };
        assert_eq!(policy.to_string(), "last 3, daily 7, within 30 days");
    }

    #[test]
    fn spans_are_said_in_fitting_units() {
        let said = [0, 1, 59, 60, 3599, 3600, 86_400, 90_000, 172_800].map(|s| span(Duration::from_secs(s)));
        let expected = [
            "0 seconds",
            "1 second",
            "59 seconds",
            "1 minute",
            "59 minutes",
            "1 hour",
            "1 day",
            "1 day 1 hour",
            "2 days",
        ];
        assert_eq!(said, expected);
    }
}
