//! The daemon as a cloud machine's managed identity: no secret of its own, but an endpoint on the machine that vouches for it.

use super::place::OVERLAP;
use super::somebody::Somebody;
use crate::sandbox::identity::{Dialect, IdentityEndpoint, Machine};
use crate::world::{Fault, Op};

const CLIENT_ID: &str = "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01";
/// A secret as well, although it looks like the id of a request: whoever has it is this machine.
const HEADER: &str = "b7c1f0a2-94de-4b6f-8c35-e2d7a9f61b08";
const SYSTEM_ASSIGNED: &str = "{ kind = \"managed-identity\" }";
const RESOURCE_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rotator";

fn user_assigned(id: &str) -> String {
    format!("{{ kind = \"managed-identity\", client_id = \"{id}\" }}")
}

fn by_client_id() -> Option<(&'static str, String)> {
    Some(("client_id", CLIENT_ID.to_owned()))
}

/// Somebody in a container of App Service or Container Apps.
async fn container(credential: &str, user_assigned: Option<(&'static str, String)>) -> (Somebody, IdentityEndpoint) {
    let mut somebody = Somebody::new(credential, |_| ()).await;
    let machine = Machine { user_assigned, dialect: Dialect::AppService(HEADER.to_owned()) };
    let endpoint = somebody.place.sandbox.identity_endpoint(machine).await.expect("an endpoint");
    somebody.guard(HEADER);
    somebody.set("IDENTITY_ENDPOINT", &endpoint.url);
    somebody.set("IDENTITY_HEADER", HEADER);
    (somebody, endpoint)
}

/// Somebody on a virtual machine of Azure.
async fn machine(credential: &str, user_assigned: Option<(&'static str, String)>) -> (Somebody, IdentityEndpoint) {
    let mut somebody = Somebody::new(credential, |_| ()).await;
    let machine = Machine { user_assigned, dialect: Dialect::Metadata };
    let endpoint = somebody.place.sandbox.identity_endpoint(machine).await.expect("an endpoint");
    somebody.set("SCIM_ROTATOR__SANDBOX__METADATA", &endpoint.address.to_string());
    (somebody, endpoint)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_containers_own_identity_makes_the_first_contact_by_rotate() {
    container(SYSTEM_ASSIGNED, None).await.0.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_machines_own_identity_makes_the_first_contact_by_rotate() {
    machine(SYSTEM_ASSIGNED, None).await.0.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_assigned_identity_is_asked_for_by_the_name_that_it_is_configured_by() {
    container(&user_assigned(CLIENT_ID), by_client_id()).await.0.can_look().await;
    machine(&user_assigned(CLIENT_ID), by_client_id()).await.0.can_look().await;
    let by = |key: &str, id: &str| format!("{{ kind = \"managed-identity\", {key} = \"{id}\" }}");
    machine(&by("object_id", CLIENT_ID), Some(("object_id", CLIENT_ID.to_owned()))).await.0.can_look().await;
    machine(&by("resource_id", RESOURCE_ID), Some(("msi_res_id", RESOURCE_ID.to_owned()))).await.0.can_look().await;
    let (container, _endpoint) = container(&by("resource_id", RESOURCE_ID), None).await;
    container.fails_with(&["Entra login", "cannot be used", "Use a client or object ID instead"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_the_machine_does_not_have_is_told_with_what_to_do() {
    let words = ["Entra login", "400", "No managed identity was found", "correct client_id"];
    let other = user_assigned("00000000-0000-4000-8000-000000000001");
    container(&other, by_client_id()).await.0.fails_with(&words).await;
    container(SYSTEM_ASSIGNED, by_client_id()).await.0.fails_with(&words).await;
    machine(&other, by_client_id()).await.0.fails_with(&words).await;
    machine(SYSTEM_ASSIGNED, by_client_id()).await.0.fails_with(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_the_endpoint_does_not_know_is_told_with_what_to_do_and_not_shown() {
    const ANOTHER: &str = "0e5d92c7-3a1b-4f88-b6d4-71c9e8a5f230";
    let (mut container, _endpoint) = container(SYSTEM_ASSIGNED, None).await;
    container.guard(ANOTHER);
    container.set("IDENTITY_HEADER", ANOTHER);
    container.fails_with(&["Entra login", "401", "IDENTITY_HEADER"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_out_of_order_or_not_there_is_told_at_once() {
    let table = [
        (503, "is in trouble"),
        (410, "being renewed"),
        (302, "something else answers in place of"),
        (404, "on Azure machines and containers only"),
    ];
    for (status, word) in table {
        for (somebody, _endpoint) in [container(SYSTEM_ASSIGNED, None).await, machine(SYSTEM_ASSIGNED, None).await] {
            for op in [Op::VaultToken, Op::GraphToken] {
                somebody.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, Fault::Status(status, None));
            }
            somebody.fails_with(&["Entra login", "identity endpoint", &status.to_string(), word]).await;
        }
    }
    // A page for people, as a portal in between shows it.
    for (somebody, _endpoint) in [container(SYSTEM_ASSIGNED, None).await, machine(SYSTEM_ASSIGNED, None).await] {
        for op in [Op::VaultToken, Op::GraphToken] {
            somebody.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, Fault::Html);
        }
        let words =
            ["Entra login", "identity endpoint", "the answer cannot be read", "something else answers in place of"];
        somebody.fails_with(&words).await;
    }
    // Nobody listens on the discard port.
    let words = ["Entra login", "identity endpoint", "no connection", "azure-arc", "client-secret"];
    let (mut container, _endpoint) = container(SYSTEM_ASSIGNED, None).await;
    container.set("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token");
    container.fails_with(&words).await;
    let (mut machine, _endpoint) = machine(SYSTEM_ASSIGNED, None).await;
    machine.set("SCIM_ROTATOR__SANDBOX__METADATA", "127.0.0.1:9");
    machine.fails_with(&words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_service_has_no_other_address_in_a_sandbox_than_the_one_that_is_set() {
    let somebody = Somebody::new(SYSTEM_ASSIGNED, |_| ()).await;
    somebody.fails_with(&["Entra login", "only loopback may be reached", "leave out [sandbox]"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_elsewhere_gets_no_header() {
    let (mut container, _endpoint) = container(SYSTEM_ASSIGNED, None).await;
    container.set("IDENTITY_ENDPOINT", "http://identity.example.com/msi/token");
    container
        .fails_with(&["Entra login", "led to another host, and no request was made", "must be this machine's own"])
        .await;
}
