//! Why a call to the cloud did not do what was asked, sorted by what to do about it.
//!
//! No type of an AWS SDK is in it.

/// Why a call to the cloud did not do what was asked, sorted by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The target does not exist (any more): nothing is left to fix.
    #[error("`{target}` does not exist")]
    Gone {
        /// What was looked for.
        target: String,
    },
    /// The role may not make this call.
    #[error("not allowed to call `{call}` on `{target}`")]
    Denied {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
    },
    /// AWS asked to slow down.
    #[error("`{call}` was throttled")]
    Throttled {
        /// The call, as IAM spells its action.
        call: String,
    },
    /// AWS could not be reached or had an error of its own: worth trying again.
    #[error("`{call}` did not get an answer: {detail}")]
    Unavailable {
        /// The call, as IAM spells its action.
        call: String,
        /// What went wrong.
        detail: String,
    },
    /// A quota is used up, such as the room for inline policies.
    #[error("`{call}` on `{target}` went over a limit: {detail}")]
    Limit {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
        /// What AWS said.
        detail: String,
    },
    /// AWS refused the call for a reason that will not pass by itself.
    #[error("`{call}` on `{target}` failed: {detail}")]
    Failed {
        /// The call, as IAM spells its action.
        call: String,
        /// What it was made on.
        target: String,
        /// What AWS said.
        detail: String,
    },
}

impl CloudError {
    /// Whether the same call may succeed later with nothing changed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } => true,
            Self::Gone { .. } | Self::Denied { .. } | Self::Limit { .. } | Self::Failed { .. } => false,
        }
    }
}
