//! The server programs that tests run on.

use std::{
    env, fmt,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// A server program that is there, such as `redis-8.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Its product: `redis` or `valkey`.
    pub product: String,
    /// Its version as `--version` gives it, such as `8.0.2`.
    pub version: String,
}

const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// Returns the programs in the folders of `LARDER_TEST_SERVERS`; where that is not set, those on `PATH`.
///
/// # Panics
/// `LARDER_TEST_SERVERS` is set and no server is in its folders: tests must not pass because of a wrong setting.
#[must_use]
pub fn server_programs() -> Vec<ServerProgram> {
    let Some(folders) = env::var_os("LARDER_TEST_SERVERS").filter(|folders| !folders.is_empty()) else {
        let folders: Vec<PathBuf> =
            env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
        return NAMES.iter().filter_map(|name| first_with(&folders, name)).collect();
    };
    let programs: Vec<ServerProgram> = env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| ServerProgram::at(folder.join(name))))
        .flatten()
        .collect();
    assert!(!programs.is_empty(), "LARDER_TEST_SERVERS names no folder with a server: {}", folders.display());
    programs
}

/// Runs a test on every server program, and fails with what each of them failed with.
///
/// Where there is no server at all, it says that the test is skipped.
///
/// # Panics
/// The test fails on one of the programs.
pub async fn on_every_server(test: impl AsyncFn(&ServerProgram) -> anyhow::Result<()>) {
    let programs = programs_or_skip();
    let mut failures = Vec::new();
    for program in &programs {
        if let Err(error) = test(program).await {
            failures.push(format!("on {program}: {error:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Runs a test on every server program at once, each in a thread and a runtime of its own: for what waits more than it works.
///
/// Where there is no server at all, it says that the test is skipped.
///
/// # Panics
/// The test fails on one of the programs.
pub fn on_every_server_at_once(test: impl AsyncFn(&ServerProgram) -> anyhow::Result<()> + Sync) {
    let test = &test;
    let failures: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = programs_or_skip()
            .into_iter()
            .map(|program| {
                scope.spawn(move || {
                    let done = tokio::runtime::Runtime::new()
                        .map_err(anyhow::Error::from)
                        .and_then(|runtime| runtime.block_on(test(&program)));
                    done.err().map(|error| format!("on {program}: {error:?}"))
                })
            })
            .collect();
        running
            .into_iter()
            .filter_map(|test| test.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[expect(clippy::print_stdout, reason = "a skipped test says so where libtest captures it")]
fn programs_or_skip() -> Vec<ServerProgram> {
    let programs = server_programs();
    if programs.is_empty() {
        println!(
            "skipped: neither redis-server nor valkey-server is on PATH, and LARDER_TEST_SERVERS is not set"
        );
    }
    programs
}

impl ServerProgram {
    /// Looks at a program; `None` where it is not there, or is no server.
    #[must_use]
    pub fn at(path: PathBuf) -> Option<Self> {
        if !path.is_file() {
            return None;
        }
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let product = text.split_whitespace().next()?.to_ascii_lowercase();
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="))?.to_owned();
        Some(Self { path, product, version })
    }

    /// Tells whether fields of hashes can have a TTL: since Redis 7.4 and Valkey 9.
    #[must_use]
    pub fn has_field_ttls(&self) -> bool {
        let mut numbers = self.version.split('.').map_while(|number| number.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if self.product == "valkey" { version >= (9, 0) } else { version >= (7, 4) }
    }

    /// Returns the name: product, major and minor version.
    #[must_use]
    pub fn name(&self) -> String {
        let mut numbers = self.version.split('.');
        let major = numbers.next().unwrap_or("?");
        let minor = numbers.next().unwrap_or("?");
        format!("{}-{major}.{minor}", self.product)
    }
}

impl fmt::Display for ServerProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

fn first_with(folders: &[PathBuf], name: &str) -> Option<ServerProgram> {
    folders.iter().map(|folder: &PathBuf| Path::new(folder).join(name)).find_map(ServerProgram::at)
}
