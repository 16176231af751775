//! What the tests stand on: a lab with the agent in it, an account in memory, and
//! the records that others published.

pub mod builders;
pub mod cloud;
pub mod lab;
pub mod published;
