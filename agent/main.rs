//! Runs one command, prints the error chain, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    keepwatch::cli::main()
}
