//! The vault: listing and reading are tried; writing is not, since every write changes something.

use super::bearers::Bearers;
use super::questions::minute;
use super::{Check, Outcome, Questions, Subject, fixes};
use crate::domain::{Journal, Stage, Token, Version};
use crate::ports::VaultError;

/// The current token, or why there is none to be tried.
pub(super) type Current = Result<Token, Check>;

/// Puts the checks of the vault in, and answers with the token that the SCIM endpoint is to be asked with.
pub(super) async fn all(subject: &Subject, ask: &Questions, bearers: &Bearers, checks: &mut Vec<Check>) -> Current {
    let scim_skipped = |cause: &str| Err(Check::skipped("scim", cause));
    if let Some(cause) = &bearers.no_vault {
        checks.extend(["vault-list", "vault-read", "vault-write"].map(|hop| Check::skipped(hop, cause)));
        return scim_skipped(cause);
    }
    let journal = match ask.vault.list().await {
        Ok(versions) => Journal::new(versions),
        Err(error) => {
            checks.push(failed("vault-list", subject, bearers, &error));
            checks.extend(["vault-read", "vault-write"].map(|hop| Check::skipped(hop, "vault-list")));
            return scim_skipped("vault-list");
        }
    };
    checks.push(listed(&journal));
    let (check, token) = read(subject, ask, bearers, &journal).await;
    checks.push(check);
    checks.push(write(subject, bearers, &journal));
    token
}

fn listed(journal: &Journal) -> Check {
    let ours = journal.ours().count();
    match journal.versions().len() {
        0 => Check::warning("vault-list", "the vault answers, and the secret does not exist yet")
            .fix("bootstrap = \"rotate\" (or \"create\") in the policy, then: scim-rotator once"),
        all => Check::ok("vault-list", format!("{all} versions, {ours} of them labelled by this program")),
    }
}

/// The version whose token counts: our current one, or the newest where none is ours.
fn chosen(journal: &Journal) -> Option<(&Version, bool)> {
    let ours =
        journal.current().filter(|entry| entry.labels.stage == Stage::Current).map(|entry| (entry.version, true));
    let readable = || journal.latest().filter(|version| version.enabled).map(|version| (version, false));
    if journal.ours().next().is_some() { ours } else { readable() }
}

async fn read(subject: &Subject, ask: &Questions, bearers: &Bearers, journal: &Journal) -> (Check, Current) {
    let Some((version, is_ours)) = chosen(journal) else {
        let none = "there is no current version of the secret yet";
        return (
            Check::untried("vault-read", none),
            Err(Check::untried("scim", format!("{none}, so no token to ask with"))),
        );
    };
    let created = minute(version.created);
    let token = match ask.vault.read(&version.id).await {
        Ok(token) => token,
        Err(error) => {
            return (failed("vault-read", subject, bearers, &error), Err(Check::skipped("scim", "vault-read")));
        }
    };
    let whose = if is_ours { "the current token" } else { "a token that this program has not stored" };
    let check = Check::ok("vault-read", format!("the version of {created} holds {whose} ({})", token.fingerprint()));
    if is_ours || subject.tries_foreign {
        return (check, Ok(token));
    }
    let not_sent = "the token in the vault was not stored by this program, and the configuration takes none over: it is sent nowhere";
    let fix = "bootstrap = \"adopt\" in the policy";
    (check, Err(Check::untried("scim", not_sent).fix(fix)))
}

fn write(subject: &Subject, bearers: &Bearers, journal: &Journal) -> Check {
    let sign = journal.ours().find_map(|entry| entry.labels.sign.as_ref());
    let seen = match sign {
        Some(sign) => format!("this program last wrote to it at {} (as {})", minute(sign.at), sign.holder),
        None => "this program has never written to it".to_owned(),
    };
    let said = format!(
        "writing cannot be tried without a new version, and a vault's tokens name no rights; {seen}. Listing and reading are \
         allowed by narrower roles as well"
    );
    let [look, give] =
        [fixes::vault_roles, fixes::vault_role].map(|fix| fix(&subject.vault, &subject.secret, bearers.vault.as_ref()));
    Check::untried("vault-write", said).fix(format!("{look}\n{give}"))
}

fn failed(hop: &'static str, subject: &Subject, bearers: &Bearers, error: &VaultError) -> Check {
    let call = match error {
        VaultError::Call(call) | VaultError::VersionRefused(call) => call,
        VaultError::Unusable { .. } => {
            let fix = "az keyvault secret list-versions shows the versions; scim-rotator rotate NAME makes a new one";
            return Check::fault(hop, error.to_string()).fix(fix.replace("NAME", &subject.name));
        }
    };
    let check = Check::failed(hop, Outcome::Fault, call);
    let by = |what: &str| call.code.as_ref().is_some_and(|code| code.contains(what));
    match call.status {
        Some(403) if by("Firewall") => check.fix(fixes::vault_firewall(&subject.vault)),
        Some(403) if by("Rbac") => {
            check.fix(fixes::vault_role(&subject.vault, &subject.secret, bearers.vault.as_ref()))
        }
        _ => check,
    }
}
