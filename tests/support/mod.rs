//! What the tests stand on: a lab with the agent in it, an account in memory, and
//! the records that others published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

pub mod cloud;
pub mod lab;
pub mod published;
