//! The face in memory does to its caller what a network and a kill do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use scim_rotator::domain::{ProbeVerdict, Token, Verdict};
use scim_rotator::ports::{Class, IssueHow, IssuerError, NewVersion};

use super::{Crash, Face, FaceOptions, Side};
use crate::world::{AnswerShape, Begin, Fault, Op, Service, Settings, World};

fn face_with(settings: Settings, options: FaceOptions) -> Arc<Face> {
    Face::new(Arc::new(Mutex::new(World::new(settings))), options)
}

fn face() -> Arc<Face> {
    face_with(Settings::default(), FaceOptions::default())
}

const OVERLAP: IssueHow = IssueHow::Rotate { remove_current: false };

#[tokio::test]
async fn a_sleep_moves_the_worlds_clock_and_returns_at_once() {
    let face = face();
    let before = face.ports().clock.now();
    face.ports().clock.sleep(Duration::from_secs(86_400)).await;
    assert_eq!(face.ports().clock.now() - before, TimeDelta::days(1));
    assert!(face.world().ledger.cycles_succeeded > 30);
}

#[tokio::test]
async fn a_token_goes_the_whole_way_through_the_ports() {
    let face = face();
    let ports = face.ports();
    ports.issuer.preflight().await.unwrap();
    let issued = ports.issuer.issue(OVERLAP).await.unwrap();
    assert_eq!(ports.provisioner.test_candidate(&issued.token).await.unwrap(), Verdict::Accepted);
    let settings = ports.provisioner.settings().await.unwrap();
    let url = face.world().settings.tenant_url.clone();
    let update = scim_rotator::domain::settings::SecretsUpdate::new(&settings, &url, issued.token.clone(), false);
    ports.provisioner.provision(&update).await.unwrap();
    assert_eq!(ports.provisioner.test_saved().await.unwrap(), Verdict::Accepted);
    assert_eq!(ports.probe.probe(&issued.token).await, ProbeVerdict::Accepted);
    assert_eq!(face.world().saved_token(), Some(2));
    assert!(face.world().settings_lost().is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_an_issue_is_ambiguous_and_the_token_was_made() {
    let face = face();
    face.world().faults.at_call(Op::Issue, 1, Fault::LoseAnswer);
    assert!(matches!(face.ports().issuer.issue(OVERLAP).await, Err(IssuerError::Ambiguous(_))));
    assert_eq!(face.world().ledger.issued, 1);
}

#[tokio::test]
async fn an_issue_that_never_reached_hpe_made_nothing() {
    for fault in [Fault::Down, Fault::LoseRequest, Fault::Hang, Fault::Status(503, Some(7))] {
        let face = face();
        face.world().faults.at_call(Op::Issue, 1, fault);
        let error = face.ports().issuer.issue(OVERLAP).await.unwrap_err();
        assert_eq!(matches!(error, IssuerError::NotIssued(_)), fault == Fault::Down, "{fault:?}: {error}");
        assert_eq!(face.world().ledger.issued, 0);
    }
}

#[tokio::test]
async fn an_answer_that_names_no_single_token_is_ambiguous() {
    for answer in [AnswerShape::HtmlPage, AnswerShape::Empty, AnswerShape::TwoCandidates, AnswerShape::NoCandidate] {
        let face = face_with(Settings { answer, ..Settings::default() }, FaceOptions::default());
        assert!(matches!(face.ports().issuer.issue(OVERLAP).await, Err(IssuerError::Ambiguous(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_revoked_bearer_is_minted_once_more() {
    let face = face();
    face.ports().issuer.preflight().await.unwrap();
    face.world().revoke_hpe_bearers();
    face.ports().issuer.issue(OVERLAP).await.unwrap();
    assert_eq!(face.world().faults.calls(Op::BearerMint), 2);
}

#[tokio::test]
async fn where_there_is_no_token_there_is_nothing_to_rotate_and_one_can_be_created() {
    let face = face_with(Settings { begin: Begin::Empty, ..Settings::default() }, FaceOptions::default());
    assert!(matches!(face.ports().issuer.issue(OVERLAP).await, Err(IssuerError::NothingToRotate(_))));
    face.ports().issuer.issue(IssueHow::Create).await.unwrap();
}

#[tokio::test]
async fn a_process_killed_before_a_call_has_changed_nothing_and_after_it_has() {
    for (side, issued) in [(Side::Before, 0), (Side::After, 1)] {
        let crash = Some(Crash { at_call: 2, side });
        let face = face_with(Settings::default(), FaceOptions { crash, ..FaceOptions::default() });
        let ports = face.ports();
        tokio::select! {
            biased;
            () = face.crashed() => {}
            _ = async { ports.issuer.preflight().await.unwrap(); ports.issuer.issue(OVERLAP).await } => {
                panic!("the call returned to a dead process")
            }
        }
        assert_eq!(face.world().ledger.issued, issued, "{side:?}");
    }
}

#[tokio::test]
async fn the_run_ends_where_the_test_says() {
    let until = Settings::default().start + TimeDelta::hours(3);
    let face = face_with(Settings::default(), FaceOptions { until: Some(until), ..FaceOptions::default() });
    let clock = face.ports().clock;
    tokio::select! {
        biased;
        () = face.over() => {}
        () = async { loop { clock.sleep(Duration::from_secs(60)).await } } => {}
    }
    assert_eq!(face.world().now(), until);
}

#[tokio::test]
async fn an_outage_of_the_vault_is_worth_a_retry_and_a_missing_role_is_not() {
    let face = face();
    let start = face.world().now();
    face.world().faults.during(Service::Vault, start, start + TimeDelta::minutes(1), Fault::Status(503, Some(9)));
    let class = |error: scim_rotator::ports::VaultError| match error {
        scim_rotator::ports::VaultError::Call(call) => call.class,
        other => panic!("{other}"),
    };
    let after = Some(Duration::from_secs(9));
    assert_eq!(class(face.ports().vault.list().await.unwrap_err()), Class::Retry { after });
    face.world().advance(TimeDelta::minutes(1));
    face.world().settings.vault_forbidden = true;
    assert_eq!(class(face.ports().vault.list().await.unwrap_err()), Class::Human);
}

#[tokio::test]
async fn a_placeholder_is_stored_disabled() {
    let face = face_with(Settings { begin: Begin::Empty, ..Settings::default() }, FaceOptions::default());
    assert!(face.ports().vault.list().await.unwrap().is_empty());
    let new = NewVersion { token: None, tags: [("a".to_owned(), "b".to_owned())].into(), expires: None };
    let id = face.ports().vault.store(&new).await.unwrap();
    assert!(!face.ports().vault.list().await.unwrap()[0].enabled);
    assert!(face.ports().vault.read(&id).await.is_err());
    assert!(Token::parse(&face.world().versions()[0].value).is_ok());
}
