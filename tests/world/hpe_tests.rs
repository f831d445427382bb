//! What the daemon relies on at HPE, a test a row.

use chrono::TimeDelta;

use super::{AnswerShape, Begin, Grant, LoginKind, Minted, Refusal, Settings, TakesEffect, World};

fn world(takes_effect: TakesEffect) -> World {
    World::new(Settings { takes_effect, ..Settings::default() })
}

fn bearer(world: &mut World) -> String {
    world.mint_bearer(&Grant::fitting(&world.settings.clone())).unwrap().token
}

fn rotate(world: &mut World, remove_current: bool) -> Result<Minted, Refusal> {
    let bearer = bearer(world);
    world.rotate_token(&bearer, remove_current)
}

fn first(world: &World) -> String {
    world.token_values().next().unwrap().to_owned()
}

const ALL: [TakesEffect; 3] =
    [TakesEffect::FirstUse, TakesEffect::Delay(TimeDelta::minutes(5)), TakesEffect::OwnExpiry];

#[test]
fn a_rotation_needs_the_api_bearer_alone_even_after_the_token_has_expired() {
    let mut world = world(TakesEffect::FirstUse);
    world.advance(TimeDelta::days(200));
    assert_eq!(world.scim(&first(&world)), 401);
    let new = rotate(&mut world, false).unwrap();
    assert_eq!(world.scim(&new.value), 200);
}

#[test]
fn remove_current_kills_the_older_tokens_at_the_call_under_every_reading() {
    for reading in ALL {
        let mut world = world(reading);
        let new = rotate(&mut world, true).unwrap();
        assert_eq!(world.scim(&first(&world)), 401, "{reading:?}");
        assert_eq!(world.scim(&new.value), 200, "{reading:?}");
    }
}

#[test]
fn first_use_means_that_both_work_until_the_new_one_is_used() {
    let mut world = world(TakesEffect::FirstUse);
    let new = rotate(&mut world, false).unwrap();
    world.advance(TimeDelta::days(3));
    assert_eq!(world.scim(&first(&world)), 200);
    assert_eq!(world.scim(&new.value), 200);
    assert_eq!(world.scim(&first(&world)), 401);
}

#[test]
fn a_delay_means_that_exactly_one_works_at_any_moment() {
    let mut world = world(TakesEffect::Delay(TimeDelta::minutes(5)));
    let new = rotate(&mut world, false).unwrap();
    world.advance(TimeDelta::seconds(299));
    assert_eq!((world.scim(&first(&world)), world.scim(&new.value)), (200, 401));
    world.advance(TimeDelta::seconds(1));
    assert_eq!((world.scim(&first(&world)), world.scim(&new.value)), (401, 200));
}

#[test]
fn own_expiry_means_that_both_work_to_their_own_end() {
    let mut world = world(TakesEffect::OwnExpiry);
    world.advance(TimeDelta::days(170));
    let new = rotate(&mut world, false).unwrap();
    assert_eq!((world.scim(&new.value), world.scim(&first(&world))), (200, 200));
    world.advance(TimeDelta::days(10));
    assert_eq!((world.scim(&new.value), world.scim(&first(&world))), (200, 401));
}

#[test]
fn a_new_token_that_is_overtaken_before_it_took_effect_is_dead_and_the_current_one_lives_on() {
    for reading in [ALL[0], ALL[1]] {
        let mut world = world(reading);
        let lost = rotate(&mut world, false).unwrap();
        let new = rotate(&mut world, false).unwrap();
        assert!(!world.accepts(&lost.value), "{reading:?}");
        assert!(world.accepts(&first(&world)), "{reading:?}");
        world.advance(TimeDelta::minutes(10));
        assert_eq!((world.scim(&lost.value), world.scim(&new.value)), (401, 200), "{reading:?}");
    }
}

#[test]
fn a_spoiled_token_is_never_accepted_and_does_not_retire_the_old_one() {
    for reading in ALL {
        let mut world = world(reading);
        world.spoil_next_token();
        let new = rotate(&mut world, false).unwrap();
        world.advance(TimeDelta::minutes(10));
        assert_eq!((world.scim(&new.value), world.scim(&first(&world))), (401, 200), "{reading:?}");
    }
}

