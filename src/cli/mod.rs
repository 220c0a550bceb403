//! The command line: one file per subcommand. Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration,
//! 3 a peer or store is unavailable.

pub mod assemble;
mod bench;
mod check;
mod claims;
mod crossref;
mod demo;
mod demo_file;
mod doctor;
#[cfg(test)]
mod documented;
mod feed;
mod migrate;
mod named;
mod output;
mod patient;
pub mod peer;
mod query;
mod retention;
mod retrieve;
mod rotate_keys;
mod serve;
mod submit;
mod verify_store;

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "sekisho", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a region: gateway, registry, repository, as the configuration says
    Serve(serve::Serve),
    /// Check a configuration and tell every problem at once
    Check(check::Check),
    /// Three regions on loopback, with patients and documents, and the main job done before your eyes
    Demo(demo::Demo),
    /// Ask for a patient's documents (ITI-18, ITI-38)
    Query(query::Query),
    /// Retrieve documents into files (ITI-43, ITI-39)
    Retrieve(retrieve::Retrieve),
    /// Submit files as documents (ITI-41)
    Submit(Box<submit::Submit>),
    /// Tell of patients (ITI-8)
    Feed(Box<feed::Feed>),
    /// Look into the patient index, decide reviews, link and unlink, load patients in bulk
    Patient(patient::Patient),
    /// Export and import the cross-reference cache
    Crossref(crossref::Crossref),
    /// Read every stored document and compare it with its checksums and metadata
    VerifyStore(verify_store::VerifyStore),
    /// Tell which gateway's folder has which documents, and free those of a gateway that is gone for good
    Claims(claims::Claims),
    /// Tell what the rules of retention would deprecate and remove now
    Retention(retention::RetentionReport),
    /// Bring the database up to date with this program
    Migrate(migrate::Migrate),
    /// Wrap the keys of all encrypted documents with the current key
    RotateKeys(rotate_keys::RotateKeys),
    /// Find out which side is wrong: DNS, TCP, TLS, certificates, SOAP or HL7 v2, clock
    Doctor(doctor::Doctor),
    /// Measure what this machine does, beside its own limits
    Bench(bench::Bench),
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: a check failed, a peer refused.
    No = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A peer or store is unavailable.
    Unavailable = 3,
}

/// Why a subcommand stopped: a sentence that says what to do next, and the exit code.
#[derive(Debug)]
pub struct Stop {
    /// For people.
    pub message: String,
    /// For scripts.
    pub exit: Exit,
}

impl Stop {
    /// With its message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), exit }
    }
}

/// What every subcommand gives.
pub type Outcome = Result<Exit, Stop>;

/// Runs the program.
pub fn run() -> ExitCode {
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments.command),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            Ok(exit)
        }
    };
    let exit = outcome.unwrap_or_else(|stop| {
        eprintln!("sekisho: {}", stop.message);
        stop.exit
    });
    ExitCode::from(exit as u8)
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Serve(command) => block_on(command.run()),
        Command::Check(command) => block_on(command.run()),
        Command::Demo(command) => block_on(command.run()),
        Command::Query(command) => block_on(command.run()),
        Command::Retrieve(command) => block_on(command.run()),
        Command::Submit(command) => block_on(command.run()),
        Command::Feed(command) => block_on(command.run()),
        Command::Patient(command) => block_on(command.run()),
        Command::Crossref(command) => block_on(command.run()),
        Command::VerifyStore(command) => block_on(command.run()),
        Command::Claims(command) => block_on(command.run()),
        Command::Retention(command) => block_on(command.run()),
        Command::Migrate(command) => block_on(command.run()),
        Command::RotateKeys(command) => block_on(command.run()),
        Command::Doctor(command) => block_on(command.run()),
        Command::Bench(command) => block_on(command.run()),
    }
}

fn block_on(future: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::new(Exit::Unavailable, format!("no runtime: {error}")))?;
    runtime.block_on(future)
}
