//! What is sent: one message in the two forms that receivers take, described in `docs/notifications.md`.
//!
//! In a card every word stands in a text run, which knows no Markdown and no functions, so that no name can do anything.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Form;
use super::events::{Event, News};
use crate::domain::{Reason, Timestamp};

/// The version of our own form. It rises when a field is taken away or changes its meaning.
const SCHEMA: u32 = 1;
/// The longest text that is sent, in characters: Teams takes 28 KB in all.
const LONGEST: usize = 2000;

/// One message. Serialized it is the body of `kind = "json"`.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    schema: u32,
    /// The same whenever this message is sent again, and of no other message.
    pub id: String,
    /// What it is about.
    pub event: Event,
    connection: String,
    reason: Option<Reason>,
    sentence: String,
    remedy: Option<String>,
    error: Option<String>,
    since: Option<Timestamp>,
    again: bool,
    ended: Vec<Event>,
    slack_seconds: Option<i64>,
    expires: Option<Timestamp>,
    at: Timestamp,
    holder: String,
    version: &'static str,
}

impl Message {
    /// What there is to tell of a connection. `holder` is who tells it.
    pub fn new(news: News, connection: &str, at: Timestamp, holder: &str) -> Self {
        let News { event, reason, sentence, remedy, error, since, again, ended, slack_seconds, expires, subject } =
            news;
        let connection = cut(connection.to_owned());
        Self {
            id: id(&[event.name(), &connection, &subject]),
            reason: Some(reason),
            sentence: cut(sentence.into_owned()),
            remedy: remedy.map(cut),
            error: error.map(cut),
            since,
            again,
            ended,
            slack_seconds,
            expires,
            ..Self::empty(event, connection, at, holder)
        }
    }

    /// A message that says nothing but that messages arrive.
    pub fn test(at: Timestamp, holder: &str) -> Self {
        let sentence = "this is a test: messages of scim-rotator arrive here".to_owned();
        Self { sentence, ..Self::empty(Event::Test, String::new(), at, holder) }
    }

    fn empty(event: Event, connection: String, at: Timestamp, holder: &str) -> Self {
        Self {
            schema: SCHEMA,
            id: id(&[event.name(), holder, &at.to_rfc3339()]),
            event,
            connection,
            reason: None,
            sentence: String::new(),
            remedy: None,
            error: None,
            since: None,
            again: false,
            ended: Vec::new(),
            slack_seconds: None,
            expires: None,
            at,
            holder: holder.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// As a receiver of this form takes it.
    pub fn body(&self, form: Form) -> Value {
        match form {
            Form::Json => json!(self),
            Form::Teams => self.card(),
        }
    }

    fn card(&self) -> Value {
        let (style, color) = match self.event {
            Event::Failed | Event::NeedsHuman | Event::Quarantined => ("attention", "attention"),
            Event::SlackLow | Event::HoldExpired => ("warning", "warning"),
            Event::Rotated | Event::Confirmed | Event::Healed => ("good", "good"),
            Event::Test => ("emphasis", "default"),
        };
        let title = match &*self.connection {
            "" => self.event.name().to_owned(),
            connection => format!("{connection}: {}", self.event.name()),
        };
        let told = |at: Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let facts = [
            ("To do", self.remedy.clone()),
            ("What failed", self.error.clone()),
            ("Reason", self.reason.map(|reason| format!("{reason} (more: scim-rotator explain {reason})"))),
            ("Since", self.since.map(told)),
            ("Slack", self.slack_seconds.map(slack)),
            ("Token ends", self.expires.map(told)),
            ("Seen", Some(format!("{} by {}", told(self.at), self.holder))),
        ];
        let title = json!({"type": "TextRun", "text": title, "weight": "Bolder", "size": "Large", "color": color});
        let head = json!({"type": "Container", "style": style, "bleed": true, "items": [rich(&[title])]});
        let facts = facts.into_iter().filter_map(|(name, value)| {
            let name = json!({"type": "TextRun", "text": format!("{name}: "), "weight": "Bolder"});
            Some(rich(&[name, json!({"type": "TextRun", "text": value?})]))
        });
        let sentence = rich(&[json!({"type": "TextRun", "text": self.sentence})]);
        let body: Vec<_> = [head, sentence].into_iter().chain(facts).collect();
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": {"width": "Full"},
                    "body": body,
                },
            }],
        })
    }
}

