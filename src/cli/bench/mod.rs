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
use std::process::ExitCode;
use std::time::Duration;

use figures::Row;

/// Arguments of `sekisho bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
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

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    match execute(arguments).await {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::from(3)
        }
    }
}

async fn execute(arguments: Arguments) -> Result<ExitCode, String> {
    if let Some(answer) = &arguments.serve_limit {
        let tls = match arguments.serve_tls.as_slice() {
            [certificate, key] => Some((certificate.as_path(), key.as_path())),
            _ => None,
        };
        limit::serve(answer, tls).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = arguments.only.iter().find(|group| !GROUPS.contains(&group.as_str())) {
        eprintln!("bench: there is no group {unknown:?}; there are {}", GROUPS.join(", "));
        return Ok(ExitCode::from(2));
    }
    let kept = arguments.dir.is_some();
    let dir = arguments.dir.unwrap_or_else(|| std::env::temp_dir().join(format!("sekisho-bench-{}", std::process::id())));
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let run = Run {
        duration: Duration::from_secs(arguments.seconds),
        connections: arguments.connections,
        large_mib: arguments.large_mib,
        dir: dir.clone(),
    };
    let wanted = |group: &str| {
        if arguments.only.is_empty() { group != "large" } else { arguments.only.iter().any(|only| only == group) }
    };
    let rows = measure(&run, wanted).await;
    if !kept {
        let _ = std::fs::remove_dir_all(&dir);
    }
    let rows = rows?;
    if arguments.json {
        println!("{}", figures::json(&rows));
    } else {
        println!("{}", figures::table(&rows));
    }
    Ok(if rows.iter().all(|row| row.met != Some(false)) { ExitCode::SUCCESS } else { ExitCode::from(1) })
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
        rows.extend(merge::merge()?);
    }
    if wanted("large") {
        rows.extend(large::large(run).await?);
    }
    Ok(rows)
}
