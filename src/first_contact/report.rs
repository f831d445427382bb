//! What was learnt, in words: a file that can be shared, and the settings to pin.
//!
//! No token, no bearer, and nothing that tells whose tenant it is: no names, ids, hosts or fingerprints.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::Validated;
use super::notes::{Heard, Note, Testing};
use super::questions::{Form, Shape, Told};
use super::reading::{LeftOut, OldToken, PutReading, Readings, RotationPuts};
use crate::domain::{Mode, ProbeVerdict, TakesEffect, Timestamp};
use crate::words::span;

/// The configuration takes no longer `settle_for`.
const LONGEST_SETTLING: TimeDelta = TimeDelta::hours(1);

/// All that was learnt.
#[derive(Clone, Debug)]
pub struct Findings {
    /// How the new token was asked for.
    pub mode: Mode,
    /// Whether the job was to be paused around it.
    pub fenced: bool,
    /// The policy's patience with a new token.
    pub settle_for: TimeDelta,
    /// What the configuration knows of the issuer.
    pub known: TakesEffect,
    /// Whether the rotation was carried through.
    pub carried_out: bool,
    /// What Entra's test says.
    pub validated: Validated,
    /// What the notes say.
    pub readings: Readings,
    /// What the issuer's answer looked like.
    pub shape: Option<Shape>,
    /// What was heard.
    pub notes: Vec<Note>,
}

/// What the report says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// This program's version.
    pub version: &'static str,
    /// When it began.
    pub began: Timestamp,
}

impl Findings {
    /// The report, as Markdown.
    pub fn report(&self, known: Known) -> String {
        let mut text = String::new();
        // Writing to a string fails never.
        let _ = self.write(&mut text, known);
        text
    }

    fn write(&self, out: &mut String, known: Known) -> std::fmt::Result {
        let Known { version, began } = known;
        writeln!(out, "# First contact: one rotation, watched\n")?;
        writeln!(
            out,
            "scim-rotator {version}, {}. Mode `{}`, the job {}.",
            began.format("%Y-%m-%d"),
            self.mode,
            match self.fenced {
                true => "paused around the cutover",
                false => "not paused",
            }
        )?;
        writeln!(
            out,
            "The rotation was {}.",
            if self.carried_out { "carried through" } else { "**not** carried through" }
        )?;
        writeln!(out, "\nNo token, bearer, name, id or host stands in here: it can be shared.\n")?;
        writeln!(out, "## What was read\n")?;
        writeln!(out, "| unknown | reading | by what |\n|---|---|---|")?;
        for (unknown, reading, evidence) in self.read() {
            writeln!(out, "| {unknown} | `{reading}` | {evidence} |")?;
        }
        writeln!(out, "\n## Settings to pin\n\n```toml")?;
        for line in self.pins() {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "```\n\n## HPE's answer\n")?;
        self.write_shape(out)?;
        writeln!(out, "\n## What Graph shows of the saved settings\n")?;
        for (key, readable) in &self.readings.put.shown {
            let key = plain(key);
            writeln!(out, "* `{key}`: {}", if *readable { "readable" } else { "masked or empty" })?;
        }
        writeln!(out, "\n## What was heard, in seconds from HPE's answer\n\n```")?;
        let zero = self
            .notes
            .iter()
            .find(|note| matches!(note.heard, Heard::Issue(_)))
            .map_or_else(TimeDelta::zero, |n| n.ended);
        for note in self.notes.iter().filter(|note| !matches!(note.heard, Heard::Shown(_))) {
            writeln!(out, "{:>9}  {}", seconds(note.ended - zero), heard(&note.heard))?;
        }
        writeln!(out, "```")
    }

