//! What people press in Slack: who may, whether Slack signed it, and whether one is enough.
//!
//! A press is checked and answered at once, and acted on afterwards, one after the other, by
//! the same code that the command line calls. What comes of it is posted in the thread; a
//! refusal is shown to whoever pressed, and logged. Nothing here knows what a plan does.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::press::{BlockAction, read};
use super::signature::SigningSecret;

use super::api::{Api, SetupError, SlackError};
use super::button::{Button, SNOOZE};
use super::message;
use super::message::{Message, aside};
use crate::config::{Slack, UserId};
use crate::domain::clock::Clock;
use crate::domain::cloud::Readers;
use crate::domain::reason::APPROVAL_HOLDS;
use crate::ledger::Ledger;
use crate::notify::exemption;
use crate::respond::agent::Agent;
use crate::respond::undo::{Agreed, UndoError, Undoable, not_by_the_actor};

/// How many presses may wait; beyond them Slack shows an error to whoever presses.
const WAITING: usize = 64;

/// Where presses come in. It answers at once and does nothing else.
pub struct InteractionEndpoint {
    secret: SigningSecret,
    clock: Arc<dyn Clock>,
    waiting: mpsc::Sender<BlockAction>,
}

/// Where presses are acted on.
pub struct InteractionWorker {
    responders: BTreeSet<UserId>,
    api: Api,
    waiting: mpsc::Receiver<BlockAction>,
}

