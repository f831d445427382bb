//! Webhooks, on a host of their own: whoever is told by the daemon. The first segment of a path is the receiver's name; what
//! follows, and the query, is what must never show.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::http::{Call, Reply};
use crate::world::Timestamp;

/// The host.
pub const HOST: &str = "hooks.sandbox.test";
/// What lets somebody post.
pub const SECRET: &str = "Hk9-sVq27Rw_zB4nM8tTfG6hJ1yRcX";

/// How a receiver takes what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It answers 202, as Teams does.
    #[default]
    Takes,
    /// It answers otherwise.
    Answers(u16),
    /// It never answers.
    Hangs,
}

/// A request that came to a receiver.
#[derive(Clone, Debug)]
pub struct Post {
    /// The world's time.
    pub at: Timestamp,
    /// The receiver.
    pub to: String,
    /// The method.
    pub method: String,
    /// Its JSON; null without any.
    pub body: Value,
    /// Whether it was taken.
    pub taken: bool,
}

/// All receivers. Each takes everything until it is told otherwise.
#[derive(Default)]
pub struct Hooks {
    moods: Mutex<HashMap<String, Mood>>,
    posts: Mutex<Vec<Post>>,
}

impl Hooks {
    /// The URL of a receiver, for the port that the sandbox listens on.
    pub fn url(receiver: &str, port: u16) -> String {
        format!("https://{HOST}:{port}/{receiver}/{SECRET}?sig={SECRET}")
    }

    /// From now on a receiver answers like this.
    pub fn set(&self, receiver: &str, mood: Mood) {
        self.moods.lock().unwrap_or_else(PoisonError::into_inner).insert(receiver.to_owned(), mood);
    }

    /// What has come to a receiver.
    pub fn posts(&self, receiver: &str) -> Vec<Post> {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        posts.iter().filter(|post| post.to == receiver).cloned().collect()
    }

    /// The events of the messages that a receiver has taken.
    pub fn taken(&self, receiver: &str) -> Vec<String> {
        let taken = self.posts(receiver).into_iter().filter(|post| post.taken);
        taken.filter_map(|post| Some(post.body["event"].as_str()?.to_owned())).collect()
    }

    /// Answers a request.
    pub async fn answer(&self, call: &Call, at: Timestamp) -> Reply {
        let [to, secret] = &call.path[..] else { return Reply::empty(404) };
        if secret != SECRET || call.query.get("sig").is_none_or(|sig| sig != SECRET) {
            return Reply::empty(401);
        }
        let mood = *self.moods.lock().unwrap_or_else(PoisonError::into_inner).entry(to.clone()).or_default();
        let (to, method, body) = (to.clone(), call.method.clone(), call.json());
        let post = Post { at, to, method, body, taken: mood == Mood::Takes };
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        match mood {
            Mood::Takes => Reply::empty(202),
            Mood::Answers(status) => Reply::empty(status),
            Mood::Hangs => std::future::pending().await,
        }
    }
}
