//! HPE's proxy tokens and the bearer that asks for them (facts/greenlake.md).

use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::ProbeVerdict::{self, Accepted, Refused};
use scim_rotator::domain::Token;
use scim_rotator::ports::{Class, IssueHow, IssuerError};

use super::begin;
use super::far_side::{FarSide, OVERLAP, REMOVE_CURRENT, RETRY, Terms, retry_after};
use crate::world::{Begin, Event, Fault, LoginKind, Op, Service, Settings, TakesEffect, ThrottleTold};

const DELAY: TimeDelta = TimeDelta::minutes(5);
const READINGS: [TakesEffect; 3] = [TakesEffect::FirstUse, TakesEffect::Delay(DELAY), TakesEffect::OwnExpiry];

async fn usual() -> FarSide {
    begin(Settings::default(), Terms::default()).await
}

async fn reading(takes_effect: TakesEffect) -> FarSide {
    begin(Settings { takes_effect, ..Settings::default() }, Terms::default()).await
}

/// Issues, and answers with the new token and the one before it.
async fn issue(far: &FarSide, how: IssueHow) -> (Token, Token) {
    let old = far.world().token_values().count();
    let new = far.issuer.issue(how).await.expect("a token").token;
    (new, far.token(old))
}

/// What the endpoint says to each: a use of each, in this order.
async fn probe<const N: usize>(far: &FarSide, tokens: [&Token; N]) -> [ProbeVerdict; N] {
    let mut verdicts = [ProbeVerdict::NoVerdict; N];
    for (verdict, token) in verdicts.iter_mut().zip(tokens) {
        *verdict = far.probe.probe(token).await;
    }
    verdicts
}

/// "Create is not rotate": creating is for the first token.
#[tokio::test]
async fn create_makes_the_first_token_and_a_second_create_makes_none() {
    let far = begin(Settings { begin: Begin::Empty, ..Settings::default() }, Terms::default()).await;
    let first = far.issuer.issue(IssueHow::Create).await.unwrap().token;
    assert_eq!(probe(&far, [&first]).await, [Accepted]);
    let error = far.issuer.issue(IssueHow::Create).await.unwrap_err();
    assert!(matches!(&error, IssuerError::NotIssued(call) if call.status == Some(409)), "{error}");
    assert_eq!((far.issued(), probe(&far, [&first]).await), (1, [Accepted]));
}

/// "… and every time a token is deleted"; rotating needs one.
#[tokio::test]
async fn where_there_is_no_token_or_it_was_deleted_there_is_nothing_to_rotate_and_one_can_be_created() {
    let far = begin(Settings { begin: Begin::Empty, ..Settings::default() }, Terms::default()).await;
    for _ in 0..2 {
        let error = far.issuer.issue(OVERLAP).await.unwrap_err();
        assert!(matches!(error, IssuerError::NothingToRotate(_)), "{error}");
        far.issuer.issue(IssueHow::Create).await.unwrap();
        far.issuer.issue(OVERLAP).await.unwrap();
        far.world().person_deletes_tokens();
    }
}

/// "Rotate needs only the API bearer, never the proxy token itself."
#[tokio::test]
async fn a_rotation_works_after_the_token_has_expired() {
    let far = usual().await;
    far.pass(TimeDelta::days(200));
    assert_eq!(probe(&far, [&far.token(1)]).await, [Refused]);
    let (new, _) = issue(&far, OVERLAP).await;
    assert_eq!(probe(&far, [&new]).await, [Accepted]);
}

/// "Always send it explicitly: the default is unknown."
#[tokio::test]
async fn each_mode_is_told_to_hpe_explicitly() {
    let far = usual().await;
    for (how, told) in [(OVERLAP, false), (REMOVE_CURRENT, true)] {
        issue(&far, how).await;
        let world = far.world();
        let last = world.ledger.events().filter_map(|(_, event)| match event {
            Event::Issued { remove_current, .. } => Some(*remove_current),
            _ => None,
        });
        assert_eq!(last.last(), Some(told));
    }
}

