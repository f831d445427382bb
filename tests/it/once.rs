//! `once` ends at rest: a timer must not find a paused job hours later.

use super::batch::all_hold;
use super::place::{OVERLAP, Place, judge, only};
use crate::sandbox::setup::worlds;
use crate::world::{Fault, Op, Schedule};

/// First contact by one `once` in which calls go wrong; answers with its exit code and what it said.
async fn once(place: &Place) -> (Option<i32>, String) {
    let output = place.run(&["once"]).await;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

/// Slower than elsewhere, so that ten minutes are not over in the blink of a busy machine's eye.
const SPEED: f64 = 120.0;
/// More failures than one look has patience for, and fewer than two have.
const FAILURES: u32 = 9;

async fn place() -> Place {
    Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await
}

/// One failure in the middle of a rotation, which `once` mends by looking again.
async fn is_mended((op, calls, fault): (Op, u32, Fault)) -> Result<bool, String> {
    let place = place().await;
    place.sandbox.world(OVERLAP).faults.at_calls(op, 1, calls, fault);
    let (code, said) = once(&place).await;
    let world = place.sandbox.world(OVERLAP);
    let rests = world.jobs()[0].schedule == Schedule::Active && world.saved_token() > Some(1);
    let trace = world.ledger.trace();
    if code != Some(0) || !rests {
        return Err(format!("it ends with {code:?}\n{trace}\n{said}"));
    }
    judge(&world, 2).map(|()| said.contains("unfinished; looking again")).map_err(|why| format!("{why}\n{said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_the_middle_of_a_rotation_is_mended_before_once_ends() {
    let failures = [
        (Op::Issue, 1, Fault::LoseAnswer),
        (Op::Issue, 1, Fault::LoseRequest),
        (Op::TestCandidate, FAILURES, Fault::Status(503, None)),
        (Op::SettingsPut, FAILURES, Fault::Status(503, None)),
        (Op::Start, FAILURES, Fault::Status(500, None)),
        (Op::VaultLabel, FAILURES, Fault::Status(503, None)),
    ];
    assert_eq!(all_hold(failures.len(), failures, is_mended).await, 100, "each takes another look");
}

/// One failure that is over with the next try.
async fn is_waited_out((op, fault): (Op, Fault)) -> Result<bool, String> {
    let place = place().await;
    place.sandbox.world(OVERLAP).faults.at_call(op, 1, fault);
    let (code, said) = once(&place).await;
    if code != Some(0) || said.contains("looking again") {
        return Err(format!("{code:?}, not within one look\n{said}"));
    }
    let world = place.sandbox.world(OVERLAP);
    judge(&world, 1).map(|()| world.saved_token() == Some(2)).map_err(|why| format!("{why}\n{said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_or_a_lag_of_the_directory_in_the_midst_of_a_rotation_is_waited_out_by_the_same_look() {
    let table = [
        (Op::SettingsPut, Fault::Status(404, None)),
        (Op::SettingsPut, Fault::Status(409, None)),
        (Op::SettingsPut, Fault::Status(429, Some(5))),
        (Op::SettingsPut, Fault::Status(429, None)),
        (Op::TestCandidate, Fault::Status(409, None)),
        (Op::VaultStore, Fault::Status(409, None)),
        (Op::VaultLabel, Fault::Status(429, Some(5))),
        (Op::VaultLabel, Fault::Status(429, None)),
    ];
    assert_eq!(all_hold(table.len(), table, is_waited_out).await, 100, "each comes to a new token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_within_minutes_fails_and_a_later_once_takes_it_up() {
    let place = place().await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::SettingsPut, 1, 10_000, Fault::Status(503, None));
    let (code, said) = once(&place).await;
    assert_eq!(code, Some(1), "{said}");
    place.sandbox.world(OVERLAP).faults.clear();
    let (code, said) = once(&place).await;
    assert_eq!(code, Some(0), "{said}");
    let world = place.sandbox.world(OVERLAP);
    assert_eq!((world.jobs()[0].schedule, world.ledger.issued), (Schedule::Active, 1), "{}", world.ledger.trace());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_cannot_begin_is_not_waited_for() {
    let place = place().await;
    place.sandbox.world(OVERLAP).faults.at_calls(Op::BearerMint, 1, 10_000, Fault::Status(503, None));
    let (code, said) = once(&place).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains("looking again"), "{said}");
    assert_eq!(place.sandbox.world(OVERLAP).jobs()[0].schedule, Schedule::Active);
}
