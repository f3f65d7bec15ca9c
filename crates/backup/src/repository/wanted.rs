//! Which backup is meant.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

use crate::{BackupId, Error};

/// Which backup is meant. Safety backups are meant by their id only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// The newest.
    Latest,
    /// The one of this name.
    Id(BackupId),
    /// The newest that was begun at this moment or before it.
    At(DateTime<Utc>),
}

impl Wanted {
    /// Reads `latest`, an id, a moment (`2026-11-24T16:00:00Z`, `2026-11-24 16:00`), or a day (`2026-11-24`), which stands
    /// for its end. What names no time zone is the time of `offset`.
    ///
    /// # Errors
    /// [`Error::NoBackup`] where it is none of these.
    pub fn parse(text: &str, offset: FixedOffset) -> Result<Self, Error> {
        let text = text.trim();
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let moment = moment(text, offset).ok_or_else(|| Error::NoBackup {
            wanted: format!(
                "`{text}`: a backup is named by its id, by `latest`, or by a time such as 2026-11-24 16:00"
            ),
        })?;
        Ok(Self::At(moment))
    }
}

fn moment(text: &str, offset: FixedOffset) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let local = |moment: NaiveDateTime| Some(offset.from_local_datetime(&moment).single()?.to_utc());
    for form in ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, form) {
            return local(moment);
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let end = day.succ_opt()?.and_hms_opt(0, 0, 0)?;
    local(end)?.checked_sub_signed(TimeDelta::nanoseconds(1))
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("at all"),
            Self::Id(id) => id.fmt(f),
            Self::At(moment) => write!(f, "of {} or before", moment.format("%Y-%m-%d %H:%M:%S UTC")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_zone_that_is_given() {
        let offset = FixedOffset::east_opt(3600).unwrap();
        let at = |text: &str| match Wanted::parse(text, offset) {
            Ok(Wanted::At(moment)) => moment.to_rfc3339(),
            other => format!("{other:?}"),
        };
        assert_eq!(at("2026-11-24 16:00"), "2026-11-24T15:00:00+00:00");
        assert_eq!(at("2026-11-24T16:00:05"), "2026-11-24T15:00:05+00:00");
        assert_eq!(at("2026-11-24T16:00:00Z"), "2026-11-24T16:00:00+00:00");
        assert_eq!(at("2026-11-24"), "2026-11-24T22:59:59.999999999+00:00");
        assert_eq!(Wanted::parse("latest", offset).unwrap(), Wanted::Latest);
        assert!(matches!(Wanted::parse("20261124_165256-3f9a", offset), Ok(Wanted::Id(_))));
        for wrong in ["", "newest", "2026-13-01", "2026-11-24 25:00", "24.11.2026"] {
            assert!(Wanted::parse(wrong, offset).is_err(), "{wrong}");
        }
    }
}