    fn write_shape(&self, out: &mut String) -> std::fmt::Result {
        let Some(shape) = &self.shape else { return writeln!(out, "There was none that could be a token's.") };
        let kind = shape.content_type.as_deref().unwrap_or("no content type");
        writeln!(out, "Status {}, {kind}: {}.", shape.status, form_of(shape.form))?;
        match shape.token {
            Some(token) if token.is_jwt => writeln!(out, "The token is a JWT of {} characters.", token.length)?,
            Some(token) => writeln!(out, "The token is opaque, of {} characters.", token.length)?,
            None => {
                writeln!(out, "No token could be read; places at which one may stand: {}.", list(&shape.token_places))?
            }
        }
        if !shape.fields.is_empty() {
            writeln!(out, "\n| field | kind |\n|---|---|")?;
        }
        for field in &shape.fields {
            writeln!(out, "| `{}` | {} |", plain(&field.place), field.kind)?;
        }
        Ok(())
    }

    /// Each unknown, its reading (a stable word), and the evidence.
    pub fn read(&self) -> Vec<(&'static str, String, String)> {
        let (old, old_said) = self.old();
        let (put, put_said) = put_of_a_part(&self.readings.put.left_out);
        let (rotation, rotation_said) = put_of_the_rotation(&self.readings.put);
        let answer = match &self.shape {
            Some(Shape { token: Some(_), token_places, form, .. }) => (
                "readable",
                token_places
                    .first()
                    .map_or_else(|| form_of(*form).to_owned(), |place| format!("the token at `{place}`")),
            ),
            Some(shape) => {
                ("unreadable", format!("{}; candidates: {}", form_of(shape.form), list(&shape.token_places)))
            }
            None => ("none", "HPE gave no answer of success".to_owned()),
        };
        let expiry = match self.shape.as_ref().and_then(|shape| shape.expiry.as_ref()) {
            Some(expiry) => {
                let place = expiry
                    .place
                    .as_ref()
                    .map_or_else(|| "a claim of the token itself".to_owned(), |place| format!("at `{place}`"));
                (
                    "told",
                    format!("{place}, {}: a life of {}", expiry.form, span(TimeDelta::seconds(expiry.life_seconds))),
                )
            }
            None => ("not-told", "nothing in the answer says when the token dies".to_owned()),
        };
        let took = match self.readings.new_took {
            None => ("never", "Entra was not let in with it".to_owned()),
            Some((at_least, at_most)) if at_least.is_zero() => {
                ("at-once", format!("Entra was let in {} after HPE was asked", rough(at_most)))
            }
            Some((at_least, at_most)) => {
                ("later", format!("refused {} after, accepted {} after", rough(at_least), rough(at_most)))
            }
        };
        vec![
            ("answer to a rotation", answer.0.to_owned(), answer.1),
            ("expiry", expiry.0.to_owned(), expiry.1),
            ("takes effect: the new token works", took.0.to_owned(), took.1),
            ("takes effect: the old token", old.to_owned(), old_said),
            ("PUT that leaves a setting out", put.to_owned(), put_said),
            ("PUT of the rotation", rotation.to_owned(), rotation_said),
            ("validateCredentials, good token", code(self.validated.good.as_ref()), String::new()),
            ("validateCredentials, wrong token", code(self.validated.wrong.as_ref()), String::new()),
            ("validateCredentials, what is saved", code(self.validated.saved.as_ref()), String::new()),
        ]
    }

    /// The old token: a stable word, and by what.
    fn old(&self) -> (&'static str, String) {
        let removed = self.mode == Mode::RemoveCurrent;
        match &self.readings.old {
            OldToken::Unwatched => (
                "not-watched",
                "the vault did not hold the token before this one; a second first contact can watch".to_owned(),
            ),
            OldToken::FirstUse { within } => (
                "first-use",
                format!(
                    "accepted until the first use of the new one, refused {} after it at the latest",
                    rough(*within)
                ),
            ),
            OldToken::Delay { at_least, at_most } => (
                "delay",
                format!(
                    "the new one was refused and the old one lived; they changed places between {} and {} after the issue",
                    rough(*at_least),
                    rough(*at_most)
                ),
            ),
            OldToken::LivesOn { watched } if removed => {
                ("lives-on", format!("still accepted {} after it should have been removed", rough(*watched)))
            }
            OldToken::LivesOn { watched } => {
                ("own-expiry", format!("still accepted {} after the first use of the new one", rough(*watched)))
            }
            OldToken::Grace { at_least, at_most } => (
                "grace",
                format!("it lived on for between {} and {}, and died then", rough(*at_least), rough(*at_most)),
            ),
            OldToken::DeadAtIssue { within } if removed => {
                ("removed", format!("refused {} after HPE was asked, at the latest", rough(*within)))
            }
            OldToken::DeadAtIssue { within } => (
                "dead-at-issue",
                format!(
                    "**although it was not to be removed**: refused {} after HPE was asked, before the new one was used",
                    rough(*within)
                ),
            ),
            OldToken::Unclear(why) => ("unclear", (*why).to_owned()),
        }
    }

