//! The command line: parsed, the configuration loaded, logging started, one subcommand run. One file a subcommand.
//!
//! Answers for people and machines go to standard output, logs and complaints to standard error.

mod adopt;
mod args;
mod check;
mod columns;
mod completions;
pub mod config_check;
mod doctor;
pub mod exit;
mod explain;
mod first_contact;
mod follow;
mod health;
mod history;
mod hold;
mod init;
mod init_args;
mod json;
mod look;
mod man;
mod notify;
mod once;
mod order;
mod out;
mod plan;
mod release;
mod rotate;
mod run;
mod schema;
mod signals;
mod status;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser as _;

pub use args::{
    AdoptArgs, Cli, Command, CompletionsArgs, DoctorArgs, ExplainArgs, HealthArgs, HistoryArgs, HoldArgs, LookArgs,
    ManArgs, NotifyCommand, OnceArgs, PlanArgs, ReleaseArgs, RotateArgs, RunArgs, StatusArgs,
};
pub use exit::Exit;
use exit::Misnamed;
pub use init_args::{Answers, ConfigCommand, InitArgs};

use self::follow::Follow;
use self::out::Out;
use crate::config::{Config, ConfigErrors, Environment, Refused};
use crate::sane_clock;

/// What `health` says when it asks a daemon that was begun with another configuration than the file holds now.
const BESIDE: &str = "goes on with what it has read: the configuration cannot be used any more, and `scim-rotator config check` \
    says why";

/// Reads the command line. What cannot be used is explained on standard error, help and version go to standard output.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, Exit> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // There is nobody left to tell when even this cannot be written.
        let _ = error.print();
        exit_of(&error)
    })
}