#[test]
fn creating_is_for_the_first_token_and_after_a_deletion_and_rotating_is_not() {
    let mut world = World::new(Settings { begin: Begin::Empty, ..Settings::default() });
    assert_eq!(rotate(&mut world, false).unwrap_err().status, 404);
    let bearer = bearer(&mut world);
    let new = world.create_token(&bearer).unwrap();
    assert_eq!(world.scim(&new.value), 200);
    assert_eq!(world.create_token(&bearer).unwrap_err().status, 409);
    world.person_deletes_tokens();
    assert_eq!(world.scim(&new.value), 401);
    assert_eq!(rotate(&mut world, false).unwrap_err().status, 404);
    assert!(world.create_token(&bearer).is_ok());
}

#[test]
fn a_bearer_lives_for_a_quarter_of_an_hour_and_a_revoked_one_no_longer() {
    let mut world = world(TakesEffect::FirstUse);
    let old = bearer(&mut world);
    world.advance(TimeDelta::seconds(899));
    assert!(world.rotate_token(&old, false).is_ok());
    world.advance(TimeDelta::seconds(1));
    assert_eq!(world.rotate_token(&old, false).unwrap_err().status, 401);
    let new = bearer(&mut world);
    world.revoke_hpe_bearers();
    assert_eq!(world.rotate_token(&new, false).unwrap_err().status, 401);
    assert!(rotate(&mut world, false).is_ok());
}

#[test]
fn a_wrong_client_secret_a_wrong_scope_and_another_tenants_bearer_are_refused() {
    let mut world = world(TakesEffect::FirstUse);
    let good = Grant::fitting(&world.settings);
    assert_eq!(world.mint_bearer(&Grant { secret: "wrong".into(), ..good.clone() }).unwrap_err().status, 401);
    assert_eq!(world.mint_bearer(&Grant { scope: Some("other".into()), ..good.clone() }).unwrap_err().status, 400);
    assert_eq!(world.mint_bearer(&Grant { tenant: Some("other".into()), ..good.clone() }).unwrap_err().status, 400);
    assert_eq!(world.mint_bearer(&Grant { kind: LoginKind::Glp, ..good }).unwrap_err().status, 404);
    let mut other = World::new(Settings { tenant: "other".to_owned(), ..Settings::default() });
    let bearer = bearer(&mut other);
    assert_eq!(world.rotate_token(&bearer, false).unwrap_err().status, 401);
}

#[test]
fn without_the_contributor_role_the_answer_is_403() {
    let mut world = World::new(Settings { contributor: false, ..Settings::default() });
    assert_eq!(rotate(&mut world, false).unwrap_err().status, 403);
}

#[test]
fn where_hpe_throttles_a_second_issue_within_a_minute_is_429_with_retry_after() {
    let mut world = World::new(Settings { throttled: true, ..Settings::default() });
    world.advance(TimeDelta::minutes(1));
    rotate(&mut world, false).unwrap();
    world.advance(TimeDelta::seconds(59));
    let refusal = rotate(&mut world, false).unwrap_err();
    assert_eq!((refusal.status, refusal.retry_after), (429, Some(60)));
    world.advance(TimeDelta::seconds(1));
    assert!(rotate(&mut world, false).is_ok());
}

#[test]
fn a_jwt_token_carries_its_own_end_and_every_shape_but_four_tells_the_token() {
    let mut world = World::new(Settings { answer: AnswerShape::Jwt, ..Settings::default() });
    let new = rotate(&mut world, false).unwrap();
    let token = scim_rotator::domain::Token::parse(&new.value).unwrap();
    assert_eq!(token.jwt_expiry().unwrap().timestamp(), new.expires.timestamp());
    let silent = [AnswerShape::HtmlPage, AnswerShape::Empty, AnswerShape::NoCandidate];
    for shape in silent {
        assert!(!shape.render(&new, world.now()).body.contains(&new.value), "{shape:?}");
    }
    for shape in [AnswerShape::Flat, AnswerShape::Nested, AnswerShape::PlainText, AnswerShape::JsonString] {
        assert!(shape.render(&new, world.now()).body.contains(&new.value), "{shape:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_tokens_and_another_seed_others() {
    let values = |seed| {
        let mut world = World::new(Settings { seed, ..Settings::default() });
        rotate(&mut world, false).unwrap();
        world.token_values().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(values(7), values(7));
    assert!(values(7).iter().all(|value| !values(8).contains(value)));
}
