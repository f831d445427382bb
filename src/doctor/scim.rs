//! The SCIM endpoint, asked with the current token of the vault, as Entra's own *Test Connection* does.

use super::vault::Current;
use super::way::Reached;
use super::{Check, Questions, Subject};
use crate::domain::ProbeVerdict;

const HOP: &str = "scim";

/// Asks. `is_foreign`: Entra provisions somewhere else, so nobody knows whose endpoint is right and none gets a token.
pub(super) async fn check(
    subject: &Subject,
    ask: &Questions,
    reached: &Reached,
    token: Current,
    is_foreign: bool,
) -> Check {
    if let Some(cause) = reached.failed(&subject.tenant_url) {
        return Check::skipped(HOP, &cause);
    }
    let token = match token {
        Ok(token) => token,
        Err(check) => return check,
    };
    if is_foreign {
        return Check::skipped(HOP, "settings");
    }
    match ask.probe.probe(&token).await {
        ProbeVerdict::Accepted => Check::ok(HOP, "the endpoint accepts the current token"),
        ProbeVerdict::Refused => Check::fault(
            HOP,
            format!("the endpoint refuses the current token ({})", token.fingerprint()),
        )
        .fix(format!(
            "scim-rotator status   # what does the daemon make of it? If nothing is under way:\nscim-rotator rotate {}",
            subject.name
        )),
        ProbeVerdict::NoVerdict => {
            let mut url = subject.tenant_url.clone();
            url.set_query(None);
            Check::warning(HOP, "the endpoint says nothing about the token (neither 2xx nor 401 or 403)").fix(format!(
                "curl -sS -o /dev/null -w '%{{http_code}}\\n' '{url}/Users'   # without a token: 401 is what it should say"
            ))
        }
    }
}
