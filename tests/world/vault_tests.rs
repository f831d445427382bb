//! What the daemon relies on at Key Vault, a test a row.

use chrono::TimeDelta;
use scim_rotator::domain::journal::Tags;

use super::{Begin, NewSecret, Patch, Settings, TagWrites, World};

const NAME: &str = "greenlake-scim-token";

fn world(settings: Settings) -> World {
    World::new(Settings { begin: Begin::AtEntra, ..settings })
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn secret(value: &str) -> NewSecret {
    let (value, tags, enabled) = (value.to_owned(), Tags::new(), true);
    NewSecret { value, tags, expires: None, not_before: None, enabled, content_type: None }
}

#[test]
fn storing_the_same_twice_makes_two_versions() {
    let mut world = world(Settings::default());
    let one = world.vault_set(NAME, secret("same-value")).unwrap();
    let two = world.vault_set(NAME, secret("same-value")).unwrap();
    assert_ne!(one.id, two.id);
    assert_eq!(world.vault_list(NAME).unwrap().len(), 2);
    assert_eq!(world.vault_get(NAME, None).unwrap().id, two.id);
}

#[test]
fn a_secret_that_does_not_exist_lists_empty_or_as_404_and_one_that_is_soft_deleted_is_409_when_written() {
    for lists_missing_as_empty in [true, false] {
        let mut world = world(Settings { lists_missing_as_empty, ..Settings::default() });
        let list = |world: &World| world.vault_list(NAME).map(<[_]>::len).map_err(|refusal| refusal.status);
        let missing = if lists_missing_as_empty { Ok(0) } else { Err(404) };
        assert_eq!(list(&world), missing);
        world.vault_set(NAME, secret("value-one")).unwrap();
        world.person_deletes_secret();
        assert_eq!(list(&world), missing);
        assert_eq!(world.vault_set(NAME, secret("value-two")).unwrap_err().status, 409);
        world.person_recovers_secret();
        assert_eq!(list(&world), Ok(1));
    }
}

#[test]
fn a_deleted_secret_stands_in_the_other_list_until_it_is_recovered_or_purged() {
    let mut world = world(Settings::default());
    let names =
        |world: &World| world.vault_secrets().unwrap().iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    for name in [NAME, "other"] {
        world.vault_set(name, secret("value-one")).unwrap();
    }
    assert_eq!(world.vault_deleted(None).unwrap(), []);
    world.vault_delete(NAME).unwrap();
    assert_eq!(names(&world), ["other"]);
    assert_eq!(world.vault_delete(NAME).unwrap_err().status, 404);
    let (since, (name, latest)) = world.vault_deleted(Some(NAME)).unwrap()[0];
    assert_eq!((since, name, latest.value.as_str()), (world.now(), NAME, "value-one"));
    world.vault_recover(NAME).unwrap();
    assert_eq!(names(&world), [NAME, "other"]);
    for gone in [world.vault_recover(NAME), world.vault_purge(NAME), world.vault_deleted(Some(NAME)).map(drop)] {
        assert_eq!(gone.unwrap_err().status, 404);
    }
    world.vault_delete(NAME).unwrap();
    world.vault_purge(NAME).unwrap();
    world.vault_set(NAME, secret("value-two")).unwrap();
    assert_eq!(world.vault_list(NAME).unwrap().len(), 1);
}

#[test]
fn a_name_that_is_none_is_400() {
    let mut world = world(Settings::default());
    for name in ["", "a_b", "a/b", &"x".repeat(128)] {
        assert_eq!(world.vault_set(name, secret("value-one")).unwrap_err().status, 400, "{name}");
    }
    assert!(world.vault_set(&"x".repeat(127), secret("value-one")).is_ok());
}

#[test]
fn a_disabled_version_is_listed_and_cannot_be_read() {
    let mut world = world(Settings::default());
    let version = world.vault_set(NAME, secret("value-one")).unwrap();
    world.vault_patch(NAME, &version.id, Patch { enabled: Some(false), ..Patch::default() }).unwrap();
    assert!(!world.vault_list(NAME).unwrap()[0].enabled);
    let refusal = world.vault_get(NAME, Some(&version.id)).unwrap_err();
    assert_eq!((refusal.status, refusal.code), (403, "SecretDisabled"));
}

#[test]
fn a_tag_write_replaces_or_merges_as_the_setting_says() {
    for (tag_writes, left) in
        [(TagWrites::Replace, tags(&[("b", "2")])), (TagWrites::Merge, tags(&[("a", "1"), ("b", "2")]))]
    {
        let mut world = world(Settings { tag_writes, ..Settings::default() });
        let version = world.vault_set(NAME, NewSecret { tags: tags(&[("a", "1")]), ..secret("value-one") }).unwrap();
        let patch = Patch { tags: Some(tags(&[("b", "2")])), ..Patch::default() };
        assert_eq!(world.vault_patch(NAME, &version.id, patch).unwrap().tags, left);
    }
}

#[test]
fn more_than_fifteen_tags_or_a_tag_beyond_256_characters_is_400() {
    let mut world = world(Settings::default());
    let many: Tags = (0..16).map(|n| (n.to_string(), String::new())).collect();
    let long = tags(&[("a", &"x".repeat(257))]);
    for bad in [many, long] {
        assert_eq!(world.vault_set(NAME, NewSecret { tags: bad, ..secret("value-one") }).unwrap_err().status, 400);
    }
    assert!(world.vault_set(NAME, NewSecret { tags: tags(&[("a", &"x".repeat(256))]), ..secret("v") }).is_ok());
}

#[test]
fn a_policy_may_refuse_a_version_with_an_end_and_take_it_without() {
    let mut world = world(Settings { refuses_expiry: true, ..Settings::default() });
    let expires = Some(world.now() + TimeDelta::days(1));
    assert_eq!(world.vault_set(NAME, NewSecret { expires, ..secret("value-one") }).unwrap_err().status, 400);
    assert!(world.vault_set(NAME, secret("value-one")).is_ok());
}

#[test]
fn a_caller_without_its_role_is_403_everywhere() {
    let mut world = world(Settings::default());
    world.vault_set(NAME, secret("value-one")).unwrap();
    world.settings.vault_forbidden = true;
    assert_eq!(world.vault_list(NAME).unwrap_err().status, 403);
    assert_eq!(world.vault_get(NAME, None).unwrap_err().status, 403);
    assert_eq!(world.vault_set(NAME, secret("value-two")).unwrap_err().status, 403);
}

#[test]
fn a_list_may_lag_behind_while_a_read_does_not() {
    let lag = TimeDelta::seconds(30);
    let mut world = world(Settings { list_lag: lag, ..Settings::default() });
    world.vault_set(NAME, secret("value-one")).unwrap();
    world.advance(TimeDelta::seconds(60));
    let two = world.vault_set(NAME, secret("value-two")).unwrap();
    world.advance(TimeDelta::seconds(29));
    assert_eq!(world.vault_list(NAME).unwrap().len(), 1);
    assert_eq!(world.vault_get(NAME, Some(&two.id)).unwrap().value, "value-two");
    world.advance(TimeDelta::seconds(1));
    assert_eq!(world.vault_list(NAME).unwrap().len(), 2);
}

#[test]
fn what_a_person_stored_before_the_world_began_is_listed_at_once_and_bears_no_tags() {
    let lag = TimeDelta::hours(1);
    let world = World::new(Settings { list_lag: lag, ..Settings::default() });
    let listed = world.vault_list(NAME).unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].tags.is_empty());
}

#[test]
fn the_vault_tells_whole_seconds() {
    let mut world = world(Settings::default());
    world.advance(TimeDelta::milliseconds(1700));
    let stored = world.vault_set(NAME, secret("value-one")).unwrap();
    assert_eq!(world.now() - stored.created, TimeDelta::milliseconds(700));
}
