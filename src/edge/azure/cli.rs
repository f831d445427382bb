//! Whoever has logged in with the Azure CLI: for a first try at a desk. Every token is one run of `az`.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential as _};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};

use super::errors::Who;
use super::refused::Refused;
use super::transport::aadsts;
use super::{SERVICE, errors};
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
        let mut command = tokio::process::Command::new(program);
        let output = command.args(args).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let failed = match &output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(failed(output)),
            Err(error) => Some(CallError::new(SERVICE, Class::Human, format!("{COMMAND} cannot be run: {error}"))),
        };
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        output
    }
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
