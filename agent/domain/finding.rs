//! What a rule found, and what it proposes about it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::Mode;

/// How bad it is when a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth fixing this week.
    Medium,
    /// Worth waking somebody in office hours.
    High,
    /// Worth waking somebody now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What a rule may propose; the agent alone knows the API calls behind each word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseKind {
    /// Deny the actor destructive actions.
    Contain,
    /// Deny the actor everything.
    ContainHard,
    /// Freeze what is left of a vault.
    Freeze,
    /// Bring the resource back to its desired state.
    Restore,
    /// Make the missing copy.
    Copy,
}

impl fmt::Display for ResponseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contain => "contain",
            Self::ContainHard => "contain_hard",
            Self::Freeze => "freeze",
            Self::Restore => "restore",
            Self::Copy => "copy",
        })
    }
}

/// What a rule is, from the METADATA block on its entry point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The pack's id of the rule, such as `BKP-01`.
    pub id: String,
    /// One line that a responder reads first.
    pub title: String,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// The most that its findings may cause, whatever the account allows.
    pub mode: Mode,
    /// Compliance controls it supports, as `framework control`.
    #[serde(default)]
    pub controls: Vec<String>,
    /// MITRE ATT&CK techniques it detects.
    #[serde(default)]
    pub attack: Vec<String>,
    /// Where the runbook lies, from the project's root.
    #[serde(default)]
    pub runbook: Option<String>,
}

/// One violation of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that fired.
    pub rule: Rule,
    /// What happened or what is wrong, in one sentence.
    pub message: String,
    /// ARN of the resource that `restore`, `freeze` and `copy` act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What the rule would have done about it.
    #[serde(default)]
    pub propose: Vec<ResponseKind>,
    /// What the rule saw, small enough to show.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub evidence: Value,
    /// The list in `data.approved` by which whoever did it may do so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
}
