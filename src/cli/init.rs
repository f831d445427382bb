//! `init`: asks, looks things up, and writes a configuration. What is asked, and how, stands in `crate::init`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal as _, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Shared};
use crate::cli::exit::Exit;
use crate::cli::init_args::InitArgs;
use crate::config::{Config, Environment, Log, LogFilter, LogFormat, Problem};
use crate::init::{Draft, Ended, Far, Interview, Lookup, Reach, fill, how_to_make};
use crate::logging::Verbosity;
use crate::ports::Vault;

/// It holds no secret, and the service that reads it is nobody that root could give it to. Whatever the umask says.
const MODE: u32 = 0o644;

/// Writes a configuration, unless something is missing. `file` is the place where the daemon looks for it.
pub fn run(file: &Path, args: &InitArgs, verbosity: Verbosity) -> anyhow::Result<Exit> {
    let target = args.output.clone().unwrap_or_else(|| file.to_owned());
    check_target(&target, args.force)?;
    let log = Log { format: LogFormat::Text, filter: LogFilter::default() };
    crate::logging::start(&log, verbosity)?;
    let environment = Environment::of_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(init(&target, args, &environment));
    runtime.shutdown_background();
    result
}

async fn init(target: &Path, args: &InitArgs, environment: &Environment) -> anyhow::Result<Exit> {
    let mut out = io::stdout();
    let mut draft = Draft::new(target, environment);
    let complaints = match args.non_interactive {
        true => of_options(args, &mut draft, &mut out).await?,
        false => {
            welcome(target, &mut out)?;
            let mut input = io::stdin().lock();
            answered(args, Some(&mut input), &mut draft, &reach(args), &mut out).await?;
            Vec::new()
        }
    };
    if !complaints.is_empty() {
        // There is nobody left to tell when even this cannot be written.
        let _ = writeln!(io::stderr(), "scim-rotator: nothing was written, since this is missing or wrong:");
        for what in &complaints {
            let _ = writeln!(io::stderr(), "  {what}");
        }
        return Ok(Exit::Usage);
    }
    let config = match draft.read() {
        Ok(config) => config,
        Err(problems) => bail!("nothing was written, since the answers do not go together:{}", told(&problems)),
    };
    // From here on a signal ends nothing: half a file would be left behind.
    let _held = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    write(target, &draft.text(), args.force)
        .with_context(|| format!("{} cannot be written, and is as it was", target.display()))?;
    what_comes_next(target, &config, &mut out)?;
    Ok(Exit::Done)
}

fn reach(args: &InitArgs) -> Reach<'static> {
    if args.offline { Reach::Offline } else { Reach::Now(&Network) }
}

/// By the options alone: first whether all that must be said has been said, and only then with look-ups.
async fn of_options(args: &InitArgs, draft: &mut Draft<'_>, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let first = if args.offline { Reach::Offline } else { Reach::Later };
    let complaints = answered(args, None, &mut draft.clone(), &first, &mut io::sink()).await?;
    match complaints.is_empty() {
        true => answered(args, None, draft, &reach(args), out).await,
        false => Ok(complaints),
    }
}

/// Fills the draft. What is missing or wrong is told where nobody can be asked.
async fn answered<'a>(
    args: &InitArgs,
    input: Option<&'a mut dyn BufRead>,
    draft: &mut Draft<'_>,
    reach: &Reach<'_>,
    out: &'a mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let mut ask = Interview::new(args.answers.given(), input, out);
    match fill(&mut ask, reach, draft).await {
        Err(error) if error.is::<Ended>() => bail!("{error}; nothing was written"),
        filled => filled?,
    }
    let complaints = ask.complaints();
    if ask.has_somebody() {
        for complaint in &complaints {
            ask.say(&format!("not used: {complaint}"))?;
        }
    }
    Ok(complaints)
}

