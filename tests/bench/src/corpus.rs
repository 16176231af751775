//! Trail files as CloudTrail writes them, made up from a seed.
//!
//! The same arguments give the same bytes. Beside the files stand the `accounts.toml` that
//! names their accounts and `violations.tsv`: the id of each event that a shipped rule must
//! find, and the rule.

mod account;
mod actor;
mod calls;
mod random;
mod template;

mod record;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use libdeflater::{CompressionLvl, Compressor};
use serde::Serialize;

use account::Account;
use actor::Actor;
use calls::{By, Calls, Class};
use random::Random;
use record::Record;
use template::Place;

const ORGANISATION: &str = "o-bench00001";
/// The first is where global services record.
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "eu-central-1"];
const VIOLATIONS_PER_MILLE: u64 = 2;
const OTHER_WRITES_PER_MILLE: u64 = 40;

/// Arguments of `corpus`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder to write; what is in it goes
    folder: PathBuf,
    #[arg(long, default_value_t = 200_000)]
    records: u64,
    #[arg(long, default_value_t = 2)]
    accounts: u64,
    /// How many in a hundred events the shipped rules ask for
    #[arg(long, default_value_t = 3)]
    wanted: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The rules that the corpus is for
    #[arg(long, default_value = "policies")]
    policies: PathBuf,
}

/// What was made.
#[derive(Debug, Default, Serialize)]
struct Made {
    seed: u64,
    accounts: u64,
    files: u64,
    records: u64,
    bytes: u64,
    packed_bytes: u64,
    read_only: u64,
    /// Events that the rules ask for, violations among them.
    wanted: u64,
    violations: u64,
    smallest_file: u64,
    largest_file: u64,
    mean_record_bytes: u64,
    packed_to_one: f64,
}

pub fn run(args: &Arguments) -> Result<()> {
    ensure!(args.accounts > 0 && args.records > 0, "a corpus has at least one account and one record");
    ensure!((1..=90).contains(&args.wanted), "`--wanted` is a share in percent, from 1 to 90");
    let calls = Calls::load()?;
    calls.agree_with(&calls::asked_for(&args.policies)?)?;
    if args.folder.exists() {
        fs::remove_dir_all(&args.folder).with_context(|| format!("cannot empty `{}`", args.folder.display()))?;
    }
    let accounts = account::all(args.seed, args.accounts);
    let mut writer = Writer {
        args,
        calls,
        accounts: &accounts,
        packer: Compressor::new(CompressionLvl::default()),
        violations: String::new(),
        made: Made { seed: args.seed, accounts: args.accounts, smallest_file: u64::MAX, ..Made::default() },
    };
    while writer.made.records < args.records {
        writer.file()?;
    }
    fs::write(args.folder.join("accounts.toml"), account::toml(&accounts, &REGIONS))?;
    fs::write(args.folder.join("violations.tsv"), &writer.violations)?;
    let made = serde_json::to_string(&writer.made.summed())?;
    fs::write(args.folder.join("MADE"), &made)?;
    println!("{made}");
    Ok(())
}

impl Made {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people to read")]
    fn summed(mut self) -> Self {
        self.mean_record_bytes = self.bytes / self.records.max(1);
        self.packed_to_one = (self.bytes as f64 / self.packed_bytes.max(1) as f64 * 100.0).round() / 100.0;
        self
    }
}

/// The making of one corpus.
struct Writer<'a> {
    args: &'a Arguments,
    calls: Calls,
    accounts: &'a [Account],
    packer: Compressor,
    violations: String,
    made: Made,
}

