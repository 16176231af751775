//! `keepwatch policy schema`: the JSON schemas of what rules see.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::{Verdict, say};
use crate::policy::input;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder to write to.
    #[arg(default_value = "policies/schema")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (name, schema) in input::schemas() {
        let path = folder.join(name);
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        say(path.display())?;
    }
    Ok(Verdict::Well)
}
