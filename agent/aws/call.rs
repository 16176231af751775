//! The one way in which the edge calls AWS: with a live session, on the clock, errors sorted.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{is_expired, is_one_of, sort};
use super::sessions::Session;
use crate::domain::cloud::CloudError;
use crate::ops::waited;

/// A client of one service, and the session that it speaks with.
#[derive(Clone)]
pub(super) struct ServiceClient<C> {
    /// The SDK's client.
    pub client: C,
    /// `None` when it speaks with the agent's own credentials.
    session: Option<Arc<Session>>,
}

impl<C> ServiceClient<C> {
    /// A client that speaks with the agent's own credentials.
    pub const fn own(client: C) -> Self {
        Self { client, session: None }
    }

    /// A client whose credentials come from a session, if there is one.
    pub const fn with(client: C, session: Option<Arc<Session>>) -> Self {
        Self { client, session }
    }

    /// Makes a call, spelt as IAM spells its action, on a target.
    pub async fn ask<T, E, F>(&self, call: &str, target: &str, send: impl Fn() -> F) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.made(send).await?.map_err(|error| sort(call, target, &error))
    }

    /// As [`ServiceClient::ask`], where some codes are an answer: there is no such thing.
    pub async fn ask_unless<T, E, F>(
        &self,
        absent: &[&str],
        (call, target): (&str, &str),
        send: impl Fn() -> F,
    ) -> Result<Option<T>, CloudError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self.made(send).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_one_of(&error, absent) => Ok(None),
            Err(error) => Err(sort(call, target, &error)),
        }
    }

    /// Makes the call, and once more with a new session if this one is over: AWS refused it
    /// before looking at what was asked, so nothing is done twice.
    async fn made<T, E, F>(&self, send: impl Fn() -> F) -> Result<Result<T, SdkError<E, HttpResponse>>, CloudError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata,
    {
        // The SDK's futures are too large for the futures of ours that would hold them.
        let send = || waited::during(Box::pin(send()));
        let Some(session) = &self.session else {
            return Ok(send().await);
        };
        let used = session.credentials().await?;
        let answer = send().await;
        if !answer.as_ref().is_err_and(is_expired) {
            return Ok(answer);
        }
        session.forget(&used).await;
        session.credentials().await?;
        Ok(send().await)
    }
}
