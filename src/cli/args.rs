//! The command line, and help that teaches. Nothing is done here.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use super::init_args::{ConfigCommand, InitArgs};
use crate::config::Config;
use crate::domain::order::LONGEST_HOLD;
use crate::domain::{Mode, Timestamp};
use crate::logging::Verbosity;

const EXAMPLES: &str = "\
Begin here:
  scim-rotator init                  asks, looks things up, and writes a configuration
  scim-rotator config check          is the configuration right? every problem at once
  scim-rotator doctor                does every hop work (network, tokens, roles, vault, Entra, HPE)? changes nothing
  scim-rotator check                 what would be done now, and why? changes nothing
  scim-rotator once                  do it once, and end
  scim-rotator run                   do it for years (systemd, container)
  scim-rotator status                which token lives how long, and what comes next
  scim-rotator plan                  when each rotates, why then, what it will do, and what a year brings; changes nothing
  scim-rotator history NAME          what was done, when and why, how long it took; from the vault alone, changes nothing
  scim-rotator doctor NAME --first-contact    learn what HPE and Entra document nowhere, by one rotation; asks first

When a person wants something (each goes through the running daemon, or does it itself where none runs):
  scim-rotator rotate NAME                        a new token, now
  scim-rotator rotate NAME --reason compromised   the current one is in wrong hands: it dies at once
  scim-rotator adopt NAME --token-file FILE       use this token, made by hand
  scim-rotator hold NAME --for 2h                 no rotation by policy for a while
  scim-rotator release NAME                       the hold is over
  scim-rotator notify test                        does whoever is to be told hear of it?

Exit codes:
  0 done   1 failed or refused, the reason is printed   64 usage   78 configuration
  check:  0 nothing due   10 due   11 unfinished   12 needs a human   1 cannot tell

Signals to `run`:
  TERM  end; a rotation under way is brought to a safe point first (a second TERM: at once, safe as well)
  HUP   read the configuration again (a bad one is refused, the old one stays) and look";

/// Keeps the SCIM token of an Entra-provisioned application alive.
///
/// Has HPE GreenLake make a new token before the old one expires, keeps it in Azure Key Vault, hands it to the Entra
/// provisioning job, and proves that Entra can use it. The vault is the only memory: kill it anywhere, start it anywhere.
#[derive(Clone, Debug, Parser)]
#[command(name = "scim-rotator", version, long_version = env!("SCIM_ROTATOR_VERSION"), after_help = EXAMPLES, max_term_width = 100)]
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

    /// Look, do what is due, and end.
    ///
    /// For a timer instead of a daemon, and for the first rotation under your eyes. Takes the same lock as `run`. What it has
    /// begun and could not finish it takes up again, for up to 10 minutes after its first look, so that no provisioning job
    /// stays paused until the timer's next turn. Exit codes: 0 at rest, 1 something failed or is unfinished.
    Once(OnceArgs),

    /// Look and decide, and change nothing.
    ///
    /// Asks HPE for nothing and writes nowhere; beside a running daemon it goes by the daemon's last look. Exit codes: 0 nothing due, 10 due, 11 a rotation is
    /// unfinished, 12 needs a human, 1 cannot tell.
    Check(CheckArgs),

    /// Show each connection: stage, expiry and where that date comes from, slack, job, last and next action.
    Status(StatusArgs),

    /// Show what comes next for each connection, why then, and what it will do.
    ///
    /// The next look and the next rotation, with the window and the jitter that make it so; the last safe moment; the steps
    /// of a rotation and what each needs to be allowed to; and all rotations within the horizon. Changes nothing, asks HPE for
    /// nothing.
    Plan(PlanArgs),

    /// Show what was done so far, newest first: when, why, how long it took, and what became of each token.
    ///
    /// All of it is read from the versions of the secret and their tags, without any value; only the vault is asked, and
    /// nothing is changed. Who gave an order and why an attempt failed stands in no tag, but in the log.
    History(HistoryArgs),

    /// Walk every hop of a connection, and say of each whether it is well, by what that is seen, and what mends it.
    ///
    /// Names, connections, TLS, clocks; a token for each audience and its roles; vault, service principal, owner, job, last cycle,
    /// settings, mapping, assignments, SCIM endpoint. Changes nothing, rotates nothing, takes no lock: run it beside the
    /// daemon, or before the first rotation. What cannot be tried without a change is said to be `untried`. Exit codes: 0 no
    /// fault, 1 at least one.
    ///
    /// `--first-contact` is another matter: it rotates once, under the lock, and learns from it what no document tells.
    Doctor(DoctorArgs),

    /// Have a new token made now, whatever the policy says, and bring it to Entra.
    ///
    /// At most four tokens are issued in 24 hours, a minute apart, whoever asks. The provisioning job is paused around the
    /// cutover as the policy says. A running daemon carries it out, and goes on with it when this command is ended;
    /// without one this command takes the lock and does it itself, and SIGTERM ends it as it ends `once`. Either way each step
    /// is told as it begins: at a terminal by one line that is written over, elsewhere by a line each, with `-q` or `--json` not at all.
    Rotate(RotateArgs),

    /// Take over a token that was made by hand.
    ///
    /// It is stored in the vault, tested by Entra like every other, and given to Entra only when it passes. One that does
    /// not pass is put aside, and everything stays as it was. The token is never printed, logged or handed on through
    /// arguments or environment.
    Adopt(AdoptArgs),

    /// Put rotations by policy off for a while: a freeze, an audit, a migration.
    ///
    /// Survives restarts. The last safe moment (expiry minus `min_slack`) beats it, a dead token too, and so does `rotate`.
    Hold(HoldArgs),

    /// End a hold now.
    Release(ReleaseArgs),

    /// Write a configuration, of a few answers and of what can be looked up.
    ///
    /// Asks at a terminal, takes a line for each answer from a pipe, and with `--non-interactive` takes everything from the
    /// options. Looks up the application, its job and its tenant URL in Entra, and the secret in the vault. Asks for no
    /// secret, only for the files that hold them; changes nothing but the one file that it writes. Exit codes: 0 written,
    /// 1 not written, 64 something is missing or wrong, and all of it is listed.
    Init(Box<InitArgs>),

    /// Say whether the daemon of this host lives and whether all is well: for container checks and monitors.
    ///
    /// Only the daemon is asked, over its control socket. Exit codes: 0 it lives, with `--ready` also nothing is wrong with any
    /// connection; 1 otherwise, and where no daemon answers.
    Health(HealthArgs),

    /// Print what a reason or an alert means and what to do: a page of the runbook.
    ///
    /// Needs no configuration. Without a name, the index.
    Explain(ExplainArgs),

    /// About those who are told of what happens.
    #[command(subcommand)]
    Notify(NotifyCommand),

    /// About the configuration itself.
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print what a shell needs to complete this command line.
    ///
    /// Needs no configuration. For bash: `scim-rotator completions bash > /etc/bash_completion.d/scim-rotator`; for zsh into
    /// `_scim-rotator` in a folder of `fpath`; for fish into `~/.config/fish/completions/scim-rotator.fish`.
    Completions(CompletionsArgs),

    /// Print the manual page, or write one for each subcommand.
    ///
    /// Needs no configuration. `scim-rotator man | man -l -` shows it; `scim-rotator man --dir /usr/local/share/man/man1`
    /// installs all.
    Man(ManArgs),
}

