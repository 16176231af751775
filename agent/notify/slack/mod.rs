//! Slack: the messages, the calls of its Web API, and what people press.
//!
//! Nothing here decides what an incident means or what a plan does.

pub mod api;
pub mod button;
pub mod interactions;
pub mod message;
mod press;
mod signature;

pub use press::{BlockAction, NotABlockAction, read};
pub use signature::{Forgery, SigningSecret};
