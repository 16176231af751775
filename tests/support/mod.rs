//! What the tests stand on: a lab with the agent in it, and an account in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

pub mod cloud;
pub mod lab;
