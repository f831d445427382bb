//! What the daemon relies on of Entra's saved credentials and their tests, a test a row.

use chrono::TimeDelta;

use super::entra::Pair;
use super::{Begin, Delayed, Fault, Op, PutReading, Service, Settings, TakesEffect, World};

fn pairs(pairs: &[(&str, &str)]) -> Vec<Pair> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn world(put: PutReading) -> World {
    World::new(Settings { put, takes_effect: TakesEffect::OwnExpiry, ..Settings::default() })
}

/// A body with the token and the tenant URL alone.
fn bare(world: &World, token: &str) -> Vec<Pair> {
    pairs(&[("BaseAddress", &world.settings.tenant_url), ("SecretToken", token)])
}

/// A body with every setting that GET shows.
fn complete(world: &World, token: &str) -> Vec<Pair> {
    let shown = world.graph_settings().into_iter().filter(|(key, _)| key != "SecretToken");
    shown.chain(pairs(&[("SecretToken", token)])).collect()
}

#[test]
fn the_token_can_never_be_read_back() {
    let world = world(PutReading::Merges);
    let shown = world.graph_settings();
    assert_eq!(shown.iter().find(|(key, _)| key == "SecretToken").unwrap().1, "*");
    assert!(shown.iter().any(|(key, value)| key == "SyncAll" && value == "false"));
    assert!(shown.iter().all(|(_, value)| world.token_values().all(|token| token != value)));
}

#[test]
fn a_bare_put_keeps_the_siblings_where_put_merges() {
    let mut world = world(PutReading::Merges);
    let new = world.person_rotates(false);
    world.put_settings(&bare(&world, &new));
    assert_eq!((world.saved_token(), world.settings_lost().len()), (Some(2), 0));
}

#[test]
fn a_bare_put_loses_the_siblings_where_put_replaces_and_a_complete_one_loses_none() {
    let mut world = world(PutReading::Replaces);
    let new = world.person_rotates(false);
    world.put_settings(&complete(&world, &new));
    assert_eq!((world.saved_token(), world.settings_lost().len()), (Some(2), 0));
    world.put_settings(&bare(&world, &new));
    assert_eq!(world.settings_lost().len(), 3);
    assert_eq!(world.ledger.siblings_lost.len(), 3);
}

#[test]
fn a_bare_put_changes_nothing_where_put_drops_and_a_complete_one_does() {
    let mut world = world(PutReading::DropsUnlessComplete);
    let new = world.person_rotates(false);
    world.put_settings(&bare(&world, &new));
    assert_eq!(world.saved_token(), Some(1));
    world.put_settings(&complete(&world, &new));
    assert_eq!(world.saved_token(), Some(2));
}

#[test]
fn the_first_put_of_each_token_may_do_nothing() {
    let mut world = world(PutReading::IgnoresFirst);
    for number in [2, 3] {
        let new = world.person_rotates(false);
        world.put_settings(&complete(&world, &new));
        assert_eq!(world.saved_token(), Some(number - 1));
        world.put_settings(&complete(&world, &new));
        assert_eq!(world.saved_token(), Some(number));
    }
}

#[test]
fn a_mask_that_is_sent_back_is_counted_and_costs_the_token() {
    let mut world = world(PutReading::Merges);
    world.put_settings(&world.graph_settings());
    assert_eq!((world.ledger.masks_sent, world.saved_token()), (1, None));
    assert!(!world.entra_holds_a_working_token());
}

#[test]
fn a_setting_that_get_hides_is_saved_all_the_same_and_adding_one_is_noticed() {
    let mut world = world(PutReading::Replaces);
    world.settings.hidden = vec!["SyncAll".to_owned()];
    let new = world.person_rotates(false);
    let body = complete(&world, &new);
    assert!(body.iter().all(|(key, _)| key != "SyncAll"));
    world.put_settings(&body);
    assert_eq!(world.settings_lost(), ["SyncAll"]);
    world.put_settings(&[body, pairs(&[("SyncAll", "false")])].concat());
    assert!(world.settings_lost().is_empty());
    assert_eq!(world.ledger.siblings_added, ["SyncAll"]);
}

