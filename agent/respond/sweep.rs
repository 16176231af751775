//! Every resource of every account, again and again: what no event showed is found here,
//! and takes the very same path.

use tracing::warn;

use super::agent::{Agent, HandleError};
use super::detection::{Detection, Subject};
use super::dry_run::DryRun;
use crate::domain::account::Account;
use crate::domain::cloud::Readers;
use crate::domain::region::Region;
use crate::domain::resource;
use crate::domain::resource::{Kind, Place};
use crate::ledger::Ledger;
use crate::ops::metrics::Stopwatch;
use crate::ops::supervise::caught;

/// What one sweep saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Resources that were evaluated.
    pub evaluated: u64,
    /// What could not be read, in words; everything else was swept all the same.
    pub failed: Vec<String>,
}

impl<C: Readers, L: Ledger> Agent<C, L> {
    /// Evaluates every resource of every watched account once, and handles what is found.
    /// One account that refuses stops no other.
    pub async fn sweep(&self) -> Swept {
        let mut swept = Swept::default();
        for (account, region, kind) in self.beats() {
            for place in self.list(account, region, kind, &mut swept).await {
                match self.reconcile_caught(&place).await {
                    Ok(()) => swept.evaluated += 1,
                    Err(error) => swept.failed(format!("`{}`", place.arn()), &error),
                }
            }
        }
        swept
    }

    /// A panic over one resource is a failure of that resource alone: it must not end the sweep
    /// each time that it comes to it.
    async fn reconcile_caught(&self, place: &Place) -> Result<(), HandleError> {
        let rules = self.rules.now();
        match caught(self.reconcile(place, None, &rules)).await {
            Ok(reconciled) => reconciled,
            Err(panicked) => {
                self.metrics.count.panics.inc();
                Err(panicked.into())
            }
        }
    }

    /// What a sweep would do now, changing nothing; resources that are right are left out.
    pub async fn preview(&self) -> (Vec<DryRun>, Swept) {
        let (mut dry_runs, mut swept) = (Vec::new(), Swept::default());
        for (account, region, kind) in self.beats() {
            for place in self.list(account, region, kind, &mut swept).await {
                match self.dry_run_resource(&place, account).await {
                    Ok(found) => dry_runs.extend(found),
                    Err(error) => swept.failed(format!("`{}`", place.arn()), &error),
                }
            }
        }
        (dry_runs, swept)
    }

    async fn dry_run_resource(&self, place: &Place, account: &Account) -> Result<Option<DryRun>, HandleError> {
        let rules = &*self.rules.now();
        let evaluation = self.evaluate(place, account, rules).await?;
        let Some(evaluation) = evaluation.filter(|evaluation| !evaluation.findings.is_empty()) else {
            return Ok(None);
        };
        let (subject, stopwatch) = (Subject::Resource(place, None), &Stopwatch::idle());
        let (findings, live) = (&evaluation.findings, Some(&evaluation.live));
        let detection = Detection { account, subject, rules, findings, live, stopwatch };
        self.dry_run(&detection).await.map(Some)
    }

    /// Every account, Region and kind, in turn.
    fn beats(&self) -> impl Iterator<Item = (&Account, &Region, Kind)> {
        let regions = self
            .config
            .accounts()
            .iter()
            .flat_map(|account| account.regions.iter().map(move |region| (account, region)));
        regions.flat_map(|(account, region)| Kind::ALL.iter().map(move |kind| (account, region, *kind)))
    }

    async fn list(&self, account: &Account, region: &Region, kind: Kind, swept: &mut Swept) -> Vec<Place> {
        let listed = async {
            let cloud = self.clouds.reader(account).await?;
            resource::list(kind, &account.id, region, &cloud).await
        };
        listed.await.unwrap_or_else(|error| {
            swept.failed(format!("{kind}s of `{}` in {region}", account.name), &error.into());
            Vec::new()
        })
    }
}

impl Swept {
    fn failed(&mut self, what: String, error: &HandleError) {
        warn!("the sweep could not evaluate {what}: {error}");
        self.failed.push(format!("{what}: {error}"));
    }
}
