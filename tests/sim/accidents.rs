//! Accidents that come in twos, last for hours, or are made by people.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode, Policy, Reason};
use scim_rotator::engine::{Act, Tenants};

use super::drive::{Drive, policy};
use super::{Crash, FaceOptions, Side, are_enough};
use crate::world::{AnswerShape, Event, Fault, Ledger, Op, Schedule, Service, Settings, TagWrites, TakesEffect, World};

pub(super) const LIFE: TimeDelta = TimeDelta::days(100);

pub(super) fn settings() -> Settings {
    Settings { token_life: LIFE, ..Settings::default() }
}

/// A world whose token was adopted long ago and comes due within the hour.
pub(super) async fn about_to_rotate(settings: Settings, policy: Policy) -> Drive {
    let start = settings.start;
    let drive = Drive::new(World::new(settings), policy);
    drive.live(&[], start + TimeDelta::days(70) - TimeDelta::minutes(47)).await;
    drive
}

/// What must hold at the end; `spare` is how many issues beyond the first are excused.
pub(super) fn judge(drive: &Drive, spare: u32) -> Result<(), String> {
    let world = drive.world();
    let ledger = &world.ledger;
    let checks = [
        (world.entra_holds_a_working_token(), "Entra holds a working token"),
        (world.saved_token().is_some_and(|token| token > 1), "Entra holds a new token"),
        (ledger.issued <= 1 + spare, "no more tokens are issued than there are reasons for"),
        (ledger.started_while_active + ledger.started_a_persons_pause == 0, "start is called only where it may be"),
        (world.settings_lost().is_empty() && ledger.siblings_added.is_empty(), "no setting is lost or added"),
        (world.jobs()[0].schedule == Schedule::Active, "the job is active"),
        (ledger.cycles_failed == 0, "no provisioning cycle fails"),
    ];
    let mut wrong = String::new();
    for (_, what) in checks.iter().filter(|(holds, _)| !holds) {
        let _ = writeln!(wrong, "* {what}");
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong}{}", ledger.trace())) }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Two crashes, the second while the first is being made good.
async fn pairs(mode: Mode, takes_effect: TakesEffect) {
    let settings = Settings { takes_effect, verification_delay: TimeDelta::minutes(3), ..settings() };
    let prepared = about_to_rotate(settings, policy(mode, Fence::Auto)).await;
    let begin = prepared.world().clone();
    let fresh = || Drive::new(begin.clone(), prepared.policy.clone());
    let calls = fresh().live(&[], begin.now() + TimeDelta::hours(2)).await;
    let mut schedules = 0;
    for first in 1..=calls {
        for second in 1..=40 {
            for sides in [(Side::After, Side::After), (Side::Before, Side::After), (Side::After, Side::Before)] {
                let drive = fresh();
                let crashes = [Crash { at_call: first, side: sides.0 }, Crash { at_call: second, side: sides.1 }];
                drive.live(&crashes, begin.now() + TimeDelta::hours(14)).await;
                schedules += 1;
                judge(&drive, 2).unwrap_or_else(|why| panic!("{mode}, {crashes:?}\n{why}"));
            }
        }
    }
    println!("{schedules} schedules with two crashes, {mode}");
    are_enough(schedules, 9_500);
}

#[test]
fn two_crashes_are_survived_in_overlap_mode() {
    block_on(pairs(Mode::Overlap, TakesEffect::FirstUse));
}

#[test]
fn two_crashes_are_survived_in_remove_current_mode() {
    block_on(pairs(Mode::RemoveCurrent, TakesEffect::OwnExpiry));
}

#[test]
fn a_crash_while_a_token_is_adopted_strands_nothing() {
    block_on(async {
        let begin = World::new(settings());
        let until = begin.now() + TimeDelta::hours(3);
        for fence in [Fence::Auto, Fence::Never] {
            let fresh = || Drive::new(begin.clone(), policy(Mode::Overlap, fence));
            let calls = fresh().live(&[], until).await;
            for at_call in 1..=calls {
                for side in [Side::Before, Side::After] {
                    let drive = fresh();
                    drive.live(&[Crash { at_call, side }], until).await;
                    let world = drive.world();
                    let well = world.jobs()[0].schedule == Schedule::Active && world.ledger.cycles_failed == 0;
                    assert!(well, "{fence:?} {side:?} {at_call}\n{}", world.ledger.trace());
                }
            }
        }
    });
}

#[test]
fn an_outage_of_any_service_at_any_moment_of_a_rotation_is_ridden_out() {
    block_on(async {
        for (mode, takes_effect) in
            [(Mode::Overlap, TakesEffect::Delay(TimeDelta::minutes(4))), (Mode::RemoveCurrent, TakesEffect::OwnExpiry)]
        {
            let rules = policy(mode, Fence::Auto);
            let begin = about_to_rotate(Settings { takes_effect, ..settings() }, rules.clone()).await.world().clone();
            let clean = Drive::new(begin.clone(), rules.clone());
            clean.live(&[], begin.now() + TimeDelta::hours(3)).await;
            let moments: Vec<_> =
                clean.world().ledger.events().map(|(at, _)| *at).filter(|at| *at > begin.now()).collect();
            for service in [Service::Vault, Service::Graph, Service::Scim, Service::Hpe, Service::HpeAuth] {
                for length in [TimeDelta::minutes(5), TimeDelta::hours(3), TimeDelta::hours(25)] {
                    for moment in &moments {
                        let from = *moment + TimeDelta::milliseconds(100);
                        let drive = Drive::new(begin.clone(), rules.clone());
                        drive.world().faults.during(service, from, from + length, Fault::Down);
                        drive.live(&[], from + length + TimeDelta::hours(30)).await;
                        judge(&drive, 1).unwrap_or_else(|why| panic!("{mode} {service:?} {length} from {from}\n{why}"));
                        let most = match service {
                            Service::Graph | Service::Scim => continue, // No job does its work without them.
                            Service::Hpe => TimeDelta::hours(2), // Some rotations in a day are begun, and given up.
                            _ => TimeDelta::minutes(15),
                        };
                        let (world, was) = (drive.world(), clean.world());
                        let more = |of: fn(&Ledger) -> TimeDelta| of(&world.ledger) - of(&was.ledger);
                        let more = more(|ledger| ledger.outage).max(more(|ledger| ledger.paused));
                        let what =
                            format!("{mode} {service:?} {length} from {from}: {more} more without a token or paused");
                        assert!(more < most, "{what}\n{}", world.ledger.trace());
                    }
                }
            }
        }
    });
}

#[test]
fn what_the_services_do_in_unusual_ways_makes_no_difference() {
    let variants = [
        Settings { list_lag: TimeDelta::seconds(30), ..settings() },
        Settings { tag_writes: TagWrites::Merge, ..settings() },
        Settings { refuses_expiry: true, ..settings() },
        Settings { throttled: true, ..settings() },
        Settings { answer: AnswerShape::Jwt, ..settings() },
        Settings { answer: AnswerShape::PlainText, ..settings() },
        Settings { remove_current_waits: true, takes_effect: TakesEffect::Delay(TimeDelta::minutes(4)), ..settings() },
        Settings { verification_delay: TimeDelta::minutes(15), ..settings() },
        Settings { cycle_length: TimeDelta::minutes(39), ..settings() },
    ];
    block_on(async {
        for (n, variant) in variants.into_iter().enumerate() {
            for mode in [Mode::Overlap, Mode::RemoveCurrent] {
                let drive = about_to_rotate(variant.clone(), policy(mode, Fence::Auto)).await;
                let until = drive.world().now() + TimeDelta::hours(30);
                drive.live(&[], until).await;
                judge(&drive, 0).unwrap_or_else(|why| panic!("variant {n}, {mode}\n{why}"));
            }
        }
    });
}

#[test]
fn a_refused_token_fails_no_cycle_in_either_mode() {
    block_on(async {
        for mode in [Mode::Overlap, Mode::RemoveCurrent] {
            let own_expiry = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
            let drive = about_to_rotate(own_expiry, policy(mode, Fence::Auto)).await;
            drive.world().spoil_next_token();
            let until = drive.world().now() + TimeDelta::hours(30);
            drive.live(&[], until).await;
            judge(&drive, 1).unwrap_or_else(|why| panic!("{mode}\n{why}"));
        }
    });
}

#[test]
fn tokens_that_are_refused_for_ever_cost_one_issue_a_day_while_slack_lasts_and_no_cycle() {
    block_on(async {
        let own_expiry = Settings { takes_effect: TakesEffect::OwnExpiry, ..settings() };
        let drive = about_to_rotate(own_expiry, policy(Mode::Overlap, Fence::Auto)).await;
        let until = drive.world().now() + TimeDelta::hours(70);
        let (face, mut connection) = drive.process(FaceOptions { until: Some(until), ..FaceOptions::default() });
        let spoil = async {
            loop {
                drive.world().spoil_next_token();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = face.over() => (),
            () = super::drive::tend(&mut connection) => (),
            () = spoil => (),
        }
        let world = drive.world();
        let issued = world.ledger.events().filter(|(_, event)| matches!(event, Event::Issued { .. })).count();
        assert!(issued >= 2 && world.ledger.issued <= 3, "{}", world.ledger.trace());
        assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
    });
}

#[test]
fn something_in_the_vault_that_is_no_token_blocks_no_rotation() {
    block_on(async {
        let rules = Policy { accept_supplied: true, ..policy(Mode::Overlap, Fence::Auto) };
        let drive = about_to_rotate(settings(), rules).await;
        drive.world().person_stores("this is no token, but a note");
        let until = drive.world().now() + TimeDelta::days(2);
        drive.live(&[], until).await;
        judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    });
}

#[test]
fn a_person_who_pauses_just_before_us_is_not_overruled() {
    block_on(async {
        let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
        drive.world().faults.at_call(Op::VaultStore, 1, Fault::Status(503, None));
        let until = drive.world().now() + TimeDelta::hours(3);
        let (face, mut connection) = drive.process(FaceOptions { until: Some(until), ..FaceOptions::default() });
        let person = async {
            while drive.world().faults.calls(Op::VaultStore) == 0 {
                tokio::task::yield_now().await;
            }
            drive.world().person_pauses();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = face.over() => (),
            () = person => (),
            () = super::drive::tend(&mut connection) => (),
        }
        let world = drive.world();
        assert_eq!(world.ledger.started_a_persons_pause, 0, "{}", world.ledger.trace());
        assert_eq!(world.jobs()[0].schedule, Schedule::Paused, "{}", world.ledger.trace());
        assert_eq!(world.saved_token(), Some(2), "{}", world.ledger.trace());
    });
}

#[test]
fn two_connections_whose_bearers_name_one_tenant_rotate_neither_and_say_why() {
    block_on(async {
        let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
        let tenants = Arc::new(Tenants::default());
        let (_face, mut one) = drive.connection("one", Arc::clone(&tenants), FaceOptions::default());
        let (_face, mut other) = drive.connection("other", Arc::clone(&tenants), FaceOptions::default());
        // Nothing is due yet; both have shown for which tenant they speak.
        one.look(Act::CarryOut).await;
        other.look(Act::CarryOut).await;
        drive.world().advance(TimeDelta::hours(1));
        let reasons = [one.look(Act::CarryOut).await, other.look(Act::CarryOut).await];
        let reasons = reasons.map(|look| look.report.standing.reason);
        assert_eq!(reasons, [Reason::TenantShared; 2]);
        assert_eq!(drive.world().ledger.issued, 0, "{reasons:?}\n{}", drive.world().ledger.trace());
    });
}

#[test]
fn a_token_that_takes_effect_later_than_anybody_waits_for_it_is_taken_back_and_rotation_converges() {
    block_on(async {
        for delay in [TimeDelta::minutes(25), TimeDelta::hours(5)] {
            let late = Settings { takes_effect: TakesEffect::Delay(delay), ..settings() };
            let drive = about_to_rotate(late, policy(Mode::Overlap, Fence::Auto)).await;
            let until = drive.world().now() + TimeDelta::hours(60);
            drive.live(&[], until).await;
            let world = drive.world();
            assert_eq!((world.ledger.issued, world.saved_token()), (1, Some(2)), "{delay}\n{}", world.ledger.trace());
            assert!(world.entra_holds_a_working_token() && world.ledger.outage < TimeDelta::minutes(20), "{delay}");
            assert_eq!(world.jobs()[0].schedule, Schedule::Active, "{delay}\n{}", world.ledger.trace());
        }
    });
}

#[test]
fn something_else_that_rotates_is_met_once_and_then_left_to_a_person() {
    block_on(async {
        let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
        let until = drive.world().now() + TimeDelta::days(3);
        drive.live(&[], until).await;
        for _ in 0..3 {
            drive.world().person_rotates(true);
            let until = drive.world().now() + TimeDelta::days(2);
            drive.live(&[], until).await;
        }
        let (_face, mut connection) = drive.process(FaceOptions::default());
        let reason = connection.look(Act::DecideOnly).await.report.standing.reason;
        let world = drive.world();
        assert_eq!((reason, world.ledger.issued), (Reason::RotatedElsewhere, 2), "{}", world.ledger.trace());
    });
}

#[test]
fn a_current_version_that_somebody_disabled_does_not_keep_the_next_rotation_from_being_made() {
    block_on(async {
        let drive = about_to_rotate(settings(), policy(Mode::Overlap, Fence::Auto)).await;
        drive.world().versions_mut().expect("a secret").iter_mut().for_each(|version| version.enabled = false);
        let until = drive.world().now() + TimeDelta::days(2);
        drive.live(&[], until).await;
        judge(&drive, 0).unwrap_or_else(|why| panic!("{why}"));
    });
}
