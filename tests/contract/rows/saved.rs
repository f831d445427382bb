//! The credentials that Entra has saved, and its tests of them (facts/entra.md).

use chrono::TimeDelta;
use scim_rotator::domain::settings::{SECRET_TOKEN, SecretsUpdate};
use scim_rotator::domain::{Timestamp, Token, Verdict};
use scim_rotator::ports::{CallError, Class};

use super::begin;
use super::far_side::{FarSide, OVERLAP, REMOVE_CURRENT, RETRY, Terms, retry_after};
use crate::world::{Delayed, Fault, Op, PutReading, Settings, TakesEffect};

async fn putting(put: PutReading) -> FarSide {
    let settings = Settings { put, takes_effect: TakesEffect::OwnExpiry, ..Settings::default() };
    begin(settings, Terms::default()).await
}

async fn new_token(far: &FarSide) -> Token {
    far.issuer.issue(OVERLAP).await.expect("a token").token
}

/// A PUT of everything that GET shows, and the token; `complete` adds what a dropping PUT wants to see.
async fn put(far: &FarSide, token: &Token, complete: bool) -> Result<Timestamp, CallError> {
    let settings = far.provisioner.settings().await.expect("settings");
    let tenant_url = far.world().settings.tenant_url.clone();
    far.provisioner.provision(&SecretsUpdate::new(&settings, &tenant_url, token.clone(), complete)).await
}

fn saved(far: &FarSide) -> Option<u32> {
    far.world().saved_token()
}

fn lost(far: &FarSide) -> Vec<String> {
    far.world().settings_lost().into_iter().map(str::to_owned).collect()
}

/// "The saved token can never be read back."
#[tokio::test]
async fn settings_are_shown_and_the_token_is_masked() {
    let far = putting(PutReading::Merges).await;
    far.world().settings.masked = vec!["SkipOutOfScopeDeletions".to_owned()];
    let shown = far.provisioner.settings().await.unwrap().0;
    let value = |wanted: &str| shown.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str());
    assert_eq!((value(SECRET_TOKEN), value("SkipOutOfScopeDeletions")), (Some("*"), Some("*")));
    assert_eq!(value("SyncAll"), Some("false"));
    assert_eq!(value("SyncNotificationSettings"), Some(r#"{"Enabled":true,"DeleteThresholdEnabled":false}"#));
    assert!(shown.iter().all(|(_, value)| value != far.token(1).expose()));
}

/// "Merge or replace is unknown … GET, keep every pair, set SecretToken, PUT."
#[tokio::test]
async fn a_put_of_everything_readable_changes_the_token_alone_whether_put_merges_or_replaces() {
    for reading in [PutReading::Merges, PutReading::Replaces] {
        let far = putting(reading).await;
        let before = far.provisioner.settings().await.unwrap();
        let token = new_token(&far).await;
        put(&far, &token, false).await.unwrap();
        assert_eq!((saved(&far), lost(&far).len()), (Some(2), 0), "{reading:?}");
        let after = far.provisioner.settings().await.unwrap();
        assert_eq!((before.lost_in(&after).len(), after.lost_in(&before).len()), (0, 0), "{reading:?}");
        assert_eq!(far.world().ledger.masks_sent, 0);
    }
}

/// "Settings that GET does not show": a replacing PUT costs them, and adding them is a change that can be undone.
#[tokio::test]
async fn a_setting_that_get_hides_is_lost_where_put_replaces_and_can_be_put_back() {
    let far = putting(PutReading::Replaces).await;
    far.world().settings.hidden = vec!["SyncAll".to_owned()];
    assert!(far.provisioner.settings().await.unwrap().0.iter().all(|(key, _)| key != "SyncAll"));
    let token = new_token(&far).await;
    put(&far, &token, false).await.unwrap();
    assert_eq!(lost(&far), ["SyncAll"]);
    put(&far, &token, true).await.unwrap();
    assert!(lost(&far).is_empty());
}

/// "A PUT without `SyncAll` and `SyncNotificationSettings` is silently dropped."
#[tokio::test]
async fn an_incomplete_put_is_answered_like_any_other_and_changes_nothing_where_put_drops() {
    let far = putting(PutReading::DropsUnlessComplete).await;
    far.world().settings.hidden = vec!["SyncAll".to_owned()];
    let token = new_token(&far).await;
    put(&far, &token, false).await.unwrap();
    assert_eq!(saved(&far), Some(1));
    put(&far, &token, true).await.unwrap();
    assert_eq!((saved(&far), lost(&far).len()), (Some(2), 0));
}

/// "204 is not proof."
#[tokio::test]
async fn a_put_may_be_answered_and_ignored_and_the_next_one_counts() {
    let far = putting(PutReading::IgnoresFirst).await;
    let token = new_token(&far).await;
    put(&far, &token, false).await.unwrap();
    assert_eq!(saved(&far), Some(1));
    put(&far, &token, false).await.unwrap();
    assert_eq!(saved(&far), Some(2));
}

/// "A 400 for some minutes after the PUT is common": for the check, and perhaps for the cycles too.
#[tokio::test]
async fn the_saved_check_may_see_the_old_token_for_some_minutes_after_a_put() {
    for delayed in [Delayed::CheckAndCycles, Delayed::CheckOnly] {
        let verification_delay = TimeDelta::minutes(3);
        let takes_effect = TakesEffect::OwnExpiry;
        let settings = Settings { delayed, verification_delay, takes_effect, ..Settings::default() };
        let far = begin(settings, Terms::default()).await;
        far.pass(TimeDelta::minutes(15));
        let new = far.issuer.issue(REMOVE_CURRENT).await.unwrap().token;
        put(&far, &new, false).await.unwrap();
        assert_eq!(saved(&far), Some(2));
        far.pass(verification_delay - TimeDelta::seconds(1));
        assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::NotAccepted, "{delayed:?}");
        far.pass(TimeDelta::seconds(1));
        assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::Accepted, "{delayed:?}");
    }
}

