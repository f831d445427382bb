//! Whoever has logged in with the Azure CLI: for a first try at a desk. Every token is one run of `az`.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential as _};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::errors::Who;
use super::refused::Refused;
use super::transport::aadsts;
use super::{SERVICE, errors};
use crate::edge::child::{Group, alone};
use crate::edge::http::Redactor;
use crate::ports::{CallError, Class};

/// What is run, for messages.
pub(super) const COMMAND: &str = "az account get-access-token";

/// Runs `az`, and keeps why it failed: the SDK would hand its words on as they are.
#[derive(Debug, Default)]
struct Az {
    failed: Mutex<Option<CallError>>,
}

#[async_trait]
impl Executor for Az {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let output = output(program, args).await;
        let failed = match &output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(failed(output)),
            Err(error) => Some(CallError::new(SERVICE, Class::Human, format!("{COMMAND} cannot be run: {error}"))),
        };
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        output
    }
}

/// All that it prints, and then how it ended. Whoever gives up waiting ends it, and what it has started: `az` is a script.
async fn output(program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = alone(&mut command).spawn()?;
    let mut group = Group::of(&child);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    // As long as its end is not asked for, its number stands for it and for nothing else.
    let printed = async { out.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.read_to_end(&mut stdout).await };
    let complained = async { err.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.read_to_end(&mut stderr).await };
    tokio::try_join!(printed, complained)?;
    let status = child.wait().await?;
    group.let_go();
    Ok(Output { status, stdout, stderr })
}

/// One login.
pub(super) async fn log_in(
    scopes: &[&str],
    tenant_id: Option<String>,
    subscription: Option<String>,
) -> Result<AccessToken, CallError> {
    let az = Arc::new(Az::default());
    let executor: Arc<dyn Executor> = az.clone();
    let options = AzureCliCredentialOptions { subscription, tenant_id, executor: Some(executor) };
    let credential = AzureCliCredential::new(Some(options)).map_err(|error| errors::unusable(&error))?;
    credential.get_token(scopes, None).await.map_err(|error| {
        let failed = az.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.unwrap_or_else(|| errors::unexplained(COMMAND, Who::Cli, &error))
    })
}

fn failed(output: &Output) -> CallError {
    let said = String::from_utf8_lossy(&output.stderr);
    // Above its errors the CLI may warn of this and that.
    let words = said.lines().find(|line| line.starts_with("ERROR")).or_else(|| said.lines().next()).unwrap_or_default();
    let words = Redactor::default().clean(words);
    let code = aadsts(&said);
    let (class, refused) = match output.status.code() {
        Some(127) => (Class::Human, Refused::NoCli),
        _ if said.contains("az login") || code.is_some() => (Class::Human, Refused::NotLoggedIn),
        // It may be the network.
        _ => (Class::Retry { after: None }, Refused::CliFailed),
    };
    let status = output.status.code().map_or("was ended".to_owned(), |code| format!("exited with {code}"));
    let mut call = CallError::new(SERVICE, class, format!("{COMMAND} {status}: {words}"));
    call.advice = Some(refused.message().advice());
    call.code = code;
    call
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn is_there(pid: &str) -> bool {
        let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
        // What has ended and was not asked after is no process any more.
        stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
    }

    #[tokio::test]
    async fn an_az_that_is_given_up_ends_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let script = format!("sleep 7777 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", note.display());
        let az = Az::default();
        let arguments = ["-c", &script].map(OsStr::new);
        let begun = async {
            while !note.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = az.run(OsStr::new("/bin/sh"), &arguments) => panic!("it ended by itself"),
            () = begun => {}
        }
        let pids = fs::read_to_string(note).unwrap();
        assert_eq!(pids.split_whitespace().count(), 2);
        while pids.split_whitespace().any(is_there) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
