//! What a rotation does, in order, and what each step needs to be allowed to. The names are the engine's own; a test holds
//! them against the steps of a real rotation.

use serde::Serialize;

use crate::domain::{Mode, Policy};
use crate::words::span;

/// One step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// Its name, as the logs have it.
    pub step: &'static str,
    /// Whom it asks.
    pub service: &'static str,
    /// What has to be granted there for it.
    pub needs: &'static str,
}

type Service = (&'static str, &'static str);
const HPE: Service =
    ("HPE", "role \"SCIM Proxy Token Contributor\", space \"All Resources\", scope \"greenlake.service.user\"");
const VAULT: Service = ("Key Vault", "role \"Key Vault Secrets Officer\" on the secret");
const GRAPH: Service = ("Graph", "Application.ReadWrite.OwnedBy, as an owner of the service principal");
const EVERYBODY: Service =
    ("all of them", "all of these: nothing is begun before what can be asked for is known to be there");

/// The steps of a rotation in this mode.
pub(super) fn of(policy: &Policy, mode: Mode) -> Vec<Step> {
    let fenced = policy.fences(mode);
    let steps = [
        (true, "preflight", EVERYBODY),
        (fenced, "wait for the gap between two cycles", GRAPH),
        (true, "write the intent", VAULT),
        (fenced, "pause the provisioning job", GRAPH),
        (fenced, "let a running cycle end", GRAPH),
        (true, "ask the issuer for a new token", HPE),
        (true, "store the new token in the vault", VAULT),
        (true, "have Entra test the new token", GRAPH),
        (true, "give Entra the new token", GRAPH),
        (true, "have Entra verify what it has saved", GRAPH),
        (fenced, "start the provisioning job", GRAPH),
        (true, "promote the new token to current", VAULT),
    ];
    let taken = steps.into_iter().filter(|(taken, ..)| *taken);
    taken.map(|(_, step, (service, needs))| Step { step, service, needs }).collect()
}

/// What later looks do with a token that Entra holds.
pub(super) fn afterwards(policy: &Policy) -> String {
    format!(
        "confirmed by the first provisioning cycle that succeeds with it, missed after {}; proven once it is accepted with the \
         previous token dead; the previous version is disabled {} after that",
        span(policy.confirm_within),
        span(policy.retire_after)
    )
}
