//! The command line: one file per subcommand. Exit codes: 0 done, 1 the answer is no, 2 wrong usage or configuration,
//! 3 a peer or store is unavailable.

use std::process::ExitCode;

/// Runs the program.
pub fn run() -> ExitCode {
    ExitCode::from(2)
}
