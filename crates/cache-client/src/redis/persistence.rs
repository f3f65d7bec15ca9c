//! What a server says of its saves.

use larder_metrics_model::Info;

/// The section of INFO, as far as saves need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Persistence {
    /// Whether a child is at work that saves, rewrites the append-only file, or is a module's.
    pub(crate) is_busy: bool,
    /// Whether the last background save was a success, or there was none.
    pub(crate) is_saved: bool,
    /// When the last save ended, in seconds since 1970; before the first one, when the server started.
    pub(crate) last_save_s: i64,
    /// How long the last background save took; `None` before the first one.
    pub(crate) last_took_s: Option<i64>,
}

impl Persistence {
    /// Reads the section (Redis 2.6 to 8.0, Valkey 9; modules' children since Redis 6.0).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let info = Info::parse(text);
        let works = |field: &str| info.flag(field) == Some(true);
        let is_busy = info.flag("rdb_bgsave_in_progress")?
            || works("aof_rewrite_in_progress")
            || works("module_fork_in_progress");
        Some(Self {
            is_busy,
            is_saved: info.field("rdb_last_bgsave_status")? == "ok",
            last_save_s: info.number("rdb_last_save_time")?,
            last_took_s: info.number("rdb_last_bgsave_time_sec").filter(|seconds| *seconds >= 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read() {
        let text = "# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_save_time:1700000000\r\n\
                    rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\naof_rewrite_in_progress:0\r\n";
        let never =
            Persistence { is_busy: false, is_saved: true, last_save_s: 1_700_000_000, last_took_s: None };
        assert_eq!(Persistence::parse(text), Some(never));
        let failed = text.replace("status:ok", "status:err").replace("time_sec:-1", "time_sec:7");
        let expected = Persistence { is_saved: false, last_took_s: Some(7), ..never };
        assert_eq!(Persistence::parse(&failed), Some(expected));
        for busy in ["rdb_bgsave_in_progress:0", "aof_rewrite_in_progress:0"] {
            let text = text.replace(busy, &busy.replace(":0", ":1"));
            assert!(Persistence::parse(&text).unwrap().is_busy);
        }
        assert_eq!(Persistence::parse("# Server\r\nredis_version:7.0.0\r\n"), None);
    }
}
