//! The command line, and help that teaches. Nothing is done here.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::Config;
use crate::logging::Verbosity;

const EXAMPLES: &str = "\
Begin here:
  scim-rotator config check          is the configuration right? every problem at once
  scim-rotator check                 what would be done now, and why? changes nothing
  scim-rotator once                  do it once, and end
  scim-rotator run                   do it for years (systemd, container)
  scim-rotator status                which token lives how long, and what comes next

Exit codes:
  0 done   1 failed, may succeed later   64 usage   78 configuration
  check:  0 nothing due   10 due   11 unfinished   12 needs a human   1 cannot tell

Signals to `run`:
  TERM  end; a rotation under way is brought to a safe point first (a second TERM: at once, safe as well)
  HUP   read the configuration again (a bad one is refused, the old one stays) and look";

/// Keeps the SCIM token of an Entra-provisioned application alive.
///
/// Has HPE GreenLake make a new token before the old one expires, keeps it in Azure Key Vault, hands it to the Entra
/// provisioning job, and proves that Entra can use it. The vault is the only memory: kill it anywhere, start it anywhere.
#[derive(Clone, Debug, Parser)]
#[command(name = "scim-rotator", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "SCIM_ROTATOR_CONFIG",
        hide_env_values = true,
        default_value = Config::DEFAULT_PATH
    )]
    pub config: PathBuf,

    /// Log more: -v our decisions in detail, -vv every step, -vvv the libraries too. No secret shows at any level.
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Log less: -q warnings and errors, -qq errors only.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub quiet: u8,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Look again and again, and rotate what is due, until it is told to end.
    ///
    /// Looks when the cron `policy.check` says so, at each deadline, at the start and on SIGHUP. Holds a lock, so that one
    /// host runs one of it. Tells systemd READY, STATUS and WATCHDOG.
    Run(RunArgs),

    /// Look once, do what is due, and end.
    ///
    /// For a timer instead of a daemon, and for the first rotation under your eyes. Takes the same lock as `run`.
    Once(OnceArgs),

    /// Look and decide, and change nothing.
    ///
    /// Asks HPE for nothing and writes nowhere. Exit codes: 0 nothing due, 10 due, 11 a rotation is
    /// unfinished, 12 needs a human, 1 cannot tell.
    Check(CheckArgs),

    /// Show each connection: stage, expiry and where that date comes from, slack, job, last and next action.
    Status(StatusArgs),

    /// About the configuration itself.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {}

/// `once`.
#[derive(Clone, Debug, Default, Args)]
pub struct OnceArgs {}

/// `check`.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// For scripts and systemd's ExecCondition=: exit 0 when something is due, unfinished or cannot be told, 1 when not.
    #[arg(long)]
    pub due: bool,
}

/// `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArgs {
    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `config …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration, say everything that is wrong with it, and what each connection will do.
    ///
    /// Contacts nobody and reads no secret. Exit codes: 0 usable (there may be warnings), 78 not usable.
    Check,
}

impl Cli {
    /// How much is logged. A command that answers on standard output logs warnings only, unless asked for more.
    pub fn verbosity(&self) -> Verbosity {
        let answers = matches!(self.command, Command::Check(_) | Command::Status(_) | Command::Config(_));
        Verbosity::new(self.verbose, self.quiet.max(u8::from(answers && self.verbose == 0)))
    }
}

#[cfg(test)]
mod tests {
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
    fn every_subcommand_and_exit_code_is_in_the_help() {
        let help = Cli::command().render_long_help().to_string();
        for word in ["run", "once", "check", "status", "config", "10 due", "78 configuration", "HUP"] {
            assert!(help.contains(word), "{word}");
        }
    }
}
