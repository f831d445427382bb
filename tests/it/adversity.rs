//! Every service in trouble, in every manner, from the moment at which it matters on: the rotation comes home all the same.

use chrono::TimeDelta;

use super::batch::{Coverage, all_hold};
use super::place::{
    OVERLAP, Place, REMOVE_CURRENT, SPEED, about_to_be_due, hourly, is_at_rest_with_newer, judge, only,
};
use crate::sandbox::{Side, Which};
use crate::world::{Event, Fault, Op, Service, World};

/// How many rotations run side by side. Most of the time they wait.
const AT_ONCE: usize = 10;
/// How long the trouble lasts once it is met: longer than any patience of a run.
const LASTS: TimeDelta = TimeDelta::minutes(20);

const MANNERS: [Fault; 11] = [
    Fault::Hang,
    Fault::Down,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::Slow,
    Fault::Status(429, Some(90)),
    Fault::Status(429, None),
    Fault::Status(500, None),
    Fault::Status(503, None),
    Fault::Html,
    Fault::Truncated,
];

/// Who is in trouble, and the request of a rotation that finds the trouble there: the first of the preflight, and the
/// issue, after which there is no way back.
const BEGINNINGS: [(Service, Op); 10] = [
    (Service::HpeAuth, Op::BearerMint),
    (Service::Hpe, Op::Issue),
    (Service::Vault, Op::SettingsRead),
    (Service::Vault, Op::Issue),
    (Service::Graph, Op::SettingsRead),
    (Service::Graph, Op::Issue),
    (Service::EntraLogin, Op::SettingsRead),
    (Service::EntraLogin, Op::Issue),
    (Service::Scim, Op::SettingsRead),
    (Service::Scim, Op::Issue),
];

/// So many troubles in a hundred are met at least: a login that is still good at the end is not asked for again.
const MOST: usize = 90;

#[derive(Clone, Copy, Debug)]
struct Trouble {
    connection: usize,
    service: Service,
    from: Op,
    manner: Fault,
}

/// A request that never ends is given up soon, but not before one that is well on a busy machine.
fn impatient(text: &str) -> String {
    text.replace("[http]", "[http]\ntimeout = \"3s\"\nconnect_timeout = \"3s\"")
}

fn begins(world: &mut World, trouble: Trouble) {
    let Trouble { service, manner, .. } = trouble;
    if service == Service::Hpe && manner.applies() && manner != Fault::Slow {
        // Each one costs a token, and there are four a day.
        return world.faults.at_calls(Op::Issue, 1, 2, manner);
    }
    let now = world.now();
    world.faults.once_met(service, now, LASTS, manner);
}

/// Whether the trouble was met: by a call, or by whoever could not even connect.
fn met(place: &Place) -> bool {
    [OVERLAP, REMOVE_CURRENT].into_iter().any(|number| {
        let world = place.sandbox.world(number);
        world.faults.turned_away() > 0 || world.ledger.events().any(|(_, event)| matches!(event, Event::Fault { .. }))
    })
}

async fn comes_home(trouble: Trouble, coverage: Coverage) -> Result<bool, String> {
    let connection = trouble.connection;
    let place = Place::new(about_to_be_due(|_| ()).await, SPEED, |text| {
        let text = only(connection, &hourly(&text));
        if trouble.manner == Fault::Hang { impatient(&text) } else { text }
    })
    .await;
    // Entra's tokens live for a second, so that its login is asked again and again. Both connections share it.
    place.sandbox.world(OVERLAP).settings.access_life = TimeDelta::hours(1);
    let token = place.sandbox.world(connection).saved_token().expect("a token");
    let mut hold = place.sandbox.gate().hold(Which::Next(trouble.from), Side::Before);
    let _daemon = place.daemon(&["-v"]);
    hold.reached().await;
    for world in [OVERLAP, REMOVE_CURRENT] {
        // A service is down when it is so for everybody.
        begins(&mut place.sandbox.world(world), trouble);
    }
    hold.go();
    place.until(connection, "the rotation is confirmed", |world| is_at_rest_with_newer(world, token)).await;
    let world = place.sandbox.world(connection);
    let lost = |event: &Event| matches!(event, Event::Fault { op: Op::Issue, fault } if fault.applies());
    let lost = world.ledger.events().filter(|(_, event)| lost(event)).count();
    let judged = judge(&world, 2 + u32::try_from(lost).expect("a few"));
    drop(world);
    judged.map_err(|why| format!("{why}\n{}", place.logs()))?;
    let met = met(&place);
    if met {
        coverage.reached((trouble.service, trouble.from));
        coverage.reached((trouble.service, trouble.manner));
    }
    Ok(met)
}

async fn every_trouble_passes(connection: usize) {
    let points = BEGINNINGS.into_iter().flat_map(|(service, from)| {
        MANNERS.into_iter().map(move |manner| Trouble { connection, service, from, manner })
    });
    let coverage = Coverage::default();
    let met = all_hold(AT_ONCE, points, |trouble| comes_home(trouble, coverage.clone())).await;
    assert!(met >= MOST, "most troubles are met");
    coverage.holds_all(BEGINNINGS);
    let services = BEGINNINGS.into_iter().map(|(service, _)| service);
    coverage.holds_all(services.flat_map(|service| MANNERS.into_iter().map(move |manner| (service, manner))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_trouble_delays_a_rotation_and_harms_nothing_in_overlap_mode() {
    every_trouble_passes(OVERLAP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_trouble_delays_a_rotation_and_harms_nothing_in_remove_current_mode() {
    every_trouble_passes(REMOVE_CURRENT).await;
}
