//! `sekisho bench`: the rows of BENCHMARKING.md, each beside the limit of the machine in the same run.
//!
//! Everything runs as its user would run it: gateways are child processes of this program with real configurations, real
//! sockets and real files; their CPU time and memory are read from the system's accounting.

mod data;
mod figures;
mod large;
mod limit;
mod load;
mod merge;

mod peers;
mod process;
mod setting;
mod transactions;

use std::path::PathBuf;
use std::time::Duration;

use super::output::Output;
use super::{Exit, Outcome, Stop};
use figures::Row;

/// Measure the rows of BENCHMARKING.md.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Groups to run: transactions, federated, tls, fan-out, merge, large (default: all but large)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds for each figure
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at once (submissions use 32)
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// MiB of the large document
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where data are kept meanwhile (default: a new temporary folder, removed at the end)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Serve one answer for ever: the limit that others are compared with
    #[arg(long, hide = true)]
    serve_limit: Option<PathBuf>,
    /// Certificate and key of that
    #[arg(long, hide = true, num_args = 2)]
    serve_tls: Vec<PathBuf>,
}

/// What every group needs to know.
pub(crate) struct Run {
    duration: Duration,
    connections: usize,
    large_mib: u64,
    dir: PathBuf,
}

const GROUPS: [&str; 6] = ["transactions", "federated", "tls", "fan-out", "merge", "large"];

impl Bench {
    /// Measures, and prints.
    pub async fn run(self) -> Outcome {
        let unavailable = |problem: String| Stop::new(Exit::Unavailable, problem);
        if let Some(answer) = &self.serve_limit {
            let tls = match self.serve_tls.as_slice() {
                [certificate, key] => Some((certificate.as_path(), key.as_path())),
                _ => None,
            };
            limit::serve(answer, tls).await.map_err(unavailable)?;
            return Ok(Exit::Done);
        }
        if let Some(unknown) = self.only.iter().find(|group| !GROUPS.contains(&group.as_str())) {
            return Err(Stop::new(
                Exit::Usage,
                format!("there is no group {unknown:?}; there are {}", GROUPS.join(", ")),
            ));
        }
        let dir = self.dir.clone();
        let dir =
            dir.unwrap_or_else(|| std::env::temp_dir().join(format!("sekisho-bench-{}", std::process::id())));
        let rows = self.measure_in(dir.clone()).await;
        if self.dir.is_none() {
            // What is left of it is in the temporary folder, where it does no harm.
            let _ = std::fs::remove_dir_all(&dir);
        }
        let rows = rows.map_err(unavailable)?;
        figures::show(Output::new(self.json), &rows);
        Ok(if rows.iter().any(|row| row.met == Some(false)) { Exit::No } else { Exit::Done })
    }

    async fn measure_in(&self, dir: PathBuf) -> Result<Vec<Row>, String> {
        std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let run = Run {
            duration: Duration::from_secs(self.seconds),
            connections: self.connections,
            large_mib: self.large_mib,
            dir,
        };
        let wanted = |group: &str| {
            if self.only.is_empty() { group != "large" } else { self.only.iter().any(|only| only == group) }
        };
        measure(&run, wanted).await
    }
}

async fn measure(run: &Run, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    if wanted("transactions") {
        rows.extend(transactions::plain(run).await?);
    }
    if wanted("federated") {
        rows.extend(transactions::federated(run).await?);
    }
    if wanted("tls") {
        rows.extend(transactions::tls(run).await?);
    }
    if wanted("fan-out") {
        rows.extend(peers::fan_out(run).await?);
    }
    if wanted("merge") {
        rows.extend(merge::row()?);
    }
    if wanted("large") {
        rows.extend(large::large(run).await?);
    }
    Ok(rows)
}
