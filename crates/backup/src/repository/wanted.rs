//! Which backup is meant.

use std::fmt;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

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
    /// for its end. What names no time zone is the time of `zone`, by the offset from UTC that it has at that moment.
    ///
    /// # Errors
    /// [`Error::NoBackup`] where it is none of these, or a time that the clocks of the zone showed twice, or never.
    pub fn parse(text: &str, zone: &impl TimeZone) -> Result<Self, Error> {
        let text = text.trim();
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let wanted = |why: String| Error::NoBackup { wanted: format!("`{text}`: {why}") };
        match moment(text, zone) {
            Some(Ok(moment)) => Ok(Self::At(moment)),
            Some(Err(why)) => Err(wanted(why)),
            None => Err(wanted(
                "a backup is named by its id, by `latest`, or by a time such as 2026-11-24 16:00".to_owned(),
            )),
        }
    }
}

/// `None` where it is no time; why not, where it is none of this zone.
fn moment(text: &str, zone: &impl TimeZone) -> Option<Result<DateTime<Utc>, String>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(Ok(moment.to_utc()));
    }
    for form in ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, form) {
            return Some(of_clock(&moment, zone));
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let next = day.succ_opt()?.and_hms_opt(0, 0, 0)?;
    let end = beginning(&next, zone)?.checked_sub_signed(TimeDelta::nanoseconds(1))?;
    Some(Ok(end))
}

/// The moment at which the clocks of a zone show a time.
fn of_clock(time: &NaiveDateTime, zone: &impl TimeZone) -> Result<DateTime<Utc>, String> {
    match zone.from_local_datetime(time) {
        LocalResult::Single(moment) => Ok(moment.to_utc()),
        LocalResult::Ambiguous(first, second) => Err(format!(
            "the clocks were set back then and showed this time twice; say which: {} or {}",
            first.fixed_offset().to_rfc3339(),
            second.fixed_offset().to_rfc3339()
        )),
        LocalResult::None => {
            Err("the clocks were set forward then and never showed this time; name an earlier or a later one"
                .to_owned())
        }
    }
}

/// When a day begins: where clocks are set forward at midnight, that is the first time which they show.
fn beginning(midnight: &NaiveDateTime, zone: &impl TimeZone) -> Option<DateTime<Utc>> {
    const QUARTER: TimeDelta = TimeDelta::minutes(15);
    // No clock is set forward by more.
    (0..=12).find_map(|quarters| {
        let time = midnight.checked_add_signed(QUARTER * quarters)?;
        zone.from_local_datetime(&time).latest().map(|moment| moment.to_utc())
    })
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
    use chrono::FixedOffset;

    use super::*;

    /// Berlin in the autumn and spring of 2026: one hour east of UTC, two from 29 March to 25 October, at 1:00 UTC.
    #[derive(Clone, Debug)]
    struct Berlin;

    fn hours(hours: i32) -> FixedOffset {
        FixedOffset::east_opt(hours * 3600).unwrap()
    }

    impl TimeZone for Berlin {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            Self
        }

        fn offset_from_local_date(&self, day: &NaiveDate) -> LocalResult<FixedOffset> {
            self.offset_from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap())
        }

        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<FixedOffset> {
            // The later offset, which is the smaller one, comes second where both fit.
            let fits = |offset: &FixedOffset| self.offset_from_utc_datetime(&(*local - *offset)) == *offset;
            match [hours(2), hours(1)].into_iter().filter(fits).collect::<Vec<_>>()[..] {
                [one] => LocalResult::Single(one),
                [first, second] => LocalResult::Ambiguous(first, second),
                _ => LocalResult::None,
            }
        }

        fn offset_from_utc_date(&self, day: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&day.and_hms_opt(0, 0, 0).unwrap())
        }

        fn offset_from_utc_datetime(&self, at: &NaiveDateTime) -> FixedOffset {
            let change = |month, day| NaiveDate::from_ymd_opt(2026, month, day)?.and_hms_opt(1, 0, 0);
            let is_summer = *at >= change(3, 29).unwrap() && *at < change(10, 25).unwrap();
            hours(if is_summer { 2 } else { 1 })
        }
    }

    fn at(text: &str) -> String {
        match Wanted::parse(text, &Berlin) {
            Ok(Wanted::At(moment)) => moment.to_rfc3339(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn moments_are_read_in_the_zone_that_is_given() {
        assert_eq!(at("2026-11-24 16:00"), "2026-11-24T15:00:00+00:00");
        assert_eq!(at("2026-11-24T16:00:05"), "2026-11-24T15:00:05+00:00");
        assert_eq!(at("2026-11-24T16:00:00Z"), "2026-11-24T16:00:00+00:00");
        assert_eq!(at("2026-11-24"), "2026-11-24T22:59:59.999999999+00:00");
        assert_eq!(Wanted::parse("latest", &Berlin).unwrap(), Wanted::Latest);
        assert!(matches!(Wanted::parse("20261124_165256-3f9a", &Berlin), Ok(Wanted::Id(_))));
        for wrong in ["", "newest", "2026-13-01", "2026-11-24 25:00", "24.11.2026"] {
            assert!(Wanted::parse(wrong, &Berlin).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_offset_is_that_of_the_date() {
        assert_eq!(at("2026-07-01 16:00"), "2026-07-01T14:00:00+00:00");
        assert_eq!(at("2026-07-01"), "2026-07-01T21:59:59.999999999+00:00");
        let twice = at("2026-10-25 02:30");
        assert!(
            twice.contains("twice; say which: 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"),
            "{twice}"
        );
        let never = at("2026-03-29 02:30");
        assert!(never.contains("never showed this time"), "{never}");
        assert_eq!(at("2026-10-25"), "2026-10-25T22:59:59.999999999+00:00");
    }
}
