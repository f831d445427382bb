use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_may_stand_behind_the_subcommand() {
    let cli = Cli::try_parse_from(["scim-rotator", "check", "--due", "--config", "x.toml", "-v"]).unwrap();
    assert_eq!((cli.config.to_str(), cli.verbose), (Some("x.toml"), 1));
    assert!(matches!(cli.command, Command::Check(CheckArgs { due: true, .. })));
}

#[test]
fn times_and_moments_are_read_as_people_write_them_and_bounded() {
    assert_eq!(hold_time("2h"), Ok(TimeDelta::hours(2)));
    assert_eq!(hold_time("90days"), Ok(LONGEST_HOLD));
    for wrong in ["91days", "0s", "2", "", "-1h", "500000years"] {
        assert!(hold_time(wrong).is_err(), "{wrong}");
    }
    assert_eq!(moment("2027-01-31").unwrap().to_rfc3339(), "2027-01-31T00:00:00+00:00");
    assert_eq!(moment("2027-01-31T12:00:00+02:00").unwrap().to_rfc3339(), "2027-01-31T10:00:00+00:00");
    for wrong in ["tomorrow", "31.01.2027", "2027-02-30", ""] {
        assert!(moment(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_compromised_token_is_not_kept_alive_by_a_mode() {
    let rotate = |more: &[&str]| {
        Cli::try_parse_from(["scim-rotator", "rotate", "prod"].iter().chain(more)).map(|cli| cli.command)
    };
    assert!(matches!(rotate(&["--mode", "overlap"]), Ok(Command::Rotate(args)) if args.mode == Some(Mode::Overlap)));
    assert!(rotate(&["--reason", "compromised"]).is_ok());
    for wrong in [&["--reason", "compromised", "--mode", "overlap"][..], &["--mode", "both"], &["--reason", "bored"]] {
        assert!(rotate(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_first_contact_names_its_connection_and_nothing_of_it_is_ignored_without_it() {
    let parse = |words: &str| Cli::try_parse_from(["scim-rotator", "doctor"].into_iter().chain(words.split(' ')));
    assert!(parse("prod --first-contact --i-understand-this-rotates --mode overlap --watch 1h --report r.md").is_ok());
    assert!(parse("prod --first-contact").is_ok());
    for wrong in [
        "--first-contact",
        "prod --i-understand-this-rotates",
        "prod --mode overlap",
        "prod --watch 5m",
        "prod --report r.md",
        "prod --first-contact --json",
        "prod --first-contact --watch 25h",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_subcommand_and_exit_code_is_in_the_help() {
    let help = Cli::command().render_long_help().to_string();
    for word in [
        "run",
        "once",
        "check",
        "status",
        "plan",
        "history",
        "doctor",
        "rotate",
        "adopt",
        "hold",
        "release",
        "notify",
        "config",
        "completions",
        "man",
        "10 due",
        "78 configuration",
        "HUP",
    ] {
        assert!(help.contains(word), "{word}");
    }
}
