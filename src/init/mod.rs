//! `init`: from a few answers, and from what can be looked up, to a configuration that `config check` and `doctor` accept.
//!
//! Changes nothing anywhere, and asks for no secret: only for the paths of the files that hold one.

pub mod draft;
pub mod interview;
mod lookup;

use std::path::{Path, PathBuf};

use uuid::Uuid;

pub use self::draft::{Draft, Part};
pub use self::interview::{Ended, Interview, Question};
pub use self::lookup::{Far, JobSeen, Lookup};

use crate::config::reference::Key;
use crate::doctor::Principal;
use crate::domain::{Journal, PrincipalId, Version};
use crate::engine::chain;

/// Whether, and when, things are looked up.
pub enum Reach<'a> {
    /// Never: all of it is answered.
    Offline,
    /// Not in this round, which only sees whether all has been said that must be.
    Later,
    /// Now.
    Now(&'a dyn Far),
}

/// The kinds of a credential or a bearer that people want asked for more than the readers miss.
const ALSO: [(&str, &str); 3] =
    [("managed-identity", "client_id"), ("client-certificate", "key_file"), ("client-certificate", "password_file")];

/// Asks for everything, in the order in which one answer helps with the next.
pub async fn fill(ask: &mut Interview<'_>, reach: &Reach<'_>, draft: &mut Draft<'_>) -> anyhow::Result<()> {
    azure(ask, draft)?;
    let application = application(ask, reach, draft).await?;
    let called = application.as_ref().map_or("greenlake".to_owned(), |found| slug(&found.name));
    let name = Question::new("--name", (Part::Connection, "name"), "What logs and commands shall call this connection");
    ask.put(draft, &name.or(Some(called)))?;
    vault(ask, reach, draft).await?;
    issuer(ask, draft)
}

fn azure(ask: &mut Interview<'_>, draft: &mut Draft<'_>) -> anyhow::Result<()> {
    let clouds = [
        ("public", "the one for everybody"),
        ("us-gov", "US government, GCC High"),
        ("us-dod", "US department of defense"),
        ("china", "operated by 21Vianet"),
    ];
    let cloud = Question::new("--cloud", (Part::Azure, "cloud"), "Which of Microsoft's clouds").among(clouds);
    ask.put(draft, &cloud.or(Some("public")))?;
    for (option, key) in [("--proxy", "proxy"), ("--ca-file", "ca_file")] {
        if ask.is_given(option) {
            ask.put(draft, &Question::new(option, (Part::Http, key), ""))?;
        }
    }
    let kinds = kinds(Part::Credential);
    let credential = Question::new("--credential", (Part::Credential, "kind"), "Who shall the daemon be in Azure");
    ask.put(draft, &credential.among(kinds))?;
    keys(ask, draft, Part::Credential)
}

fn kinds(part: Part) -> Vec<(&'static str, &'static str)> {
    part.tables().into_iter().filter_map(|table| Some((table.kind?, table.says))).collect()
}

/// Asks for what the readers miss of a table whose kind is known, and for what the command line gives of it.
fn keys(ask: &mut Interview<'_>, draft: &mut Draft<'_>, part: Part) -> anyhow::Result<()> {
    let Some(table) = draft.table(part) else { return Ok(()) };
    for Key { name, says, example, .. } in table.keys {
        let Some(option) = option(part, name) else { continue };
        let is_missed = draft.problem((part, name)).is_some();
        let is_also = ask.has_somebody() && table.kind.is_some_and(|kind| ALSO.contains(&(kind, name)));
        if !(is_missed || is_also || ask.is_given(option)) {
            continue;
        }
        let asks = match name.ends_with("_file") {
            true => format!("{} Its path, never the secret itself", says),
            false => format!("{} For example {}", says, example.replace(", ", " ")),
        };
        let question = Question::new(option, (part, name), asks).optional(!is_missed);
        // Words of a command are a list.
        let spelt = |answer: &str| answer.split_whitespace().collect::<Vec<_>>().join(", ");
        ask.put(draft, &if *name == "command" { question.spelt(spelt) } else { question })?;
    }
    Ok(())
}

