//! Text with `<…>` in it that every record fills in anew.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

use super::account::Account;
use super::random::Random;

/// A template, taken apart once.
#[derive(Debug, Default)]
pub struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Slot(Slot),
}

/// What stands in a template's brackets.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Account,
    Region,
    Bucket,
    Instance,
    Key,
    KeyArn,
    Role,
    SecurityGroup,
    User,
    Vault,
    Vpc,
    Uuid,
    Hex(usize),
    Id(usize),
    Base64(usize),
    Number(u64),
}

/// What a template is filled in from.
pub struct Place<'a> {
    pub account: &'a Account,
    pub region: &'a str,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let (name, after) = after.split_once('>').with_context(|| format!("`<` without `>` in `{text}`"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Slot(slot(name)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    pub fn fill(&self, place: &Place<'_>, random: &mut Random, into: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => into.push_str(text),
                Part::Slot(slot) => fill(*slot, place, random, into),
            }
        }
    }
}

fn slot(name: &str) -> Result<Slot> {
    let (kind, size) = name.split_once(':').unwrap_or((name, "0"));
    let size: usize = size.parse().with_context(|| format!("`<{name}>` has a size that is no number"))?;
    Ok(match kind {
        "account" => Slot::Account,
        "region" => Slot::Region,
        "bucket" => Slot::Bucket,
        "instance" => Slot::Instance,
        "key" => Slot::Key,
        "keyarn" => Slot::KeyArn,
        "role" => Slot::Role,
        "sg" => Slot::SecurityGroup,
        "user" => Slot::User,
        "vault" => Slot::Vault,
        "vpc" => Slot::Vpc,
        "uuid" => Slot::Uuid,
        "hex" => Slot::Hex(size),
        "id" => Slot::Id(size),
        "b64" => Slot::Base64(size),
        "num" => Slot::Number(size as u64),
        _ => bail!("nothing is known to fill `<{name}>` with"),
    })
}

fn fill(slot: Slot, Place { account, region }: &Place<'_>, random: &mut Random, into: &mut String) {
    let names = |list: &[String], random: &mut Random| random.pick(list).cloned().unwrap_or_default();
    match slot {
        Slot::Account => into.push_str(&account.id),
        Slot::Region => into.push_str(region),
        Slot::Bucket => into.push_str(&names(&account.buckets, random)),
        Slot::Instance => into.push_str(&names(&account.instances, random)),
        Slot::Key => into.push_str(&names(&account.keys, random)),
        Slot::KeyArn => {
            let key = names(&account.keys, random);
            let _ = write!(into, "arn:aws:kms:{region}:{}:key/{key}", account.id);
        }
        Slot::Role => into.push_str(&names(&account.roles, random)),
        Slot::SecurityGroup => into.push_str(&names(&account.security_groups, random)),
        Slot::User => into.push_str(&names(&account.users, random)),
        Slot::Vault => into.push_str(&names(&account.vaults, random)),
        Slot::Vpc => into.push_str(&names(&account.vpcs, random)),
        Slot::Uuid => random.uuid(into),
        Slot::Hex(length) => random.hex(length, into),
        Slot::Id(length) => random.id(length, into),
        Slot::Base64(length) => random.base64(length, into),
        Slot::Number(bound) => {
            let _ = write!(into, "{}", random.below(bound) + 1);
        }
    }
}
