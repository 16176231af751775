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

mod backtest;
mod buttons;
mod crash_recovery;
mod dead_letters;
mod dynamodb;
mod edge;
mod end_to_end;
mod engine_agreement;
mod engine_limits;
mod engine_oracle;
mod engine_values;
mod layout;
mod metrics;
mod permissions;
mod policy_author;
mod policy_build;
mod policy_misspelt;
mod policy_shadow;
mod policy_swap;
mod policy_trust;
mod replay;
mod reversible;
mod round_trips;
mod start;
mod supervision;