impl Command {
    /// Whether it is asked as a condition, behind which a run comes.
    pub fn is_condition(&self) -> bool {
        matches!(self, Self::Check(CheckArgs { due: true, .. }))
    }
}

/// `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {}

/// `once`.
#[derive(Clone, Debug, Default, Args)]
pub struct OnceArgs {
    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `check`.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// For scripts and systemd's ExecCondition=: exit 0 when something is due, unfinished, waits for a person or cannot be told, 1 when not.
    #[arg(long)]
    pub due: bool,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,

    /// Whose look counts.
    #[command(flatten)]
    pub look: LookArgs,
}

/// `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArgs {
    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,

    /// Whose look counts.
    #[command(flatten)]
    pub look: LookArgs,
}

/// `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// How far ahead rotations are told: `90days`, `1y`; a day to ten years.
    #[arg(long, value_name = "TIME", value_parser = horizon, default_value = "365days")]
    pub horizon: TimeDelta,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,

    /// Whose look counts.
    #[command(flatten)]
    pub look: LookArgs,
}

/// What the commands share that show how connections stand.
#[derive(Clone, Debug, Default, Args)]
pub struct LookArgs {
    /// Ask Key Vault and Microsoft Graph now, whatever the running daemon saw at its last look.
    #[arg(long)]
    pub fresh: bool,
}

/// `history NAME`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// The connection, as the configuration names it.
    pub name: String,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `doctor [NAME]`.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// The connection, as the configuration names it. Without it, all of them.
    pub name: Option<String>,

    /// For machines: one JSON document.
    #[arg(long, conflicts_with = "first_contact")]
    pub json: bool,

    /// Rotate once, watch it closely, and write down what HPE and Entra do that is documented nowhere: a report to share, and
    /// the settings to pin. Without the next option it only says what it would do.
    #[arg(long, requires = "name")]
    pub first_contact: bool,

    /// Said by somebody who knows that --first-contact has a new token made and given to Entra.
    #[arg(long, requires = "first_contact")]
    pub i_understand_this_rotates: bool,

    /// For --first-contact, in place of the policy's mode: `overlap` or `remove-current`.
    #[arg(long, value_name = "MODE", value_parser = mode(), requires = "first_contact")]
    pub mode: Option<Mode>,

    /// For --first-contact: how long the old token is watched after the rotation, `5m`, `1h`; at most a day.
    #[arg(long, value_name = "TIME", value_parser = watch_time, default_value = "5m", requires = "first_contact")]
    pub watch: TimeDelta,

    /// For --first-contact: where the report is written, a file that is not there yet. Without it, in this folder, named after
    /// the connection and the time.
    #[arg(long, value_name = "FILE", requires = "first_contact")]
    pub report: Option<PathBuf>,
}

