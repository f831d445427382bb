//! `completions` and `man`: made of the one definition of the command line, with no configuration anywhere.

use std::fs;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use scim_rotator::cli::Cli;

use super::place::BINARY;

/// The binary, where it finds no configuration.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.env_clear().env("SCIM_ROTATOR_CONFIG", "/nonexistent/scim-rotator.toml").args(arguments);
    command.output().expect("the binary starts")
}

#[track_caller]
fn answer(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(arguments);
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()), "{arguments:?}");
    String::from_utf8(stdout).expect("text")
}

/// What bash offers for this line, of which the last word is to be completed.
fn completed(script: &str, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let line = format!(
        "{script}\n[[ $(complete -p scim-rotator) =~ -F\\ ([^ ]+) ]]\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n\
         ${{BASH_REMATCH[1]}} scim-rotator '{}' '{}'\necho \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1]
    );
    let output = Command::new("bash").args(["--norc", "-c", &line]).output().expect("bash");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// Each command with the words that lead to it, but `help`.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn below(words: &[String], command: &clap::Command) -> Vec<(Vec<String>, clap::Command)> {
        let mut all = vec![(words.to_vec(), command.clone())];
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            all.extend(below(&[words, &[sub.get_name().to_owned()]].concat(), sub));
        }
        all
    }
    let mut program = Cli::command();
    program.build();
    below(&["scim-rotator".to_owned()], &program)
}

fn long_options(command: &clap::Command) -> Vec<String> {
    command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect()
}

#[test]
fn bash_takes_its_completions_and_completes_every_subcommand_and_option() {
    let script = answer(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).output().expect("bash");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(completed(&script, &["scim-rotator", "hist"]), ["history"]);
    assert_eq!(completed(&script, &["scim-rotator", "config", "ch"]), ["check"]);
    assert_eq!(completed(&script, &["scim-rotator", "rotate", "--mode", "re"]), ["remove-current"]);
    for (words, command) in commands() {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let offered = completed(&script, &[&words[..], &["-"]].concat());
        for option in long_options(&command) {
            assert!(offered.contains(&option), "{words:?} {option}: {offered:?}");
        }
    }
}

#[test]
fn the_completions_of_every_shell_name_every_subcommand_and_a_shell_that_is_none_is_a_mistake() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = answer(&["completions", shell]);
        for (words, _) in commands() {
            let last = words.last().expect("a word");
            assert!(script.contains(last.as_str()), "{shell}: {last}");
        }
    }
    assert!(answer(&["completions", "zsh"]).starts_with("#compdef scim-rotator"));
    assert!(answer(&["completions", "fish"]).contains("complete -c scim-rotator"));
    for wrong in [&["completions"][..], &["completions", "cmd"]] {
        assert_eq!(run(wrong).status.code(), Some(64), "{wrong:?}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_subcommand_with_all_its_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man1");
    let said = answer(&["man", "--dir", &pages.to_string_lossy()]);
    let commands = commands();
    assert_eq!(
        (said.lines().count(), fs::read_dir(&pages).expect("a folder").count()),
        (commands.len(), commands.len())
    );
    for (words, command) in commands {
        let file = pages.join(format!("{}.1", words.join("-")));
        let roff = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(said.contains(&file.display().to_string()), "{said}");
        let text = roff.replace("\\-", "-");
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"] {
            assert!(text.contains(part), "{words:?}: {part}\n{roff}");
        }
        for option in long_options(&command) {
            assert!(text.contains(&option), "{words:?}: {option}\n{roff}");
        }
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            assert!(text.contains(&format!("{}-{}(1)", words.join("-"), sub.get_name())), "{roff}");
        }
        is_clean(&roff, &words.join(" "));
    }
}

/// Every order is one that man pages know, blocks that keep their lines are closed, and groff, where there is one, has nothing
/// to say.
fn is_clean(roff: &str, page: &str) {
    let orders: Vec<_> = roff.lines().filter(|line| line.starts_with(['.', '\''])).collect();
    let known = [".TH", ".SH", ".PP", ".TP", ".IP", ".RS", ".RE", ".nf", ".fi", ".br", ".ie", ".el", ".ds", ".nh"];
    for order in &orders {
        assert!(known.iter().any(|known| order.starts_with(known)), "{page}: {order}");
    }
    let count = |name: &str| orders.iter().filter(|order| order.starts_with(name)).count();
    assert_eq!((count(".nf"), count(".RS")), (count(".fi"), count(".RE")), "{page}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.1");
    fs::write(&file, roff).expect("written");
    match Command::new("groff").args(["-ww", "-man", "-Tutf8", "-z"]).arg(&file).output() {
        Ok(output) => {
            let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && complaints.is_empty(), "{page}: {complaints}\n{roff}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}

#[test]
fn the_page_of_the_program_goes_to_standard_output_with_examples_and_exit_codes_in_their_columns() {
    let page = answer(&["man"]).replace("\\-", "-");
    for part in [
        ".SH \"BEGIN HERE\"\n.nf\n  scim-rotator init                  asks",
        ".SH \"WHEN A PERSON WANTS SOMETHING\"\neach goes through the running daemon",
        ".SH \"EXIT CODES\"\n.nf\n  0 done",
        "scim-rotator-history(1)",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    fs::write(&file, "").expect("written");
    let output = run(&["man", "--dir", &file.join("below").to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("a-file/below") && said.contains("Not a directory"), "{said}");
}

#[test]
fn the_version_names_the_release_and_what_it_is_made_of() {
    let release = concat!("scim-rotator ", env!("CARGO_PKG_VERSION"));
    assert_eq!(answer(&["-V"]).trim(), release);
    let version = answer(&["--version"]);
    let of_what = version.trim().strip_prefix(release).expect("the release");
    let form = regex_lite::Regex::new(r"^( \([0-9a-f]{12}, [0-9]{4}-[0-9]{2}-[0-9]{2}\))?$").expect("a form");
    assert!(form.is_match(of_what), "{version}");
    // What is built in a checkout knows its commit.
    let root = env!("CARGO_MANIFEST_DIR");
    let head = Command::new("git").args(["-C", root, "rev-parse", "--show-prefix", "HEAD"]).output();
    if let Some(head) = head.ok().filter(|head| head.status.success() && head.stdout.first() == Some(&b'\n')) {
        let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
        assert!(of_what.starts_with(&format!(" ({},", &head[..12])), "{version} at {head}");
    }
}
