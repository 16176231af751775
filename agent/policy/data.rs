//! What the agent itself reads of a bundle's data: strategies, protected keys, lists of whoever is approved.
//!
//! All of it is read strictly, whoever loads the bundle: a misspelt word here would protect nothing and
//! say nothing. Other documents are the rules' own and may hold anything.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::domain::account::AccountId;
use crate::domain::arn::Arn;
use crate::domain::region::Region;
use crate::domain::resource::{Desired, Kind};
use crate::domain::spelling::nearest;

/// What the agent reads of `data`.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    /// The strategies by their names.
    pub strategies: BTreeMap<String, Strategy>,
    /// What counts as protected beyond them.
    pub protected: Option<Protected>,
    /// Lists of whoever may do something, by their names.
    pub approved: BTreeMap<String, Vec<String>>,
}

/// What should be true of an organisation's resources.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a strategy, which is an object with `resources`")]
pub struct Strategy {
    /// What people call it.
    #[serde(default)]
    pub title: String,
    /// The document that it comes from.
    #[serde(default)]
    pub source: String,
    /// What it wants of which resources; the first clause that speaks of a setting decides it.
    pub resources: Vec<Clause>,
    /// When backups are made.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// What is not backed up, and why.
    #[serde(default)]
    pub exclusions: Vec<Exclusion>,
    /// What is wrong with the document that it comes from.
    #[serde(default)]
    pub findings_in_document: Vec<String>,
}

/// A strategy's word on the resources that it matches.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenClause")]
pub struct Clause {
    /// Which resources it is about.
    pub matches: Match,
    /// What they should be.
    pub desired: Desired,
    /// What in the document it follows from.
    pub why: String,
}

/// A clause as it is written: the kind that it matches says what it may declare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a clause, which is an object with `match` and `desired`")]
struct WrittenClause {
    #[serde(rename = "match")]
    matches: Match,
    desired: Value,
    #[serde(default)]
    why: String,
}

/// Which resources a clause is about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `kind` and `name`")]
pub struct Match {
    /// Their kind.
    pub kind: Kind,
    /// Their name, in which `*` stands for any run of characters.
    pub name: String,
    /// Their account; any without it.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Their Region; any without it.
    #[serde(default)]
    pub region: Option<Region>,
}

/// When backups of something are made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a schedule, which is an object with `name`, `cron` and `vault`")]
pub struct Schedule {
    /// What AWS Backup calls it.
    pub name: String,
    /// The id of the backup plan that it is in.
    pub plan: Option<String>,
    /// When, as AWS writes it.
    pub cron: String,
    /// The time zone of that.
    pub timezone: String,
    /// How long a recovery point is kept.
    pub retention_days: u32,
    /// Where it is kept.
    pub vault: String,
    /// The copies that are made of it.
    #[serde(default)]
    pub copies: Vec<Copy>,
    /// What in the document it follows from.
    #[serde(default)]
    pub why: String,
}

/// A copy that a schedule makes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a copy, which is an object with `region`, `vault` and `retention_days`")]
pub struct Copy {
    /// The Region that it is made in.
    pub region: Region,
    /// The vault there.
    pub vault: String,
    /// How long it is kept.
    pub retention_days: u32,
}

/// Something that is not backed up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an exclusion, which is an object with `match`, `reason`, `owner`, `expires`")]
pub struct Exclusion {
    /// What.
    #[serde(rename = "match")]
    pub matches: Excluded,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub owner: String,
    /// Until when that holds.
    pub expires: Date,
    /// What must be true for it to hold.
    #[serde(default)]
    pub premise: String,
}

/// What an exclusion is about: any kind of thing, of those that the agent knows or another.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `kind` and `name`")]
pub struct Excluded {
    /// Its kind, such as `ec2`.
    pub kind: String,
    /// Its name, in which `*` stands for any run of characters.
    pub name: String,
    /// Its account; any without it.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Its Region; any without it.
    #[serde(default)]
    pub region: Option<Region>,
}

/// What counts as protected beyond what strategies name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `keys`")]
pub struct Protected {
    /// The ARNs of the keys that backups hang on; while there is none, any customer's key counts.
    #[serde(deserialize_with = "key_arns")]
    pub keys: Vec<String>,
}

/// A document in `data` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`data.{}` cannot be used: {problem}\n\nhint: {next}", place.join("."))]
pub struct DataError {
    /// The names that lead to it.
    pub place: Vec<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub next: String,
}

/// The documents that the agent reads by their names, as people write them.
const NAMES: [&str; 5] = ["approved", "lifecycle", "protected", "strategies", "strategy"];

/// Refuses a document that is most likely one of those that the agent reads, under another name:
/// what it declares would be in force nowhere.
fn misspelt(data: &Value) -> Result<(), DataError> {
    let mut names = data.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let is_read = |name: &str| name != "strategy" && NAMES.contains(&name);
    names.try_for_each(|name| match nearest(name, NAMES.into_iter()) {
        Some(meant) if !is_read(name) => {
            let meant = if meant == "strategy" { "strategies" } else { meant };
            Err(DataError::new(&[name], "nothing reads a document of this name", format!("did you mean `{meant}`?")))
        }
        Some(_) | None => Ok(()),
    })
}

