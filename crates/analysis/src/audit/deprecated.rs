//! The list of settings that are deprecated.
//!
//! Sources: each entry's own URL. What is refused, ignored, or written under a new name by CONFIG REWRITE was tried on Redis 7.0.15
//! and 8.0.2 and on Valkey 8.1.1 and 9.1.2. Left out are second names that no page calls old: of Valkey `masterauth`,
//! `masteruser` and `server_cpulist`, which Redis knows under no other name.

use std::cell::OnceCell;

use larder_metrics_model::{ServerLine, ServerVersion};
use serde::Deserialize;

use super::SettingLine;

const LIST: &str = include_str!("deprecated_settings.json");

/// Valkey began as Redis 7.2: what had become of a setting by then is so in every Valkey.
const FORK: ServerVersion = ServerVersion { major: 7, minor: 2, patch: 0 };

/// What became of a setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeprecatedSetting {
    pub(super) name: String,
    is: Fate,
    /// What took its place.
    pub(super) instead: Option<String>,
    /// What the server does without asking; a line that says the same does no harm.
    as_if: Option<bool>,
    redis: Option<ServerVersion>,
    valkey: Option<ServerVersion>,
    pub(super) source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// The server still knows it by this name.
    Renamed,
    /// The server still does it, and advises against it.
    Deprecated,
    /// The server reads it, and does nothing.
    Ignored,
    /// The server does not start with it.
    Refused,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// What it says.
    Holds,
    /// Nothing, and nothing is lost by that.
    Idle,
    /// Nothing, though it says something else than what the server does.
    Lost,
    /// It keeps the server from starting.
    Fatal,
}

thread_local! {
    static SETTINGS: OnceCell<Option<Vec<DeprecatedSetting>>> = const { OnceCell::new() };
}

/// Reads the list once; that it can be read is tested.
pub(super) fn with_list<T>(use_it: impl FnOnce(&[DeprecatedSetting]) -> T) -> Result<T, String> {
    SETTINGS.with(|list| {
        let list = list.get_or_init(|| serde_json::from_str(LIST).ok());
        list.as_deref().map(use_it).ok_or_else(|| "the list of deprecated settings cannot be read".to_owned())
    })
}

impl DeprecatedSetting {
    /// Returns since when it is so for a server of this version; `None` where it is not.
    pub(super) fn since(
        &self,
        line: ServerLine,
        version: ServerVersion,
    ) -> Option<(ServerLine, ServerVersion)> {
        let (of, since) = match (line, self.redis, self.valkey) {
            (ServerLine::Redis, Some(since), _) => (ServerLine::Redis, since),
            (ServerLine::Valkey, _, Some(since)) => (ServerLine::Valkey, since),
            (ServerLine::Valkey, Some(since), None) if since <= FORK => {
                return Some((ServerLine::Redis, since));
            }
            _ => return None,
        };
        (version >= since).then_some((of, since))
    }

    pub(super) fn effect(&self, line: &SettingLine) -> Effect {
        match self.is {
            Fate::Renamed | Fate::Deprecated => Effect::Holds,
            Fate::Ignored if self.as_if.is_some() && line.is_on == self.as_if => Effect::Idle,
            Fate::Ignored => Effect::Lost,
            Fate::Refused => Effect::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read() -> Vec<DeprecatedSetting> {
        serde_json::from_str(LIST).unwrap()
    }

    #[test]
    fn the_list_can_be_read_and_names_nothing_twice() {
        let mut names: Vec<String> = read().into_iter().map(|one| one.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        for one in read() {
            assert!(one.source.starts_with("https://"), "{one:?}");
            assert!(one.redis.is_some() || one.valkey.is_some(), "{one:?}");
            assert_eq!(one.name, one.name.to_lowercase());
            assert!(one.as_if.is_none() || one.is == Fate::Ignored, "{one:?}");
            assert!(one.is != Fate::Renamed || one.instead.is_some(), "{one:?}");
            assert!(!read().iter().any(|other| one.instead.as_ref() == Some(&other.name)), "{one:?}");
        }
    }

    #[test]
    fn what_was_so_before_the_fork_is_so_in_every_valkey() {
        use ServerLine::{Other, Redis, Valkey};
        let since = |name: &str, line, (major, minor, patch)| {
            let list = read();
            let one = list.iter().find(|one| one.name == name)?;
            one.since(line, ServerVersion::new(major, minor, patch))
                .map(|(of, since)| format!("{of} {since}"))
        };
        for (name, line, version, expected) in [
            ("slaveof", Redis, (4, 0, 14), None),
            ("slaveof", Redis, (5, 0, 0), Some("Redis 5.0.0")),
            ("slaveof", Valkey, (7, 2, 4), Some("Redis 5.0.0")),
            ("slaveof", Valkey, (9, 1, 2), Some("Redis 5.0.0")),
            ("slaveof", Other, (9, 1, 2), None),
            ("io-threads-do-reads", Redis, (7, 4, 2), None),
            ("io-threads-do-reads", Redis, (8, 0, 2), Some("Redis 8.0.0")),
            ("io-threads-do-reads", Valkey, (8, 0, 4), None),
            ("io-threads-do-reads", Valkey, (8, 1, 0), Some("Valkey 8.1.0")),
            ("dynamic-hz", Redis, (8, 10, 0), None),
            ("slowlog-max-len", Redis, (8, 10, 0), None),
            ("slowlog-max-len", Valkey, (8, 1, 1), Some("Valkey 8.1.0")),
        ] {
            assert_eq!(since(name, line, version).as_deref(), expected, "{name} {line} {version:?}");
        }
    }
}
