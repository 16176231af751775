//! Which files and events are replayed: by time, account and Region.
//!
//! CloudTrail lays its log files out as `AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail/REGION/
//! YYYY/MM/DD/…` (CloudTrail User Guide, "Getting and viewing your CloudTrail log files"), so
//! that most of what is not wanted is never opened. A path that is laid out otherwise may
//! hold anything.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::account::AccountId;
use crate::domain::event::Event;

/// How much later than an event the file may be delivered that holds it. CloudTrail's average
/// is 5 minutes, and it gives no guarantee.
const DELIVERY: SignedDuration = SignedDuration::from_hours(24);

/// Which events are examined. Everything, unless it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Only from the trails of these accounts; of all, when there are none.
    pub accounts: Vec<AccountId>,
    /// Only in these Regions; in all, when there are none.
    pub regions: Vec<String>,
}

impl Selection {
    /// Whether an event is examined.
    #[must_use]
    pub fn holds(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time < until)
            && is_listed(&self.accounts, |account| *account == event.account)
            && is_listed(&self.regions, |region| event.region.as_deref() == Some(region))
    }

    /// Whether a file or a folder may hold what is examined, by its path alone.
    #[must_use]
    pub fn may_lie_in(&self, path: &str) -> bool {
        let Place { account, region, date } = Place::of(path);
        account.is_none_or(|said| is_listed(&self.accounts, |account| account.as_str() == said))
            && region.is_none_or(|said| is_listed(&self.regions, |region| region == said))
            && self.reaches(&date)
    }

    /// Whether anything is left out at all.
    #[must_use]
    pub const fn is_narrow(&self) -> bool {
        self.since.is_some() || self.until.is_some() || !self.accounts.is_empty() || !self.regions.is_empty()
    }

    /// Whether files delivered in this year, month or day (`2026/03/04`, or its beginning) may
    /// hold events of the time asked for.
    fn reaches(&self, date: &str) -> bool {
        let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d").to_string();
        let begins = |moment: Timestamp| day(moment).get(..date.len()).unwrap_or_default().to_owned();
        let last = self.until.map(|until| until.saturating_add(DELIVERY).unwrap_or(Timestamp::MAX));
        self.since.is_none_or(|since| date >= begins(since).as_str())
            && last.is_none_or(|last| date <= begins(last).as_str())
    }
}

fn is_listed<T>(list: &[T], is: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(is)
}

/// What a path says about the events in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place<'a> {
    account: Option<&'a str>,
    region: Option<&'a str>,
    /// Year, month and day, as many as there are, joined by `/`.
    date: String,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let below = |name: &str| parts.iter().rposition(|part| *part == name).map(|at| at + 1);
        let begins = match (below("AWSLogs"), below("CloudTrail")) {
            (Some(logs), _) => logs,
            (None, Some(trail)) => trail.saturating_sub(2),
            (None, None) => return Self::default(),
        };
        let rest = parts.get(begins..).unwrap_or_default();
        let rest = if rest.first().is_some_and(|part| part.starts_with("o-")) {
            rest.get(1..).unwrap_or_default()
        } else {
            rest
        };
        let (account, rest) = match rest {
            [account, "CloudTrail", rest @ ..] => (Some(*account), rest),
            [account] => (Some(*account), [].as_slice()),
            _ => (None, [].as_slice()),
        };
        let account = account.filter(|id| id.len() == 12 && is_number(id));
        let date: Vec<&str> = rest.iter().skip(1).take(3).take_while(|part| is_number(part)).copied().collect();
        Self { account, region: rest.first().copied(), date: date.join("/") }
    }
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "logs/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/eu-west-1/2026/03/04/111122223333_CloudTrail_eu-west-1_20260304T0510Z_a.json.gz";

    fn selection(since: &str, until: &str) -> Selection {
        Selection { since: since.parse().ok(), until: until.parse().ok(), ..Selection::default() }
    }

    #[test]
    fn a_path_says_whose_trail_it_is_of_and_when_it_was_delivered() {
        let place = Place::of(FILE);
        assert_eq!(
            (place.account, place.region, place.date.as_str()),
            (Some("111122223333"), Some("eu-west-1"), "2026/03/04")
        );
        let place = Place::of("AWSLogs/111122223333/");
        assert_eq!((place.account, place.region, place.date.as_str()), (Some("111122223333"), None, ""));
        let place = Place::of("111122223333/CloudTrail/us-east-1/2026");
        assert_eq!(
            (place.account, place.region, place.date.as_str()),
            (Some("111122223333"), Some("us-east-1"), "2026")
        );
        assert_eq!(Place::of("exports/2026/all.jsonl"), Place::default());
    }

    #[test]
    fn files_of_other_accounts_and_regions_are_left_out() {
        let other = |accounts: &[&str], regions: &[&str]| Selection {
            accounts: accounts.iter().map(|id| id.parse().unwrap()).collect(),
            regions: regions.iter().map(|&name| name.to_owned()).collect(),
            ..Selection::default()
        };
        assert!(Selection::default().may_lie_in(FILE) && !Selection::default().is_narrow());
        assert!(other(&["111122223333"], &["eu-west-1"]).may_lie_in(FILE));
        assert!(!other(&["444455556666"], &[]).may_lie_in(FILE));
        assert!(!other(&[], &["us-east-1"]).may_lie_in(FILE));
        assert!(other(&["444455556666"], &["us-east-1"]).may_lie_in("exports/all.jsonl"));
    }

    #[test]
    fn a_file_may_be_delivered_a_day_after_its_events_and_never_before() {
        assert!(selection("2026-03-04T06:00:00Z", "").may_lie_in(FILE));
        assert!(!selection("2026-03-05T00:00:00Z", "").may_lie_in(FILE));
        assert!(selection("", "2026-03-03T12:00:00Z").may_lie_in(FILE));
        assert!(!selection("", "2026-03-02T12:00:00Z").may_lie_in(FILE));
        for folder in ["2026", "2026/03", "2026/03/04"] {
            let folder = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/{folder}/");
            assert!(selection("2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z").may_lie_in(&folder), "{folder}");
        }
        assert!(
            !selection("2026-04-01T00:00:00Z", "").may_lie_in("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/")
        );
    }
}
