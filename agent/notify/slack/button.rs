//! The buttons under a notification: what they are called, on Slack's side and on people's. Pure.

use jiff::SignedDuration;
use serde_json::{Value, json};

/// After how long a snoozed plan is shown again.
pub const SNOOZE: SignedDuration = SignedDuration::from_hours(1);

/// What a person can press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Carry out what waits for approval.
    Approve,
    /// Close it without carrying it out.
    Deny,
    /// Take back what was done.
    Undo,
    /// Be reminded of it after [`SNOOZE`].
    Snooze,
    /// Show how it would be exempted.
    Exempt,
}

impl Button {
    /// Every button.
    pub const ALL: [Self; 5] = [Self::Approve, Self::Deny, Self::Undo, Self::Snooze, Self::Exempt];

    /// Slack's `action_id`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Approve => "keepwatch_approve",
            Self::Deny => "keepwatch_deny",
            Self::Undo => "keepwatch_undo",
            Self::Snooze => "keepwatch_snooze",
            Self::Exempt => "keepwatch_exempt",
        }
    }

    /// What stands on it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Deny => "Deny",
            Self::Undo => "Undo",
            Self::Snooze => "Snooze 1 h",
            Self::Exempt => "Exemption",
        }
    }

    /// The button for a plan, or for all of an incident. Pressing one that changes something
    /// asks once more: at night fingers slip.
    pub(super) fn on(self, target: &str) -> Value {
        let plain = |text: &str| json!({"type": "plain_text", "text": text});
        let label = format!("{} {target}", self.label());
        let mut button = json!({"type": "button", "action_id": self.id(), "value": target, "text": plain(&label)});
        if let (Some(style), Some(fields)) = (self.style(), button.as_object_mut()) {
            fields.insert("style".to_owned(), style.into());
            let question = json!({
                "title": plain("Are you sure?"), "text": plain(&format!("{label}?")),
                "confirm": plain(self.label()), "deny": plain("Not now"),
            });
            fields.insert("confirm".to_owned(), question);
        }
        button
    }

    /// The colour of a button that changes something.
    const fn style(self) -> Option<&'static str> {
        match self {
            Self::Approve => Some("primary"),
            Self::Deny | Self::Undo => Some("danger"),
            Self::Snooze | Self::Exempt => None,
        }
    }
}

/// How people answer a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// With buttons, and with commands as well.
    Buttons,
    /// With commands alone.
    Commands,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snooze_button_says_how_long_it_snoozes() {
        assert_eq!(Button::Snooze.label(), format!("Snooze {} h", SNOOZE.as_hours()));
    }
}
