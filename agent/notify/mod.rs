//! What people are notified of. Rendering is pure; delivery takes notifications from the store and tries
//! until they have arrived, so that an alert is never lost and never holds up containment.

pub mod deliver;
pub mod exemption;
mod facts;
pub mod notifier;
pub mod slack;
pub mod text;

#[cfg(test)]
mod examples;