/// "remove-current=true: the old token is dead when the call returns."
#[tokio::test]
async fn remove_current_kills_the_old_token_at_the_call_under_every_reading() {
    for takes_effect in READINGS {
        let far = reading(takes_effect).await;
        let (new, old) = issue(&far, REMOVE_CURRENT).await;
        assert_eq!(probe(&far, [&old, &new]).await, [Refused, Accepted], "{takes_effect:?}");
    }
}

/// "remove-current=false: … replaced only after the new token takes effect", reading (a).
#[tokio::test]
async fn under_first_use_both_tokens_work_until_the_new_one_is_used() {
    let far = reading(TakesEffect::FirstUse).await;
    let (new, old) = issue(&far, OVERLAP).await;
    far.pass(TimeDelta::days(3));
    assert_eq!(probe(&far, [&old, &new, &old]).await, [Accepted, Accepted, Refused]);
}

/// Reading (b).
#[tokio::test]
async fn under_a_delay_exactly_one_token_works_at_any_moment() {
    let far = reading(TakesEffect::Delay(DELAY)).await;
    let (new, old) = issue(&far, OVERLAP).await;
    far.pass(DELAY - TimeDelta::seconds(1));
    assert_eq!(probe(&far, [&old, &new]).await, [Accepted, Refused]);
    far.pass(TimeDelta::seconds(1));
    assert_eq!(probe(&far, [&old, &new]).await, [Refused, Accepted]);
}

/// Reading (c).
#[tokio::test]
async fn under_own_expiry_each_token_works_to_its_own_end() {
    let far = reading(TakesEffect::OwnExpiry).await;
    far.pass(TimeDelta::days(170));
    let (new, old) = issue(&far, OVERLAP).await;
    assert_eq!(probe(&far, [&new, &old]).await, [Accepted, Accepted]);
    far.pass(TimeDelta::days(10));
    assert_eq!(probe(&far, [&new, &old]).await, [Accepted, Refused]);
}

/// "A lost proxy token, or a lost answer, is always curable by rotating again."
#[tokio::test]
async fn a_lost_answer_is_cured_by_rotating_again_under_every_reading() {
    for (takes_effect, how) in READINGS.into_iter().flat_map(|reading| [(reading, OVERLAP), (reading, REMOVE_CURRENT)])
    {
        let far = reading(takes_effect).await;
        far.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
        assert!(matches!(far.issuer.issue(how).await, Err(IssuerError::Ambiguous(_))));
        let (new, _) = issue(&far, how).await;
        far.pass(DELAY);
        assert_eq!((far.issued(), probe(&far, [&new]).await), (2, [Accepted]), "{takes_effect:?} {how:?}");
    }
}

/// "The tenant comes from the bearer's claims."
#[tokio::test]
async fn a_preflight_tells_the_tenant_and_issues_nothing() {
    let far = usual().await;
    assert_eq!(far.issuer.preflight().await.unwrap(), Some("hpe-tenant-1".to_owned()));
    assert_eq!((far.calls(Op::Issue), far.issued()), (0, 0));
}

/// "Other flavours seen": each is asked in its own form, and gives the bearer that issues.
#[tokio::test]
async fn every_service_of_hpes_that_gives_bearers_is_asked_in_its_own_form() {
    for login in [LoginKind::Glcs, LoginKind::GlcsLegacy, LoginKind::Glp] {
        let far = begin(Settings { login, ..Settings::default() }, Terms::default()).await;
        assert_eq!(far.issuer.preflight().await.unwrap(), Some("hpe-tenant-1".to_owned()), "{login:?}");
        issue(&far, OVERLAP).await;
        assert_eq!((far.calls(Op::BearerMint), far.issued()), (1, 1), "{login:?}");
    }
}

/// "15 minutes. HPE's client refreshes 120 s before `exp`."
#[tokio::test]
async fn one_bearer_serves_until_two_minutes_before_its_end() {
    let far = usual().await;
    far.issuer.preflight().await.unwrap();
    far.pass(TimeDelta::seconds(13 * 60 - 1));
    issue(&far, OVERLAP).await;
    assert_eq!(far.calls(Op::BearerMint), 1);
    far.pass(TimeDelta::seconds(1));
    issue(&far, OVERLAP).await;
    assert_eq!(far.calls(Op::BearerMint), 2);
}

