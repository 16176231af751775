//! The six methods of Slack's Web API that incidents need. It sorts Slack's errors by what to
//! do about them and decides nothing else.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Value, json};

use super::message::Message;

/// Marks our messages, so that one whose answer was lost is found again.
const EVENT_TYPE: &str = "keepwatch_notification";
/// Slack's public endpoint; `KEEPWATCH_SLACK_API` names another.
const PUBLIC: &str = "https://slack.com/api/";
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a message is known by: the incident, and the numbers of the deliveries in it; none for
/// the first message of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The incident's id.
    pub incident: String,
    /// Numbers of the deliveries that it tells.
    pub numbers: Vec<i64>,
}

impl Mark {
    fn metadata(&self) -> Value {
        let Self { incident, numbers } = self;
        json!({"event_type": EVENT_TYPE, "event_payload": {"incident": incident, "numbers": numbers}})
    }

    /// Whether a message reports what this one would.
    fn is_on(&self, message: &Value) -> bool {
        let Some(payload) = message.pointer("/metadata/event_payload") else { return false };
        let posted = payload.get("numbers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let posts_all = self.numbers.iter().all(|number| posted.contains(&json!(number)));
        text(payload, "incident") == Some(&self.incident) && posted.is_empty() == self.numbers.is_empty() && posts_all
    }
}

/// Why Slack did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// It asked to wait.
    #[error("Slack asks to wait {} s", after.as_secs())]
    Wait {
        /// How long.
        after: Duration,
    },
    /// It could not be reached, or has trouble of its own.
    #[error("Slack did not answer: {0}")]
    Unavailable(String),
    /// It does not like how the message looks.
    #[error("Slack refused the message's blocks: {0}")]
    Blocks(String),
    /// The token or the channel is wrong; only people can correct that.
    #[error("Slack refused: {0}; check the token, its scopes (chat:write, channels:history) and the channel")]
    Setup(String),
}

/// A workspace, entered with a bot token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// Why Slack cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is no token.
    #[error("Slack is configured, but there is no token: set KEEPWATCH_SLACK_TOKEN or `token_file`")]
    NoToken,
    /// A secret's file cannot be read.
    #[error("cannot read Slack's secret from `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no way to speak HTTPS here.
    #[error("cannot set up HTTPS")]
    Client(#[from] reqwest::Error),
}

