//! Whether a request comes from Slack: its signature over the moment and the body. Pure but
//! for reading the secret.
//!
//! Source: Slack's page "Verifying requests from Slack", version `v0`.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::api::SetupError;

/// How far a request's moment may lie from ours: an older one may be a replay.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The signing secret of the Slack app.
pub struct SigningSecret(String);

/// Why a request is not taken for Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forgery {
    /// It is not signed, or not in this way.
    #[error("it has no signature of version v0 with a time")]
    Unsigned,
    /// It is old, or from the future.
    #[error("its time differs from ours by more than 5 minutes: it may be a replay, or a clock is wrong")]
    Stale,
    /// Somebody else signed it.
    #[error("its signature is not made with our signing secret")]
    Wrong,
}

impl SigningSecret {
    /// The environment's secret, else the file's; `None` when neither names one.
    ///
    /// # Errors
    /// When the file cannot be read or is empty.
    pub fn from_environment(file: Option<&Path>) -> Result<Option<Self>, SetupError> {
        let text = match (std::env::var("KEEPWATCH_SLACK_SIGNING_SECRET"), file) {
            (Ok(secret), _) if !secret.trim().is_empty() => secret,
            (_, Some(path)) => {
                let unreadable = |source| SetupError::Unreadable { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                if text.trim().is_empty() {
                    return Err(unreadable(std::io::Error::other("it is empty")));
                }
                text
            }
            (_, None) => return Ok(None),
        };
        Ok(Some(Self(text.trim().to_owned())))
    }

    /// Whether Slack signed this body at this moment, not long ago.
    ///
    /// # Errors
    /// When it did not.
    pub fn check(&self, moment: &str, signature: &str, body: &[u8], now: Timestamp) -> Result<(), Forgery> {
        let at = moment.parse().ok().and_then(|second| Timestamp::from_second(second).ok()).ok_or(Forgery::Unsigned)?;
        let tag = signature.strip_prefix("v0=").and_then(|tag| hex::decode(tag).ok()).ok_or(Forgery::Unsigned)?;
        if now.duration_since(at).abs() > WINDOW {
            return Err(Forgery::Stale);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).map_err(|_| Forgery::Wrong)?;
        for part in [b"v0:", moment.as_bytes(), b":", body] {
            mac.update(part);
        }
        mac.verify_slice(&tag).map_err(|_| Forgery::Wrong) // takes as long for every wrong one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Slack's page.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const MOMENT: &str = "1531420618";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &[u8] =
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn check(moment: &str, signature: &str, body: &[u8], later: i64) -> Result<(), Forgery> {
        let now = Timestamp::from_second(1_531_420_618 + later).expect("a time");
        SigningSecret(SECRET.to_owned()).check(moment, signature, body, now)
    }

    #[test]
    fn slacks_own_example_is_slacks() {
        assert_eq!(check(MOMENT, SIGNATURE, BODY, 0), Ok(()));
        assert_eq!(check(MOMENT, SIGNATURE, BODY, 300), Ok(()));
    }

    #[test]
    fn what_is_old_or_early_is_stale() {
        assert_eq!(check(MOMENT, SIGNATURE, BODY, 301), Err(Forgery::Stale));
        assert_eq!(check(MOMENT, SIGNATURE, BODY, -301), Err(Forgery::Stale));
    }

    #[test]
    fn what_was_changed_is_wrong() {
        assert_eq!(check(MOMENT, SIGNATURE, b"payload=other", 0), Err(Forgery::Wrong));
        assert_eq!(check("1531420619", SIGNATURE, BODY, 0), Err(Forgery::Wrong));
        assert_eq!(check(MOMENT, "v0=00", BODY, 0), Err(Forgery::Wrong));
    }

    #[test]
    fn what_is_not_signed_is_unsigned() {
        for signature in ["", "v1=00", "v0=0", "v0=xy", "v0=é"] {
            assert_eq!(check(MOMENT, signature, BODY, 0), Err(Forgery::Unsigned), "{signature}");
        }
        assert_eq!(check("soon", SIGNATURE, BODY, 0), Err(Forgery::Unsigned));
    }
}
