//! How a backup is called.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

/// How a backup is called: the moment at which it was begun, in UTC, and for a backup of ours four hexadecimal digits that
/// keep two of the same second apart: `20261124_165256-3f9a`. The guide's backups have the moment alone.
///
/// Ids sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

/// Text that is no id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoBackupId {
    /// The text.
    pub text: String,
}

const MOMENT: &str = "%Y%m%d_%H%M%S";
const MOMENT_LEN: usize = 15;

impl BackupId {
    /// Names a backup that begins at this moment; `mark` tells it from others of the same second.
    #[must_use]
    pub fn new(at: DateTime<Utc>, mark: u16) -> Self {
        Self(format!("{}-{mark:04x}", at.format(MOMENT)))
    }

    /// Names a backup as the guide does: by the moment alone.
    #[must_use]
    pub fn of_guide(at: DateTime<Utc>) -> Self {
        Self(at.format(MOMENT).to_string())
    }

    /// Returns the moment at which it was begun. The guide's script takes the local time of its machine and does not say
    /// which that is: of its backups, the moment is what their name says, read as UTC.
    #[must_use]
    pub fn began_at(&self) -> DateTime<Utc> {
        moment(&self.0[..MOMENT_LEN]).unwrap_or_default()
    }

    /// Tells whether it is called as the guide calls its backups.
    #[must_use]
    pub fn is_guides(&self) -> bool {
        self.0.len() == MOMENT_LEN
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, MOMENT).ok().map(|moment| moment.and_utc())
}

impl FromStr for BackupId {
    type Err = NoBackupId;

    fn from_str(text: &str) -> Result<Self, NoBackupId> {
        let no_id = || NoBackupId { text: text.to_owned() };
        let (front, mark) = text.split_at_checked(MOMENT_LEN).ok_or_else(no_id)?;
        moment(front).ok_or_else(no_id)?;
        let is_mark = |digits: &str| {
            digits.len() == 4 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if mark.is_empty() || mark.strip_prefix('-').is_some_and(is_mark) {
            Ok(Self(text.to_owned()))
        } else {
            Err(no_id())
        }
    }
}

impl TryFrom<String> for BackupId {
    type Error = NoBackupId;

    fn try_from(text: String) -> Result<Self, NoBackupId> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for NoBackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no id of a backup, such as 20261124_165256-3f9a", self.text)
    }
}

impl std::error::Error for NoBackupId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_moments_that_sort() {
        let at = DateTime::from_timestamp(1_795_539_176, 0).unwrap();
        let id = BackupId::new(at, 0x3f9a);
        assert_eq!(id.as_str(), "20261124_165256-3f9a");
        assert_eq!(id.began_at(), at);
        assert!(!id.is_guides() && id < BackupId::new(at, 0x3f9b));
        let guides: BackupId = "20261124_165256".parse().unwrap();
        assert!(guides.is_guides() && guides.began_at() == at && guides < id);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "latest",
            "20261124",
            "20261324_165256",
            "20261124_165256-",
            "20261124_165256-3F9A",
            "20261124_165256-../x",
            "2026112ä_165256",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
