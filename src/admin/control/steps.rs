//! An order's course as it goes: a line of JSON for each step that begins, and one for how it ended. Told to callers who accept
//! `application/x-ndjson`; others get the end alone, as ever.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::client::ClientError;
use super::wire::Problem;
use crate::admin::outcome::Outcome;
use crate::domain::{Order, Timestamp};
use crate::engine::{Listener, Report};
use crate::ports::Clock;

/// Lines of JSON.
pub(super) const LINES: &str = "application/x-ndjson";

/// A step that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it does, by the clock of who carries it out.
    pub at: Timestamp,
    /// What it is, in words.
    pub name: String,
}

impl Step {
    /// Who hears of steps and hands them on to `to`, for as long as anybody is there.
    pub fn listener(to: UnboundedSender<Self>, clock: Arc<dyn Clock>) -> Listener {
        Listener::new(move |name| to.send(Self { at: clock.now(), name: name.to_owned() }).is_ok())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Step(Step),
    Outcome(Outcome),
    Problem(String),
}

/// Whether the caller wants to hear of the steps.
pub(super) fn are_wanted(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept == LINES)
}

/// Whether an answer tells of them.
pub(super) fn are_told(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind == LINES)
}

/// Whoever hears of the steps of a connection, and what he has heard.
pub(super) fn listen(clock: &Arc<dyn Clock>) -> (Listener, UnboundedReceiver<Step>) {
    let (sender, steps) = mpsc::unbounded_channel();
    (Step::listener(sender, Arc::clone(clock)), steps)
}

/// An order that a connection has taken up, or will once it has finished what it is doing.
pub(super) struct Course {
    pub order: Order,
    /// Of the connection, from when the order was given.
    pub steps: UnboundedReceiver<Step>,
    pub outcome: oneshot::Receiver<Report>,
    /// What is told where there is no outcome.
    pub ended: Problem,
}

impl Course {
    /// The answer, of which each line goes out as it comes.
    pub fn answer(self) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let lines = futures::stream::unfold(Some(self), async |course| {
            let (line, rest) = course?.next().await;
            let mut text = serde_json::to_vec(&line).unwrap_or_default();
            text.push(b'\n');
            Some((Ok(Frame::data(Bytes::from(text))), rest))
        });
        let mut answer = Response::new(StreamBody::new(lines).boxed_unsync());
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
        answer
    }

    async fn next(mut self) -> (Line, Option<Self>) {
        tokio::select! {
            biased;
            Some(step) = self.steps.recv() => (Line::Step(step), Some(self)),
            report = &mut self.outcome => match report {
                Ok(report) => (Line::Outcome(Outcome::of(&self.order, &report)), None),
                Err(_) => (Line::Problem(self.ended.problem), None),
            },
        }
    }
}

/// Reads the lines to the last, and hands each step on as it comes.
pub(super) async fn read(mut body: Incoming, steps: &UnboundedSender<Step>) -> Result<Outcome, ClientError> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClientError::BrokenOff(error.into()))?;
        text.extend_from_slice(frame.data_ref().map(|data| &data[..]).unwrap_or_default());
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            match serde_json::from_slice(&line).map_err(|error| ClientError::BrokenOff(error.into()))? {
                Line::Step(step) => {
                    // Nobody need listen.
                    let _unheard = steps.send(step);
                }
                Line::Outcome(outcome) => return Ok(outcome),
                Line::Problem(problem) => return Err(ClientError::Refused(problem)),
            }
        }
    }
    Err(ClientError::BrokenOff("it did not tell how the order ended".into()))
}
