//! Our own program as child processes: what they cost is read from the system's accounting, not from a clock inside.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Clock ticks per second in `/proc/PID/stat`: fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running child, ended when dropped.
pub struct Process {
    child: Child,
    /// What it printed behind `ready `.
    pub ready: Value,
}

impl Process {
    /// Starts this program with arguments and waits for its `ready` line.
    pub fn start(arguments: &[&str]) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let mut lines =
            BufReader::new(child.stdout.take().ok_or_else(|| std::io::Error::other("no stdout"))?).lines();
        for line in lines.by_ref() {
            if let Some(json) = line?.strip_prefix("ready ") {
                let ready = serde_json::from_str(json)?;
                // The rest of its output must not fill the pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, ready });
            }
        }
        let status = child.wait()?;
        Err(std::io::Error::other(format!("the child ended before it was ready: {status}")))
    }

    /// `serve` with a configuration.
    pub fn serve(config: &Path) -> std::io::Result<Self> {
        Self::start(&["serve", "--config", &config.to_string_lossy()])
    }

    /// The base address of the plain HTTP listener.
    pub fn http(&self) -> String {
        self.ready["http"].as_str().unwrap_or_default().to_owned()
    }

    /// The base address of the HTTPS listener.
    pub fn https(&self) -> String {
        self.ready["soap"].as_str().unwrap_or_default().to_owned()
    }

    /// CPU seconds that the process has used, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.child.id())
    }

    /// Resident memory now, MiB.
    pub fn resident_mib(&self) -> f64 {
        status(self.child.id(), "VmRSS:")
    }

    /// The highest resident memory since the start or the last [`Self::reset_peak`], MiB.
    pub fn peak_mib(&self) -> f64 {
        peak_mib(self.child.id())
    }

    /// Begins a new measurement of the peak.
    pub fn reset_peak(&self) {
        // Where the system does not allow it, the peak is that since the start: never better than the truth.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// CPU seconds that a process has used, user and system.
pub fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// The highest resident memory of a process so far, MiB.
pub fn peak_mib(process: u32) -> f64 {
    status(process, "VmHWM:")
}

fn status(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}
