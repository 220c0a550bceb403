//! The `sekisho` program: see [`sekisho::cli`].

fn main() -> std::process::ExitCode {
    sekisho::cli::run()
}
