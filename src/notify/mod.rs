//! Tells people, by webhooks, of what they would want to know; and lets a dead man's switch know that the process lives.
//!
//! Never in a rotation's way: whoever watches the connections only puts a message into a queue, and each receiver has a task
//! of its own that hangs, fails and repeats for itself. What is told stands in `events`, which is pure. The URL of a webhook
//! is a secret: only an edge reads it, and nothing here knows it.

mod events;
mod heartbeat;
mod line;
mod message;
mod notifier;
mod sent;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use events::{Event, Memory, News};
pub use heartbeat::Heartbeat;
pub use message::Message;
pub use notifier::Notifier;
pub use sent::{Outcome, Sent};

/// What a webhook answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It took what it was sent; this names its host and the status.
    Taken(String),
    /// It may take it later: there was no answer, or one that says so.
    Later {
        /// What happened, without the URL.
        what: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
    /// It will never take it, for this reason and until a person does this about it.
    Refused(String),
}

/// The way to one webhook. Every call is bounded in time, and repeats nothing by itself.
#[async_trait]
pub trait Webhook: Send + Sync {
    /// POSTs a body of JSON.
    async fn post(&self, body: &Value) -> Answer;

    /// GETs it.
    async fn call(&self) -> Answer;
}

/// The form that a receiver wants its messages in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Our own, for programs.
    Json,
    /// The card that a workflow of Microsoft Teams takes.
    Teams,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Receiver {
    /// Its name in the configuration.
    pub name: String,
    /// In which form.
    pub form: Form,
    /// Of what.
    pub events: Vec<Event>,
    /// By which way.
    pub webhook: Arc<dyn Webhook>,
}

impl Receiver {
    /// Who is called so, and wants to hear of these events in this form.
    pub fn new(name: &str, form: Form, events: &[Event], webhook: Arc<dyn Webhook>) -> Self {
        Self { name: name.to_owned(), form, events: events.to_vec(), webhook }
    }

    /// Sends it a message once, and says what it answered.
    pub async fn tell(&self, message: &Message) -> Answer {
        self.webhook.post(&message.body(self.form)).await
    }
}

/// Everybody who is told, as one state of the configuration has it.
#[derive(Clone, Default)]
pub struct Audience {
    /// Those who get messages, each under a name of its own.
    pub receivers: Vec<Receiver>,
    /// The dead man's switch.
    pub heartbeat: Option<Heartbeat>,
}
