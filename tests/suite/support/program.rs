//! The program itself, as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

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
    /// What `ready` told.
    pub ready: Value,
}

impl Served {
    /// Serves a configuration on free ports, its data in `data`.
    pub fn start(config: &str, data: &Path, set: &[&str]) -> Self {
        let data = format!("data.directory={}", data.display());
        let mut arguments = vec!["serve", "--config", config];
        let free = ["listen.http.address=127.0.0.1:0", "listen.operator.address=127.0.0.1:0", &data];
        for setting in free.iter().chain(set) {
            arguments.extend(["--set", setting]);
        }
        let mut child = sekisho(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(json) = line.strip_prefix("ready ") else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("{config} is not ready: {line:?}, {log}");
        };
        // Nobody reads its log: a full pipe would stop it.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, ready: serde_json::from_str(json).unwrap() }
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
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
