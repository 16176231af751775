//! Which rules are active: the bundle that evaluates, its strategies, its candidates, and how
//! a new one replaces it.
//!
//! Nothing here decides what follows from a finding.

pub mod active;
pub mod backlog;
pub mod refresh;
pub mod strategy;