impl Writer<'_> {
    /// Writes the next file: five minutes of one account in one region.
    fn file(&mut self) -> Result<()> {
        let number = self.made.files;
        let mut random = Random::new(self.args.seed, number);
        let accounts = self.accounts;
        let account = accounts.get(usize::try_from(number % self.args.accounts)?).context("an account was lost")?;
        let region = random.pick(&REGIONS).copied().unwrap_or("us-east-1");
        let records = size(&mut random).min(self.args.records - self.made.records);
        let document = self.document(account, region, records, &mut random)?;
        self.store(&path(account, region, number, &mut random), document.as_bytes())?;
        self.made.files += 1;
        self.made.records += records;
        self.made.smallest_file = self.made.smallest_file.min(records);
        self.made.largest_file = self.made.largest_file.max(records);
        Ok(())
    }

    fn document(&mut self, account: &Account, region: &str, records: u64, random: &mut Random) -> Result<String> {
        let actors = Actors::new(account, records, random);
        let begin = minute_of(self.made.files) * 60;
        let mut text = String::from(r#"{"Records":["#);
        for number in 0..records {
            if number > 0 {
                text.push(',');
            }
            let class = self.class(random);
            let call = self.calls.draw(class, region == "us-east-1", random)?;
            let time = clock(begin + number * 300 / records);
            let actor = actors.of(call.by, random)?;
            let record = Record { class, call, actor, place: Place { account, region }, time: &time };
            let id = record.write(random, &mut text);
            self.made.count(class);
            if let Some(rule) = &call.rule {
                self.violations += &format!("{id}\t{rule}\n");
            }
        }
        text.push_str("]}");
        Ok(text)
    }

    fn class(&self, random: &mut Random) -> Class {
        let wanted = self.args.wanted * 10;
        match random.below(1000) {
            draw if draw < VIOLATIONS_PER_MILLE => Class::Violation,
            draw if draw < wanted => Class::Subscribed,
            draw if draw < wanted + OTHER_WRITES_PER_MILLE => Class::Write,
            _ => Class::Read,
        }
    }

    fn store(&mut self, path: &Path, text: &[u8]) -> Result<()> {
        let mut packed = vec![0; self.packer.gzip_compress_bound(text.len())];
        let length = self.packer.gzip_compress(text, &mut packed).context("the packer ran out of room")?;
        packed.truncate(length);
        let path = self.args.folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, &packed).with_context(|| format!("cannot write `{}`", path.display()))?;
        self.made.bytes += text.len() as u64;
        self.made.packed_bytes += length as u64;
        Ok(())
    }
}

impl Made {
    fn count(&mut self, class: Class) {
        match class {
            Class::Read => self.read_only += 1,
            Class::Write => {}
            Class::Subscribed => self.wanted += 1,
            Class::Violation => {
                self.wanted += 1;
                self.violations += 1;
            }
        }
    }
}

/// Records in a file: most files are small, most records are in large ones.
fn size(random: &mut Random) -> u64 {
    let (low, doublings) = if random.below(16) == 0 { (300, 3) } else { (3, 6) };
    // Evenly over the doublings, then evenly within one.
    let floor = low << random.below(doublings + 1);
    floor + random.below(floor)
}

/// Five minutes for each file of all accounts, as they come in.
fn minute_of(file: u64) -> u64 {
    file % (30 * 24 * 12) * 5
}

/// `2026-11-01T00:00:00Z` and so many seconds, within that month.
fn clock(seconds: u64) -> String {
    let (day, hour, minute) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("2026-11-{:02}T{hour:02}:{minute:02}:{:02}Z", day + 1, seconds % 60)
}

/// Where CloudTrail would put the file.
fn path(Account { id, .. }: &Account, region: &str, number: u64, random: &mut Random) -> PathBuf {
    let minute = minute_of(number);
    let (day, hour, minute) = (minute / 1440 + 1, minute / 60 % 24, minute % 60);
    let mut mark = String::new();
    random.id(16, &mut mark);
    let name = format!("{id}_CloudTrail_{region}_202611{day:02}T{hour:02}{minute:02}Z_{mark}.json.gz");
    PathBuf::from(format!("AWSLogs/{ORGANISATION}/{id}/CloudTrail/{region}/2026/11/{day:02}/{name}"))
}

/// The identities of one file.
struct Actors {
    people: Vec<Actor>,
    roles: Vec<Actor>,
    services: Vec<Actor>,
    lifecycle: Vec<Actor>,
}

impl Actors {
    /// A file of many records has more of them.
    fn new(account: &Account, records: u64, random: &mut Random) -> Self {
        let count = 2 + records / 60;
        let mut some = |by, count| (0..count).map(|_| Actor::new(by, account, random)).collect();
        Self {
            people: some(By::Person, count),
            roles: some(By::Role, count),
            services: some(By::Service, 3),
            lifecycle: some(By::Lifecycle, 1),
        }
    }

    fn of(&self, by: By, random: &mut Random) -> Result<&Actor> {
        let list = match by {
            By::Person => &self.people,
            By::Role => &self.roles,
            By::Service => &self.services,
            By::Lifecycle => &self.lifecycle,
        };
        random.pick(list).context("a file has no actor")
    }
}
