//! Every integration test, in one binary: each further one would link the AWS SDK again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(missing_docs, reason = "a test's name is its documentation")]

mod support;

mod agreement;
mod backtest;
mod buttons;
mod edge;
mod engine_limits;
mod engine_oracle;
mod engine_values;
mod first_light;
mod garbage;
mod killed;
mod layout;
mod permissions;
mod policy_author;
mod policy_build;
mod policy_shadow;
mod policy_swap;
mod policy_trust;
mod replayed;
mod reversible;
mod round_trips;
