//! `windlass-host`: serves the application where no `spin` is installed.

mod accounts;
mod backup;
mod check;
mod cli;
mod lock;
mod private;
mod store;

use clap::Parser;
use std::process::ExitCode;

// Many small allocations per request, freed on the same core: mimalloc is much faster at that. It
// replaces `malloc` as well, because the C library never gave back what SQLite freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
