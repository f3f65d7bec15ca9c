//! Which server programs there are on this machine, and which of them fits.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use larder_rdb::{Format, Server};
use tokio::{process::Command, time::timeout};

/// A server program, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Line and version.
    pub server: Server,
}

/// The server programs of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerPrograms {
    /// Those that answer, in the order in which they were looked for.
    pub found: Vec<ServerProgram>,
}

const NAMES: [&str; 2] = ["valkey-server", "redis-server"];
/// How long a program may take to say which version it is.
const PATIENCE: Duration = Duration::from_secs(5);

impl ServerPrograms {
    /// Looks for them: each place is a program, or a folder that may hold `redis-server` and `valkey-server`.
    pub async fn find(places: &[PathBuf]) -> Self {
        let mut programs = Self::default();
        for path in places.iter().flat_map(|place| candidates(place)) {
            if programs.found.iter().all(|known| known.path != path)
                && let Some(server) = version(&path).await
            {
                programs.found.push(ServerProgram { path, server });
            }
        }
        programs
    }

    /// Chooses the program that a dump of this format, taken from this server, is best loaded with: of the same line, and of
    /// the lowest version that is not older; where there is none, any that loads the format.
    #[must_use]
    pub fn fitting(&self, format: Format, taken_from: Option<Server>) -> Option<&ServerProgram> {
        let loads = |program: &&ServerProgram| program.server.loads_format(format);
        let distance = |program: &&ServerProgram| {
            let server = program.server;
            let is_other_line = taken_from.is_some_and(|from| from.line() != server.line());
            let is_older = taken_from.is_some_and(|from| from.version() > server.version());
            (is_other_line, is_older, server.version())
        };
        self.found.iter().filter(loads).min_by_key(distance)
    }
}

fn candidates(place: &Path) -> Vec<PathBuf> {
    if place.is_dir() {
        NAMES.iter().map(|name| place.join(name)).filter(|path| path.is_file()).collect()
    } else {
        vec![place.to_path_buf()]
    }
}

/// `Redis server v=7.0.15 sha=…`, and since Valkey 8 `Valkey server v=8.1.1 sha=…`.
async fn version(path: &Path) -> Option<Server> {
    let asking = Command::new(path).arg("--version").kill_on_drop(true).output();
    let output = timeout(PATIENCE, asking).await.ok()?.ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(said: &str) -> Option<Server> {
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    match said.split_whitespace().next()? {
        "Valkey" => Some(Server::valkey(major, minor)),
        "Redis" => Some(Server::redis(major, minor)),
        _ => None,
    }
}

impl fmt::Display for ServerProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.server, self.path.display())
    }
}

impl fmt::Display for ServerPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.is_empty() {
            return f.write_str("no server program is on this machine");
        }
        let names: Vec<String> = self.found.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// Reads what a manifest says of a server, such as `Valkey 9.1.2`.
pub(crate) fn server_of(text: &str) -> Option<Server> {
    let (line, version) = text.split_once(' ')?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    match line.to_ascii_lowercase().as_str() {
        "valkey" => Some(Server::valkey(major, minor)),
        "redis" => Some(Server::redis(major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(server: Server) -> ServerProgram {
        ServerProgram { path: PathBuf::from(format!("/{server}")), server }
    }

    #[test]
    fn versions_are_read_as_programs_say_them() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1";
        assert_eq!(parse(redis), Some(Server::redis(7, 0)));
        assert_eq!(parse("Valkey server v=9.1.2 sha=1"), Some(Server::valkey(9, 1)));
        assert_eq!(parse("nothing"), None);
        assert_eq!(server_of("Valkey 9.1.2"), Some(Server::valkey(9, 1)));
    }

    #[test]
    fn the_nearest_version_that_loads_it_is_chosen() {
        let all = [Server::redis(7, 0), Server::redis(8, 0), Server::valkey(8, 1), Server::valkey(9, 1)];
        let programs = ServerPrograms { found: all.map(program).to_vec() };
        let fitting = |writer: Server| programs.fitting(writer.format(), Some(writer)).map(|it| it.server);
        assert_eq!(fitting(Server::redis(7, 0)), Some(Server::redis(7, 0)));
        assert_eq!(fitting(Server::redis(7, 2)), Some(Server::redis(8, 0)));
        assert_eq!(fitting(Server::redis(8, 0)), Some(Server::redis(8, 0)));
        assert_eq!(fitting(Server::valkey(8, 0)), Some(Server::valkey(8, 1)));
        assert_eq!(fitting(Server::valkey(9, 1)), Some(Server::valkey(9, 1)));
        assert_eq!(fitting(Server::redis(8, 6)), None, "no one loads what is newer than all of them");
    }
}