    /// The lines of the configuration that follow, for this connection.
    pub fn pins(&self) -> Vec<String> {
        let mut lines = vec!["[connections.issuer]".to_owned()];
        lines.extend(self.pin_takes_effect());
        lines.extend(self.pin_places());
        if let Some((_, at_most)) = self.readings.new_took.filter(|(_, at_most)| *at_most * 2 > self.settle_for) {
            let needed = TimeDelta::minutes((at_most * 2).num_minutes() + 1).min(LONGEST_SETTLING);
            lines.push("[connections.policy]".to_owned());
            lines.push(format!("settle_for = \"{}\"   # the new token took up to {}", span(needed), rough(at_most)));
        }
        lines.push(
            "# There is no setting for what a PUT does with settings that it does not name, nor for the codes of"
                .to_owned(),
        );
        lines.push("# validateCredentials: scim-rotator is right under every reading of them.".to_owned());
        lines
    }

    fn pin_takes_effect(&self) -> Option<String> {
        if self.mode == Mode::RemoveCurrent {
            return Some("# takes_effect is about the mode overlap, which was not tried here.".to_owned());
        }
        let (word, why) = match &self.readings.old {
            OldToken::FirstUse { .. } => ("first-use", String::new()),
            OldToken::Delay { .. } => ("delay", String::new()),
            OldToken::LivesOn { watched } => {
                let why = format!(" for {}; the job is no longer paused then (fence = \"auto\")", rough(*watched));
                ("own-expiry", why)
            }
            _ => return Some("takes_effect = \"unknown\"   # what was seen fits no one reading".to_owned()),
        };
        let is_news = matches!(self.known, TakesEffect::Unknown) || word == written(self.known);
        let but = if is_news { "" } else { "; the configuration says otherwise until now" };
        Some(format!("takes_effect = \"{word}\"   # as seen{why}{but}"))
    }

    fn pin_places(&self) -> Vec<String> {
        let Some(shape) = self.shape.as_ref() else { return Vec::new() };
        let is_read = shape.token.is_some();
        let token = match shape.token_places.as_slice() {
            [place, ..] if is_read => vec![format!("token_pointer = \"{place}\"")],
            [_, _, ..] => shape
                .token_places
                .iter()
                .map(|place| format!("# token_pointer = \"{place}\"   # one of these"))
                .collect(),
            _ => Vec::new(),
        };
        let expiry = match shape.expiry.as_ref() {
            Some(expiry) => expiry.place.as_ref().map(|place| format!("expiry_pointer = \"{place}\"")),
            None if is_read => {
                Some("# assumed_lifetime = \"…\"   # nothing tells the end: set what HPE says of it".to_owned())
            }
            None => None,
        };
        token.into_iter().chain(expiry).collect()
    }
}

/// As the configuration has it.
fn written(known: TakesEffect) -> &'static str {
    match known {
        TakesEffect::Unknown => "unknown",
        TakesEffect::FirstUse => "first-use",
        TakesEffect::Delay => "delay",
        TakesEffect::OwnExpiry => "own-expiry",
    }
}

fn put_of_a_part(left_out: &LeftOut) -> (&'static str, String) {
    match left_out {
        LeftOut::Untried(why) => ("not-tried", why.clone()),
        LeftOut::Gone(key) => {
            ("replaces", format!("`{key}`, which stood at its default, was gone; it has been put back"))
        }
        LeftOut::Lost(key) => {
            ("replaces", format!("`{key}`, which stood at its default, was gone, **and could not be put back**"))
        }
        LeftOut::Kept(key) => (
            "merges-or-dropped",
            format!("`{key}` stayed; a PUT that is dropped for being incomplete would look the same"),
        ),
    }
}

