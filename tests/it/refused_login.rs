//! Every code by which Entra refuses an application: what the daemon says, and that it shows no secret.

use super::place::OVERLAP;
use super::somebody::{CLIENT, Somebody, TENANT};
use crate::world::{Fault, Op};

const SECRET: &str = "sandbox/azure-client-secret";

fn by_secret(tenant: &str, client: &str) -> String {
    format!(
        "{{ kind = \"client-secret\", tenant_id = \"{tenant}\", client_id = \"{client}\", secret_file = \"{SECRET}\" }}"
    )
}

/// Status, error and words of Entra → what the operator reads beside them.
const TABLE: [(u16, &str, &str, &str); 16] = [
    (
        401,
        "invalid_client",
        "AADSTS7000222: The provided client secret keys are expired.",
        "has expired: make a new one",
    ),
    (401, "invalid_client", "AADSTS7000215: Invalid client secret provided.", "put the secret's value, not its id"),
    (
        400,
        "unauthorized_client",
        "AADSTS700016: Application was not found in the directory.",
        "check client_id and tenant_id",
    ),
    (400, "invalid_request", "AADSTS90002: Tenant not found.", "check tenant_id and the cloud"),
    (
        400,
        "invalid_request",
        "AADSTS900023: Specified tenant identifier is not valid.",
        "check tenant_id and the cloud",
    ),
    (400, "invalid_request", "AADSTS900382: Confidential Client is not supported in Cross Cloud.", "set azure.cloud"),
    (401, "unauthorized_client", "AADSTS7000112: Application is disabled.", "enable it under Enterprise applications"),
    (
        400,
        "unauthorized_client",
        "AADSTS7000229: The client application is missing service principal.",
        "az ad sp create --id 22222222-2222-4222-8222-222222222222",
    ),
    (400, "invalid_resource", "AADSTS500011: The resource principal was not found.", "does not know the service"),
    (
        400,
        "interaction_required",
        "AADSTS53003: Access has been blocked by Conditional Access.",
        "exempt the workload identity",
    ),
    (
        400,
        "interaction_required",
        "AADSTS530003: Your device is required to be managed.",
        "exempt the workload identity",
    ),
    (
        401,
        "invalid_client",
        "AADSTS7000218: The request body must contain client_assertion or client_secret.",
        "secret file",
    ),
    (503, "temporarily_unavailable", "AADSTS90033: A transient error has occurred.", "asks to try again later"),
    // To the letter of public reports, with other ids.
    (
        401,
        "invalid_client",
        "AADSTS700211: No matching federated identity record found for presented assertion issuer \
         'https://eastus2.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/c0ffee00-86f1-41af-91ab-2d7cd011db47/'. \
         Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.",
        "must name the cluster's issuer",
    ),
    (400, "invalid_request", "AADSTS4711: A code that nobody knows.", "https://login.microsoftonline.com/error"),
    (
        401,
        "invalid_client",
        "AADSTS7002138: No matching federated identity record found for presented assertion subject \
         'system:serviceaccount:Prov:scim-rotator'. The subject matched with case-insensitive comparison, but not with \
         case-sensitive comparison.",
        "letter by letter",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_entra_is_told_with_where_it_came_from_and_what_to_do() {
    let somebody = Somebody::new(&by_secret(TENANT, CLIENT), |_| ()).await;
    for (status, code, message, advice) in TABLE {
        somebody.place.sandbox.world(OVERLAP).settings.login_refusal = Some((status, code, message));
        let where_from = format!("{TENANT}/oauth2/v2.0/token: {status} {message}");
        somebody.fails_with(&["Entra login: POST https://login.sandbox.test", &where_from, advice]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_in_place_of_entra_is_told_with_what_to_look_at() {
    let table = [
        (Fault::Status(302, None), "302", "a login never redirects"),
        (Fault::Html, "the answer cannot be read", "has answered in its place"),
    ];
    // Trouble of its own, without a word.
    let busy = [429, 500, 502, 503].map(|status| (Fault::Status(status, Some(7)), status.to_string()));
    for (fault, status) in busy {
        let somebody = Somebody::new(&by_secret(TENANT, CLIENT), |_| ()).await;
        for op in [Op::VaultToken, Op::GraphToken] {
            somebody.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, fault);
        }
        let words = ["Entra login: POST https://login.sandbox.test", status.as_str(), "asks to try again later"];
        somebody.fails_with(&words).await;
    }
    for (fault, what, advice) in table {
        let somebody = Somebody::new(&by_secret(TENANT, CLIENT), |_| ()).await;
        for op in [Op::VaultToken, Op::GraphToken] {
            somebody.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, fault);
        }
        somebody.fails_with(&["Entra login: POST https://login.sandbox.test", what, advice, "http.proxy"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_hangs_ends_by_the_limit_of_a_request_and_is_told_with_what_to_look_at() {
    let somebody = Somebody::with(&format!("credential = {}", by_secret(TENANT, CLIENT)), |_| ()).await;
    let file = &somebody.place.setup.config;
    let text = std::fs::read_to_string(file).expect("a configuration");
    let impatient = "[http]\ntimeout = \"1s\"\nconnect_timeout = \"1s\"\ndns_timeout = \"100ms\"";
    std::fs::write(file, text.replace("[http]", impatient)).expect("written");
    for op in [Op::VaultToken, Op::GraphToken] {
        somebody.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, Fault::Hang);
    }
    somebody
        .fails_with(&["Entra login: POST https://login.sandbox.test", "no answer in time", "scim-rotator doctor"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_tenant_application_or_secret_is_refused_by_entra_itself() {
    let other = "00000000-0000-4000-8000-000000000001";
    Somebody::new(&by_secret(other, CLIENT), |_| ()).await.fails_with(&["AADSTS90002", "check tenant_id"]).await;
    Somebody::new(&by_secret(TENANT, other), |_| ()).await.fails_with(&["AADSTS700016", "check client_id"]).await;
    let mut wrong = Somebody::new(&by_secret(TENANT, CLIENT), |_| ()).await;
    wrong.secret_file(SECRET, "Jq5~wrong.secret-Yt73_mBnZx");
    wrong.fails_with(&["AADSTS7000215", "not its id"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_and_vault_are_asked_by_whom_each_is_configured() {
    // The vault's secret is good, and Graph's is not.
    let vault = by_secret(TENANT, CLIENT);
    let graph = vault.replace(SECRET, "sandbox/graph-client-secret");
    let lines = format!("credential = {vault}\ngraph_credential = {graph}");
    let mut somebody = Somebody::with(&lines, |_| ()).await;
    somebody.secret_file("sandbox/graph-client-secret", "Jq5~wrong.secret-Yt73_mBnZx");
    somebody.fails_with(&["AADSTS7000215"]).await;
    {
        let world = somebody.place.sandbox.world(OVERLAP);
        assert!(world.faults.calls(Op::VaultList) > 0, "the vault was asked\n{}", world.ledger.trace());
        assert_eq!(world.faults.calls(Op::JobRead), 0, "Graph was not\n{}", world.ledger.trace());
    }
    let good = somebody.place.sandbox.world(OVERLAP).settings.azure_client_secret.clone();
    somebody.secret_file("sandbox/graph-client-secret", good);
    somebody.succeeds().await;
    // And the other way round, with nothing for both.
    let lines = format!("vault_credential = {graph}\ngraph_credential = {vault}");
    let mut somebody = Somebody::with(&lines, |_| ()).await;
    somebody.secret_file("sandbox/graph-client-secret", "Jq5~wrong.secret-Yt73_mBnZx");
    somebody.fails_with(&["AADSTS7000215"]).await;
    let world = somebody.place.sandbox.world(OVERLAP);
    assert_eq!(world.faults.calls(Op::VaultList), 0, "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_that_predates_a_grant_is_renewed_once_and_then_the_refusal_counts() {
    let refused = |op, status| {
        let somebody = async move {
            let somebody = Somebody::new(&by_secret(TENANT, CLIENT), |_| ()).await;
            somebody.place.sandbox.world(OVERLAP).faults.at_call(op, 1, Fault::Status(status, None));
            somebody
        };
        Box::pin(somebody)
    };
    for (op, login) in [(Op::VaultList, Op::VaultToken), (Op::JobRead, Op::GraphToken)] {
        for status in [401, 403] {
            let granted = refused(op, status).await;
            granted.can_look().await;
            assert_eq!(granted.place.sandbox.world(OVERLAP).faults.calls(login), 2, "{op:?} {status}");
            let never = refused(op, status).await;
            never.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, Fault::Status(status, None));
            never.fails_with(&[&status.to_string(), "a new bearer was tried as well"]).await;
            assert_eq!(never.place.sandbox.world(OVERLAP).faults.calls(login), 2, "{op:?} {status}");
        }
    }
}
