//! A bearer that a command prints: whatever has it, a password manager or a login of the house, can be asked for it.
//!
//! Run without a shell and without an input, for a limited time, in a process group of its own, which ends with the
//! limit. What it prints is a secret; of what it complains only the last words are told, cleaned.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::SERVICE;
use super::bearer::Bearer;
use super::claims::bearer_in;
use super::login;
use super::pasted::{self, SHORTEST};
use super::refused::Refused;
use crate::domain::Timestamp;
use crate::edge::child::{Group, alone};
use crate::edge::http::Redactor;
use crate::ports::{CallError, Class};

/// More than a bearer can be.
const MOST_OUTPUT: usize = 64 * 1024;
/// So much of its complaints is kept, the end of them.
const KEPT_COMPLAINT: usize = 4 * 1024;
/// A command that prints a bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerCommand {
    /// The program: an absolute path.
    pub program: PathBuf,
    /// Its arguments. Everybody on the machine can see them.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub time_limit: Duration,
}

/// Why it gave nothing.
enum Trouble {
    NotStarted(std::io::Error),
    Overdue,
    TooMuch,
    Broken(std::io::Error),
}

/// What it left behind.
struct Done {
    status: ExitStatus,
    output: SecretString,
    complaint: Vec<u8>,
}

/// Runs it and reads the bearer.
pub(super) async fn run(command: &BearerCommand, now: Timestamp) -> Result<Bearer, CallError> {
    let again = Class::Retry { after: None };
    let name = command.program.display();
    let fail = |class, what: String, advice: &str| {
        let mut call = CallError::new(SERVICE, class, format!("the command {name} for the bearer {what}"));
        call.advice = (!advice.is_empty()).then(|| advice.to_owned());
        call
    };
    let done = match carry_out(command).await {
        Ok(done) => done,
        Err(Trouble::NotStarted(error)) => {
            let advice = Refused::NotStarted.message().remedy;
            return Err(fail(Class::Human, format!("could not be started ({error})"), advice));
        }
        Err(Trouble::Overdue) => {
            let limit = humantime::format_duration(command.time_limit);
            let what =
                format!("did not end within {limit} (or something it started kept its output open) and was killed");
            return Err(fail(again, what, Refused::Overdue.message().remedy));
        }
        Err(Trouble::TooMuch) => return Err(fail(again, "printed more than 64 KB, and was killed".to_owned(), "")),
        Err(Trouble::Broken(error)) => return Err(fail(again, format!("could not be listened to ({error})"), "")),
    };
    let output = done.output.expose_secret();
    if !done.status.success() {
        let complaint = last_words(&done.complaint, output);
        return Err(fail(again, format!("failed ({}): {complaint}", done.status), ""));
    }
    let read = if output.trim_start().starts_with('{') {
        login::read(output.trim().as_bytes(), None).map(|(token, _, _)| pasted::of(token.expose_secret()))
    } else {
        bearer_in(output).map(pasted::of)
    };
    let bearer =
        read.map_err(|why| fail(again, format!("printed no bearer: {why}"), Refused::NotPrinted.message().remedy))?;
    match bearer.left(now) {
        Some(left) if left < SHORTEST => {
            let ends = bearer.ends.map(|ends| ends.to_rfc3339()).unwrap_or_default();
            let what = format!("printed one that is over, or nearly so: its end is {ends}, by this machine's clock");
            Err(fail(again, what, ""))
        }
        _ => Ok(bearer),
    }
}

async fn carry_out(command: &BearerCommand) -> Result<Done, Trouble> {
    let mut child = Command::new(&command.program);
    child.args(&command.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    alone(child.current_dir("/"));
    let mut child = child.spawn().map_err(Trouble::NotStarted)?;
    let mut group = Group::of(&child);
    let outcome = tokio::time::timeout(command.time_limit, listen(&mut child)).await;
    match outcome {
        Ok(Ok(done)) => {
            group.let_go();
            Ok(done)
        }
        Ok(Err(trouble)) => {
            group.end(&mut child).await;
            Err(trouble)
        }
        Err(_) => {
            group.end(&mut child).await;
            Err(Trouble::Overdue)
        }
    }
}

/// Reads both outputs to their end, and only then the exit status: as long as that is not read, the number of the process
/// stands for it and for nothing else, so that its group can be ended safely.
async fn listen(child: &mut Child) -> Result<Done, Trouble> {
    let (output, complaint) = (child.stdout.take(), child.stderr.take());
    let (output, complaint) = tokio::join!(whole(output), tail(complaint));
    let output = output?;
    let status = child.wait().await.map_err(Trouble::Broken)?;
    Ok(Done { status, output, complaint })
}

async fn whole(pipe: Option<impl AsyncRead + Unpin>) -> Result<SecretString, Trouble> {
    let Some(pipe) = pipe else { return Ok(SecretString::default()) };
    let mut bytes = Vec::new();
    let limit = u64::try_from(MOST_OUTPUT + 1).unwrap_or(u64::MAX);
    pipe.take(limit).read_to_end(&mut bytes).await.map_err(Trouble::Broken)?;
    if bytes.len() > MOST_OUTPUT {
        return Err(Trouble::TooMuch);
    }
    // What is no text is no bearer, and is told as such.
    Ok(SecretString::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The end of what it complains. Read on and on, so that it is never stopped by a full pipe.
async fn tail(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return kept };
    let mut piece = [0; 1024];
    while let Ok(read) = pipe.read(&mut piece).await
        && read > 0
    {
        kept.extend_from_slice(&piece[..read]);
        let surplus = kept.len().saturating_sub(KEPT_COMPLAINT);
        kept.drain(..surplus);
    }
    kept
}

/// The last lines of a complaint, as many as a message can hold, without what may be a secret.
fn last_words(complaint: &[u8], output: &str) -> String {
    let text = String::from_utf8_lossy(complaint);
    // The first of the kept words may be the rest of a longer one: half a secret is no longer recognized.
    let text = match complaint.len() {
        KEPT_COMPLAINT => text.split_once(char::is_whitespace).map(|(_, rest)| rest).unwrap_or_default(),
        _ => &text,
    };
    let redactor = Redactor::new(output.split_whitespace());
    let mut lines: Vec<String> = Vec::new();
    let mut room = 300_usize;
    for line in text.lines().rev().filter(|line| !line.trim().is_empty()) {
        let line = redactor.clean(line);
        if !lines.is_empty() && line.chars().count() > room {
            break;
        }
        room = room.saturating_sub(line.chars().count() + 2);
        lines.push(line);
    }
    lines.reverse();
    if lines.is_empty() { "it said nothing on its standard error".to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
