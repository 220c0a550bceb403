//! `sekisho serve`: starts what the configuration says, prints one line `ready {…}` when everything listens, reloads on SIGHUP
//! or when a file changes, and ends gracefully on SIGTERM or Ctrl-C.

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::assemble::Configured;
use super::{Exit, Outcome};
use crate::config::LogFormat;

/// How often files are looked at for changes.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Serve a region.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// Override a key: path.to.key=value; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Serve {
    /// Serves until it is stopped.
    pub async fn run(self) -> Outcome {
        let configured = Configured::load(&self.config, &self.set).await?;
        let log = configured.settings().log;
        log_to_stderr(log.level, log.format);
        let running = configured.start().await?;
        // Before anybody is told that we are there: who is told may stop us.
        let mut hangup = signal(SignalKind::hangup()).ok();
        let stop = stopping();
        tokio::pin!(stop);
        let ready = serde_json::to_string(running.bound()).unwrap_or_default();
        let _ = writeln!(std::io::stdout().lock(), "ready {ready}");
        let mut look = tokio::time::interval(WATCH_INTERVAL);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = received(&mut hangup) => running.reload().await,
                _ = look.tick() => running.reload_if_changed().await,
            }
        }
        running.shutdown().await;
        Ok(Exit::Done)
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Watches for SIGTERM and Ctrl-C from now on; the future ends with the first of them.
pub fn stopping() -> impl Future<Output = ()> {
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    async move {
        tokio::select! {
            () = received(&mut terminate) => {}
            () = received(&mut interrupt) => {}
        }
    }
}

/// Sends the log to stderr, once per process.
pub fn log_to_stderr(level: tracing::Level, format: LogFormat) {
    let lines =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
