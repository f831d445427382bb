//! `docs/messages.md`: everything that an operator can meet, made of the very tables that the errors take their words from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use scim_rotator::admin::control::NoDaemon;
use scim_rotator::admin::lock::NoLock;
use scim_rotator::cli::Exit;
use scim_rotator::config::Kind;
use scim_rotator::domain::Reason;
use scim_rotator::domain::settings::Unsuitable;
use scim_rotator::edge::{azure, graph, greenlake, http, keyvault, webhook};
use scim_rotator::loud::{Logged, Stopped, Warned};
use scim_rotator::messages::Message;
use scim_rotator::secret_file::BadFile;

const HEAD: &str = "\
# What it says, what that means, and what to do

*Made of the code by `make messages`; a test keeps it so. Edit the tables in `src`, not this file.*

A failure is one line: `SERVICE: METHOD URL: STATUS CODE WORDS (request ID) — MEANING: REMEDY`, with the connection before
it and the stable name of the reason in brackets. In JSON logs `reason`, `status`, `code`, `request_id` and `next` are fields
of their own. The id of the request is the service's; of a request that was never answered it is the one that Microsoft
Graph was sent as `client-request-id`. `scim-rotator doctor` walks every hop and names the remedy for each. Words in capitals
stand for what the message itself fills in (`NAME` for the connection), or for what you know.
";

