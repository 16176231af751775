//! The live path: from an event or a resource to findings, and from findings to consequences.
//!
//! [`pipeline`] is the story of one event, [`reconcile`] that of one resource; both end in
//! [`agent::Agent::respond`]. Nothing here calls AWS or Slack itself.

pub mod agent;
pub mod decision;
pub mod detection;
pub mod dry_run;
pub mod enrichment;
pub mod execute;
pub mod geoip;
pub mod keyed_lock;
pub mod lookup_throttle;
pub mod pipeline;
pub mod plan;
pub mod reconcile;
pub mod shadow;
pub mod sweep;
pub mod undo;
