//! What would be done about findings, changing nothing.

use std::fmt;

use serde::Serialize;

use crate::domain::finding::Finding;
use crate::domain::plan::Plan;
use crate::domain::reason::Reason;

/// What would be done about findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DryRun {
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// Why the agent would do what it would, or not.
    pub reasons: Vec<Reason>,
    /// What would be done at once.
    pub act: Plan,
    /// What would wait for approval.
    pub ask: Plan,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{} {}: {}", finding.rule.severity, finding.rule.id, finding.message)?;
        }
        for reason in &self.reasons {
            writeln!(f, "  because {}", reason.because)?;
        }
        write!(f, "{}", self.act)?;
        if !self.ask.steps.is_empty() {
            write!(f, "after approval:\n{}", self.ask)?;
        }
        Ok(())
    }
}
