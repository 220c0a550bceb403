//! `sekisho bench`: the rows of BENCHMARKING.md, each beside the limit of the machine in the same run.
//!
//! Everything runs as its user would run it: gateways are child processes of this program with real configurations, real
//! sockets and real files; their CPU time and memory are read from the system's accounting.

mod crossref;
mod data;
mod figures;
mod filled;
mod identity;
mod large;
mod limit;
mod load;
mod matching;
mod merge;
mod people;

mod peers;
mod process;
mod setting;
mod transactions;
mod xua;

use std::path::PathBuf;
use std::time::Duration;

use super::output::Output;
use super::{Exit, Outcome, Stop};
use crate::limits;
use figures::Row;

/// Measure the rows of BENCHMARKING.md.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Groups to run: transactions, federated, tls, fan-out, merge, xua, crossref, filled, identity, large (default: all
    /// but the last four)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds for each figure
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at once (submissions use 32)
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Entries of the filled registry, patients of the filled index
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// MiB of memory for the cross-reference cache (default: as in a configuration)
    #[arg(long)]
    crossref_mib: Option<u64>,
    /// MiB of the large document
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
    /// Lines of TOML for every region that hosts documents: another database, another place for documents
    #[arg(long)]
    with: Option<PathBuf>,
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

/// What is measured on data, without gateways.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// How well records of one person are found: FEBRL and a generated Japanese set
    Matching(matching::Matching),
}

/// What every group needs to know.
pub(crate) struct Run {
    duration: Duration,
    connections: usize,
    entries: u64,
    crossref_bytes: u64,
    large_mib: u64,
    dir: PathBuf,
    /// What the configuration of regions that host ends with.
    with: String,
}

/// Groups, and whether they run when none is named: the others take minutes.
const GROUPS: [(&str, bool); 10] = [
    ("transactions", true),
    ("federated", true),
    ("tls", true),
    ("fan-out", true),
    ("merge", true),
    ("xua", true),
    ("crossref", false),
    ("filled", false),
    ("identity", false),
    ("large", false),
];

impl Bench {
    /// Measures, and prints.
    pub async fn run(mut self) -> Outcome {
        if let Some(What::Matching(matching)) = self.what.take() {
            return matching.run();
        }
        let unavailable = |problem: String| Stop::new(Exit::Unavailable, problem);
        if let Some(answer) = &self.serve_limit {
            let tls = match self.serve_tls.as_slice() {
                [certificate, key] => Some((certificate.as_path(), key.as_path())),
                _ => None,
            };
            limit::serve(answer, tls).await.map_err(unavailable)?;
            return Ok(Exit::Done);
        }
        let names: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
        if let Some(unknown) = self.only.iter().find(|group| !names.contains(&group.as_str())) {
            return Err(Stop::new(
                Exit::Usage,
                format!("there is no group {unknown:?}; there are {}", names.join(", ")),
            ));
        }
        let dir = self.dir.clone();
        let dir =
            dir.unwrap_or_else(|| std::env::temp_dir().join(format!("sekisho-bench-{}", std::process::id())));
        let (rows, ended) = self.measure_in(dir.clone()).await;
        if self.dir.is_none() {
            // What is left of it is in the temporary folder, where it does no harm.
            let _ = std::fs::remove_dir_all(&dir);
        }
        figures::show(Output::new(self.json), &rows);
        ended.map_err(unavailable)?;
        Ok(if rows.iter().any(|row| row.met == Some(false)) { Exit::No } else { Exit::Done })
    }

    /// The rows so far, and why there are no more.
    async fn measure_in(&self, dir: PathBuf) -> (Vec<Row>, Result<(), String>) {
        let mut rows = Vec::new();
        if let Err(error) = std::fs::create_dir_all(&dir) {
            return (rows, Err(format!("{}: {error}", dir.display())));
        }
        let with = match self.with.as_ref().map(|file| (file, std::fs::read_to_string(file))) {
            None => String::new(),
            Some((_, Ok(lines))) => lines,
            Some((file, Err(error))) => return (rows, Err(format!("{}: {error}", file.display()))),
        };
        let run = Run {
            duration: Duration::from_secs(self.seconds),
            connections: self.connections,
            entries: self.entries,
            crossref_bytes: self.crossref_mib.map_or(limits::CROSSREF_MEMORY_BYTES, |mib| mib << 20),
            large_mib: self.large_mib,
            dir,
            with,
        };
        for (group, by_default) in GROUPS {
            let wanted =
                if self.only.is_empty() { by_default } else { self.only.iter().any(|only| only == group) };
            if !wanted {
                continue;
            }
            match measure(&run, group).await {
                Ok(measured) => rows.extend(measured),
                Err(problem) => return (rows, Err(format!("{group}: {problem}"))),
            }
        }
        (rows, Ok(()))
    }
}

async fn measure(run: &Run, group: &str) -> Result<Vec<Row>, String> {
    match group {
        "transactions" => transactions::plain(run).await,
        "federated" => transactions::federated(run).await,
        "tls" => transactions::tls(run).await,
        "fan-out" => peers::fan_out(run).await,
        "merge" => merge::row(),
        "xua" => xua::rows(),
        "crossref" => crossref::row(run),
        "filled" => filled::filled(run).await,
        "identity" => identity::rows(run).await,
        _ => large::large(run).await,
    }
}
