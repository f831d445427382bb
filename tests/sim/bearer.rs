//! The bearer lives for a quarter of an hour, and a rotation may wait for hours: it is asked for anew after every wait.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use scim_rotator::domain::{Expiry, Fence, Mode, Order, Timestamp, Token};
use scim_rotator::engine::{self, Connection, Spec};
use scim_rotator::ports::{IssueHow, Issued, Issuer, IssuerError};
use tokio_util::sync::CancellationToken;

use super::drive::{Drive, policy};
use super::{Face, FaceOptions};
use crate::world::{Fault, Op, Schedule, Settings, World};

/// An issuer that writes down what it is asked, and whether the job is paused by then.
struct Watched {
    inner: Arc<dyn Issuer>,
    face: Arc<Face>,
    asked: Mutex<Vec<(&'static str, bool)>>,
}

impl Watched {
    fn note(&self, what: &'static str) {
        let paused = self.face.world().jobs()[0].schedule != Schedule::Active;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((what, paused));
    }

    fn asked(&self) -> Vec<(&'static str, bool)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Issuer for Watched {
    async fn preflight(&self) -> Result<Option<String>, IssuerError> {
        self.note("bearer");
        self.inner.preflight().await
    }

    async fn issue(&self, how: IssueHow) -> Result<Issued, IssuerError> {
        self.note("issue");
        self.inner.issue(how).await
    }

    fn expiry_of(&self, token: &Token, since: Timestamp) -> Option<Expiry> {
        self.inner.expiry_of(token, since)
    }
}

/// A connection at rest, whose cycles take longer than a bearer lives: a pause is waited out for that long.
async fn resting() -> (Drive, Arc<Watched>, Connection) {
    let settings = Settings {
        cycle_length: TimeDelta::minutes(30),
        cycle_interval: TimeDelta::minutes(60),
        ..Settings::default()
    };
    let drive = Drive::new(World::new(settings), policy(Mode::Overlap, Fence::Always));
    let until = drive.world().now() + TimeDelta::days(5);
    drive.live(&[], until).await;
    let (face, _connection) = drive.process(FaceOptions::default());
    let ports = face.ports();
    let watched = Arc::new(Watched { inner: ports.issuer, face: Arc::clone(&face), asked: Mutex::default() });
    let ports = engine::Ports {
        issuer: watched.clone(),
        vault: ports.vault,
        provisioner: ports.provisioner,
        probe: ports.probe,
        clock: ports.clock,
        tenants: Arc::default(),
        turns: Arc::default(),
    };
    let tenant_url = drive.world().settings.tenant_url.clone();
    let spec = Spec {
        name: "sim".into(),
        policy: drive.policy.clone(),
        tenant_url,
        holder: "one-host".into(),
        issuer_host: "hpe".into(),
    };
    (drive, watched, Connection::new(spec, ports, CancellationToken::new()))
}

const ROTATE: Order = Order::Rotate { mode: None, compromised: false };

#[tokio::test]
async fn after_the_wait_for_running_cycles_a_bearer_is_had_before_the_issuer_is_asked() {
    let (drive, watched, mut connection) = resting().await;
    let before = drive.world().faults.calls(Op::BearerMint);
    connection.obey(ROTATE).await;
    let asked = watched.asked();
    assert_eq!(asked[asked.len() - 2..], [("bearer", true), ("issue", true)], "{asked:?}");
    let world = drive.world();
    let [mints, issues] = [Op::BearerMint, Op::Issue].map(|op| world.faults.calls(op));
    // The first one was over by then; it was not even tried.
    assert_eq!((mints - before, issues, world.ledger.issued), (2, 1, 1), "{}", world.ledger.trace());
}

#[tokio::test]
async fn a_bearer_that_cannot_be_had_after_the_wait_gives_the_rotation_up_and_the_job_runs_again() {
    let (drive, watched, mut connection) = resting().await;
    drive.world().faults.at_call(Op::BearerMint, 2, Fault::Status(401, None));
    connection.obey(ROTATE).await;
    assert!(watched.asked().iter().all(|(what, _)| *what != "issue"), "{:?}", watched.asked());
    {
        let world = drive.world();
        assert_eq!((world.jobs()[0].schedule, world.ledger.issued), (Schedule::Active, 0), "{}", world.ledger.trace());
    }
    // Nobody takes it for a lost answer: the next order is carried out, and one token is all it costs.
    connection.obey(ROTATE).await;
    let world = drive.world();
    assert_eq!((world.jobs()[0].schedule, world.ledger.issued), (Schedule::Active, 1), "{}", world.ledger.trace());
    assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
}