/// Executions are dated by Graph's clock, and so must be what is compared with them.
#[tokio::test]
async fn a_put_is_dated_by_graphs_own_clock() {
    let far = putting(PutReading::Merges).await;
    let token = far.token(1);
    far.pass(TimeDelta::days(3));
    assert_eq!(put(&far, &token, false).await.unwrap(), far.now());
}

/// "PUT is idempotent: safe to retry on timeouts, 403 and 409, 429 and 5xx."
#[tokio::test]
async fn a_put_that_fails_may_be_repeated() {
    let table = [
        (Fault::LoseRequest, RETRY),
        (Fault::LoseAnswer, RETRY),
        (Fault::Truncated, RETRY),
        (Fault::Html, RETRY),
        (Fault::Status(408, None), RETRY),
        (Fault::Status(409, None), RETRY),
        (Fault::Status(429, Some(9)), retry_after(9)),
        (Fault::Status(500, None), RETRY),
        (Fault::Status(503, Some(9)), retry_after(9)),
        (Fault::Status(400, None), Class::Human),
        // The settings were read a moment before: not every replica of a directory knows the same.
        (Fault::Status(404, None), RETRY),
    ];
    let far = putting(PutReading::Merges).await;
    let token = new_token(&far).await;
    for (fault, class) in table {
        far.world().faults.at_call(Op::SettingsPut, 1, fault);
        let error = put(&far, &token, false).await.unwrap_err();
        assert_eq!(error.class, class, "{fault:?}: {error}");
    }
    put(&far, &token, false).await.unwrap();
    assert_eq!((saved(&far), lost(&far).len()), (Some(2), 0));
}

/// "With credentials Entra tests a candidate before it is saved."
#[tokio::test]
async fn a_candidate_is_tested_and_not_saved() {
    let far = putting(PutReading::Merges).await;
    let token = new_token(&far).await;
    assert_eq!(far.provisioner.test_candidate(&token).await.unwrap(), Verdict::Accepted);
    assert_eq!(saved(&far), Some(1));
}

/// "It calls the SCIM endpoint with the token, so it is a use of the token."
#[tokio::test]
async fn a_test_of_the_candidate_may_retire_what_is_saved() {
    let far = begin(Settings { takes_effect: TakesEffect::FirstUse, ..Settings::default() }, Terms::default()).await;
    let token = new_token(&far).await;
    assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::Accepted);
    assert_eq!(far.provisioner.test_candidate(&token).await.unwrap(), Verdict::Accepted);
    assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::NotAccepted);
}

/// "400 `CredentialValidationUnavailable` covers both 'token refused' and 'endpoint down'."
#[tokio::test]
async fn a_refused_token_and_an_endpoint_that_is_down_look_the_same() {
    let far = putting(PutReading::Merges).await;
    let never_made = Token::parse("never-made-by-hpe").unwrap();
    assert_eq!(far.provisioner.test_candidate(&never_made).await.unwrap(), Verdict::NotAccepted);
    for fault in [Fault::Down, Fault::Status(500, None), Fault::Status(403, None)] {
        far.world().faults.at_calls(Op::EntraScim, 1, 2, fault);
        assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::NotAccepted, "{fault:?}");
        assert_eq!(far.provisioner.test_candidate(&far.token(1)).await.unwrap(), Verdict::NotAccepted, "{fault:?}");
    }
    assert_eq!(far.provisioner.test_saved().await.unwrap(), Verdict::Accepted);
}

/// What is neither 204 nor a 400 about credentials says nothing of the token.
#[tokio::test]
async fn a_test_that_fails_otherwise_is_no_verdict() {
    let table = [
        (Fault::LoseRequest, RETRY),
        (Fault::LoseAnswer, RETRY),
        (Fault::Html, RETRY),
        (Fault::Status(408, None), RETRY),
        (Fault::Status(429, Some(9)), retry_after(9)),
        (Fault::Status(500, None), RETRY),
        (Fault::Status(503, Some(9)), retry_after(9)),
        (Fault::Status(400, None), Class::Human),
    ];
    let far = putting(PutReading::Merges).await;
    for (fault, class) in table {
        far.world().faults.at_call(Op::TestSaved, 1, fault);
        assert_eq!(far.provisioner.test_saved().await.unwrap_err().class, class, "saved, {fault:?}");
        far.world().faults.at_call(Op::TestCandidate, 1, fault);
        assert_eq!(far.provisioner.test_candidate(&far.token(1)).await.unwrap_err().class, class, "{fault:?}");
    }
}
