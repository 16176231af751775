//! Events that were recorded earlier: trail files, replay and backtest.
//!
//! Nothing here changes an account or waits for an event.

pub mod backtest;
pub mod replay;
pub mod trail;
