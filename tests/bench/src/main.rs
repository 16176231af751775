//! What `make bench` measures with: it makes the corpus and the rules.
//!
//! Measuring itself is in `bench.py`; this program never decides what passes.

mod corpus;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "keepwatch-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write trail files as CloudTrail does: the same for the same arguments, byte for byte
    Corpus(corpus::Arguments),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Corpus(arguments) => corpus::run(&arguments),
    }
}
