//! Key Vault and Microsoft Graph in each of their moods: what is wrong there → what the daemon says, with which exit code,
//! and what it does.

use chrono::{NaiveDateTime, TimeDelta};
use scim_rotator::domain::Timestamp;

use super::place::{OVERLAP, Place, REMOVE_CURRENT, SPEED, is_at_rest_with_newer, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::{Begin, Fault, Op, Settings, World};

/// `check` needs a human, cannot tell, or finds the token due.
const HUMAN: i32 = 12;
const UNCLEAR: i32 = 1;
const DUE: i32 = 10;

/// One mood: its name, how the far side is bent, the exit code of `check`, and words that it must say.
type Row = (&'static str, fn(&mut World), i32, &'static [&'static str]);

/// What Microsoft's support asks for.
const REQUEST: &str = "(request 00000000-0000-4000-8000-00000000feed)";

async fn place(change: impl Fn(&mut Settings)) -> Place {
    let begin = |settings: &mut Settings| {
        settings.begin = Begin::AtEntraAndVault;
        change(settings);
    };
    Place::new(worlds(begin), SPEED, |text| only(OVERLAP, &text)).await
}

/// A command's exit code and all that it said.
async fn say(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(arguments).await;
    (
        output.status.code(),
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat(),
    )
}

fn is_said(case: &str, text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{case}: {word:?} is not in\n{text}");
    }
}

/// Nobody was asked for a token, nothing was written anywhere, and Entra still holds what it held.
fn is_unharmed(case: &str, world: &World) {
    let writes = [Op::Issue, Op::VaultStore, Op::SettingsPut, Op::Pause].map(|op| world.faults.calls(op));
    assert_eq!((writes, world.saved_token()), ([0; 4], Some(1)), "{case}\n{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token(), "{case}");
}

/// Each row in turn, and what all of them say; in between, the far side is what it was.
async fn each_is_told(rows: &[Row], by_all: &str) {
    let place = place(|_| ()).await;
    let usual = place.sandbox.world(OVERLAP).settings.clone();
    for (case, bend, exit, words) in rows {
        bend(&mut place.sandbox.world(OVERLAP));
        let (code, text) = say(&place, &["check", "-v"]).await;
        assert_eq!(code, Some(*exit), "{case}\n{text}");
        is_said(case, &text, words);
        is_said(case, &text, &[by_all]);
        is_unharmed(case, &place.sandbox.world(OVERLAP));
        let mut world = place.sandbox.world(OVERLAP);
        world.settings.clone_from(&usual);
        world.faults.clear();
        world.person_recovers_secret();
    }
    let (code, text) = say(&place, &["check"]).await;
    assert_eq!(code, Some(DUE), "with all as it was, the first contact is due\n{text}");
}

const FIREWALL: &str =
    "Client address is not authorized and caller is not a trusted service.\r\nClient address: 192.0.2.1";
const PUBLIC: &str =
    "Public network access is disabled and request is not from a trusted service nor via an approved private link.";
/// To the letter of public reports, with other ids.
const RBAC: &str = "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=04b07795-8ddb-461a-bbee-02f9e1bf7b46;oid=207e277f-a838-4c61-940a-950b06cd1cc8;iss=https://sts.windows.net/43dc75e3-499a-40cd-891a-ba9f8e445365/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'\r\nResource: '/subscriptions/f95180d7-b5fc-49c8-a9a7-5b3ee0d8ffc6/resourcegroups/rg1/providers/microsoft.keyvault/vaults/overlap/secrets/greenlake-scim-token'\r\nAssignment: (not found)\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: overlap;location=westeurope\r\n";
const POLICY: &str = "The user, group or application 'appid=04b07795-8ddb-461a-bbee-02f9e1bf7b46;oid=207e277f-a838-4c61-940a-950b06cd1cc8;iss=https://sts.windows.net/43dc75e3-499a-40cd-891a-ba9f8e445365/' does not have secrets list permission on key vault 'overlap;location=eu'.";
/// Whom they name, in a command to be pasted.
const ASSIGNED: &str = "--assignee 207e277f-a838-4c61-940a-950b06cd1cc8";
const GRANTED: &str = "--object-id 207e277f-a838-4c61-940a-950b06cd1cc8";

fn vault(world: &mut World, status: u16, code: &'static str, message: &'static str) {
    world.settings.vault_refusal = Some((status, code, message));
}

fn graph(world: &mut World, status: u16, code: &'static str, message: &'static str) {
    world.settings.graph_refusal = Some((status, code, message));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_key_vault_is_told_with_what_mends_it() {
    let table: [Row; 15] = [
        (
            "a redirect in place of the vault",
            |world| world.faults.at_calls(Op::VaultList, 1, 9, Fault::Status(302, None)),
            HUMAN,
            &["302", "a vault never redirects", "http.proxy"],
        ),
        (
            "a web page in place of the vault",
            |world| world.faults.at_calls(Op::VaultList, 1, 9, Fault::Html),
            UNCLEAR,
            &["the answer cannot be read", "has answered in its place", "http.proxy"],
        ),
        (
            "an address that the firewall does not know",
            |world| vault(world, 403, "ForbiddenByFirewall", FIREWALL),
            HUMAN,
            &[
                "403 ForbiddenByFirewall",
                "192.0.2.1",
                REQUEST,
                "az keyvault network-rule add --name overlap --ip-address",
            ],
        ),
        (
            "a vault behind a private endpoint",
            |world| vault(world, 403, "ForbiddenByConnection", PUBLIC),
            HUMAN,
            &[
                "403 ForbiddenByConnection",
                "getent hosts overlap.vault.sandbox.test",
                "--public-network-access Enabled",
            ],
        ),
        (
            "no role",
            |world| vault(world, 403, "ForbiddenByRbac", RBAC),
            HUMAN,
            &[
                "403 ForbiddenByRbac",
                "Key Vault Secrets Officer",
                "--name overlap",
                "/secrets/greenlake-scim-token",
                "appid=04b07795-8ddb-461a-bbee-02f9e1bf7b46;oid=",
                "vaults/overlap/secrets/greenlake-scim-token' Assignment: (not found)",
                ASSIGNED,
            ],
        ),
        (
            "no access policy",
            |world| vault(world, 403, "ForbiddenByPolicy", POLICY),
            HUMAN,
            &[
                "403 ForbiddenByPolicy",
                "az keyvault set-policy --name overlap",
                "--secret-permissions get list set",
                GRANTED,
            ],
        ),
        (
            "no access policy, as older vaults say it",
            |world| vault(world, 403, "AccessDenied", POLICY),
            HUMAN,
            &["403 AccessDenied", "az keyvault set-policy --name overlap"],
        ),
        (
            "a vault that is disabled",
            |world| vault(world, 403, "VaultDisabled", "The vault is disabled."),
            HUMAN,
            &["403 VaultDisabled", "whoever owns the subscription"],
        ),
        (
            "a 403 of which nobody knows why",
            |world| vault(world, 403, "Forbidden", "no"),
            HUMAN,
            &["the vault does not say why", "Key Vault Secrets Officer", "az keyvault set-policy --name overlap"],
        ),
        (
            "a vault of another tenant",
            |world| vault(world, 401, "Unauthorized", "AKV10032: Invalid issuer."),
            HUMAN,
            &["401", "belongs to another tenant", "check tenant_id"],
        ),
        (
            "a secret that somebody has deleted",
            World::person_deletes_secret,
            HUMAN,
            &[
                "the secret has been deleted, and will be gone for good on",
                "az keyvault secret recover --vault-name overlap --name greenlake-scim-token",
            ],
        ),
        (
            "a vault that somebody has deleted",
            |world| world.settings.vault_gone = true,
            UNCLEAR,
            &["404 VaultNotFound", "az keyvault recover --name overlap"],
        ),
        (
            "throttling that says until when",
            |world| world.faults.at_call(Op::VaultList, 1, Fault::Status(429, Some(1234))),
            UNCLEAR,
            &["429", "CannotObserve"],
        ),
        (
            "throttling that does not",
            |world| world.faults.at_call(Op::VaultList, 1, Fault::Status(429, None)),
            UNCLEAR,
            &["429", "CannotObserve"],
        ),
        (
            "a second page on another host",
            |world| {
                (0..30).for_each(|n| world.person_stores(&format!("value-{n}")));
                world.settings.next_page_at = Some("kv.elsewhere.test".to_owned());
            },
            UNCLEAR,
            &["led to another host", "no request was made"],
        ),
    ];
    each_is_told(&table, "Key Vault: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_graph_is_told_with_what_mends_it() {
    let table: [Row; 12] = [
        (
            "a 401 that stands for a 403, without words",
            |world| graph(world, 401, "UnknownError", ""),
            HUMAN,
            &[
                "401 UnknownError",
                "for which Graph's synchronization API answers 401",
                "owner of the enterprise application",
            ],
        ),
        (
            "a 401 that stands for a 403, with words",
            |world| graph(world, 401, "Unauthorized", "Access denied."),
            HUMAN,
            &["401 Unauthorized Access denied.", "a permission is lacking", "Application.ReadWrite.OwnedBy"],
        ),
        (
            "a 403",
            |world| graph(world, 403, "Authorization_RequestDenied", "Insufficient privileges."),
            HUMAN,
            &["403 Authorization_RequestDenied", "a permission is lacking", "Synchronization.ReadWrite.All"],
        ),
        (
            "a bearer that is none",
            |world| graph(world, 401, "InvalidAuthenticationToken", "Access token validation failure."),
            HUMAN,
            &["401 InvalidAuthenticationToken", "azure.cloud and azure.graph are of one cloud"],
        ),
        (
            "an application or a job that is not there (yet)",
            |world| graph(world, 404, "Request_ResourceNotFound", "no"),
            HUMAN,
            &["404 Request_ResourceNotFound", "shows after some minutes", "looked for again by itself", "job_id"],
        ),
        (
            "another identity's application",
            |world| world.settings.owns_service_principal = false,
            HUMAN,
            &["401 UnknownError", "owner of the enterprise application"],
        ),
        (
            "an identity without any permission",
            |world| world.settings.graph_roles.clear(),
            HUMAN,
            &["403 Authorization_RequestDenied", "Application.ReadWrite.OwnedBy"],
        ),
        (
            "words within words",
            |world| {
                let nested = r#"{"error":{"code":"InnermostCode","message":"what it is\r\nreally about"}}"#;
                graph(world, 400, "BadRequest", nested);
            },
            HUMAN,
            &["400 InnermostCode what it is really about"],
        ),
        (
            "a race in the directory",
            |world| graph(world, 409, "Directory_ConcurrencyViolation", "no"),
            UNCLEAR,
            &["409 Directory_ConcurrencyViolation", "CannotObserve"],
        ),
        (
            "throttling that says until when",
            |world| world.faults.at_call(Op::JobRead, 1, Fault::Status(429, Some(1234))),
            UNCLEAR,
            &["429", "CannotObserve"],
        ),
        (
            "throttling that does not",
            |world| world.faults.at_call(Op::JobRead, 1, Fault::Status(429, None)),
            UNCLEAR,
            &["429", "CannotObserve"],
        ),
        ("an outage", |world| graph(world, 503, "serviceNotAvailable", "no"), UNCLEAR, &["503 serviceNotAvailable"]),
    ];
    each_is_told(&table, REQUEST).await;
}

/// Everything that has to do with which application and which job is meant: the line of the configuration, how the far
/// side is bent, the exit code of `check`, and words that it must say.
#[tokio::test(flavor = "multi_thread")]
async fn the_application_and_the_job_are_found_or_told_with_the_candidates() {
    const OBJECT: &str = "service_principal_id = \"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\"";
    const APP: &str = "app_id = \"5c2f1ab0-0000-4000-8000-000000000004\"";
    let job = |id: &str| format!("{OBJECT}, job_id = \"{id}\"");
    let several = |world: &mut World| world.person_adds_job("scim.second.job");
    type Bend = fn(&mut World);
    let table: [(String, Bend, i32, &[&str]); 9] = [
        (APP.to_owned(), |_| (), DUE, &[]),
        (
            "app_id = \"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\"".to_owned(),
            |_| (),
            HUMAN,
            &["servicePrincipals(appId='aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'): 404", "check app_id and the tenant"],
        ),
        (
            APP.to_owned(),
            |world| world.faults.at_calls(Op::PrincipalRead, 1, 99, Fault::Status(403, None)),
            HUMAN,
            &["may not look up the enterprise application", "service_principal_id = …", "Application.Read.All"],
        ),
        (
            format!("{OBJECT}, {APP}"),
            |_| (),
            78,
            &["entra.app_id: the enterprise application is named twice: keep service_principal_id or app_id"],
        ),
        (
            String::new(),
            |_| (),
            78,
            &["entra.service_principal_id: is missing", "or app_id = \"…\", its application id"],
        ),
        (
            OBJECT.to_owned(),
            several,
            HUMAN,
            &["scim.overlap.job (scim, Active), scim.second.job (scim, NotRun)", "name one of them as job_id"],
        ),
        (job("scim.overlap.job"), several, DUE, &[]),
        (job("scim.nowhere"), |_| (), HUMAN, &["jobs/scim.nowhere: 404", "job_id"]),
        (OBJECT.to_owned(), |world| world.person_adds_job("gsuite.second.job"), DUE, &[]),
    ];
    for (line, bend, exit, words) in table {
        let place = Place::new(worlds(|_| ()), SPEED, |text| {
            let text = only(OVERLAP, &text);
            assert!(text.contains(OBJECT));
            text.replace(OBJECT, &line).replace("entra = { , ", "entra = { ")
        })
        .await;
        bend(&mut place.sandbox.world(OVERLAP));
        let (code, text) = say(&place, &["check"]).await;
        assert_eq!(code, Some(exit), "{line}\n{text}");
        is_said(&line, &text, words);
        is_unharmed(&line, &place.sandbox.world(OVERLAP));
    }
}

/// The moment that `check` names for the next try.
fn next(text: &str) -> Timestamp {
    let (_, rest) = text.split_once("(next: ").unwrap_or_else(|| panic!("{text}"));
    let (moment, _) = rest.split_once(" UTC)").expect("its end");
    NaiveDateTime::parse_from_str(moment, "%Y-%m-%d %H:%M:%S").expect("a moment").and_utc()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_wants_to_be_asked_later_is_asked_no_earlier_and_one_that_does_not_say_when_soon() {
    for op in [Op::VaultList, Op::JobRead] {
        for (asked, waits) in [(Some(1234), 1234), (None, 60)] {
            let place = Place::new(worlds(|_| ()), 1.0, |text| {
                only(OVERLAP, &text).replace("clock_speed = 3600", "clock_speed = 1")
            })
            .await;
            place.sandbox.world(OVERLAP).faults.at_call(op, 1, Fault::Status(429, asked));
            let before = place.sandbox.world(OVERLAP).now();
            let (code, text) = say(&place, &["check"]).await;
            assert_eq!(code, Some(UNCLEAR), "{text}");
            let after = place.sandbox.world(OVERLAP).now() + TimeDelta::seconds(waits);
            let next = next(&text);
            // Seconds are whole in what is told.
            let earliest = before + TimeDelta::seconds(waits - 2);
            assert!(earliest <= next && next <= after, "{op:?} {asked:?}: {next}, not {earliest} to {after}");
        }
    }
}

/// A grant, an application or a vault's role may take minutes or an hour to show, everywhere or on one replica after another.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_mends_is_found_mended_by_the_daemon_itself() {
    type Bend = fn(&mut World);
    let table: [(Bend, &str); 5] = [
        (|world| graph(world, 404, "Request_ResourceNotFound", "no"), "shows after some minutes"),
        (|world| graph(world, 401, "UnknownError", ""), "for which Graph's synchronization API answers 401"),
        (|world| graph(world, 403, "Authorization_RequestDenied", "no"), "a permission is lacking"),
        (|world| vault(world, 403, "ForbiddenByRbac", RBAC), "lacks its role on the secret"),
        (|world| vault(world, 403, "ForbiddenByFirewall", FIREWALL), "az keyvault network-rule add"),
    ];
    for (bend, words) in table {
        let place = place(|_| ()).await;
        let usual = place.sandbox.world(OVERLAP).settings.clone();
        bend(&mut place.sandbox.world(OVERLAP));
        let daemon = place.daemon(&[]);
        daemon.says(words).await;
        is_unharmed(words, &place.sandbox.world(OVERLAP));
        place.sandbox.world(OVERLAP).settings.clone_from(&usual);
        place.until(OVERLAP, "the first contact is made", |world| is_at_rest_with_newer(world, 1)).await;
        judge(&place.sandbox.world(OVERLAP), 1).unwrap_or_else(|why| panic!("{words}: {why}"));
    }
}

/// The doctor's commands work for either id: an application id has quotes of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_mends_the_network_and_an_application_that_is_named_by_its_application_id() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| {
        let object = "service_principal_id = \"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\"";
        only(OVERLAP, &text).replace(object, "app_id = \"5c2f1ab0-0000-4000-8000-000000000004\"")
    })
    .await;
    vault(&mut place.sandbox.world(OVERLAP), 403, "ForbiddenByConnection", PUBLIC);
    let (_, text) = say(&place, &["doctor"]).await;
    is_said("private endpoint", &text, &["ForbiddenByConnection", "getent hosts overlap.vault.sandbox.test"]);
    assert!(!text.contains("role assignment create"), "a role is not what is missing\n{text}");
    is_said(
        "by application id",
        &text,
        &["application id 5c2f1ab0-0000-4000-8000-000000000004", "this identity is one of"],
    );

    place.sandbox.world(OVERLAP).settings.owns_service_principal = false;
    let (_, text) = say(&place, &["doctor"]).await;
    let owners = r"/servicePrincipals(appId='5c2f1ab0-0000-4000-8000-000000000004')/owners/\$ref";
    is_said("no owner", &text, &["is no owner of the service principal", owners]);

    // The object id, where the application id belongs.
    place.sandbox.world(OVERLAP).settings.service_principal = "5c2f1ab0-0000-4000-8000-000000000004".to_owned();
    for world in [OVERLAP, REMOVE_CURRENT] {
        place.sandbox.world(world).settings.app_id = "5c2f1ab0-0000-4000-8000-000000000077".to_owned();
    }
    let (_, text) = say(&place, &["doctor"]).await;
    let words = ["is the object id of \"HPE GreenLake\", not its application id", "service_principal_id = \"5c2f1ab0"];
    is_said("mixed up", &text, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_without_any_job_is_told_with_where_to_set_one_up() {
    let place = place(|settings| settings.jobs.clear()).await;
    let (code, text) = say(&place, &["check"]).await;
    assert_eq!(code, Some(HUMAN), "{text}");
    is_said("no job", &text, &["has no provisioning job", "Enterprise applications → the application → Provisioning"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_latest_version_finds_entras_token_with_its_end_and_its_type() {
    let place = place(|_| ()).await;
    let (code, text) = say(&place, &["once"]).await;
    assert_eq!(code, Some(0), "{text}");
    let world = place.sandbox.world(OVERLAP);
    let latest = world.versions().last().expect("a version");
    assert_eq!(world.token_number(&latest.value), world.saved_token());
    assert_eq!((latest.enabled, latest.content_type.as_deref()), (true, Some("application/vnd.scim-token")));
    // Azure's own events tell of what nears this moment.
    let life = latest.expires.expect("an end") - latest.created;
    assert!((life - TimeDelta::days(3)).abs() < TimeDelta::hours(1), "{life}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_has_been_recovered_is_what_it_was() {
    let place = place(|_| ()).await;
    assert_eq!(say(&place, &["once"]).await.0, Some(0));
    let before = place.sandbox.world(OVERLAP).versions().to_vec();
    place.sandbox.world(OVERLAP).person_deletes_secret();
    let (code, text) = say(&place, &["check"]).await;
    assert_eq!(code, Some(HUMAN), "{text}");
    place.sandbox.world(OVERLAP).person_recovers_secret();
    let (code, text) = say(&place, &["check"]).await;
    assert!(code.is_some_and(|code| code != HUMAN && code != UNCLEAR), "{text}");
    assert_eq!(place.sandbox.world(OVERLAP).versions(), before);
}