#[test]
fn a_test_is_a_use_of_the_token() {
    let mut world = World::new(Settings { takes_effect: TakesEffect::FirstUse, ..Settings::default() });
    let new = world.person_rotates(false);
    assert!(world.test_saved());
    assert!(world.test_candidate(&bare(&world, &new)));
    assert!(!world.test_saved(), "the candidate's test has retired what is saved");
}

#[test]
fn a_refused_token_and_an_endpoint_that_is_down_look_the_same() {
    let mut world = world(PutReading::Merges);
    assert!(!world.test_candidate(&bare(&world, "never-made-by-hpe")));
    world.faults.at_call(Op::EntraScim, 1, Fault::Down);
    assert!(!world.test_saved());
    assert!(world.test_saved());
    let elsewhere = pairs(&[("BaseAddress", "https://elsewhere.test"), ("SecretToken", "x")]);
    assert!(!world.test_candidate(&elsewhere));
}

#[test]
fn the_old_saved_values_may_be_seen_for_a_while_by_check_and_cycles_or_by_the_check_alone() {
    for (delayed, exposed) in [(Delayed::CheckAndCycles, 3), (Delayed::CheckOnly, 0)] {
        let verification_delay = TimeDelta::minutes(3);
        let mut world = World::new(Settings {
            delayed,
            verification_delay,
            takes_effect: TakesEffect::OwnExpiry,
            ..Settings::default()
        });
        world.advance(TimeDelta::minutes(15));
        let new = world.person_rotates(true);
        world.put_settings(&complete(&world, &new));
        assert!(!world.test_saved(), "{delayed:?}");
        world.advance(TimeDelta::minutes(10));
        assert!(world.test_saved(), "{delayed:?}");
        assert_eq!(world.ledger.exposed, TimeDelta::minutes(exposed), "{delayed:?}");
    }
}

#[test]
fn the_outage_is_the_time_in_which_what_cycles_would_use_is_refused() {
    let mut world = world(PutReading::Merges);
    world.advance(TimeDelta::minutes(15));
    let new = world.person_rotates(true);
    assert!(!world.entra_holds_a_working_token());
    world.advance(TimeDelta::seconds(90));
    world.put_settings(&complete(&world, &new));
    world.advance(TimeDelta::hours(5));
    assert!(world.entra_holds_a_working_token());
    assert_eq!(world.ledger.outage, TimeDelta::seconds(90));
}

#[test]
fn nothing_is_saved_before_the_first_token_and_a_persons_change_is_what_is_meant() {
    let mut world = World::new(Settings { begin: Begin::Empty, ..Settings::default() });
    assert_eq!(world.saved_token(), None);
    assert!(!world.test_saved());
    world.person_sets("SyncAll", "true");
    assert!(world.settings_lost().is_empty());
    world.put_settings(&pairs(&[("SyncAll", "false")]));
    assert_eq!(world.settings_lost(), ["SyncAll"]);
}

#[test]
fn graph_answers_401_without_words_to_who_does_not_own_the_service_principal() {
    let world = World::new(Settings { owns_service_principal: false, ..Settings::default() });
    let refusal = world.graph_access().unwrap_err();
    assert_eq!((refusal.status, refusal.code, refusal.message.as_str()), (401, "UnknownError", ""));
}

#[test]
fn a_fault_holds_for_its_span_or_for_the_call_it_was_planned_for() {
    let mut world = world(PutReading::Merges);
    let start = world.now();
    world.faults.during(Service::Graph, start, start + TimeDelta::minutes(1), Fault::Hang);
    world.faults.at_call(Op::Pause, 2, Fault::LoseAnswer);
    assert_eq!(world.fault(Op::Pause), Some(Fault::Hang));
    assert_eq!(world.fault(Op::Pause), Some(Fault::LoseAnswer));
    assert_eq!(world.fault(Op::VaultList), None);
    world.advance(TimeDelta::minutes(1));
    assert_eq!(world.fault(Op::Pause), None);
    assert_eq!(world.faults.calls(Op::Pause), 3);
}