/// A 401 has certainly issued nothing, and the bearer may have been revoked.
#[tokio::test]
async fn a_revoked_bearer_is_minted_once_more() {
    let far = usual().await;
    far.issuer.preflight().await.unwrap();
    far.world().revoke_hpe_bearers();
    issue(&far, OVERLAP).await;
    let calls = [Op::BearerMint, Op::Issue].map(|op| far.calls(op));
    assert_eq!((calls, far.issued()), ([2, 2], 1));
}

/// And only once.
#[tokio::test]
async fn a_bearer_that_hpe_never_takes_is_given_up_after_one_more() {
    let far = usual().await;
    far.world().faults.at_calls(Op::Issue, 1, 9, Fault::Status(401, None));
    let error = far.issuer.issue(OVERLAP).await.unwrap_err();
    assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == Class::Human), "{error}");
    assert_eq!((far.calls(Op::Issue), far.issued()), (2, 0));
}

/// "HPE's client … retries 429, 500, 502 and timeouts": asking for a bearer twice does no harm.
#[tokio::test]
async fn without_a_bearer_nothing_is_issued_and_only_a_refusal_of_it_needs_a_person() {
    let table = [
        (Fault::Status(400, None), Class::Human),
        (Fault::Status(401, None), Class::Human),
        (Fault::Status(408, None), RETRY),
        (Fault::Status(429, Some(7)), retry_after(7)),
        (Fault::Status(500, None), RETRY),
        (Fault::Status(503, Some(7)), retry_after(7)),
        (Fault::LoseRequest, RETRY),
        (Fault::LoseAnswer, RETRY),
        (Fault::Truncated, RETRY),
        (Fault::Html, RETRY),
    ];
    let far = usual().await;
    for (fault, class) in table {
        far.world().faults.at_call(Op::BearerMint, 1, fault);
        let error = far.issuer.issue(OVERLAP).await.unwrap_err();
        assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == class), "{fault:?}: {error:?}");
    }
    assert_eq!(far.calls(Op::Issue), 0);
    issue(&far, OVERLAP).await;
}

/// "The role is SCIM Proxy Token Contributor."
#[tokio::test]
async fn a_missing_role_is_a_403_for_a_person_to_mend() {
    let far = begin(Settings { contributor: false, ..Settings::default() }, Terms::default()).await;
    far.issuer.preflight().await.unwrap();
    for how in [OVERLAP, REMOVE_CURRENT, IssueHow::Create] {
        let error = far.issuer.issue(how).await.unwrap_err();
        let IssuerError::NotIssued(call) = error else { panic!("{error}") };
        assert_eq!((call.status, call.class), (Some(403), Class::Human));
    }
    assert_eq!(far.issued(), 0);
}

/// "Rate limits unknown: honour `Retry-After`, and keep at least a minute between two rotations."
#[tokio::test]
async fn throttling_says_how_long_to_wait_and_issues_nothing() {
    let far = begin(Settings { throttled: true, ..Settings::default() }, Terms::default()).await;
    far.pass(TimeDelta::minutes(1));
    issue(&far, OVERLAP).await;
    let error = far.issuer.issue(OVERLAP).await.unwrap_err();
    assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == retry_after(60)), "{error:?}");
    far.pass(TimeDelta::minutes(1));
    issue(&far, OVERLAP).await;
    assert_eq!(far.issued(), 2);
}

/// "Honour `Retry-After` and `X-RateLimit-Reset`."
#[tokio::test]
async fn throttling_is_understood_in_each_manner_of_saying_it() {
    let table = [
        (ThrottleTold::RetryAfter, retry_after(60)),
        (ThrottleTold::ResetIn, retry_after(60)),
        (ThrottleTold::ResetAt, retry_after(60)),
        (ThrottleTold::Nowhere, RETRY),
    ];
    for (throttle_told, class) in table {
        let settings = Settings { throttled: true, throttle_told, ..Settings::default() };
        let far = begin(settings, Terms::default()).await;
        far.pass(TimeDelta::minutes(1));
        issue(&far, OVERLAP).await;
        let error = far.issuer.issue(OVERLAP).await.unwrap_err();
        assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == class), "{throttle_told:?}: {error:?}");
    }
}