/// `rotate NAME`.
#[derive(Clone, Debug, Args)]
pub struct RotateArgs {
    /// The connection, as the configuration names it.
    pub name: String,

    /// What becomes of the current token: `overlap` lets it live until the new one takes effect, `remove-current` kills it
    /// when the new one is made. Without this, as the policy says.
    #[arg(long, value_name = "MODE", value_parser = mode())]
    pub mode: Option<Mode>,

    /// `compromised`: the current token is in wrong hands. It is removed at once, with the job paused, waiting for no gap.
    #[arg(long, value_name = "REASON", conflicts_with = "mode", value_parser = ["compromised"])]
    pub reason: Option<String>,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `adopt NAME`.
#[derive(Clone, Debug, Args)]
pub struct AdoptArgs {
    /// The connection, as the configuration names it.
    pub name: String,

    /// A file that holds the token and nothing else. Should be readable by you alone; delete it afterwards.
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,

    /// When the token dies, unless it says so itself: `2027-01-31` (its first moment, UTC) or `2027-01-31T12:00:00Z`.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub expires: Option<Timestamp>,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `hold NAME`.
#[derive(Clone, Debug, Args)]
pub struct HoldArgs {
    /// The connection, as the configuration names it.
    pub name: String,

    /// How long: `2h`, `3days`, `1day 12h`; at most 90 days.
    #[arg(long = "for", value_name = "TIME", value_parser = hold_time)]
    pub time: TimeDelta,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `release NAME`.
#[derive(Clone, Debug, Args)]
pub struct ReleaseArgs {
    /// The connection, as the configuration names it.
    pub name: String,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `health`.
#[derive(Clone, Debug, Default, Args)]
pub struct HealthArgs {
    /// Exit 1 also when something is wrong with a connection: slack gone, a person needed, stuck, in quarantine, unconfirmed, not seen.
    #[arg(long)]
    pub ready: bool,

    /// For machines: one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `explain [PAGE]`.
#[derive(Clone, Debug, Default, Args)]
pub struct ExplainArgs {
    /// A reason, as it stands in brackets, or the name of an alert.
    pub page: Option<String>,
}

/// `completions SHELL`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// `man`.
#[derive(Clone, Debug, Default, Args)]
pub struct ManArgs {
    /// Where all pages are written, one for the program and one for each subcommand; the folder is made if need be.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

fn mode() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(["overlap", "remove-current"]).map(|word| match word.as_str() {
        "overlap" => Mode::Overlap,
        _ => Mode::RemoveCurrent,
    })
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let day = |text: &str| Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    let moment = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    moment.ok().or_else(|| day(text)).ok_or_else(|| "write 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())
}

fn hold_time(text: &str) -> Result<TimeDelta, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
    match time >= TimeDelta::seconds(1) && time <= LONGEST_HOLD {
        true => Ok(time),
        false => Err(format!("a hold lasts from a second to {} days", LONGEST_HOLD.num_days())),
    }
}

fn horizon(text: &str) -> Result<TimeDelta, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match TimeDelta::from_std(time) {
        Ok(time) if time >= TimeDelta::days(1) && time <= TimeDelta::days(3660) => Ok(time),
        _ => Err("a plan reaches from a day to ten years ahead".to_owned()),
    }
}

fn watch_time(text: &str) -> Result<TimeDelta, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match TimeDelta::from_std(time) {
        Ok(time) if time <= TimeDelta::days(1) => Ok(time),
        _ => Err("the old token is watched for a day at most".to_owned()),
    }
}

/// `notify …`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum NotifyCommand {
    /// Send every receiver of the configuration a test at once, and say what each answered.
    ///
    /// Needs no daemon. The heartbeat is not called: only the daemon may say that it lives. Exit codes: 0 all took it, 1 at least
    /// one did not.
    Test {
        /// The receiver, as the configuration names it. Without it, all of them.
        name: Option<String>,

        /// For machines: one JSON document.
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// How much is logged. A command that answers on standard output, or tells its steps there, logs warnings only, unless asked for more.
    pub fn verbosity(&self) -> Verbosity {
        let answers = !matches!(self.command, Command::Run(_) | Command::Once(_));
        Verbosity::new(self.verbose, self.quiet.max(u8::from(answers && self.verbose == 0)))
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
