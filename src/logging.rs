//! Logs: text for a person at a terminal, JSON for machines, always on standard error.
//!
//! The filter is free: at `trace` the libraries talk too. That no secret shows even then is the duty of the types that
//! hold one and of the edges that send one, and is tested with canaries; nothing is filtered out here.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFilter, LogFormat};
use crate::stderr::Stderr;

/// How the command line moves what is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// `-qq`
    Errors,
    /// `-q`
    Warnings,
    /// What the configuration says.
    #[default]
    Configured,
    /// `-v`: our own decisions in detail.
    Detailed,
    /// `-vv`: our own steps.
    Steps,
    /// `-vvv`: the libraries too.
    Everything,
}

impl Verbosity {
    /// From the number of `-v` and `-q`, of which at most one is not zero.
    pub fn new(verbose: u8, quiet: u8) -> Self {
        match (verbose, quiet) {
            (0, 0) => Self::Configured,
            (0, 1) => Self::Warnings,
            (0, _) => Self::Errors,
            (1, _) => Self::Detailed,
            (2, _) => Self::Steps,
            _ => Self::Everything,
        }
    }

    /// The directives that result.
    fn directives(self, configured: &LogFilter) -> String {
        match self {
            Self::Errors => "error".into(),
            Self::Warnings => "warn".into(),
            Self::Configured => configured.to_string(),
            Self::Detailed => format!("{configured},scim_rotator=debug"),
            Self::Steps => format!("{configured},scim_rotator=trace"),
            Self::Everything => "trace".into(),
        }
    }
}

/// Starts logging for the whole process, panics included. Fails when it has been started before.
pub fn start(log: &Log, verbosity: Verbosity) -> Result<(), TryInitError> {
    let terminal = io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let colours = terminal && said("NO_COLOR").is_none() && said("TERM").is_none_or(|term| term != "dumb");
    let filter = EnvFilter::new(verbosity.directives(&log.filter));
    subscriber(filter, json, colours, Arc::new(Stderr::new(json))).try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        // As one event, so that a reader of JSON is not handed bare text.
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        tracing::error!(panic.location = at, "the program has a fault: {}", text.unwrap_or("no message"));
    }));
    Ok(())
}

fn subscriber<W>(filter: EnvFilter, json: bool, colours: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // A full pipe or a closed terminal must not make the logger complain into the same pipe.
    let base = tracing_subscriber::fmt().with_writer(writer).with_env_filter(filter).log_internal_errors(false);
    if json {
        Box::new(base.json().flatten_event(true).with_current_span(false).with_span_list(true).finish())
    } else {
        Box::new(base.with_ansi(colours).with_target(false).compact().finish())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(verbosity: Verbosity, json: bool, log: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let filter = EnvFilter::new(verbosity.directives(&LogFilter::default()));
        tracing::subscriber::with_default(subscriber(filter, json, false, move || writer.clone()), log);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_its_spans() {
        let text = logged(Verbosity::Configured, true, || {
            let span = tracing::info_span!("connection", connection.name = "prod");
            span.in_scope(|| tracing::info!(reason = "NotDue", "waiting"));
            tracing::debug!("not shown");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["reason"]), (&"waiting".into(), &"NotDue".into()));
        assert_eq!(line["spans"][0]["connection.name"], "prod");
    }

    #[test]
    fn text_has_no_colours_away_from_a_terminal() {
        let text = logged(Verbosity::Configured, false, || tracing::warn!(slack_seconds = 5, "be quick"));
        assert!(text.contains("WARN") && text.contains("be quick slack_seconds=5") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn the_command_line_moves_the_level_of_our_own_events_and_leaves_the_libraries_alone() {
        let events = || {
            tracing::debug!(target: "scim_rotator::engine", "ours");
            tracing::info!(target: "hyper", "theirs");
            tracing::warn!("w");
        };
        let shown = |verbosity| {
            let text = logged(verbosity, false, events);
            (text.contains("ours"), text.contains("theirs"), text.contains('w'))
        };
        assert_eq!(shown(Verbosity::new(0, 0)), (false, false, true));
        assert_eq!(shown(Verbosity::new(1, 0)), (true, false, true));
        assert_eq!(shown(Verbosity::new(3, 0)), (true, true, true));
        assert_eq!(shown(Verbosity::new(0, 2)), (false, false, false));
    }
}
