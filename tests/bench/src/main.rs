//! What `make bench` measures with: it makes the corpus and the rules, and runs other engines.
//!
//! Which runs are made is in `__main__.py` and what they must reach in `bars.py`, both beside
//! this folder; this program never decides what passes.

mod corpus;
mod meter;
mod peer;
mod rules;
mod trail;

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
    /// Write the ten conditions for every engine, and further rules for Keepwatch
    Rules(rules::Arguments),
    /// Write each record of a corpus as a line
    Lines(trail::Lines),
    /// Unpack a corpus and nothing else, and say how long it took
    Gunzip(trail::Trail),
    /// Unpack a corpus, read sources and names, and say how long it took
    Scan(trail::Trail),
    /// Evaluate the conditions with another engine, and say how long it took
    Peer(peer::Arguments),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Corpus(arguments) => corpus::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Lines(arguments) => trail::lines(&arguments),
        Command::Gunzip(arguments) => trail::gunzip(&arguments),
        Command::Scan(arguments) => trail::scan(&arguments),
        Command::Peer(arguments) => peer::run(&arguments),
    }
}
