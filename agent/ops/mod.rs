//! What operators need of the process: metrics, the HTTP endpoint, watched tasks, named fault points.
//!
//! Nothing here decides anything, or reaches AWS or the store.

pub mod fault;
pub mod metrics;
pub mod serve;
pub mod supervise;
pub mod waited;