/// Why a press did nothing.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("you are not among the `responders` in accounts.toml: nothing was done")]
    NotAResponder,
    #[error("nothing of `{0}` is left to undo")]
    Nothing(String),
    #[error("your approval to undo `{0}` is recorded: another person must press Undo within {mins} minutes", mins = APPROVAL_HOLDS.as_mins())]
    Waits(String),
    #[error("`{0}` is about no resource, and only resources can be exempted")]
    NoResource(String),
    #[error(transparent)]
    Undo(#[from] UndoError),
    #[error(transparent)]
    Slack(#[from] SlackError),
}

/// What a press led to.
enum Answered {
    /// It was done, and the thread says so.
    Done,
    /// Whoever pressed is shown this.
    Reply(Message),
}

/// The endpoint and the worker; `None` when no signing secret is configured, or nobody may press.
///
/// # Errors
/// When a secret cannot be read.
pub fn open(
    slack: &Slack,
    clock: Arc<dyn Clock>,
) -> Result<Option<(InteractionEndpoint, InteractionWorker)>, SetupError> {
    let Some(secret) = SigningSecret::from_environment(slack.signing_secret_file.as_deref())? else {
        return Ok(None);
    };
    if slack.responders.is_empty() {
        warn!("there is a signing secret for Slack, but `responders` names nobody: there are no buttons");
        return Ok(None);
    }
    let (sender, waiting) = mpsc::channel(WAITING);
    let worker = InteractionWorker {
        responders: slack.responders.clone(),
        api: Api::from_environment(slack.token_file.as_deref())?,
        waiting,
    };
    Ok(Some((InteractionEndpoint { secret, clock, waiting: sender }, worker)))
}

impl InteractionEndpoint {
    /// Takes a request in, and says how to answer it.
    #[must_use]
    pub fn receive(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (moment, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
        if let Err(forgery) = self.secret.check(moment, signature, body, self.clock.now()) {
            warn!("a request to /slack/actions was refused: {forgery}");
            return StatusCode::UNAUTHORIZED;
        }
        match read(body).map(|press| press.map(|press| self.waiting.try_send(press).map_err(drop))) {
            Ok(None | Some(Ok(()))) => StatusCode::OK,
            Ok(Some(Err(()))) => {
                warn!("a press of a button was refused: too many wait, or the agent stops");
                StatusCode::SERVICE_UNAVAILABLE
            }
            Err(error) => {
                warn!("a request to /slack/actions was not understood: {error}");
                StatusCode::BAD_REQUEST
            }
        }
    }
}

impl InteractionWorker {
    /// Acts on presses until it is asked to stop, and then on those that wait.
    pub async fn attend<C: Readers, L: Ledger>(mut self, agent: &Agent<C, L>, mut stop: watch::Receiver<bool>) {
        let mut open = true;
        loop {
            tokio::select! {
                press = self.waiting.recv() => match press {
                    Some(press) => self.answer(agent, &press).await,
                    None => return,
                },
                _ = stop.changed(), if open => {
                    open = false;
                    self.waiting.close();
                }
            }
        }
    }

    async fn answer<C: Readers, L: Ledger>(&self, agent: &Agent<C, L>, press: &BlockAction) {
        let BlockAction { user, button, target, .. } = press;
        let button = button.label();
        let aside = match self.act(agent, press).await {
            Ok(Answered::Done) => return info!(user, target, "{button} was pressed and done"),
            Ok(Answered::Reply(message)) => {
                info!(user, target, "{button} was pressed and answered");
                message
            }
            Err(refusal) => {
                refusal.log(press);
                aside(&refusal.to_string())
            }
        };
        if let Err(error) = self.api.post_ephemeral(&press.place(), &aside).await {
            warn!(user, "the answer could not be shown to them: {error}");
        }
    }

    async fn act<C: Readers, L: Ledger>(&self, agent: &Agent<C, L>, press: &BlockAction) -> Result<Answered, Refusal> {
        let BlockAction { target, username, .. } = press;
        if !self.responders.iter().any(|responder| responder.as_str() == press.user) {
            return Err(Refusal::NotAResponder);
        }
        let person = format!("slack:{}", press.user);
        match press.button {
            Button::Approve => {
                not_by_the_actor(&agent.proposed(target).await?, username)?;
                agent.approve(target, &person).await?;
            }
            Button::Deny => {
                not_by_the_actor(&agent.proposed(target).await?, username)?;
                agent.deny(target, &person).await?;
            }
            Button::Undo => undo(agent, press, &person).await?,
            Button::Snooze => return self.snooze(agent, press).await,
            Button::Exempt => {
                let findings = agent.stored(target).await?.case.findings;
                let draft = exemption::draft(&findings, &person, press.at);
                let draft = draft.ok_or_else(|| Refusal::NoResource(target.clone()))?;
                return Ok(Answered::Reply(message::exemption(&draft)));
            }
        }
        Ok(Answered::Done)
    }

    /// Slack keeps the reminder: a restart forgets none.
    async fn snooze<C: Readers, L: Ledger>(
        &self,
        agent: &Agent<C, L>,
        press: &BlockAction,
    ) -> Result<Answered, Refusal> {
        let stored = agent.proposed(&press.target).await?;
        let at = press.at.saturating_add(SNOOZE).unwrap_or(Timestamp::MAX);
        self.api.schedule(&press.place(), at, &message::reminder(&stored.id, &stored.case)).await?;
        Ok(Answered::Reply(aside(&format!("you will be reminded of `{}` in this thread at {at}", stored.id))))
    }
}

impl Refusal {
    fn log(&self, BlockAction { user, button, target, .. }: &BlockAction) {
        let button = button.label();
        match self {
            Self::Waits(_) => info!(user, target, "{button} was pressed: {self}"),
            Self::NotAResponder | Self::Nothing(_) | Self::NoResource(_) | Self::Undo(_) | Self::Slack(_) => {
                warn!(user, target, "{button} was pressed and refused: {self}");
            }
        }
    }
}

/// Takes back what had been done when the button was pressed. A press that is delivered
/// again undoes nothing that was done later.
async fn undo<C: Readers, L: Ledger>(agent: &Agent<C, L>, press: &BlockAction, person: &str) -> Result<(), Refusal> {
    let BlockAction { target, username, at, .. } = press;
    let mut undoable: Vec<Undoable> = agent.undoable(target).await?;
    undoable.retain(|one| one.stored.claimed <= *at);
    if undoable.is_empty() {
        return Err(Refusal::Nothing(target.clone()));
    }
    undoable.iter().try_for_each(|one| not_by_the_actor(&one.stored, username))?;
    match agent.agree(target, &undoable, person).await? {
        Agreed::By(people) => agent.undo(&undoable, &people).await.map(drop).map_err(Refusal::from),
        Agreed::Waits => Err(Refusal::Waits(target.clone())),
    }
}