/// The option of the command line for a key of the credential or of the bearer for HPE.
fn option(part: Part, key: &str) -> Option<&'static str> {
    Some(match (part, key) {
        (Part::Credential, "tenant_id") => "--azure-tenant-id",
        (Part::Credential, "client_id") => "--azure-client-id",
        (Part::Credential, "object_id") => "--azure-object-id",
        (Part::Credential, "resource_id") => "--azure-resource-id",
        (Part::Credential, "secret_file") => "--azure-secret-file",
        (Part::Credential, "certificate_file") => "--azure-certificate-file",
        (Part::Credential, "key_file") => "--azure-key-file",
        (Part::Credential, "password_file") => "--azure-password-file",
        (Part::Credential, "token_file") => "--azure-token-file",
        (Part::Auth, "issuer") => "--hpe-issuer",
        (Part::Auth, "tenant_id") => "--hpe-tenant-id",
        (Part::Auth, "client_id") => "--hpe-client-id",
        (Part::Auth, "client_secret_file") => "--hpe-client-secret-file",
        (Part::Auth, "bearer_file") => "--hpe-bearer-file",
        (Part::Auth, "command") => "--hpe-command",
        _ => return None,
    })
}

const PRINCIPAL: &str = "--service-principal";
const JOB: &str = "--job-id";
const TENANT_URL: &str = "--tenant-url";

/// The enterprise application, its job and its tenant URL; looked up, or answered.
async fn application(
    ask: &mut Interview<'_>,
    reach: &Reach<'_>,
    draft: &mut Draft<'_>,
) -> anyhow::Result<Option<Principal>> {
    let mut url = None;
    let mut seen = None;
    if let Reach::Now(far) = reach {
        seen = look_up(ask, *far, draft).await?;
        if let Some((found, lookup)) = &seen {
            draft.set((Part::Entra, "service_principal_id"), found.id.to_string());
            job(ask, lookup.as_ref(), draft, found.id).await?;
            url = match lookup.tenant_url(found.id).await {
                Ok(url) => url,
                Err(error) => {
                    ask.say(&format!("  its tenant URL cannot be read: {}", chain(&error)))?;
                    None
                }
            };
        }
    }
    if seen.is_none() {
        let asks = "The object id of the enterprise application (Entra: Enterprise applications, Properties)";
        let by_name = ask.is_given(PRINCIPAL) && matches!(reach, Reach::Later);
        if by_name {
            // Its name is looked up in the next round.
            ask.take_given(PRINCIPAL);
            draft.set((Part::Entra, "service_principal_id"), Uuid::nil().to_string());
        } else {
            ask.put(draft, &Question::new(PRINCIPAL, (Part::Entra, "service_principal_id"), asks))?;
        }
    }
    if ask.is_given(JOB) {
        ask.put(draft, &Question::new(JOB, (Part::Entra, "job_id"), ""))?;
    }
    if matches!(reach, Reach::Later) && !ask.is_given(TENANT_URL) {
        return Ok(None);
    }
    let asks = "Entra's Tenant URL, as it stands in the application's provisioning";
    ask.put(draft, &Question::new(TENANT_URL, (Part::Entra, "tenant_url"), asks).or(url))?;
    Ok(seen.map(|(found, _)| found))
}

type Seen = (Principal, std::sync::Arc<dyn Lookup>);

/// The application that a name or an id stands for. None where it is to be answered without a look.
async fn look_up(ask: &mut Interview<'_>, far: &dyn Far, draft: &Draft<'_>) -> anyhow::Result<Option<Seen>> {
    const OTHERWISE: &str = "then its object id and its tenant URL are asked for";
    loop {
        let Some(called) = called(ask)? else { return Ok(None) };
        let found = match far.lookup(draft) {
            Ok(lookup) => match named(lookup.as_ref(), &called).await {
                Ok(found) => Ok((found, lookup)),
                Err(error) => Err(chain(&error)),
            },
            Err(error) => Err(chain(error.as_ref())),
        };
        let (found, lookup) = match found {
            Ok(found) => found,
            Err(what) => {
                ask.say(&format!("  it cannot be looked up: {what}"))?;
                if ask.tries_again(OTHERWISE)? {
                    continue;
                }
                return as_it_is(ask, &called);
            }
        };
        let told = |one: &Principal| {
            let app = one.app_id.map(|id| format!(", application id {id}")).unwrap_or_default();
            format!("\"{}\" (object id {}{app})", one.name, one.id)
        };
        match &found[..] {
            [] => ask.say(&format!("  no enterprise application of this tenant is called or numbered {called:?}"))?,
            [one] => {
                ask.say(&format!("  found {}", told(one)))?;
                return Ok(Some((one.clone(), lookup)));
            }
            several => {
                let shown: Vec<_> = several.iter().map(told).collect();
                if let Some(number) = ask.choose("Which of them", &shown)? {
                    return Ok(Some((several[number].clone(), lookup)));
                }
                ask.miss(PRINCIPAL, &format!("several are called so: {}", shown.join(", ")));
                return Ok(None);
            }
        }
        if !ask.has_somebody() {
            ask.miss(PRINCIPAL, "there is none of that name or id");
            return Ok(None);
        }
    }
}

