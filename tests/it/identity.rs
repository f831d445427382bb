//! The daemon as a cloud machine's managed identity: no secret of its own, but an endpoint on the machine that vouches for it.

use super::canary::{leak, secrets, windows};
use super::place::{OVERLAP, Place, SPEED, judge, only};
use crate::sandbox::identity::{IdentityEndpoint, Machine};
use crate::sandbox::setup::worlds;
use crate::world::{Fault, Op};

const CLIENT_ID: &str = "5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01";
/// A secret as well: whoever has it is this machine.
const HEADER: &str = "Wq7-hT2.machine_header.Xb91LmPqRsZ";

/// A place whose configuration names a managed identity, on a machine that has one.
struct Cloud {
    place: Place,
    endpoint: IdentityEndpoint,
}

impl Cloud {
    async fn new(credential: &str, user_assigned: Option<&str>) -> Self {
        let place = Place::new(worlds(|_| ()), SPEED, |text| {
            let (head, rest) = text.split_once("credential = ").expect("a credential");
            let (_, rest) = rest.split_once('\n').expect("more than that");
            only(OVERLAP, &format!("{head}credential = {credential}\n{rest}"))
        })
        .await;
        std::fs::remove_file(place.setup.folder.join("sandbox/azure-client-secret")).expect("there was one");
        let machine = Machine { user_assigned: user_assigned.map(str::to_owned), header: HEADER.to_owned() };
        let endpoint = place.sandbox.identity_endpoint(machine).await.expect("an endpoint");
        Self { place, endpoint }
    }

    /// `once`, as talkative as can be, with this header. Answers with its exit code and all that it said.
    async fn once(&self, header: &str) -> (Option<i32>, String) {
        let environment = [("IDENTITY_ENDPOINT", self.endpoint.url.as_str()), ("IDENTITY_HEADER", header)];
        let output = self.place.run_with(&["once", "-vvv"], &environment).await;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        let mut all = secrets(&self.place);
        all.extend(windows(HEADER));
        all.extend(windows(header));
        if let Some(leak) = leak(text.as_bytes(), &all) {
            panic!("a secret shows at the end of: {leak}");
        }
        (output.status.code(), text)
    }

    /// It fails, says each of these, and has asked nobody for a token.
    async fn fails_with(&self, header: &str, words: &[&str]) {
        let (code, text) = self.once(header).await;
        assert_eq!(code, Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
        let world = self.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.saved_token()), (0, Some(1)), "{}", world.ledger.trace());
    }

    async fn succeeds(&self) {
        let (code, text) = self.once(HEADER).await;
        assert_eq!(code, Some(0), "{text}");
        let world = self.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{}", world.ledger.trace());
        judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
    }
}

fn user_assigned(id: &str) -> String {
    format!("{{ kind = \"managed-identity\", client_id = \"{id}\" }}")
}

const SYSTEM_ASSIGNED: &str = "{ kind = \"managed-identity\" }";

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_own_identity_makes_the_first_contact_by_rotate() {
    Cloud::new(SYSTEM_ASSIGNED, None).await.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_assigned_identity_is_asked_for_by_its_client_id() {
    Cloud::new(&user_assigned(CLIENT_ID), Some(CLIENT_ID)).await.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_the_machine_does_not_have_is_told_with_what_to_do() {
    let words = ["Entra login", "400", "No managed identity was found", "correct client_id"];
    let other = Cloud::new(&user_assigned("00000000-0000-4000-8000-000000000001"), Some(CLIENT_ID)).await;
    other.fails_with(HEADER, &words).await;
    let unnamed = Cloud::new(SYSTEM_ASSIGNED, Some(CLIENT_ID)).await;
    unnamed.fails_with(HEADER, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_the_endpoint_does_not_know_is_told_with_what_to_do_and_not_shown() {
    let cloud = Cloud::new(SYSTEM_ASSIGNED, None).await;
    cloud.fails_with("Kd93-another.machines_header.Vt5QmZ", &["Entra login", "401", "IDENTITY_HEADER"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_out_of_order_or_not_there_is_told() {
    let cloud = Cloud::new(SYSTEM_ASSIGNED, None).await;
    for op in [Op::VaultToken, Op::GraphToken] {
        cloud.place.sandbox.world(OVERLAP).faults.at_calls(op, 1, 99, Fault::Status(503, None));
    }
    cloud.fails_with(HEADER, &["Entra login", "identity endpoint", "503"]).await;
    let mut gone = Cloud::new(SYSTEM_ASSIGNED, None).await;
    // Nobody listens on the discard port.
    gone.endpoint.url = "http://127.0.0.1:9/msi/token".to_owned();
    gone.fails_with(HEADER, &["Entra login", "identity endpoint", "no connection", "client-secret"]).await;
}
