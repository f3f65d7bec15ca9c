//! Real servers: `LARDER_TEST_SERVERS` names the folders of their binaries, separated by `:`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder_rdb::Server;
use tempfile::TempDir;

/// A server's binaries.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    folder: PathBuf,
    line: &'static str,
    pub(crate) server: Server,
    /// Line, major and minor version, as the folder of its fixtures is called.
    pub(crate) name: String,
}

/// The servers to test on; prints that the test is skipped where there are none.
pub(crate) fn installed(test: &str) -> Vec<Installed> {
    let folders = std::env::var("LARDER_TEST_SERVERS").unwrap_or_default();
    let found: Vec<Installed> = folders
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Installed::at(Path::new(folder)))
        .collect();
    if found.is_empty() {
        eprintln!("{test}: skipped, because LARDER_TEST_SERVERS names no folders with servers");
    }
    found
}

impl Installed {
    fn at(folder: &Path) -> Self {
        let line = if folder.join("redis-server").exists() { "redis" } else { "valkey" };
        let binary = folder.join(format!("{line}-server"));
        let output = Command::new(&binary).arg("--version").output();
        let text =
            String::from_utf8(output.unwrap_or_else(|error| panic!("{}: {error}", binary.display())).stdout)
                .unwrap();
        let version = text.split("v=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        let server: Server = format!("{line} {version}").parse().unwrap();
        let (major, minor) = server.version();
        Self { folder: folder.to_owned(), line, server, name: format!("{line}-{major}.{minor}") }
    }

    /// Path of a binary: `server`, `check-rdb`.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}-{name}", self.line))
    }

    /// Starts the server, on a file if one is given, and waits until it answers.
    pub(crate) fn start(&self, rdb: Option<&Path>, arguments: &[&str]) -> Running {
        self.try_start(rdb, arguments).unwrap_or_else(|log| panic!("the server does not start:\n{log}"))
    }

    /// The same; where the server ends instead, as it does on a file that it does not load, gives its log.
    pub(crate) fn try_start(&self, rdb: Option<&Path>, arguments: &[&str]) -> Result<Running, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(rdb) = rdb {
            std::fs::copy(rdb, folder.path().join("dump.rdb")).unwrap();
        }
        let socket = folder.path().join("socket");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(self.binary("server"))
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dbfilename", "dump.rdb"])
            .args(["--enable-debug-command", "yes", "--activerehashing", "no", "--rdbcompression", "yes"])
            .args([std::ffi::OsStr::new("--unixsocket"), socket.as_os_str()])
            .args([std::ffi::OsStr::new("--dir"), folder.path().as_os_str()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Running { child, folder, socket, connection: None };
        running.wait()?;
        Ok(running)
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
    socket: PathBuf,
    connection: Option<BufReader<UnixStream>>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Nil,
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Reply>),
    Error(String),
}

impl Reply {
    pub(crate) fn int(self) -> i64 {
        match self {
            Self::Int(value) => value,
            other => panic!("{other:?} is no integer"),
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no string"),
        }
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

impl Running {
    fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return Err(self.log());
            }
            if let Ok(stream) = UnixStream::connect(&self.socket) {
                self.connection = Some(BufReader::new(stream));
                if self.is_ready() {
                    return Ok(());
                }
            }
            assert!(Instant::now() < deadline, "the server does not answer:\n{}", self.log());
            std::thread::yield_now();
        }
    }

    /// Asks whether loading is over; a server that ends meanwhile does not answer.
    fn is_ready(&mut self) -> bool {
        let connection = self.connection.as_mut().unwrap();
        let mut line = String::new();
        connection.get_mut().write_all(b"PING\r\n").is_ok()
            && connection.read_line(&mut line).is_ok()
            && line.starts_with("+PONG")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends a command and gives the answer, whatever it is.
    pub(crate) fn call(&mut self, command: &[&[u8]]) -> Reply {
        let connection = self.connection.as_mut().unwrap();
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for argument in command {
            request.extend(format!("${}\r\n", argument.len()).into_bytes());
            request.extend_from_slice(argument);
            request.extend(b"\r\n");
        }
        connection.get_mut().write_all(&request).unwrap();
        read_reply(connection)
    }

    /// Sends a command that must not fail.
    pub(crate) fn run(&mut self, command: &[&[u8]]) -> Reply {
        match self.call(command) {
            Reply::Error(error) => {
                let command: Vec<_> =
                    command.iter().map(|argument| argument.escape_ascii().to_string()).collect();
                panic!("{}: {error}", command.join(" "));
            }
            reply => reply,
        }
    }

    /// Sends a command given as words.
    pub(crate) fn say(&mut self, command: &str) -> Reply {
        let words: Vec<&[u8]> = command.split_whitespace().map(str::as_bytes).collect();
        self.run(&words)
    }

    /// Saves the data; gives the file's bytes.
    pub(crate) fn save(&mut self) -> Vec<u8> {
        self.say("SAVE");
        std::fs::read(self.folder.path().join("dump.rdb")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_reply(connection: &mut BufReader<UnixStream>) -> Reply {
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    let line = line.trim_end();
    let (kind, rest) = line.split_at(1);
    match kind {
        "+" => Reply::Bytes(rest.as_bytes().to_vec()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Int(rest.parse().unwrap()),
        "$" | "*" if rest == "-1" => Reply::Nil,
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
            connection.read_exact(&mut bytes).unwrap();
            bytes.truncate(bytes.len() - 2);
            Reply::Bytes(bytes)
        }
        "*" => Reply::List((0..rest.parse().unwrap()).map(|_| read_reply(connection)).collect()),
        _ => panic!("an answer starts with {line:?}"),
    }
}