fn rich(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}

fn slack(seconds: i64) -> String {
    let span = crate::words::span(chrono::TimeDelta::minutes(seconds.abs() / 60));
    if seconds < 0 { format!("none, since {span}") } else { span }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// 32 hexadecimal digits.
fn id(parts: &[&str]) -> String {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part).chain_update([0]));
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Memory;

    fn at() -> Timestamp {
        "2027-03-01T12:00:00Z".parse().unwrap()
    }

    fn message(name: &str) -> Message {
        let report =
            crate::engine::Report::refused(name, format!("<b>[x](https://evil.example)</b> {}", "y".repeat(9000)));
        let news = Memory::since(at()).saw(&report, &[], at()).remove(0);
        Message::new(news, name, at(), "host/abc123")
    }

    #[test]
    fn our_own_form_has_every_field_whether_known_or_not() {
        let body = message("prod").body(Form::Json);
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        let mut documented = [
            "schema",
            "id",
            "event",
            "connection",
            "reason",
            "sentence",
            "remedy",
            "error",
            "since",
            "again",
            "ended",
            "slack_seconds",
            "expires",
            "at",
            "holder",
            "version",
        ];
        documented.sort_unstable();
        assert_eq!(keys, documented);
        let said = |key: &str| body[key].as_str().unwrap_or("none").to_owned();
        assert_eq!([said("event"), said("reason")], ["needs-human", "ConfigRefused"]);
        assert_eq!([said("at"), said("expires")], ["2027-03-01T12:00:00Z", "none"]);
        assert_eq!((said("holder"), said("id").len()), ("host/abc123".to_owned(), 32));
        let guide = std::fs::read_to_string("docs/notifications.md").unwrap();
        for key in documented {
            assert!(guide.contains(&format!("| `{key}` |")), "docs/notifications.md does not tell of {key}");
        }
        for event in Event::ALL {
            assert!(guide.contains(&format!("| `{}` |", event.name())), "nor of {}", event.name());
        }
    }

    #[test]
    fn two_who_see_one_thing_say_it_under_one_id_and_another_thing_under_another() {
        assert_eq!(message("prod").id, message("prod").id);
        assert_ne!(message("prod").id, message("test").id);
        assert_ne!(id(&["a", "bc"]), id(&["ab", "c"]));
    }

    /// Every string of a body that Teams may take for Markdown.
    fn formatted(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let is_plain = fields.get("type").is_some_and(|kind| kind == "TextRun");
                for (_, inner) in fields.iter().filter(|(name, _)| !(is_plain && *name == "text")) {
                    formatted(inner, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| formatted(item, found)),
            Value::String(text) => found.push(text.clone()),
            _ => (),
        }
    }

    #[test]
    fn a_card_is_what_teams_takes_and_no_name_can_do_anything_in_it() {
        let name = "[x](https://evil.example) **{{DATE(2027-03-01T12:00:00Z)}}** <at>all</at>";
        let body = message(name).body(Form::Teams);
        assert_eq!(body["type"], "message");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(
            (&attachment["content"]["type"], &attachment["content"]["version"]),
            (&json!("AdaptiveCard"), &json!("1.4"))
        );
        let text = body.to_string();
        assert!(text.contains("{{DATE") && text.contains("To do: ") && text.len() < 28_000, "{text}");
        let mut elsewhere = Vec::new();
        formatted(&body, &mut elsewhere);
        assert!(!elsewhere.iter().any(|text| text.contains("evil") || text.contains("DATE")), "{elsewhere:?}");
    }
}
