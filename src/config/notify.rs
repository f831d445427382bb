//! `[[notify]]` and `[heartbeat]`: who is told, of what, and whom to let know that the process lives.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;

use super::policy::std;
use super::raw::Section;
use super::{Folder, scalar};
use crate::notify::{Event, Form};
use crate::secret_file::SecretFile;

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name, which no other one has.
    pub name: String,
    /// The form that it wants.
    pub form: Form,
    /// The file that holds the URL: whoever knows that can post there.
    pub url: SecretFile,
    /// What it wants to hear of: something.
    pub events: Vec<Event>,
}

/// The dead man's switch.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The file that holds the URL.
    pub url: SecretFile,
    /// From one call to the next: a minute to a day.
    pub every: Duration,
}

const URL_FILE: &str = "url_file = \"/run/credentials/scim-rotator.service/webhook\"";

/// None if any of it cannot be used.
pub(super) fn read(root: &Section<'_>, folder: &Folder<'_>) -> Option<Vec<Receiver>> {
    let read = root.tables("notify", |section| receiver(section, folder));
    let mut names = BTreeSet::new();
    for (index, receiver) in read.iter().enumerate() {
        if let Some(Receiver { name, .. }) = receiver
            && !names.insert(name)
        {
            let key = root.key("notify").element(index).child("name");
            root.report().problem(&key, format!("`{name}` is the name of another receiver: choose another"));
            return None;
        }
    }
    read.into_iter().collect()
}

fn receiver(section: &Section<'_>, folder: &Folder<'_>) -> Option<Receiver> {
    let name = section.need("name", "name = \"operators\"", scalar::id(48, "-_."));
    let form = section.need("kind", "kind = \"json\" or \"teams\"", scalar::word);
    let url = section.need("url_file", URL_FILE, scalar::secret_file(folder.path));
    let events = match section.has("events") {
        true => section.list("events", scalar::word::<Event>),
        false => Some(Event::ALL.to_vec()),
    };
    if events.as_ref().is_some_and(Vec::is_empty) {
        return section.refuse("events", "names no event: leave it away for all of them");
    }
    Some(Receiver { name: name?, form: form?, url: url?, events: events? })
}

pub(super) fn read_heartbeat(section: &Section<'_>, folder: &Folder<'_>) -> Option<Heartbeat> {
    let url = section.need("url_file", URL_FILE, scalar::secret_file(folder.path));
    let bounds = scalar::duration_in(TimeDelta::minutes(1), TimeDelta::days(1));
    let every = match section.has("every") {
        true => section.get("every", bounds),
        false => Some(TimeDelta::minutes(5)),
    };
    Some(Heartbeat { url: url?, every: std(every?) })
}
