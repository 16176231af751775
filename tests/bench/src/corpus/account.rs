//! The accounts of a corpus and what is in them, and the `accounts.toml` that names them.

use super::random::Random;

/// Streams of randomness below this one belong to files.
const STREAMS: u64 = 1 << 40;

const TEAMS: [&str; 10] =
    ["checkout", "search", "billing", "identity", "orders", "payments", "reports", "shipping", "catalog", "mobile"];
const JOBS: [&str; 4] = ["api", "worker", "deploy", "reader"];
const PEOPLE: [&str; 16] = [
    "ana", "bo", "carla", "deniz", "emeka", "farah", "goran", "hana", "ines", "jun", "kofi", "lena", "marek", "noor",
    "oskar", "priya",
];

#[derive(Debug)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub users: Vec<String>,
    pub roles: Vec<String>,
    pub buckets: Vec<String>,
    pub vaults: Vec<String>,
    pub keys: Vec<String>,
    pub instances: Vec<String>,
    pub security_groups: Vec<String>,
    pub vpcs: Vec<String>,
}

impl Account {
    fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, STREAMS + number);
        // The first two are those that the shipped rules' data names.
        let id = match number {
            0 => "111122223333".to_owned(),
            1 => "222233334444".to_owned(),
            _ => format!("{}", 400_000_000_000 + number * 104_729),
        };
        let mut made = |count: usize, prefix: &str, length: usize| -> Vec<String> {
            let one = |_| {
                let mut text = prefix.to_owned();
                random.hex(length, &mut text);
                text
            };
            (0..count).map(one).collect()
        };
        let keys = made(6, "", 32).iter().map(|hex| dashed(hex)).collect();
        Self {
            name: format!("account-{number:04}"),
            users: PEOPLE.map(str::to_owned).to_vec(),
            roles: TEAMS.iter().flat_map(|team| JOBS.map(|job| format!("{team}-{job}"))).collect(),
            buckets: TEAMS.iter().map(|team| format!("{team}-data-{id}")).collect(),
            vaults: ["daily", "monthly", "compliance"].map(str::to_owned).to_vec(),
            keys,
            instances: made(20, "i-", 17),
            security_groups: made(8, "sg-", 17),
            vpcs: made(2, "vpc-", 17),
            id,
        }
    }
}

pub fn all(seed: u64, count: u64) -> Vec<Account> {
    (0..count).map(|number| Account::new(seed, number)).collect()
}

fn dashed(hex: &str) -> String {
    let mut text = String::new();
    for (place, letter) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&place) {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

/// The `accounts.toml` for `keepwatch replay --config`.
pub fn toml(accounts: &[Account], regions: &[&str]) -> String {
    let mut text = String::from(
        "mode = \"observe\"\n\n[organisation]\nid = \"o-bench00001\"\n\n[intake]\nqueue = \"keepwatch-events\"\n\
         dead_letters = \"keepwatch-events-dlq\"\nregion = \"eu-west-1\"\n\n[roles]\nread = \"KeepwatchRead\"\n\
         respond = \"KeepwatchRespond\"\nexternal_id = \"keepwatch-bench\"\n",
    );
    for Account { id, name, .. } in accounts {
        text += &format!(
            "\n[[account]]\nid = \"{id}\"\nname = \"{name}\"\nclass = \"production\"\nregions = {regions:?}\n"
        );
    }
    text
}
