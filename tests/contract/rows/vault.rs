//! One secret of a Key Vault (facts/entra.md, "Key Vault secrets"; facts/azure-sdk.md).

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Label, Tags};
use scim_rotator::domain::{Token, VersionId};
use scim_rotator::ports::{Class, NewVersion, VaultError};

use super::begin;
use super::far_side::{FarSide, RETRY, Terms, retry_after};
use crate::world::{Begin, Fault, Op, Settings, TagWrites};

/// A vault in which nobody has stored anything yet.
async fn vault_with(settings: Settings) -> FarSide {
    begin(Settings { begin: Begin::AtEntra, ..settings }, Terms::default()).await
}

async fn vault() -> FarSide {
    vault_with(Settings::default()).await
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn version(value: &str) -> NewVersion {
    let token = Some(Token::parse(value).expect("a token"));
    NewVersion { token, tags: tags(&[("stage", "pending")]), expires: None }
}

async fn store(far: &FarSide, value: &str) -> VersionId {
    far.vault.store(&version(value)).await.expect("stored")
}

async fn listed(far: &FarSide) -> Vec<VersionId> {
    far.vault.list().await.expect("a list").into_iter().map(|version| version.id).collect()
}

/// A secret that nobody has stored yet.
#[tokio::test]
async fn the_list_of_an_unknown_secret_is_empty() {
    for lists_missing_as_empty in [true, false] {
        let far = vault_with(Settings { lists_missing_as_empty, ..Settings::default() }).await;
        assert_eq!(far.vault.list().await.unwrap(), []);
    }
}

/// "PUT makes a new version", each time: the same value twice is two versions.
#[tokio::test]
async fn each_store_is_one_more_version_and_each_can_be_read() {
    let far = vault().await;
    let mut ids = vec![store(&far, "value-one").await, store(&far, "value-one").await, store(&far, "value-two").await];
    let mut values = Vec::new();
    for id in &ids {
        values.push(far.vault.read(id).await.unwrap().expose().to_owned());
    }
    assert_eq!(values, ["value-one", "value-one", "value-two"]);
    let mut seen = listed(&far).await;
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

/// A list shows everything but the value.
#[tokio::test]
async fn a_listed_version_bears_its_tags_dates_and_whether_it_is_enabled() {
    let far = vault().await;
    far.pass(TimeDelta::seconds(90));
    let expires = Some(far.now() + TimeDelta::days(180));
    let new =
        NewVersion { expires, tags: tags(&[("scim-rotator", "1"), ("stage", "pending")]), ..version("value-one") };
    let id = far.vault.store(&new).await.unwrap();
    let seen = far.vault.list().await.unwrap().remove(0);
    assert_eq!((seen.id, seen.created, seen.enabled, seen.expires), (id, far.now(), true, expires));
    assert_eq!(seen.label, Label::parse(&new.tags));
    assert_eq!(far.world().versions()[0].tags, new.tags);
    assert!(!format!("{:?}", seen.label).contains("value-one"));
}

/// What a person stores bears no tags of ours.
#[tokio::test]
async fn a_version_without_tags_is_somebody_elses() {
    let far = vault().await;
    far.world().person_stores("value-by-hand");
    let seen = far.vault.list().await.unwrap().remove(0);
    assert_eq!(seen.label, Label::Foreign);
    assert_eq!(far.vault.read(&seen.id).await.unwrap().expose(), "value-by-hand");
}

/// "`GET /secrets/{name}/versions` is paged (25)."
#[tokio::test]
async fn more_versions_than_a_page_holds_are_all_listed() {
    let far = vault().await;
    for n in 0..60 {
        far.world().person_stores(&format!("value-{n}"));
    }
    let mut seen = listed(&far).await;
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60);
}

/// A version that carries an intent where there is no token yet.
#[tokio::test]
async fn a_placeholder_is_stored_disabled_and_cannot_be_read() {
    let far = vault().await;
    let new = NewVersion { token: None, ..version("value-one") };
    let id = far.vault.store(&new).await.unwrap();
    assert!(!far.vault.list().await.unwrap()[0].enabled);
    assert!(matches!(far.vault.read(&id).await, Err(VaultError::Unusable { .. })));
    let stored = far.world().versions()[0].clone();
    assert_eq!((stored.value.as_str(), stored.content_type.as_deref()), ("placeholder", Some("text/plain")));
    assert_eq!(stored.tags, new.tags);
}

/// "A disabled version answers 403": that is no lack of rights.
#[tokio::test]
async fn a_disabled_version_is_unusable_until_it_is_enabled_again() {
    let far = vault().await;
    let id = store(&far, "value-one").await;
    let same = tags(&[("stage", "pending")]);
    far.vault.label(&id, &same, Some(false)).await.unwrap();
    let error = far.vault.read(&id).await.unwrap_err();
    assert!(matches!(&error, VaultError::Unusable { version, .. } if *version == id), "{error}");
    far.vault.label(&id, &same, None).await.unwrap();
    assert!(!far.vault.list().await.unwrap()[0].enabled, "a label alone enables nothing");
    far.vault.label(&id, &same, Some(true)).await.unwrap();
    assert_eq!(far.vault.read(&id).await.unwrap().expose(), "value-one");
}

/// Anything may have been stored by hand.
#[tokio::test]
async fn a_value_that_is_no_token_is_unusable_and_not_shown() {
    let far = vault().await;
    far.world().person_stores("no token <canary>");
    let id = listed(&far).await.remove(0);
    let error = far.vault.read(&id).await.unwrap_err();
    assert!(matches!(error, VaultError::Unusable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
}

/// A policy on validity refuses the version, not the caller.
#[tokio::test]
async fn an_expiry_that_a_policy_refuses_is_told_apart_and_the_version_is_taken_without() {
    let far = vault_with(Settings { refuses_expiry: true, ..Settings::default() }).await;
    let expires = Some(far.now() + TimeDelta::days(180));
    let error = far.vault.store(&NewVersion { expires, ..version("value-one") }).await.unwrap_err();
    assert!(matches!(&error, VaultError::VersionRefused(call) if call.status == Some(400)), "{error}");
    assert_eq!((error.class(), listed(&far).await.len()), (Class::Human, 0));
    store(&far, "value-one").await;
}

/// What somebody finds who looks into the vault, and by what Azure's own events know when it ends.
#[tokio::test]
async fn a_token_is_stored_with_its_type_and_its_end() {
    let far = vault().await;
    let expires = Some(far.now() + TimeDelta::days(180));
    far.vault.store(&NewVersion { expires, ..version("value-one") }).await.unwrap();
    let stored = far.world().versions()[0].clone();
    assert_eq!((stored.content_type.as_deref(), stored.expires), (Some("application/vnd.scim-token"), expires));
}

/// "≤ 15 tags of ≤ 256 characters".
#[tokio::test]
async fn a_label_keeps_within_the_same_bounds_and_changes_nothing_beyond_them() {
    let far = vault().await;
    let id = store(&far, "value-one").await;
    let many = |n: usize| (0..n).map(|n| (format!("tag-{n}"), "x".to_owned())).collect::<Tags>();
    let long = |n: usize| Tags::from([("x".repeat(n), "y".to_owned())]);
    for (tags, taken) in [(many(15), true), (many(16), false), (long(256), true), (long(257), false)] {
        let before = far.world().versions()[0].tags.clone();
        match far.vault.label(&id, &tags, None).await {
            Ok(()) => assert!(taken),
            Err(error) => assert!(!taken && error.class() == Class::Human, "{error}"),
        }
        assert_eq!(far.world().versions()[0].tags, if taken { tags } else { before });
    }
}

/// "≤ 15 tags of ≤ 256 characters".
#[tokio::test]
async fn more_tags_than_fifteen_and_longer_ones_than_256_characters_are_refused() {
    let far = vault().await;
    let many = |n: usize| (0..n).map(|n| (format!("tag-{n}"), "x".to_owned())).collect::<Tags>();
    let long = |n: usize| Tags::from([("tag".to_owned(), "x".repeat(n))]);
    for (tags, taken) in [(many(15), true), (many(16), false), (long(256), true), (long(257), false)] {
        match far.vault.store(&NewVersion { tags, ..version("value-one") }).await {
            Ok(_) => assert!(taken),
            Err(error) => assert!(!taken && matches!(error, VaultError::VersionRefused(_)), "{error}"),
        }
    }
}

/// "A soft-deleted name answers 409", and lists as one that never was.
#[tokio::test]
async fn a_soft_deleted_secret_is_no_unknown_one_and_takes_nothing_until_a_person_recovers_it() {
    for lists_missing_as_empty in [true, false] {
        let far = vault_with(Settings { lists_missing_as_empty, ..Settings::default() }).await;
        let id = store(&far, "value-one").await;
        far.world().person_deletes_secret();
        let error = far.vault.list().await.unwrap_err();
        let VaultError::Call(call) = &error else { panic!("{error}") };
        let seen = (call.status, call.code.as_deref(), call.class);
        assert_eq!(seen, (None, Some("SecretNotFound"), Class::Human), "{call}");
        let error = far.vault.store(&version("value-two")).await.unwrap_err();
        assert!(matches!(&error, VaultError::Call(call) if call.status == Some(409)), "{error}");
        assert_eq!(error.class(), Class::Human);
        far.world().person_recovers_secret();
        assert_eq!(listed(&far).await, [id]);
    }
}

/// "Roles: Key Vault Secrets Officer on the one secret is enough", and may not do for a look at what is deleted. Nothing is
/// lost by that: the name is taken.
#[tokio::test]
async fn a_soft_deleted_secret_that_cannot_be_seen_lists_empty_and_takes_nothing() {
    let far = vault_with(Settings { hides_deleted: true, ..Settings::default() }).await;
    store(&far, "value-one").await;
    far.world().person_deletes_secret();
    assert_eq!(listed(&far).await, []);
    let error = far.vault.store(&version("value-two")).await.unwrap_err();
    assert!(matches!(&error, VaultError::Call(call) if call.status == Some(409)), "{error}");
}

/// A vault that was deleted, or a URL that leads to none: nothing can be known of its secrets.
#[tokio::test]
async fn a_vault_that_is_gone_is_no_empty_vault() {
    let far = vault().await;
    let id = store(&far, "value-one").await;
    far.world().settings.vault_gone = true;
    let errors = [
        far.vault.list().await.unwrap_err(),
        far.vault.read(&id).await.unwrap_err(),
        far.vault.store(&version("value-two")).await.unwrap_err(),
        far.vault.label(&id, &Tags::new(), None).await.unwrap_err(),
    ];
    for error in errors {
        let VaultError::Call(call) = error else { panic!("{error}") };
        assert_eq!(
            (call.status, call.code.as_deref(), call.class),
            (Some(404), Some("VaultNotFound"), RETRY),
            "{call}"
        );
    }
    far.world().settings.vault_gone = false;
    assert_eq!(listed(&far).await, [id]);
}

/// "Roles: Key Vault Secrets Officer on the one secret is enough", and without it nothing goes.
#[tokio::test]
async fn without_its_role_every_call_is_a_403_for_a_person_to_mend() {
    let far = vault().await;
    let id = store(&far, "value-one").await;
    far.world().settings.vault_forbidden = true;
    let errors = [
        far.vault.list().await.unwrap_err(),
        far.vault.read(&id).await.unwrap_err(),
        far.vault.store(&version("value-two")).await.unwrap_err(),
        far.vault.label(&id, &Tags::new(), None).await.unwrap_err(),
    ];
    for error in errors {
        let VaultError::Call(call) = error else { panic!("{error}") };
        assert_eq!((call.status, call.class), (Some(403), Class::Human), "{call}");
    }
    assert_eq!(far.world().versions().len(), 1);
}

/// What keeps a caller out is told by the code within: the network, the role, the policy, or the vault's own state.
#[tokio::test]
async fn each_403_comes_with_its_own_code_and_is_for_a_person_to_mend() {
    let codes =
        ["ForbiddenByFirewall", "ForbiddenByConnection", "ForbiddenByRbac", "ForbiddenByPolicy", "VaultDisabled"];
    let far = vault().await;
    let id = store(&far, "value-one").await;
    for code in codes {
        far.world().settings.vault_refusal = Some((403, code, "no"));
        let errors = [
            far.vault.list().await.unwrap_err(),
            far.vault.read(&id).await.unwrap_err(),
            far.vault.store(&version("value-two")).await.unwrap_err(),
            far.vault.label(&id, &Tags::new(), None).await.unwrap_err(),
        ];
        for error in errors {
            let VaultError::Call(call) = error else { panic!("{error}") };
            assert_eq!(
                (call.status, call.code.as_deref(), call.class),
                (Some(403), Some(code), Class::Human),
                "{call}"
            );
        }
    }
}

/// Somebody has ordered the recovery, and it is not done yet.
#[tokio::test]
async fn a_secret_that_is_being_recovered_is_waited_for() {
    let far = vault().await;
    far.world().settings.vault_refusal = Some((409, "ObjectIsBeingRecovered", "is currently being recovered"));
    assert_eq!(far.vault.store(&version("value-one")).await.unwrap_err().class(), RETRY);
}

/// "429 needs backing off (a storm there has taken people down for hours)": and each call is made once.
#[tokio::test]
async fn throttling_and_outages_are_told_with_their_retry_after_and_never_repeated() {
    let after = retry_after(9);
    let table = [
        (Fault::Status(429, Some(9)), after, after),
        (Fault::Status(429, None), RETRY, RETRY),
        (Fault::Status(408, Some(9)), after, Class::Ambiguous),
        (Fault::Status(500, None), RETRY, Class::Ambiguous),
        (Fault::Status(503, Some(9)), after, Class::Ambiguous),
        (Fault::LoseRequest, RETRY, Class::Ambiguous),
        (Fault::LoseAnswer, RETRY, Class::Ambiguous),
        (Fault::Truncated, RETRY, Class::Ambiguous),
        (Fault::Html, RETRY, Class::Ambiguous),
    ];
    let ops = [Op::VaultList, Op::VaultRead, Op::VaultLabel, Op::VaultStore];
    let far = vault().await;
    let id = store(&far, "value-one").await;
    for (fault, class, of_store) in table {
        let before = ops.map(|op| far.calls(op));
        ops.iter().for_each(|op| far.world().faults.at_call(*op, 1, fault));
        let classes = [
            far.vault.list().await.unwrap_err().class(),
            far.vault.read(&id).await.unwrap_err().class(),
            far.vault.label(&id, &Tags::new(), None).await.unwrap_err().class(),
            far.vault.store(&version("value-two")).await.unwrap_err().class(),
        ];
        assert_eq!(classes, [class, class, class, of_store], "{fault:?}");
        assert_eq!(ops.map(|op| far.calls(op)), before.map(|n| n + 1), "{fault:?}");
    }
}

/// "set_secret makes duplicate versions": so a store is never repeated blindly.
#[tokio::test]
async fn a_store_whose_answer_is_lost_is_ambiguous_and_may_have_made_a_version() {
    for (fault, made) in [(Fault::LoseRequest, 0), (Fault::LoseAnswer, 1), (Fault::Truncated, 1), (Fault::Html, 0)] {
        let far = vault().await;
        far.world().faults.at_call(Op::VaultStore, 1, fault);
        let error = far.vault.store(&version("value-one")).await.unwrap_err();
        assert_eq!(error.class(), Class::Ambiguous, "{fault:?}: {error}");
        assert_eq!(listed(&far).await.len(), made, "{fault:?}");
    }
}

/// Whether a PATCH keeps the tags that it does not name is unknown.
#[tokio::test]
async fn a_label_may_replace_the_other_tags_or_keep_them() {
    for (tag_writes, kept) in [(TagWrites::Replace, false), (TagWrites::Merge, true)] {
        let far = vault_with(Settings { tag_writes, ..Settings::default() }).await;
        let new = NewVersion { tags: tags(&[("stage", "pending"), ("other", "x")]), ..version("value-one") };
        let id = far.vault.store(&new).await.unwrap();
        far.vault.label(&id, &tags(&[("stage", "current")]), None).await.unwrap();
        let world = far.world();
        let seen = &world.versions()[0];
        assert_eq!((seen.tags["stage"].as_str(), seen.tags.contains_key("other")), ("current", kept));
        assert_eq!((seen.value.as_str(), seen.enabled), ("value-one", true));
    }
}

/// A list may be behind what was just written, while a read is not.
#[tokio::test]
async fn a_list_may_lag_behind_a_store_for_a_while() {
    let far = vault_with(Settings { list_lag: TimeDelta::seconds(30), ..Settings::default() }).await;
    let one = store(&far, "value-one").await;
    far.pass(TimeDelta::seconds(60));
    let two = store(&far, "value-two").await;
    assert_eq!(listed(&far).await, std::slice::from_ref(&one));
    assert_eq!(far.vault.read(&two).await.unwrap().expose(), "value-two");
    far.pass(TimeDelta::seconds(30));
    assert_eq!(listed(&far).await.len(), 2);
}

/// A version that was purged, or never was.
#[tokio::test]
async fn a_version_that_is_not_there_is_a_404_and_no_token() {
    let far = vault().await;
    store(&far, "value-one").await;
    let nowhere = VersionId("0123456789abcdef0123456789abcdef".to_owned());
    let read = far.vault.read(&nowhere).await.unwrap_err();
    let label = far.vault.label(&nowhere, &Tags::new(), None).await.unwrap_err();
    for error in [read, label] {
        assert!(matches!(&error, VaultError::Call(call) if call.status == Some(404)), "{error}");
    }
}