fn welcome(target: &Path, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "This writes {}. Return takes what stands in brackets; a choice may be answered by its number.\nNo secret is asked for, \
         only where it stands. Nothing is changed in Azure or at HPE. Ctrl-C ends it, and nothing is written.{}\n",
        target.display(),
        if io::stdin().is_terminal() { "" } else { "\n(The answers come from no terminal: a line for each.)" }
    )
}

/// Looks things up by what the draft says so far.
struct Network;

impl Network {
    fn app(draft: &Draft<'_>) -> anyhow::Result<(App, Config)> {
        let config =
            draft.standing_in().read().map_err(|problems| anyhow::anyhow!("{}", told(&problems).trim_start()))?;
        Ok((App::build(&config, Shared::of(&config))?, config))
    }
}

impl Far for Network {
    fn lookup(&self, draft: &Draft<'_>) -> anyhow::Result<Arc<dyn Lookup>> {
        let (app, config) = Self::app(draft)?;
        app.lookup(config.connections.first().context("a connection stands in")?)
    }

    fn vault(&self, draft: &Draft<'_>) -> anyhow::Result<Arc<dyn Vault>> {
        let (app, config) = Self::app(draft)?;
        app.vault(config.connections.first().context("a connection stands in")?)
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {}: {}", problem.key.as_deref().unwrap_or("it"), problem.what)).collect()
}

/// Before anybody has answered anything.
fn check_target(target: &Path, force: bool) -> anyhow::Result<()> {
    let folder = folder(target);
    if !folder.is_dir() {
        bail!("there is no folder {}: make it, or name another file with --output", folder.display());
    }
    match target.symlink_metadata() {
        Ok(found) if found.is_dir() => bail!("{} is a folder: name a file with --output", target.display()),
        Ok(_) if !force => bail!(
            "{} is there already, and stays as it is: name another file with --output, or write over it with --force",
            target.display()
        ),
        _ => Ok(()),
    }
}

fn folder(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// All of it or nothing, and over no file that somebody else has made meanwhile.
fn write(target: &Path, text: &str, force: bool) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder(target).join(format!(".{name}.{}", std::process::id()));
    let written = write_new(&temporary, text).and_then(|()| take_its_place(&temporary, target, force));
    if written.is_err() {
        // It may not have been made.
        let _gone = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder(target))?.sync_all()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn take_its_place(temporary: &Path, target: &Path, force: bool) -> io::Result<()> {
    if force {
        return fs::rename(temporary, target);
    }
    match renameat_with(CWD, temporary, CWD, target, RenameFlags::NOREPLACE) {
        // Some file systems cannot.
        Err(rustix::io::Errno::INVAL) if target.symlink_metadata().is_err() => fs::rename(temporary, target),
        renamed => Ok(renamed?),
    }
}

fn what_comes_next(target: &Path, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let name = config.connections.first().map_or("NAME", |connection| connection.name.as_str());
    let with = match target == Path::new(Config::DEFAULT_PATH) {
        true => "scim-rotator".to_owned(),
        false => format!("scim-rotator --config {}", target.display()),
    };
    writeln!(out, "\n{} is written. It holds no secret. What comes next:", target.display())?;
    let absent: Vec<PathBuf> = config
        .secret_files()
        .into_iter()
        .map(|(_, file)| file.path().to_owned())
        .filter(|path| !path.exists())
        .collect();
    for path in absent {
        writeln!(out, "  {}", how_to_make(&path))?;
    }
    for (command, says) in [
        ("config check".to_owned(), "is all of it right? contacts nobody"),
        (format!("doctor {name}"), "does every hop work? changes nothing"),
        ("check".to_owned(), "what would be done, and why? changes nothing"),
        ("once".to_owned(), "do it, once, under your eyes"),
        (format!("doctor {name} --first-contact"), "learn what no document tells, by one rotation; asks first"),
    ] {
        writeln!(out, "  {with} {command:<40} {says}")?;
    }
    Ok(())
}
