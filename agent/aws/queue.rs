//! Amazon SQS: the queue that events arrive in, and the one for those that nobody can handle.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};

use super::call::ServiceClient;
use crate::config::Intake;
use crate::domain::cloud::CloudError;

/// The message attribute that says why a message was put aside.
pub const REASON: &str = "keepwatch.reason";

/// The type of an attribute that is text.
const STRING: &str = "String";
/// Longest reason, in characters.
const REASON_CHARS: usize = 256;
/// Largest message that SQS takes, its attributes included.
const MESSAGE_BYTES: usize = 1_048_576;
/// What a receipt may take beyond its wait.
const RECEIVE_GRACE: Duration = Duration::from_secs(10);
/// Most messages that SQS hands out at once.
const BATCH: i32 = 10;

/// The queue that events arrive in, with its queue of dead letters.
#[derive(Clone)]
pub struct Queue {
    sqs: ServiceClient<Client>,
    live: Address,
    dead: Address,
}

/// Where a queue is.
#[derive(Clone)]
struct Address {
    name: String,
    url: String,
}

/// A message, hidden from others for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// SQS's id of the message.
    pub id: String,
    /// What this receipt is known by.
    pub receipt: String,
    /// The text.
    pub body: String,
    /// How often it was received, this time included.
    pub received_count: u32,
}

impl Queue {
    /// The queues that the configuration names, if both exist.
    pub(super) async fn open(sqs: ServiceClient<Client>, intake: &Intake) -> Result<Self, CloudError> {
        let (live, dead) = tokio::try_join!(address(&sqs, &intake.queue), address(&sqs, &intake.dead_letters))?;
        Ok(Self { sqs, live, dead })
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.live.name
    }

    /// Waits for messages, ten at most, and hides them from others for a while.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn receive(
        &self,
        max: usize,
        wait_seconds: u32,
        hidden_seconds: u32,
    ) -> Result<Vec<Received>, CloudError> {
        let timeout = Duration::from_secs(wait_seconds.into()) + RECEIVE_GRACE;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(timeout).build();
        let receive = || {
            let request = self.sqs.client.receive_message().queue_url(&self.live.url);
            request
                .max_number_of_messages(whole(max).clamp(1, BATCH))
                .wait_time_seconds(whole(wait_seconds))
                .visibility_timeout(whole(hidden_seconds))
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .customize()
                .config_override(Builder::new().timeout_config(timeouts.clone()))
                .send()
        };
        let answer = self.sqs.ask("sqs:ReceiveMessage", &self.live.name, receive).await?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(received).collect())
    }

    /// Deletes a message: what it led to is stored.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn delete(&self, message: &Received) -> Result<(), CloudError> {
        let delete = || {
            let request = self.sqs.client.delete_message().queue_url(&self.live.url);
            request.receipt_handle(&message.receipt).send()
        };
        self.sqs.ask("sqs:DeleteMessage", &self.live.name, delete).await.map(drop)
    }

    /// Lets others have a message again, after a while.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn release(&self, message: &Received, after_seconds: u32) -> Result<(), CloudError> {
        self.hide(message, after_seconds).await
    }

    /// Keeps a message hidden for longer, counted from now.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn extend(&self, message: &Received, hidden_seconds: u32) -> Result<(), CloudError> {
        self.hide(message, hidden_seconds).await
    }

    async fn hide(&self, message: &Received, seconds: u32) -> Result<(), CloudError> {
        let change = || {
            let request = self.sqs.client.change_message_visibility().queue_url(&self.live.url);
            request.receipt_handle(&message.receipt).visibility_timeout(whole(seconds)).send()
        };
        self.sqs.ask("sqs:ChangeMessageVisibility", &self.live.name, change).await.map(drop)
    }

    /// Puts a message aside, with the reason, and only then deletes it here.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses; the message is then still in this queue.
    pub async fn dead_letter(&self, message: &Received, reason: &str) -> Result<(), CloudError> {
        const CALL: &str = "sqs:SendMessage";
        let reason = reason_text(reason);
        let why = MessageAttributeValue::builder().data_type(STRING).string_value(&reason).build();
        let why = why.map_err(|error| CloudError::Failed {
            call: CALL.into(),
            target: self.dead.name.clone(),
            detail: error.to_string(),
        })?;
        let body = fitting(&message.body, &reason);
        let send = || {
            let request = self.sqs.client.send_message().queue_url(&self.dead.url).message_body(body);
            request.message_attributes(REASON, why.clone()).send()
        };
        self.sqs.ask(CALL, &self.dead.name, send).await?;
        self.delete(message).await
    }
}

async fn address(sqs: &ServiceClient<Client>, name: &str) -> Result<Address, CloudError> {
    let get = || sqs.client.get_queue_url().queue_name(name).send();
    let url = sqs.ask("sqs:GetQueueUrl", name, get).await?.queue_url.unwrap_or_default();
    Ok(Address { name: name.to_owned(), url })
}

fn received(message: Message) -> Received {
    let attributes = message.attributes.as_ref();
    let count = attributes.and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok());
    Received {
        received_count: count.unwrap_or(1),
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}

/// A number as SQS takes it.
fn whole(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// A reason that SQS takes: short, not empty, and of characters that XML knows.
fn reason_text(reason: &str) -> String {
    let plain = |letter: char| if letter.is_control() || letter >= '\u{fffe}' { ' ' } else { letter };
    let text: String = reason.chars().take(REASON_CHARS).map(plain).collect();
    if text.trim().is_empty() { "no reason given".to_owned() } else { text }
}

/// As much of a body as there is room for beside the reason. Only a message of the largest
/// size loses anything: the tail of what could not be read anyway.
fn fitting<'a>(body: &'a str, reason: &str) -> &'a str {
    let room = MESSAGE_BYTES - REASON.len() - STRING.len() - reason.len();
    body.get(..body.floor_char_boundary(room)).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_its_history() {
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("r")
            .body("{}")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
            .build();
        let read = received(message);
        assert_eq!(
            (read.id.as_str(), read.receipt.as_str(), read.body.as_str(), read.received_count),
            ("m", "r", "{}", 3)
        );
    }

    #[test]
    fn a_reason_is_short_and_plain() {
        assert_eq!(reason_text("not JSON:\n\u{0}x"), "not JSON:  x");
        assert_eq!(reason_text(&"é".repeat(300)).chars().count(), 256);
        assert_eq!(reason_text("\n"), "no reason given");
    }

    #[test]
    fn the_largest_message_makes_room_for_the_reason() {
        let body = "é".repeat(MESSAGE_BYTES / 2);
        let cut = fitting(&body, "too large");
        assert!(cut.len() + REASON.len() + STRING.len() + "too large".len() <= MESSAGE_BYTES);
        assert!(body.starts_with(cut) && cut.len() > MESSAGE_BYTES - 100);
        assert_eq!(fitting("{}", "too small"), "{}");
    }
}
