//! Keepwatch guards an AWS organisation's backups: it contains whoever attacks them,
//! restores the resource, and reports to responders what it did and how to undo it.
//!
//! The rooms are in the order of their imports: each may use those above it and none below.
//! `docs/architecture.md` follows one event through them.

pub mod domain;

pub mod config;
pub mod event;
pub mod policy;

pub mod aws;
pub mod ledger;
pub mod ops;
pub mod rules;

pub mod intake;
pub mod notify;
pub mod respond;

pub mod recorded;

pub mod cli;