impl Declarations {
    /// Reads `data` of a bundle.
    ///
    /// # Errors
    /// When one of the documents that the agent reads is not what it should be.
    pub fn read(data: &Value) -> Result<Self, DataError> {
        let documents = |name: &str| match data.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Object(documents)) => Ok(documents.iter().collect()),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(DataError::new(&[name], "it is no object", "put a document of a name into it"))
            }
        };
        misspelt(data)?;
        let mut read = Self::default();
        for (name, value) in documents("strategies")? {
            let place = ["strategies", name];
            let strategy: Strategy = document(&place, value)?;
            strategy.classes(data.get("lifecycle")).map_err(|(problem, next)| DataError::new(&place, problem, next))?;
            read.strategies.insert(name.clone(), strategy);
        }
        for (name, value) in documents("approved")? {
            read.approved.insert(name.clone(), list(&["approved", name], value)?);
        }
        read.protected = data.get("protected").map(|value| document(&["protected"], value)).transpose()?;
        Ok(read)
    }
}

impl Strategy {
    /// Whether each class that it names is one that the lifecycles know; without lifecycles any is.
    fn classes(&self, lifecycles: Option<&Value>) -> Result<(), (String, String)> {
        let Some(known) = lifecycles.and_then(Value::as_object) else { return Ok(()) };
        for clause in &self.resources {
            let Desired::Bucket(bucket) = &clause.desired else { continue };
            let Some(class) = bucket.class.as_ref().filter(|class| !known.contains_key(*class)) else { continue };
            let problem = format!("`{class}` of `{}` is no class in `data.lifecycle`", clause.matches.name);
            return Err((problem, meant(class, known.keys().map(String::as_str))));
        }
        Ok(())
    }
}

impl DataError {
    fn new(place: &[&str], problem: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            place: place.iter().map(|part| (*part).to_owned()).collect(),
            problem: problem.into(),
            next: next.into(),
        }
    }

    /// Where in a file's text it is, when the file holds just this document: line and column.
    #[must_use]
    pub fn position(&self, text: &str) -> Option<(usize, usize)> {
        let names: Vec<&str> = self.place.iter().map(String::as_str).collect();
        let error = match names.as_slice() {
            ["strategies", _] => serde_json::from_str::<Strategy>(text).err(),
            ["protected"] => serde_json::from_str::<Protected>(text).err(),
            _ => None,
        };
        error.map(|error| (error.line(), error.column()))
    }
}

/// A document of one of our types. serde would take an array for an object whose fields it has.
fn document<T: DeserializeOwned>(place: &[&str], value: &Value) -> Result<T, DataError> {
    if !value.is_object() {
        let problem = "it is no object, so it declares nothing";
        return Err(DataError::new(place, problem, "write it as those are written that the project ships"));
    }
    T::deserialize(value).map_err(|error| {
        let problem = error.to_string();
        let next = suggestion(&problem);
        DataError::new(place, problem, next)
    })
}

/// A list of names or ARNs.
fn list(place: &[&str], value: &Value) -> Result<Vec<String>, DataError> {
    Vec::deserialize(value).map_err(|error: serde_json::Error| {
        DataError::new(place, error.to_string(), "make it an array of texts, `[]` for nobody")
    })
}

/// What to do about a word that serde does not know: its message names the word and then all there are.
fn suggestion(problem: &str) -> String {
    let mut names = problem.split('`').skip(1).step_by(2);
    match names.next() {
        Some(word) if problem.contains("unknown") => meant(word, names),
        Some(_) | None => "write it as those are written that the project ships".to_owned(),
    }
}

fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

impl TryFrom<WrittenClause> for Clause {
    type Error = serde_json::Error;

    fn try_from(WrittenClause { matches, desired, why }: WrittenClause) -> Result<Self, Self::Error> {
        Ok(Self { desired: Desired::read(matches.kind, desired)?, matches, why })
    }
}

/// ARNs of keys: one that is misspelt would be a list that protects none.
fn key_arns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let arns = Vec::<String>::deserialize(deserializer)?;
    let is_key = |arn: &String| {
        Arn::read(arn).is_some_and(|arn| {
            let region: Result<Region, _> = arn.region.parse();
            arn.service == "kms"
                && region.is_ok_and(|region| region.partition().name() == arn.partition)
                && arn.account.parse::<AccountId>().is_ok()
                && arn.resource.strip_prefix("key/").is_some_and(|id| !id.is_empty())
        })
    };
    match arns.iter().find(|arn| !is_key(arn)) {
        Some(arn) => Err(D::Error::custom(format!("`{arn}` is not the ARN of a KMS key"))),
        None => Ok(arns),
    }
}

/// A document where its place says, in `data` that holds nothing else.
#[must_use]
pub fn placed(place: &[String], document: Value) -> Value {
    place.iter().rev().fold(document, |inner, part| json!({ part: inner }))
}
