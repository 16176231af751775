//! Keepwatch guards an AWS organisation's backups: it contains whoever attacks them,
//! restores the resource, and reports to responders what it did and how to undo it.
//!
//! The rooms are in the order of their imports: each uses those above it and none below.
//! `docs/architecture.md` follows one event through them.

pub mod domain;

pub mod event;

pub mod policy;

pub mod config;

pub mod ops;

pub mod ledger;

pub mod rules;

pub mod aws;

pub mod author;

pub mod respond;

pub mod notify;

pub mod intake;

pub mod recorded;

pub mod cli;
