//! The nouns that everybody shares: accounts, events, principals, findings, responses, actions,
//! resources, plans and the doors' traits.
//!
//! Nothing here performs I/O of its own or imports another room.

#[cfg(test)]
pub mod examples;

pub mod account;
pub mod action;
pub mod arn;
pub mod case;
pub mod clock;
pub mod cloud;
pub mod cloud_error;
pub mod enrichment;
pub mod event;
pub mod finding;
pub mod hash;
pub mod outcome;
pub mod plan;
pub mod principal;
pub mod reason;
pub mod region;
pub mod resource;
pub mod response;
pub mod spelling;
pub mod text;
pub mod undo;