impl Api {
    /// Enters with the environment's token, else the file's.
    ///
    /// # Errors
    /// When there is none.
    pub fn from_environment(token_file: Option<&Path>) -> Result<Self, SetupError> {
        let token = match (std::env::var("KEEPWATCH_SLACK_TOKEN"), token_file) {
            (Ok(token), _) if !token.is_empty() => token,
            (_, Some(path)) => std::fs::read_to_string(path)
                .map_err(|source| SetupError::Unreadable { path: path.display().to_string(), source })?,
            (_, None) => return Err(SetupError::NoToken),
        };
        let base = std::env::var("KEEPWATCH_SLACK_API").unwrap_or_else(|_| PUBLIC.to_owned());
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { http, base, token: token.trim().to_owned() })
    }

    /// Posts a message, in a thread where one is named. Answers with Slack's timestamp.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn post(
        &self,
        channel: &str,
        thread: Option<&str>,
        message: &Message,
        mark: &Mark,
    ) -> Result<String, SlackError> {
        let body = Body { channel, thread_ts: thread, ts: None, ..Body::of(message, mark) };
        let answer = self.call("chat.postMessage", &json!(body)).await?;
        Ok(text(&answer, "ts").unwrap_or_default().to_owned())
    }

    /// Replaces what a message says.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn update(&self, channel: &str, ts: &str, message: &Message, mark: &Mark) -> Result<(), SlackError> {
        let body = Body { channel, thread_ts: None, ts: Some(ts), ..Body::of(message, mark) };
        self.call("chat.update", &json!(body)).await.map(drop)
    }

    /// Shows a message to one person alone, where they are.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn post_ephemeral(&self, to: &Ephemeral<'_>, message: &Message) -> Result<(), SlackError> {
        let Ephemeral { channel, thread, user } = to;
        let Message { text, blocks } = message;
        let body = json!({"channel": channel, "user": user, "thread_ts": thread, "text": text, "blocks": blocks});
        self.call("chat.postEphemeral", &body).await.map(drop)
    }

    /// Has Slack post a message at a later moment, in a thread where one is named.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn schedule(&self, to: &Ephemeral<'_>, at: Timestamp, message: &Message) -> Result<(), SlackError> {
        let Ephemeral { channel, thread, .. } = to;
        let Message { text, blocks } = message;
        let post_at = at.as_second();
        let body = json!({"channel": channel, "thread_ts": thread, "post_at": post_at, "text": text, "blocks": blocks});
        self.call("chat.scheduleMessage", &body).await.map(drop)
    }

    /// The timestamp of the message with this mark, if it arrived: among the newest of the
    /// channel, or in a thread.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn find(&self, channel: &str, thread: Option<&str>, mark: &Mark) -> Result<Option<String>, SlackError> {
        let method = if thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let answer = self.read(method, lookup(channel, thread)).await?;
        let messages = answer.get("messages").and_then(Value::as_array).into_iter().flatten();
        Ok(messages
            .filter(|message| mark.is_on(message))
            .find_map(|message| text(message, "ts"))
            .map(ToOwned::to_owned))
    }

    /// Calls a method that writes, with JSON.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, SlackError> {
        self.answer_to(self.request(method).json(body)).await
    }

    /// Calls a method that reads. Those take a form and refuse JSON.
    /// Source: Slack's page "Using the Slack Web API", "POST bodies".
    async fn read(&self, method: &str, form: String) -> Result<Value, SlackError> {
        self.answer_to(self.request(method).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await
    }

    fn request(&self, method: &str) -> RequestBuilder {
        self.http.post(format!("{}{method}", self.base)).bearer_auth(&self.token)
    }

    async fn answer_to(&self, request: RequestBuilder) -> Result<Value, SlackError> {
        let unavailable = |error: reqwest::Error| SlackError::Unavailable(error.without_url().to_string());
        let answer = request.send().await.map_err(unavailable)?;
        if answer.status() == reqwest::StatusCode::TOO_MANY_REQUESTS {
            let after = answer.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
            return Err(SlackError::Wait { after: Duration::from_secs(after.unwrap_or(30)) });
        }
        let answer = answer.error_for_status().map_err(unavailable)?;
        let answer: Value = answer.json().await.map_err(unavailable)?;
        if answer.get("ok") == Some(&Value::Bool(true)) { Ok(answer) } else { Err(sort(&answer)) }
    }
}

/// Who sees a message alone, and where.
pub struct Ephemeral<'a> {
    /// The channel's id.
    pub channel: &'a str,
    /// The thread, if it is in one.
    pub thread: Option<&'a str>,
    /// Slack's id of the person.
    pub user: &'a str,
}

/// What is posted, or put in a message's place.
#[derive(Serialize)]
struct Body<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    blocks: &'a [Value],
    metadata: Value,
    unfurl_links: bool,
}

impl<'a> Body<'a> {
    fn of(message: &'a Message, mark: &Mark) -> Self {
        let Message { text, blocks } = message;
        Self { channel: "", ts: None, thread_ts: None, text, blocks, metadata: mark.metadata(), unfurl_links: false }
    }
}

/// Asks for the newest messages of a channel, or of a thread, with what marks ours.
fn lookup(channel: &str, thread: Option<&str>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("channel", channel), ("include_all_metadata", "true"), ("limit", "100")]);
    form.extend_pairs(thread.map(|thread| ("ts", thread)));
    form.finish()
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// Sources: Slack's pages of `chat.postMessage` and `chat.update`, "Errors".
fn sort(answer: &Value) -> SlackError {
    let code = text(answer, "error").unwrap_or("unknown_error");
    let detail = answer.pointer("/response_metadata/messages").map_or_else(String::new, ToString::to_string);
    match code {
        "ratelimited" | "rate_limited" => SlackError::Wait { after: Duration::from_secs(30) },
        "invalid_blocks" | "invalid_blocks_format" | "msg_too_long" | "msg_blocks_too_long" => {
            SlackError::Blocks(format!("{code} {detail}"))
        }
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            SlackError::Unavailable(code.to_owned())
        }
        _ => SlackError::Setup(format!("{code} {detail}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_looked_for_with_a_form_in_a_channel_or_in_a_thread() {
        assert_eq!(lookup("C1", None), "channel=C1&include_all_metadata=true&limit=100");
        assert_eq!(lookup("C1", Some("17.5")), "channel=C1&include_all_metadata=true&limit=100&ts=17.5");
    }
}
