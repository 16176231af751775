//! What operators need of the process: metrics, the HTTP endpoint, named fault points.
//!
//! Nothing here knows a rule, an account or a plan.

pub mod fault;
pub mod metrics;
pub mod serve;
pub mod waited;
