//! The `sekisho` program: see [`sekisho::cli`].

/// Messages are many small pieces that come and go on many threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    sekisho::cli::run()
}
