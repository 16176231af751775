//! A press of a button, as Slack sends it: a form with JSON in its one field. Pure.

use jiff::Timestamp;
use serde::Deserialize;

use super::api::Ephemeral;
use super::button::Button;

/// Somebody pressed a button of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockAction {
    /// Slack's id of the person.
    pub user: String,
    /// What Slack calls the person; theirs to choose.
    pub username: String,
    /// What they pressed.
    pub button: Button,
    /// The plan or the incident that it is about.
    pub target: String,
    /// The channel it was pressed in.
    pub channel: String,
    /// The thread it was pressed in.
    pub thread: Option<String>,
    /// When it was pressed, by Slack's clock.
    pub at: Timestamp,
}

impl BlockAction {
    /// Where whoever pressed is shown an answer.
    #[must_use]
    pub fn place(&self) -> Ephemeral<'_> {
        Ephemeral { channel: &self.channel, thread: self.thread.as_deref(), user: &self.user }
    }
}

/// What a request of Slack's is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a press of a button: {0}")]
pub struct NotABlockAction(String);

#[derive(Deserialize)]
struct Payload {
    r#type: String,
    user: User,
    #[serde(default)]
    container: Container,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    channel_id: String,
    message_ts: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    #[serde(default)]
    value: String,
    action_ts: String,
}

/// Reads the body of a request that Slack signed. `None` for what is not about our buttons.
///
/// # Errors
/// When it is not what Slack sends.
pub fn read(body: &[u8]) -> Result<Option<BlockAction>, NotABlockAction> {
    let field = form_urlencoded::parse(body).find(|(name, _)| name == "payload");
    let (_, payload) = field.ok_or_else(|| NotABlockAction("it has no field `payload`".to_owned()))?;
    let payload: Payload = serde_json::from_str(&payload).map_err(|error| NotABlockAction(error.to_string()))?;
    if payload.r#type != "block_actions" {
        return Ok(None);
    }
    let ours = |action: &Action| Button::ALL.into_iter().find(|button| button.id() == action.action_id);
    let Some((action, button)) = payload.actions.into_iter().find_map(|one| ours(&one).map(|button| (one, button)))
    else {
        return Ok(None);
    };
    let at = moment(&action.action_ts).ok_or_else(|| NotABlockAction("`action_ts` is no moment".to_owned()))?;
    let Container { channel_id, message_ts, thread_ts } = payload.container;
    Ok(Some(BlockAction {
        user: payload.user.id,
        username: payload.user.username,
        button,
        target: action.value,
        channel: channel_id,
        thread: thread_ts.or(message_ts),
        at,
    }))
}

/// Slack's `1531420618.123456`.
fn moment(ts: &str) -> Option<Timestamp> {
    let (second, fraction) = ts.split_once('.').unwrap_or((ts, "0"));
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Timestamp::from_microsecond(second.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(payload: &Value) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &payload.to_string()).finish().into_bytes()
    }

    fn pressed() -> Value {
        json!({
            "type": "block_actions", "user": {"id": "U0ALICE", "username": "alice", "team_id": "T0"},
            "container": {"type": "message", "channel_id": "C0", "message_ts": "2.0", "thread_ts": "1.0"},
            "actions": [{"type": "button", "action_id": "keepwatch_undo", "value": "KW-7F3A2C01.1",
                "action_ts": "1531420618.250000"}],
        })
    }

    #[test]
    fn a_press_is_read() {
        let press = read(&body(&pressed())).expect("a payload").expect("a press");
        assert_eq!(
            (press.user.as_str(), press.button, press.target.as_str()),
            ("U0ALICE", Button::Undo, "KW-7F3A2C01.1")
        );
        assert_eq!((press.channel.as_str(), press.thread.as_deref()), ("C0", Some("1.0")));
        assert_eq!(press.at.to_string(), "2018-07-12T18:36:58.25Z");
    }

    #[test]
    fn what_is_not_about_our_buttons_is_left_alone() {
        let mut other = pressed();
        other["actions"][0]["action_id"] = json!("somebody_elses");
        assert_eq!(read(&body(&other)), Ok(None));
        let view = json!({"type": "view_submission", "user": {"id": "U0"}});
        assert_eq!(read(&body(&view)), Ok(None));
    }

    #[test]
    fn what_slack_does_not_send_is_refused() {
        for bad in [&b"payload=%7B"[..], b"", b"other=1", b"\xff\xfe", b"payload=[]"] {
            assert!(read(bad).is_err());
        }
        let mut timeless = pressed();
        timeless["actions"][0]["action_ts"] = json!("99999999999999999999.1");
        assert!(read(&body(&timeless)).is_err());
    }
}