/// What the command line says, or somebody answers; none where nobody does.
fn called(ask: &mut Interview<'_>) -> anyhow::Result<Option<String>> {
    match ask.take_given(PRINCIPAL) {
        Some(given) => Ok(Some(given)),
        None if ask.has_somebody() => {
            ask.free("The enterprise application that provisions (its name, application id or object id)").map(Some)
        }
        None => Ok(None),
    }
}

/// An object id needs no look; for a name there is nothing to write.
fn as_it_is(ask: &mut Interview<'_>, called: &str) -> anyhow::Result<Option<Seen>> {
    match Uuid::try_parse(called) {
        Ok(id) => ask.give(PRINCIPAL, id.to_string()),
        Err(_) if !ask.has_somebody() => ask.miss(PRINCIPAL, "its object id, since the name cannot be looked up"),
        Err(_) => (),
    }
    Ok(None)
}

async fn named(lookup: &dyn Lookup, called: &str) -> Result<Vec<Principal>, crate::ports::CallError> {
    let Ok(id) = Uuid::try_parse(called) else { return lookup.named(called).await };
    let mut refused = None;
    for id in [PrincipalId::Object(id), PrincipalId::Application(id)] {
        match lookup.found(id).await {
            Ok(found) => return Ok(vec![found]),
            Err(error) if error.status == Some(404) => (),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(Vec::new()), Err)
}

/// The job has to be named only where nobody can know which.
async fn job(ask: &mut Interview<'_>, lookup: &dyn Lookup, draft: &mut Draft<'_>, id: Uuid) -> anyhow::Result<()> {
    if ask.is_given(JOB) {
        return Ok(());
    }
    let jobs = match lookup.jobs(id).await {
        Ok(jobs) => jobs,
        Err(error) => return Ok(ask.say(&format!("  its provisioning jobs cannot be seen: {}", chain(&error)))?),
    };
    let told: Vec<_> = jobs.iter().map(|job| format!("{} ({}, {})", job.id, job.template, job.state)).collect();
    let scim = jobs.iter().filter(|job| job.template.eq_ignore_ascii_case("scim")).count();
    match &jobs[..] {
        [] => ask.say("  it has no provisioning job yet: set up provisioning in the portal")?,
        [_] => ask.say(&format!("  its provisioning job is {}", told[0]))?,
        _ if scim == 1 => ask.say("  it has several provisioning jobs, and one for SCIM, which is taken")?,
        several => match ask.choose("Which of its provisioning jobs", &told)? {
            Some(number) => draft.set((Part::Entra, "job_id"), several[number].id.clone()),
            None => ask.miss(JOB, &format!("there are several: {}", told.join(", "))),
        },
    }
    Ok(())
}

async fn vault(ask: &mut Interview<'_>, reach: &Reach<'_>, draft: &mut Draft<'_>) -> anyhow::Result<()> {
    const VAULT: &str = "--vault";
    let suffix = draft.vault_suffix();
    let asks = format!("The key vault (https://NAME.{suffix}, or its name alone)");
    ask.put(
        draft,
        &Question::new(VAULT, (Part::Vault, "url"), asks).spelt(move |answer| {
            match (answer.contains("://"), answer.contains('.')) {
                (true, _) => answer.to_owned(),
                (false, true) => format!("https://{answer}"),
                (false, false) => format!("https://{answer}.{suffix}"),
            }
        }),
    )?;
    let secret = Question::new("--secret", (Part::Vault, "secret"), "The secret in it that holds the token, or shall");
    ask.put(draft, &secret.or(Some("greenlake-scim-token")))?;
    let mut first = None;
    if let Reach::Now(far) = reach {
        match far.vault(draft) {
            Ok(vault) => match vault.list().await {
                Ok(versions) => {
                    let (says, bootstrap) = holds(versions);
                    ask.say(says)?;
                    first = bootstrap;
                }
                Err(error) => ask.say(&format!("  the secret cannot be looked at: {}", chain(&error)))?,
            },
            Err(error) => ask.say(&format!("  the secret cannot be looked at: {}", chain(error.as_ref())))?,
        }
    }
    let choices = [
        ("adopt", "take over the token that stands in the vault"),
        ("rotate", "have HPE make a new one, by overlap"),
        ("create", "have HPE make the very first one"),
    ];
    let bootstrap = Question::new("--bootstrap", (Part::OwnPolicy, "bootstrap"), "What is done at the first contact");
    ask.put(draft, &bootstrap.among(choices).or(first).optional(true))
}

/// What is said of the versions that there are, and how a first contact is best made.
fn holds(versions: Vec<Version>) -> (&'static str, Option<&'static str>) {
    let journal = Journal::new(versions);
    match (journal.latest().is_some(), journal.ours().next().is_some()) {
        (_, true) => ("  the secret is there, with versions of scim-rotator's own: it goes on with them", None),
        (true, false) => ("  the secret is there, with a value that can be adopted", Some("adopt")),
        (false, false) => ("  there is no such secret yet: it is made with the first token", Some("rotate")),
    }
}

fn issuer(ask: &mut Interview<'_>, draft: &mut Draft<'_>) -> anyhow::Result<()> {
    draft.set((Part::Issuer, "kind"), "greenlake");
    let nobody = ("supplied", "Nobody: people bring the tokens.");
    let auth = Question::new("--hpe-auth", (Part::Auth, "kind"), "Whence comes the bearer with which HPE is asked");
    ask.put(draft, &auth.among(kinds(Part::Auth).into_iter().chain([nobody])))?;
    if draft.get((Part::Auth, "kind")) == Some(nobody.0) {
        draft.unset((Part::Auth, "kind"));
        draft.set((Part::Issuer, "kind"), nobody.0);
        return Ok(());
    }
    // The proxy tokens are made beside where they are used.
    let beside =
        draft.get((Part::Entra, "tenant_url")).and_then(|url| url.split('?').next()?.strip_suffix("/scimproxy"));
    let url = beside.unwrap_or("https://sps.us1.greenlake-hpe.com/v1alpha1").to_owned();
    let asks = "The base of HPE's proxy-token service";
    ask.put(draft, &Question::new("--hpe-url", (Part::Issuer, "url"), asks).or(Some(url)))?;
    keys(ask, draft, Part::Auth)
}

/// A connection's name out of an application's.
fn slug(name: &str) -> String {
    let letters: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<_> = letters.split('-').filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(40).collect();
    if slug.is_empty() { "greenlake".to_owned() } else { slug.trim_end_matches('-').to_owned() }
}

/// How the file of a secret is made, which nobody else can read. What systemd hands to a service is never made in its place:
/// it is there as long as the service runs, and comes from another file.
pub fn how_to_make(path: &Path) -> String {
    let plain: PathBuf = path.components().collect();
    match credential(&plain) {
        None => format!("install -D -m 0600 /dev/stdin {}     # paste it, Return, Ctrl-D", plain.display()),
        Some((unit, name)) => format!(
            "systemd-ask-password -n | install -D -m 0600 /dev/stdin {SECRETS}/{name}\n  \
             systemctl edit {unit}     # [Service], and under it LoadCredential={name}:{SECRETS}/{name}"
        ),
    }
}

/// Where secrets are kept that systemd hands over.
const SECRETS: &str = "/etc/scim-rotator/secrets";

/// The unit that systemd hands this file to, and the name that it has there.
fn credential(path: &Path) -> Option<(&str, &str)> {
    path.strip_prefix("/run/credentials").ok()?.to_str()?.split_once('/').filter(|(_, name)| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_called_after_the_application_as_far_as_a_name_can_be() {
        for (name, called) in
            [("HPE GreenLake (SCIM)", "hpe-greenlake-scim"), ("  ", "greenlake"), ("Ünï", "n"), ("--a", "a")]
        {
            assert_eq!(slug(name), called);
        }
    }

    #[test]
    fn what_systemd_hands_over_is_made_where_systemd_takes_it_from_and_never_in_its_own_place() {
        let says = how_to_make(Path::new("/run/credentials/scim-rotator.service/azure"));
        assert!(!says.contains("/run/credentials"), "{says}");
        for words in [
            "/dev/stdin /etc/scim-rotator/secrets/azure\n",
            "systemctl edit scim-rotator.service ",
            "LoadCredential=azure:/etc/scim-rotator/secrets/azure",
        ] {
            assert!(says.contains(words), "{words}: {says}");
        }
        assert!(
            how_to_make(Path::new("./secrets//azure")).starts_with("install -D -m 0600 /dev/stdin ./secrets/azure ")
        );
    }
}