fn all<T: Copy>(list: &[T], message: impl Fn(T) -> Message) -> Vec<Message> {
    list.iter().map(|one| message(*one)).collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn table(title: &str, says: &str, head: [&str; 3], rows: &[Message]) -> String {
    let [shows, means, remedy] = head;
    let mut text = format!("\n## {title}\n\n{says}\n\n| {shows} | {means} | {remedy} |\n|---|---|---|\n");
    for Message { shows, means, remedy } in rows {
        text.push_str(&format!("| {} | {} | {} |\n", cell(shows), cell(means), cell(remedy)));
    }
    text
}

fn rendered() -> String {
    const HEADS: [&str; 3] = ["it shows", "it means", "what to do"];
    let exits = Exit::ALL.iter().map(|exit| {
        let Message { shows, means, remedy } = exit.message();
        format!("| {} | {} | {} | {} |\n", exit.code(), cell(shows), cell(means), cell(remedy))
    });
    let reasons = Reason::ALL.iter().map(|reason| {
        let person = if reason.remedy().is_some() { " **·**" } else { "" };
        format!(
            "| [`{reason}`](runbook/{reason}.md){person} | {} | {} |\n",
            cell(reason.sentence()),
            cell(reason.outlook())
        )
    });
    let tables = [
        table(
            "Key Vault",
            "Everything that is told as `Key Vault: …`. A 401, and a 403 that may be the bearer's fault, is tried once more with \
             a new bearer before it is told.",
            HEADS,
            &all(keyvault::Refused::ALL, keyvault::Refused::message),
        ),
        table(
            "Microsoft Graph",
            "Everything that is told as `Microsoft Graph: …`. Errors within errors are unwrapped: the code is the innermost. A 401 \
             or 403 is tried once more with a new bearer before it is told.",
            HEADS,
            &all(graph::Refused::ALL, graph::Refused::message),
        ),
        table(
            "What Entra has saved",
            "Told before a rotation, and by `doctor`: with such settings nothing is begun.",
            HEADS,
            &all(Unsuitable::ALL, Unsuitable::message),
        ),
        table(
            "Entra login",
            "Everything that is told as `Entra login: …`: how the daemon becomes somebody in Azure.",
            HEADS,
            &all(azure::Refused::ALL, azure::Refused::message),
        ),
        table(
            "The files of a certificate",
            "Of `kind = \"client-certificate\"`. The file is named.",
            HEADS,
            &all(azure::BadCertificate::ALL, azure::BadCertificate::message),
        ),
        table(
            "HPE",
            "Everything that is told as `HPE: …`. HPE's own recommendations follow ours.",
            HEADS,
            &all(greenlake::Refused::ALL, greenlake::Refused::message),
        ),
        table(
            "Webhooks",
            "Of whoever is told by `[[notify]]`, and of `[heartbeat]`: in the log, and told by `notify test`. Of the URL only the host is \
             shown.",
            HEADS,
            &all(webhook::Refused::ALL, webhook::Refused::message),
        ),
        table(
            "The network",
            "Of any service: there was no answer, or no client to ask it with.",
            HEADS,
            &all(http::Unreached::ALL, http::Unreached::message)
                .into_iter()
                .chain(all(http::BadClient::ALL, http::BadClient::message))
                .collect::<Vec<_>>(),
        ),
        table(
            "The files of secrets",
            "`secret file PATH …`. They are read anew at each use, so that nothing has to be started anew.",
            HEADS,
            &all(BadFile::ALL, BadFile::message),
        ),
        table(
            "The configuration",
            "All problems at once, exit code 78: `FILE:LINE:COLUMN: KEY: …` with the line itself, secrets blotted out. These are the \
             kinds; each says in full what is expected.",
            HEADS,
            &all(Kind::ALL, Kind::message),
        ),
        table(
            "What is logged as a warning or an error",
            "Beside what stands in the other tables. The message is the same in text and in JSON; the rest is in fields.",
            HEADS,
            &all(Logged::ALL, Logged::message),
        ),
        table(
            "What `status` and `check` warn of",
            "Nothing has failed. A cycle that does not come (`Unconfirmed`) is warned of as well.",
            HEADS,
            &all(Warned::ALL, Warned::message),
        ),
        table(
            "What ends a rotation or refuses a command, and is no service's doing",
            "Told behind the reason, or by the command itself.",
            HEADS,
            &all(Stopped::ALL, Stopped::message),
        ),
        table(
            "Commands and the daemon on this host",
            "Told by the command itself.",
            HEADS,
            &all(NoLock::ALL, NoLock::message)
                .into_iter()
                .chain(all(NoDaemon::ALL, NoDaemon::message))
                .collect::<Vec<_>>(),
        ),
    ];
    let text = [
        HEAD.to_owned(),
        "\n## Exit codes\n\n| code | of | it means | what to do |\n|---|---|---|---|\n".to_owned(),
        exits.collect(),
        "\n## Reasons\n\nWhy something is done or waited for. The names never change. Those with a dot wait for a person.\n\n\
         | reason | it means | what to do |\n|---|---|---|\n"
            .to_owned(),
        reasons.collect(),
    ];
    text.into_iter().chain(tables).collect()
}

#[test]
fn the_messages_are_documented_as_they_are_said() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/messages.md");
    let rendered = rendered();
    if std::env::var_os("WRITE_MESSAGES").is_some() {
        fs::write(&path, &rendered).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let first = found.lines().zip(rendered.lines()).find(|(found, expected)| found != expected);
    assert!(found == rendered, "docs/messages.md is not what the code says: run `make messages`\n{first:#?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Problems of a configuration, and of orders, are put into words where they are found; none must be invented.
#[test]
fn what_is_said_of_configuration_and_orders_is_said_somewhere() {
    let told = [
        (&["src/config"][..], "problem.rs", all(Kind::ALL, Kind::message)),
        (&["src/admin"], "told.rs", all(NoDaemon::ALL, NoDaemon::message)),
        (&["src/engine", "src/domain"], "loud.rs", all(Warned::ALL, Warned::message)),
    ];
    for (folders, table, messages) in told {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = folders.iter().flat_map(|folder| sources(&root.join(folder)));
        let files = files.filter(|file| !file.ends_with(table) && !file.ends_with("tests.rs"));
        let code: String = files.map(|file| fs::read_to_string(file).expect("a file").replace("{}", "")).collect();
        for Message { shows, .. } in messages {
            let is_said = shows.trim_matches('"').split('…').all(|piece| code.contains(piece));
            assert!(is_said, "nothing in {folders:?} says {shows:?}");
        }
    }
}

/// The last string among the arguments of a macro, which `code` begins with, as it will be read; what is filled in is `…`.
fn last_string(code: &str) -> Option<String> {
    let (mut depth, mut in_string, mut escaped) = (1, false, false);
    let (mut text, mut last) = (String::new(), None);
    for character in code.chars() {
        match character {
            '"' if !escaped && in_string => last = Some(std::mem::take(&mut text)),
            '(' if !in_string => depth += 1,
            ')' if !in_string => depth -= 1,
            other if in_string => text.push(other),
            _ => (),
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
        if depth == 0 {
            break;
        }
    }
    // A line that goes on in the next, and what is filled in.
    let text = last?.split("\\\n").map(str::trim_start).collect::<String>();
    let mut told = String::new();
    for piece in text.split('{') {
        match piece.split_once('}') {
            Some((_, after)) => told.extend(["…", after]),
            None => told.push_str(piece),
        }
    }
    Some(told)
}

/// The first string in `code`, as it will be read; what is filled in is `…`.
fn first_string(code: &str) -> Option<String> {
    let (_, rest) = code.split_once('"')?;
    let (text, _) = rest.split_once('"')?;
    last_string(&format!("\"{text}\")"))
}

/// What ends a run, and what refuses a command before anything is begun: neither may be without a row, nor a row be invented.
#[test]
fn what_ends_a_run_or_refuses_a_command_is_documented_and_none_is_invented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = ["engine", "cli"].iter().flat_map(|folder| sources(&root.join(folder)));
    let files = files.chain([root.join("edge/supplied.rs")]);
    let (mut said, mut refusals) = (String::new(), 0);
    let rows: Vec<_> = Stopped::ALL.iter().map(|stopped| stopped.message().shows).collect();
    for file in files.filter(|file| !file.ends_with("tests.rs")) {
        let code = fs::read_to_string(&file).expect("a file");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for call in code.split("bail!(").skip(1) {
            let told = first_string(call).expect("words");
            let is_row = rows.iter().any(|row| told == *row || told.starts_with(row.trim_end_matches('…')));
            assert!(is_row, "{}: src/loud.rs does not know of {told:?}", file.display());
            refusals += 1;
        }
        let joined = code.split("\\\n").map(str::trim_start).collect::<String>();
        said.push_str(&joined);
    }
    assert!(refusals > 8, "only {refusals} were found");
    for row in rows {
        assert!(row.split('…').all(|piece| said.contains(piece)), "nothing says {row:?}");
    }
}

/// The words stand where it happens, and their meaning in a table: neither may be without the other.
#[test]
fn every_loud_line_of_the_log_is_documented_and_none_is_invented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut said = BTreeSet::new();
    for file in sources(&root) {
        let code = fs::read_to_string(&file).expect("a file");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for call in ["tracing::warn!(", "tracing::error!("].iter().flat_map(|call| code.split(call).skip(1)) {
            said.extend(last_string(call));
        }
    }
    // These pass on what stands in another table; that of a bearer is put into a variable first.
    let documented: BTreeSet<String> = Logged::ALL.iter().map(|logged| logged.message().shows.to_owned()).collect();
    let passed_on = ["…", "…: …", "no message"];
    let unknown: Vec<_> =
        said.iter().filter(|text| !documented.contains(*text) && !passed_on.contains(&text.as_str())).collect();
    assert!(unknown.is_empty(), "src/loud.rs does not know of {unknown:#?}");
    let by_variable = Logged::NoBearer.message().shows;
    let invented: Vec<_> = documented.iter().filter(|text| !said.contains(*text) && *text != by_variable).collect();
    assert!(invented.is_empty(), "nothing logs {invented:#?}");
}

/// Whoever advises something in words of its own escapes the documentation.
#[test]
fn what_an_edge_advises_stands_in_its_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge");
    for file in sources(&root) {
        let code = fs::read_to_string(&file).expect("a file");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let given = code.split("advice = Some(\"").nth(1).and_then(|given| given.lines().next());
        assert_eq!(given, None, "{} advises by itself", file.display());
    }
}