/// "Never retry it blindly once its bytes may have been sent": and these were not.
#[tokio::test]
async fn an_issue_that_finds_nobody_there_has_certainly_made_nothing() {
    let far = usual().await;
    let now = far.now();
    far.world().faults.during(Service::Hpe, now, now + TimeDelta::days(1), Fault::Down);
    let error = far.issuer.issue(OVERLAP).await.unwrap_err();
    assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == RETRY), "{error:?}");
    far.world().faults.clear();
    issue(&far, OVERLAP).await;
    assert_eq!(far.issued(), 1);
}

/// "Rotate is not idempotent and takes no idempotency key"; a gateway's 408 and 5xx may have been passed on.
#[tokio::test]
async fn whatever_leaves_open_whether_a_token_was_made_is_ambiguous_and_never_repeated() {
    let table = [
        (Fault::LoseRequest, 0),
        (Fault::LoseAnswer, 1),
        (Fault::Truncated, 1),
        (Fault::Html, 0),
        (Fault::Status(408, Some(7)), 0),
        (Fault::Status(500, None), 0),
        (Fault::Status(502, None), 0),
        (Fault::Status(503, Some(7)), 0),
        (Fault::Status(504, None), 0),
    ];
    let far = usual().await;
    for (n, (fault, made)) in table.into_iter().enumerate() {
        let (calls, before) = (far.calls(Op::Issue), far.issued());
        far.world().faults.at_call(Op::Issue, 1, fault);
        let how = [OVERLAP, REMOVE_CURRENT][n % 2];
        let error = far.issuer.issue(how).await.unwrap_err();
        assert!(
            matches!(&error, IssuerError::Ambiguous(call) if call.class == Class::Ambiguous),
            "{fault:?}: {error:?}"
        );
        assert_eq!((far.calls(Op::Issue) - calls, far.issued() - before), (1, made), "{fault:?}");
        issue(&far, how).await;
    }
}

/// A service that takes the request and never answers.
#[tokio::test]
async fn an_issue_that_is_never_answered_is_ambiguous_after_the_time_limit() {
    let patience = Some(Duration::from_secs(2));
    let far = begin(Settings::default(), Terms { patience, ..Terms::default() }).await;
    far.issuer.preflight().await.unwrap();
    far.world().faults.at_call(Op::Issue, 1, Fault::Hang);
    let error = far.issuer.issue(OVERLAP).await.unwrap_err();
    assert!(matches!(error, IssuerError::Ambiguous(_)), "{error:?}");
}

/// Any other 4xx is a no.
#[tokio::test]
async fn a_refusal_has_made_nothing_and_tells_whether_to_come_again() {
    let far = usual().await;
    for (status, class) in [(400, Class::Human), (409, RETRY), (422, Class::Human), (425, RETRY), (429, RETRY)] {
        far.world().faults.at_call(Op::Issue, 1, Fault::Status(status, None));
        let error = far.issuer.issue(OVERLAP).await.unwrap_err();
        assert!(matches!(&error, IssuerError::NotIssued(call) if call.class == class), "{status}: {error:?}");
    }
    assert_eq!(far.issued(), 0);
}

/// A token that was revoked, or never worked: the endpoint refuses it and the old one lives on.
#[tokio::test]
async fn a_spoiled_token_is_never_accepted_and_does_not_retire_the_old_one() {
    for takes_effect in READINGS {
        let far = reading(takes_effect).await;
        far.world().spoil_next_token();
        let (new, old) = issue(&far, OVERLAP).await;
        far.pass(DELAY * 2);
        assert_eq!(probe(&far, [&new, &old]).await, [Refused, Accepted], "{takes_effect:?}");
    }
}
