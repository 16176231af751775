//! What operators need of the process: metrics, the HTTP endpoint, watched tasks, named fault points.
//!
//! Nothing here knows a rule, an account or a plan.

pub mod fault;
pub mod metrics;
pub mod serve;
pub mod supervise;
pub mod waited;
