//! Events that were recorded earlier: trail files, replay and backtest.
//!
//! Nothing here changes an account or waits for an event. How a file is unpacked, scanned and
//! prefiltered is this room's alone: what each of these shortcuts buys stands in
//! `docs/decisions/engine-shortcuts.md`.

pub mod backtest;
pub mod replay;
mod trail;
