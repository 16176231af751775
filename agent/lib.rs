//! Keepwatch guards an AWS organisation's backups: it contains whoever attacks them,
//! puts the resource back, and tells responders what it did and how to undo it.
//!
//! The modules stand in the order in which an event meets them; `docs/architecture.md`
//! follows one event through them.

pub mod clock;
pub mod config;
pub mod intake;

pub mod event;
pub mod origin;
pub mod policy;
pub mod resource;
pub mod rules;
pub mod strategy;

pub mod pipeline;
pub mod reconcile;
pub mod refresh;
pub mod respond;
pub mod shadow;
pub mod sweep;

pub mod action;
pub mod decision;
pub mod execute;
pub mod plan;
pub mod undo;

pub mod ledger;

pub mod replay;

pub mod backtest;

pub mod alert;
pub mod buttons;

pub mod cloud;

pub mod aws;

pub mod fault;
pub mod metrics;
pub mod serve;

pub mod cli;
