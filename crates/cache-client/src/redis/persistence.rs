//! What a server says of its saves.

use larder_metrics_model::Info;

/// The section of INFO, as far as saves need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Persistence {
    /// Whether the server loads its data set, and saves nothing before it has.
    pub(crate) is_loading: bool,
    /// Whether a child is at work that saves, rewrites the append-only file, or is a module's.
    pub(crate) is_busy: bool,
    /// Whether the last background save was a success, or there was none.
    pub(crate) is_saved: bool,
    /// When the last save since the server started ended, in seconds since 1970; `None` where there was none for sure.
    pub(crate) last_save_s: Option<i64>,
    /// How long the last background save took, or the last transfer to a replica.
    pub(crate) last_took_s: i64,
}

/// The moment of the last save is that of the start where nothing was saved since (`server.lastsave`, Redis 7.0
/// `src/server.c`), and both moments are told in whole seconds.
const START_TOLERANCE_S: i64 = 2;

impl Persistence {
    /// Reads the sections persistence and server (Redis 2.6 to 8.0, Valkey 9; modules' children since Redis 6.0).
    pub(crate) fn parse(persistence: &str, server: &str) -> Option<Self> {
        let (info, server) = (Info::parse(persistence), Info::parse(server));
        let works = |field: &str| info.flag(field) == Some(true);
        let is_busy = info.flag("rdb_bgsave_in_progress")?
            || works("aof_rewrite_in_progress")
            || works("module_fork_in_progress");
        let last_save_s: i64 = info.number("rdb_last_save_time")?;
        let now_s = server.number::<i64>("server_time_usec").map(|microseconds| microseconds / 1_000_000);
        let started_s =
            now_s.zip(server.number::<i64>("uptime_in_seconds")).map(|(now, uptime)| now - uptime);
        let is_since_start = started_s.is_some_and(|started| last_save_s > started + START_TOLERANCE_S);
        Some(Self {
            is_loading: works("loading"),
            is_busy,
            is_saved: info.field("rdb_last_bgsave_status")? == "ok",
            last_save_s: is_since_start.then_some(last_save_s),
            last_took_s: info.number("rdb_last_bgsave_time_sec").unwrap_or(0).max(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVES: &str = "# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:0\r\nrdb_last_save_time:1700000000\r\n\
                         rdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\naof_rewrite_in_progress:0\r\n";

    fn server(uptime_s: u64) -> String {
        format!("# Server\r\nserver_time_usec:1700000100123456\r\nuptime_in_seconds:{uptime_s}\r\n")
    }

    #[test]
    fn the_sections_are_read() {
        let parse = |text: &str| Persistence::parse(text, &server(900)).unwrap();
        let saved = Persistence {
            is_loading: false,
            is_busy: false,
            is_saved: true,
            last_save_s: Some(1_700_000_000),
            last_took_s: 0,
        };
        assert_eq!(parse(SAVES), saved);
        let failed = SAVES.replace("status:ok", "status:err").replace("time_sec:-1", "time_sec:7");
        assert_eq!(parse(&failed), Persistence { is_saved: false, last_took_s: 7, ..saved });
        for busy in ["rdb_bgsave_in_progress:0", "aof_rewrite_in_progress:0"] {
            assert!(parse(&SAVES.replace(busy, &busy.replace(":0", ":1"))).is_busy);
        }
        assert!(parse(&SAVES.replace("loading:0", "loading:1")).is_loading);
        assert_eq!(Persistence::parse("# Server\r\nredis_version:7.0.0\r\n", &server(900)), None);
    }

    #[test]
    fn the_moment_of_the_start_is_no_save() {
        for (text, expected) in [
            (server(900), Some(1_700_000_000)),
            (server(103), Some(1_700_000_000)),
            (server(102), None),
            (server(100), None),
            (String::new(), None),
        ] {
            assert_eq!(Persistence::parse(SAVES, &text).unwrap().last_save_s, expected, "{text}");
        }
    }
}