fn put_of_the_rotation(put: &PutReading) -> (&'static str, String) {
    let lost = match put.lost.as_slice() {
        [] => String::new(),
        lost => format!("; no longer shown after it: {}", list(lost)),
    };
    let (word, said) = match &put.rotation {
        RotationPuts::None => ("not-reached", "the rotation did not come so far".to_owned()),
        RotationPuts::Counted { after } => {
            ("counted", format!("Entra's check of what it saved passed {} after it", rough(*after)))
        }
        RotationPuts::Unproven => (
            "unproven",
            "the check of what is saved passed, and may have passed for the old token, which lived".to_owned(),
        ),
        RotationPuts::Repeated { number, added } if added.is_empty() => {
            ("ignored-first", format!("only the {number}. one counted, and it named nothing more than the first"))
        }
        RotationPuts::Repeated { number, added } => {
            ("dropped-unless-complete", format!("only the {number}. one counted, which named {} as well", list(added)))
        }
        RotationPuts::Uncounted { puts } => ("not-counted", format!("none of {puts} was seen to count")),
    };
    (word, said + &lost)
}

fn code(told: Option<&Result<Told, String>>) -> String {
    match told {
        None => "not-tried".to_owned(),
        Some(Ok(Told { status, code: None })) => status.to_string(),
        Some(Ok(Told { status, code: Some(code) })) => format!("{status} {code}"),
        // The words of a failure name hosts and ids.
        Some(Err(_)) => "no-answer".to_owned(),
    }
}

fn form_of(form: Form) -> &'static str {
    match form {
        Form::Empty => "an empty body",
        Form::Json => "JSON",
        Form::JsonString => "a JSON string",
        Form::Line => "one line of text",
        Form::WebPage => "a web page",
        Form::Other => "something else",
    }
}

fn heard(heard: &Heard) -> String {
    let yes_no = |testing: &Testing, yes: &'static str, no: &'static str| match testing {
        Testing::Yes => yes,
        Testing::No => no,
        Testing::Unknown => "no answer",
    };
    match heard {
        Heard::Issue(came) => format!("HPE is asked for a new token: {}", yes_no(came, "made", "not made")),
        Heard::OldProbed(verdict) => format!(
            "the endpoint is asked about the old token: {}",
            match verdict {
                ProbeVerdict::Accepted => "accepted",
                ProbeVerdict::Refused => "refused",
                ProbeVerdict::NoVerdict => "no verdict",
            }
        ),
        Heard::OldTested(came) => format!("Entra tests the old token: {}", yes_no(came, "accepted", "not accepted")),
        Heard::NewTested(came) => format!("Entra tests the new token: {}", yes_no(came, "accepted", "not accepted")),
        Heard::SavedTested(came) => {
            format!("Entra tests what it has saved: {}", yes_no(came, "accepted", "not accepted"))
        }
        Heard::Put { keys, done } => {
            format!("PUT of the token with {}: {}", list(keys), if *done { "taken" } else { "failed" })
        }
        Heard::Paused(done) => format!("the job is paused: {}", if *done { "done" } else { "failed" }),
        Heard::Started(done) => format!("the job is started: {}", if *done { "done" } else { "failed" }),
        Heard::Shown(_) => "the settings are read".to_owned(),
    }
}

fn list(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| plain(word)).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// A name of the far side's, as it can stand in a table.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_graphic() && !"|`<>".contains(*c)).take(100).collect()
}

/// A short time to a tenth of a second, a long one as it is written in the configuration.
fn rough(time: TimeDelta) -> String {
    if time < TimeDelta::minutes(1) { format!("{}s", seconds(time)) } else { span(time) }
}

fn seconds(time: TimeDelta) -> String {
    let tenths = time.num_milliseconds() / 100;
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", (tenths / 10).abs(), (tenths % 10).abs())
}
