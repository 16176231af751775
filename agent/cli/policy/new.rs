//! `keepwatch policy new`: the folder of a rule that somebody is about to write.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::super::{Verdict, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Where: `acts/<service>/<rule>` or `states/<service>/<rule>`.
    rule: String,
    /// The folder of policies.
    #[arg(long, default_value = "policies")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let rule = &arguments.rule;
    let parts: Vec<&str> = rule.split('/').collect();
    let [kind @ ("acts" | "states"), service, name] = parts.as_slice() else {
        bail!("`{rule}` is no place for a rule: say `acts/<service>/<rule>` or `states/<service>/<rule>`");
    };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let plain = |word: &str| !word.is_empty() && word.bytes().all(letter);
    ensure!(plain(service) && plain(name), "a service and a rule are named in lower case, digits and `_`: `{rule}`");
    let place = arguments.folder.join(rule);
    ensure!(!place.exists(), "`{}` is there already", place.display());
    fs::create_dir_all(&place).with_context(|| format!("cannot make `{}`", place.display()))?;
    let (text, input) = match *kind {
        "acts" => (include_str!("../../policy/template/act.rego"), include_str!("../../policy/template/act.json")),
        _ => (include_str!("../../policy/template/state.rego"), include_str!("../../policy/template/state.json")),
    };
    let fill = |text: &str| text.replace("SERVICE", service).replace("RULE", name);
    let files = [
        (format!("{name}.rego"), fill(text)),
        (format!("{name}_test.rego"), fill(include_str!("../../policy/template/test.rego")).replace("KIND", kind)),
        ("fires.json".to_owned(), fill(input)),
        ("silent.json".to_owned(), "[]\n".to_owned()),
    ];
    for (file, text) in files {
        let path = place.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        say(path.display())?;
    }
    Ok(Verdict::Well)
}
