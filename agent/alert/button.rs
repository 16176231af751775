//! The buttons under a notice: what they are called, on Slack's side and on people's. Pure.

use serde_json::{Value, json};

/// What a person can press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Carry out what waits for a word.
    Approve,
    /// Close it without carrying it out.
    Deny,
    /// Take back what was done.
    Undo,
}

impl Button {
    /// Every button.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Deny, Self::Undo];

    /// Slack's `action_id`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Approve => "keepwatch_approve",
            Self::Deny => "keepwatch_deny",
            Self::Undo => "keepwatch_undo",
        }
    }

    /// What stands on it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Deny => "Deny",
            Self::Undo => "Undo",
        }
    }

    /// The button for a plan, or for all of an incident. Pressing it asks once more: at night
    /// fingers slip.
    pub(super) fn on(self, target: &str) -> Value {
        let style = match self {
            Self::Approve => "primary",
            Self::Deny | Self::Undo => "danger",
        };
        let plain = |text: String| json!({"type": "plain_text", "text": text});
        let question = format!("{} {target}?", self.label());
        json!({
            "type": "button", "action_id": self.id(), "value": target, "style": style,
            "text": plain(format!("{} {target}", self.label())),
            "confirm": {
                "title": plain("Are you sure?".to_owned()), "text": plain(question),
                "confirm": plain(self.label().to_owned()), "deny": plain("Not now".to_owned()),
            },
        })
    }
}

/// How people answer a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// With buttons, and with commands as well.
    Buttons,
    /// With commands alone.
    Commands,
}