/// Help and version count as done; clap's own code for mistakes is 2, ours is 64.
fn exit_of(error: &clap::Error) -> Exit {
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// Runs one command line to its end.
pub fn main(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Exit {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    // What is about the command line itself, or comes before a configuration, needs none.
    let about_itself = match &cli.command {
        Command::Completions(args) => Some(completions::run(args, &mut Out::of_process())),
        Command::Man(args) => Some(man::run(args, &mut Out::of_process())),
        Command::Config(ConfigCommand::Schema { connection }) => Some(schema::run(*connection, &mut Out::of_process())),
        Command::Init(args) => Some(init::run(&cli.config, args, cli.verbosity())),
        Command::Explain(args) => Some(explain::run(args, &mut Out::of_process())),
        _ => None,
    };
    if let Some(result) = about_itself {
        return concluded(result);
    }
    let loaded = match Config::load(&cli.config, &Environment::of_process()) {
        Ok(loaded) => loaded,
        // A condition that cannot be told holds: the run behind it says what is wrong.
        Err(problems) if cli.command.is_condition() => return complain(Exit::Done, &problems),
        Err(problems) => return refuse(&cli, &problems),
    };
    if let Err(error) = crate::logging::start(&loaded.config.log, cli.verbosity()) {
        return complain(Exit::Failed, &error);
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config.file = %cli.config.display(), "scim-rotator begins");
    if !matches!(cli.command, Command::Config(_)) {
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        for Refused { name, problems } in &loaded.config.refused {
            tracing::error!(connection = %name, %problems, "this connection is refused; the others are tended");
        }
        for (who, file) in loaded.config.secret_files() {
            file.warning().iter().for_each(|warning| tracing::warn!("{who}: {warning}"));
        }
    }
    let result = match cli.command {
        Command::Config(ConfigCommand::Check { json }) => config_check::run(&loaded, json, &mut Out::of_process()),
        command => carry_out(cli.config, loaded.config, command, Follow::choose(cli.quiet > 0)),
    };
    concluded(result)
}

/// Nothing can be done with this configuration. It says nothing of the health of a daemon that began with another one, so that is
/// asked for all the same.
fn refuse(cli: &Cli, problems: &ConfigErrors) -> Exit {
    match &cli.command {
        Command::Health(args) => {
            if let Some(dir) = Config::runtime_dir_at_least(&cli.config, &Environment::of_process())
                && let Some(exit) = on_one_thread(health::of_daemon(&dir, args, &mut Out::of_process())).transpose()
            {
                if exit.is_ok() {
                    complain(Exit::Config, &format_args!("the daemon of {} was asked, and {BESIDE}", dir.display()));
                }
                return concluded(exit);
            }
        }
        Command::Config(ConfigCommand::Check { json: true }) => {
            // There is nobody left to tell when even this cannot be written.
            let _ = config_check::refusal(problems, &mut Out::of_process());
        }
        _ => (),
    }
    complain(Exit::Config, problems)
}

fn concluded(result: anyhow::Result<Exit>) -> Exit {
    result.unwrap_or_else(|error| {
        let exit = if error.is::<Misnamed>() { Exit::Usage } else { Exit::Failed };
        complain(exit, &crate::engine::chain(error.as_ref()))
    })
}

/// The subcommands that look or act.
fn carry_out(file: PathBuf, config: Config, command: Command, follow: Follow) -> anyhow::Result<Exit> {
    // The daemon waits for its clock, a command says so and ends.
    if let Some(what) = sane_clock::complaint(crate::app::clock(&config).now()) {
        match &command {
            Command::Run(_) => (),
            condition if condition.is_condition() => {
                writeln!(Out::of_process(), "{what}")?;
                return Ok(Exit::Done);
            }
            _ => anyhow::bail!("nothing is done: {what}"),
        }
    }
    let mut out = Out::of_process();
    on_one_thread(async {
        match command {
            Command::Run(_) => run::run(file, config).await,
            Command::Once(args) => once::run(&config, &args, &mut out).await,
            Command::Check(args) => check::run(&config, &args, &mut out).await,
            Command::Status(args) => status::run(&config, &args, &mut out).await,
            Command::Plan(args) => plan::run(&config, &args, &mut out).await,
            Command::History(args) => history::run(&config, &args, &mut out).await,
            Command::Health(args) => health::run(&config, &args, &mut out).await,
            Command::Doctor(args) => doctor::run(&config, &args, &mut out).await,
            Command::Rotate(args) => rotate::run(&config, &args, follow, &mut out).await,
            Command::Adopt(args) => adopt::run(&config, &args, follow, &mut out).await,
            Command::Hold(args) => hold::run(&config, &args, follow, &mut out).await,
            Command::Release(args) => release::run(&config, &args, follow, &mut out).await,
            Command::Notify(NotifyCommand::Test { name, json }) => {
                notify::test(&config, name.as_deref(), json, &mut out).await
            }
            Command::Config(_) | Command::Completions(_) | Command::Man(_) | Command::Init(_) | Command::Explain(_) => {
                Ok(Exit::Usage)
            }
        }
    })
}

/// Everything runs on the one thread of the process.
fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // Whoever asked for the end twice does not wait for a resolver that hangs.
    runtime.shutdown_background();
    result
}

fn complain(exit: Exit, what: &dyn std::fmt::Display) -> Exit {
    // There is nobody left to tell when even this cannot be written.
    let _ = writeln!(io::stderr(), "scim-rotator: {what}");
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_on_the_command_line_ends_with_64_and_help_with_0() {
        let exit = |arguments: &[&str]| {
            let all = ["scim-rotator"].iter().chain(arguments);
            Cli::try_parse_from(all).map(|_| ()).map_err(|error| exit_of(&error).code())
        };
        for wrong in [&[][..], &["rotate"], &["run", "--due"], &["run", "-v", "-q"], &["status", "--config"]] {
            assert_eq!(exit(wrong), Err(64), "{wrong:?}");
        }
        for asked in [&["--help"][..], &["--version"], &["check", "-h"]] {
            assert_eq!(exit(asked), Err(0), "{asked:?}");
        }
        assert_eq!(exit(&["config", "check", "--json"]), Ok(()));
    }
}
