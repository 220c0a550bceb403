//! The program itself, as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::front::SIMPLE;
use super::{messages, postgres};

/// A stand-alone registry whose patients are fed over MLLP, by identifiers of 1.2.3.10.
pub const FED: &str = r#"
[community]
home = "urn:oid:1.2.3"
name = "試験"
authorities = ["1.2.3.10"]
[listen.http]
address = "127.0.0.1:0"
[listen.mllp]
address = "127.0.0.1:0"
[listen.operator]
address = "127.0.0.1:0"
[standalone]
repository = "1.2.3.4"
patients = "fed"
"#;

/// The program with arguments, in the repository's folder.
pub fn sekisho(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs it to its end, with something on stdin; gives exit code, stdout and stderr.
pub fn run(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = sekisho(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A `sekisho serve` that is ready. It is ended when it is dropped.
pub struct Served {
    child: Child,
    log: Option<JoinHandle<String>>,
    /// What `ready` told.
    pub ready: Value,
}

impl Served {
    /// Serves a configuration on free ports, its data in `data`.
    pub fn start(config: &str, data: &Path, set: &[&str]) -> Self {
        Self::try_start(config, data, set).unwrap_or_else(|why| panic!("{config} is not ready: {why}"))
    }

    /// The same; an Err says why it does not serve.
    pub fn try_start(config: &str, data: &Path, set: &[&str]) -> Result<Self, String> {
        Self::spawned(config, data, postgres::setting_for(data), set, sekisho)
    }

    /// The same on the embedded database, whatever the suite runs on, with more in its environment.
    pub fn start_with(config: &str, data: &Path, environment: &[(&str, &str)]) -> Self {
        let program = |arguments: &[&str]| {
            let mut command = sekisho(arguments);
            command.envs(environment.iter().copied());
            command
        };
        let spawned = Self::spawned(config, data, None, &[], program);
        spawned.unwrap_or_else(|why| panic!("{config} is not ready: {why}"))
    }

    /// The same with files that cannot grow beyond so many bytes, as on a disk that is full.
    pub fn start_on_little(config: &str, data: &Path, set: &[&str], bytes: u64) -> Self {
        let limited = |arguments: &[&str]| {
            let mut command = Command::new("bash");
            let script = format!("ulimit -f {}; trap '' XFSZ; exec \"$0\" \"$@\"", bytes / 1024);
            command.args(["-c", &script, env!("CARGO_BIN_EXE_sekisho")]).args(arguments);
            command.current_dir(env!("CARGO_MANIFEST_DIR"));
            command
        };
        let spawned = Self::spawned(config, data, postgres::setting_for(data), set, limited);
        spawned.unwrap_or_else(|why| panic!("{config} is not ready: {why}"))
    }

    fn spawned(
        config: &str,
        data: &Path,
        database: Option<String>,
        set: &[&str],
        program: impl FnOnce(&[&str]) -> Command,
    ) -> Result<Self, String> {
        let data = format!("data.directory={}", data.display());
        let mut arguments = vec!["serve", "--config", config];
        let free = ["listen.http.address=127.0.0.1:0", "listen.operator.address=127.0.0.1:0", &data];
        for setting in free.iter().copied().chain(database.as_deref()).chain(set.iter().copied()) {
            arguments.extend(["--set", setting]);
        }
        let mut child = program(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(json) = line.strip_prefix("ready ") else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            let _ = child.wait();
            return Err(format!("{line:?}, {log}"));
        };
        // It is read all the time: a full pipe would stop the program.
        let mut pipe = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = pipe.read_to_string(&mut log);
            log
        });
        Ok(Self { child, log: Some(log), ready: serde_json::from_str(json).unwrap() })
    }

    /// Posts a simple SOAP message to a path; gives status and body.
    pub fn post(&self, path: &str, message: &str) -> (u16, String) {
        self.request("http", &format!("POST {path} HTTP/1.1\r\nContent-Type: {SIMPLE}"), message)
    }

    /// GETs a path of the operator's listener; gives status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.request("operator", &format!("GET {path} HTTP/1.1"), "")
    }

    /// Sends a request, of which the head lacks what every one has, on a connection of its own.
    pub fn request(&self, listener: &str, head: &str, body: &str) -> (u16, String) {
        let address = self.ready[listener].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let head =
            format!("{head}\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        messages::keep_envelopes("served", answer.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// An endpoint by the name that `ready` gives it.
    pub fn endpoint(&self, name: &str) -> String {
        self.ready["endpoints"][name].as_str().unwrap_or_else(|| panic!("{name}: {}", self.ready)).to_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and gives its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }

    /// Sends SIGKILL, whoever still talks to it.
    pub fn kill_now(&self) {
        assert!(Command::new("kill").args(["-KILL", &self.pid().to_string()]).status().unwrap().success());
    }

    /// Ends it at once, whatever it does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it, and gives everything that it logged.
    pub fn into_log(mut self) -> String {
        let log = self.log.take().unwrap();
        self.terminate();
        log.join().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
