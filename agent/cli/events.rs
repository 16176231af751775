//! Where recorded events are: what every command that reads them takes as the same arguments.
//! Nothing here evaluates an event.

use std::path::PathBuf;
use std::thread;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::sdk_settings;
use crate::config::Config;
use crate::domain::account::AccountId;
use crate::recorded::replay::Selection;
use crate::recorded::replay::source::{Choice, S3, Source};

/// How many threads read from S3, where each of them mostly waits.
const REMOTE_WORKERS: usize = 16;

/// Where recorded events are, and which of them are looked at.
#[derive(Debug, clap::Args)]
pub(super) struct EventPlace {
    /// CloudTrail files (`.json`, `.jsonl`, gzipped or not), folders of them, or `s3://bucket/prefix`
    #[arg(required = true, value_name = "FILES")]
    files: Vec<String>,
    /// Only events from this moment on (RFC 3339, such as 2026-03-01T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only events before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only events of this account's trail; may be repeated
    #[arg(long = "account-id", value_name = "ID")]
    accounts: Vec<AccountId>,
    /// Only events in this Region; may be repeated
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// The `accounts.toml` to evaluate with; an account that is not in it counts as an observed production account
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many threads read; as many as there are cores, if not given
    #[arg(long, value_name = "NUMBER")]
    workers: Option<usize>,
}

impl EventPlace {
    /// Which events are examined.
    pub fn selection(&self) -> Selection {
        let Self { since, until, accounts, regions, .. } = self;
        Selection { since: *since, until: *until, accounts: accounts.clone(), regions: regions.clone() }
    }

    /// What the findings depend on besides policies and events.
    pub fn how(&self) -> String {
        let Self { since, until, accounts, regions, config, .. } = self;
        format!(
            "since {since:?}, until {until:?}, accounts {accounts:?}, Regions {regions:?}, evaluated with {config:?}"
        )
    }

    /// The `accounts.toml`, if one is named.
    pub fn config(&self) -> anyhow::Result<Option<Config>> {
        Ok(self.config.as_deref().map(Config::load).transpose()?)
    }

    /// The files that may hold what is examined.
    pub fn source(&self, selection: &Selection, is_left: &mut Choice<'_>, runtime: &Handle) -> anyhow::Result<Source> {
        let in_s3 = self.files.iter().any(|place| Source::is_in_s3(place));
        let s3 = in_s3.then(|| S3 { runtime: runtime.clone(), settings: runtime.block_on(sdk_settings(None)) });
        Source::find(&self.files, selection, is_left, s3)
    }

    /// How many threads read.
    pub fn workers(&self, source: &Source) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(|| if source.is_remote() { cores().max(REMOTE_WORKERS) } else { cores() })
    }
}
