//! The SCIM endpoint, asked by the daemon itself (facts/greenlake.md, "The SCIM endpoint Entra calls").

use chrono::TimeDelta;
use scim_rotator::domain::{ProbeVerdict, Token};

use super::begin;
use super::far_side::{FarSide, Terms};
use crate::world::{Fault, Op, Service, Settings};

async fn usual() -> FarSide {
    begin(Settings::default(), Terms::default()).await
}

/// "2xx good … 401/403 refused, or not yet effective."
#[tokio::test]
async fn a_good_token_is_accepted_and_any_other_is_refused() {
    let far = usual().await;
    let (good, bad) = (far.token(1), Token::parse("never-made-by-hpe").unwrap());
    assert_eq!(far.probe.probe(&good).await, ProbeVerdict::Accepted);
    assert_eq!(far.probe.probe(&bad).await, ProbeVerdict::Refused);
    far.pass(TimeDelta::days(180));
    assert_eq!(far.probe.probe(&good).await, ProbeVerdict::Refused);
}

/// "The body may be odd: judge by status." "3xx, 404, 429, 5xx, timeout: no verdict, never a reason to act."
#[tokio::test]
async fn only_a_welcome_and_a_refusal_are_verdicts() {
    let far = usual().await;
    let token = far.token(1);
    let statuses =
        [302, 400, 404, 408, 429, 500, 502, 503].map(|s| (Fault::Status(s, Some(9)), ProbeVerdict::NoVerdict));
    let refusals = [401, 403].map(|status| (Fault::Status(status, None), ProbeVerdict::Refused));
    let broken = [Fault::LoseRequest, Fault::LoseAnswer, Fault::Truncated].map(|f| (f, ProbeVerdict::NoVerdict));
    let page = [(Fault::Html, ProbeVerdict::Accepted)];
    for (fault, verdict) in statuses.into_iter().chain(refusals).chain(broken).chain(page) {
        far.world().faults.at_call(Op::Probe, 1, fault);
        assert_eq!(far.probe.probe(&token).await, verdict, "{fault:?}");
    }
}

/// An endpoint that nobody can connect to has said nothing about the token.
#[tokio::test]
async fn an_endpoint_that_is_down_gives_no_verdict() {
    let far = usual().await;
    let (token, now) = (far.token(1), far.now());
    for service in [Service::Scim, Service::Hpe] {
        far.world().faults.during(service, now, now + TimeDelta::hours(1), Fault::Down);
    }
    assert_eq!(far.probe.probe(&token).await, ProbeVerdict::NoVerdict);
}
