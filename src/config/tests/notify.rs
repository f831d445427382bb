//! `[[notify]]` and `[heartbeat]`.

use super::*;
use crate::notify::{Event, Form};

fn with(text: &str) -> String {
    format!("{}\n{text}", plain())
}

const OPS: &str = "[[notify]]\nname = \"ops\"\nkind = \"teams\"\nurl_file = \"/run/ops\"\n";

#[test]
fn a_receiver_hears_of_everything_unless_it_says_of_what() {
    let read = config(&with(&format!("{OPS}{}events = [\"failed\", \"needs-human\"]", OPS.replace("ops", "more"))));
    let [ops, more] = &read.receivers[..] else { panic!("{:?}", read.receivers) };
    assert_eq!((ops.form, ops.events.as_slice()), (Form::Teams, &Event::ALL[..]));
    assert_eq!(more.events, [Event::Failed, Event::NeedsHuman]);
    let files: Vec<_> = read.secret_files().into_iter().map(|(who, file)| (who, file.path().to_owned())).collect();
    assert!(files.contains(&("notify `ops`".to_owned(), "/run/ops".into())), "{files:?}");
}

#[test]
fn a_heartbeat_beats_every_five_minutes_unless_it_says_how_often() {
    let read = |more: &str| config(&with(&format!("[heartbeat]\nurl_file = \"/run/h\"\n{more}"))).heartbeat.unwrap();
    assert_eq!([read("").every, read("every = \"24h\"").every].map(|every| every.as_secs()), [300, 86_400]);
    assert!(config(&plain()).heartbeat.is_none());
    let heartbeat = config(&with("[heartbeat]\nurl_file = \"/run/h\"")).secret_files().len();
    assert_eq!(heartbeat, config(&plain()).secret_files().len() + 1);
}

#[test]
fn what_is_wrong_with_a_receiver_or_the_heartbeat_is_named_with_its_key() {
    let bend = |from: &str, to: &str| OPS.replace(from, to);
    for (text, key, words) in [
        (bend("teams", "slack"), "notify[0].kind", "expected `json` or `teams`"),
        (bend("url_file", "url"), "notify[0].url", "known are: events, kind, name, url_file"),
        (
            bend("/run/ops", "https://hooks.example/x?sig=y"),
            "notify[0].url_file",
            "the secret itself never stands here",
        ),
        (bend("\"ops\"", "\"<b>\""), "notify[0].name", "letters, digits"),
        (format!("{OPS}{OPS}"), "notify[1].name", "is the name of another receiver"),
        (format!("{OPS}events = []"), "notify[0].events", "names no event"),
        (format!("{OPS}events = [\"failed\", \"test\"]"), "notify[0].events[1]", "unknown variant `test`"),
        (format!("{OPS}event = [\"failed\"]"), "notify[0].event", "`events` was meant"),
        ("[heartbeat]\nevery = \"5m\"".to_owned(), "heartbeat.url_file", "is missing"),
        ("[heartbeat]\nurl_file = \"/run/h\"\nevery = \"59s\"".to_owned(), "heartbeat.every", "is shorter than 1m"),
        ("[heartbeat]\nurl_file = \"/run/h\"\nevery = \"25h\"".to_owned(), "heartbeat.every", "is longer than 1d"),
    ] {
        let found = problems(&with(&text));
        assert!(found.iter().any(|(at, what)| at == key && what.contains(words)), "{key}: {found:#?}");
    }
}
