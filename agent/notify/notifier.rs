//! Where notifications go: a Slack channel, or stdout where none is configured.

use std::io::Write as _;

use super::slack::api::{Api, Mark, SetupError, SlackError};
use super::slack::button::Answers;
use super::slack::message;
use super::slack::message::Message;
use super::text;
use crate::config::{Notify, OnCall};
use crate::domain::case::CaseRecord;
use crate::ledger::{Incident, Thread};
use crate::ops::fault;

/// Where notifications go.
pub enum Notifier {
    /// A thread for each incident in one channel.
    Slack {
        /// The workspace.
        api: Api,
        /// The channel's id.
        channel: String,
        /// Who is woken by what is urgent.
        on_call: Option<OnCall>,
        /// How people answer.
        answers: Answers,
    },
    /// Text on stdout.
    Stdout,
}

impl Notifier {
    /// The notifier that the configuration names; `answers` says whether presses are heard.
    ///
    /// # Errors
    /// When Slack is named and there is no token for it.
    pub fn from_config(notify: &Notify, answers: Answers) -> Result<Self, SetupError> {
        let Some(slack) = &notify.slack else {
            return Ok(Self::Stdout);
        };
        let api = Api::from_environment(slack.token_file.as_deref())?;
        Ok(Self::Slack { api, channel: slack.channel.clone(), on_call: slack.on_call.clone(), answers })
    }

    /// The incident's thread, begun when it has none. `tried` says that an earlier try may
    /// have begun it.
    pub(super) async fn begin(
        &self,
        incident: &Incident,
        reported: &[&CaseRecord],
        tried: Tried,
    ) -> Result<Option<Thread>, SlackError> {
        let Self::Slack { api, channel, answers, .. } = self else {
            return Ok(None);
        };
        let message = message::root(incident, reported, *answers);
        let mark = Mark { incident: incident.id.clone(), numbers: Vec::new() };
        let ts = send(api, channel, None, &message, (&mark, tried)).await?;
        Ok(Some(Thread { channel: channel.clone(), ts, shown: 0 }))
    }

    /// Sends notifications of one incident, in its thread where it has one.
    pub(super) async fn post(
        &self,
        incident: &Incident,
        batch: &Batch<'_>,
        thread: Option<&Thread>,
    ) -> Result<(), SlackError> {
        let Batch { cases, mark, tried, wake } = batch;
        match (self, thread) {
            (Self::Slack { api, on_call, answers, .. }, Some(thread)) => {
                let message = message::reply(incident, cases, *answers);
                let message = match (wake, on_call) {
                    (Wake::Somebody, Some(on_call)) => message.waking(on_call),
                    (Wake::Somebody, None) | (Wake::Nobody, _) => message,
                };
                send(api, &thread.channel, Some(&thread.ts), &message, (mark, *tried)).await.map(drop)
            }
            (Self::Slack { .. } | Self::Stdout, _) => {
                let mut out = std::io::stdout().lock();
                let said = cases.iter().try_for_each(|case| writeln!(out, "{}", text::render(incident, case)));
                said.map_err(|error| SlackError::Unavailable(error.to_string()))
            }
        }
    }

    /// Makes a thread's first message say how the incident stands now.
    pub(super) async fn refresh(
        &self,
        incident: &Incident,
        reported: &[&CaseRecord],
        thread: &Thread,
    ) -> Result<(), SlackError> {
        match self {
            Self::Slack { api, answers, .. } => {
                let mark = Mark { incident: incident.id.clone(), numbers: Vec::new() };
                api.update(&thread.channel, &thread.ts, &message::root(incident, reported, *answers), &mark).await
            }
            Self::Stdout => Ok(()),
        }
    }
}

/// Notifications of one incident that are sent as one message.
pub(super) struct Batch<'a> {
    /// What is sent.
    pub cases: &'a [&'a CaseRecord],
    /// What the message is found again by.
    pub mark: Mark,
    /// Whether it may have arrived already.
    pub tried: Tried,
    /// Whether it wakes somebody.
    pub wake: Wake,
}

/// Whether a message wakes whoever is on call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// It does.
    Somebody,
    /// It does not: it is not urgent, or they were woken by an earlier one.
    Nobody,
}

/// Whether a message may have been sent already by a try whose end nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// It was never tried.
    Never,
    /// It may have arrived.
    Perhaps,
}

/// Posts a message once: after a try whose end nobody knows, Slack is asked first.
async fn send(
    api: &Api,
    channel: &str,
    thread: Option<&str>,
    message: &Message,
    (mark, tried): (&Mark, Tried),
) -> Result<String, SlackError> {
    if tried == Tried::Perhaps
        && let Some(ts) = api.find(channel, thread, mark).await?
    {
        return Ok(ts);
    }
    fault::point("before-post");
    let posted = match api.post(channel, thread, message, mark).await {
        // Better an ugly alert than none.
        Err(SlackError::Blocks(why)) => {
            tracing::error!("Slack refused our blocks, the alert goes out as plain text: {why}");
            let plain = Message { text: message.text.clone(), blocks: Vec::new() };
            api.post(channel, thread, &plain, mark).await
        }
        answer => answer,
    };
    fault::point("after-post");
    posted
}
