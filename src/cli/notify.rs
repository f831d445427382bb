//! `notify test`: does whoever is to be told hear of it?

use std::io::Write;

use anyhow::bail;
use serde_json::{Value, json};

use crate::app::{App, Shared};
use crate::cli::exit::{Exit, Misnamed};
use crate::cli::json;
use crate::config::Config;
use crate::notify::{Answer, Message, Receiver};

/// Sends a test to the receiver that is named, or to all side by side. Failed if one of them did not take it.
pub async fn test(config: &Config, name: Option<&str>, json: bool, out: &mut impl Write) -> anyhow::Result<Exit> {
    let chosen = |receiver: &Receiver| name.is_none_or(|name| receiver.name == name);
    let app = App::build(config, Shared::of(config))?;
    let receivers: Vec<_> = app.audience(config).receivers.into_iter().filter(chosen).collect();
    if config.receivers.is_empty() {
        bail!("nobody is told of anything: there is no table [[notify]] in the configuration");
    }
    if receivers.is_empty() {
        let names: Vec<_> = config.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let name = name.unwrap_or_default();
        return Err(
            Misnamed(format!("there is no receiver {name:?}; the configuration has {}", names.join(", "))).into()
        );
    }
    let message = Message::test(crate::app::clock(config).now(), &crate::app::holder(&config.runtime_dir));
    let answers = futures::future::join_all(receivers.iter().map(|receiver| receiver.tell(&message))).await;
    let named = receivers.iter().map(|receiver| &receiver.name).zip(&answers);
    if json {
        let receivers: Vec<_> = named.map(|(name, answer)| document(name, answer)).collect();
        json::write(&json!({ "receivers": receivers }), out)?;
    } else {
        for (name, answer) in named {
            match answer {
                Answer::Taken(by) => writeln!(out, "{name}: taken: {by}")?,
                Answer::Later { what, .. } => writeln!(out, "{name}: not taken, the daemon would try again: {what}")?,
                Answer::Refused(what) => writeln!(out, "{name}: refused: {what}")?,
            }
        }
    }
    let all = answers.iter().all(|answer| matches!(answer, Answer::Taken(_)));
    Ok(if all { Exit::Done } else { Exit::Failed })
}

fn document(receiver: &str, answer: &Answer) -> Value {
    let (outcome, answer) = match answer {
        Answer::Taken(by) => ("taken", by),
        Answer::Later { what, .. } => ("later", what),
        Answer::Refused(what) => ("refused", what),
    };
    json!({ "receiver": receiver, "outcome": outcome, "answer": answer })
}
