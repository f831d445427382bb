"""The life of secrets, by Microsoft's own client of Key Vault, with every check of it on."""

import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

VAULT, TENANT, CLIENT, SECRET = (os.environ[name] for name in ("VAULT", "TENANT", "CLIENT", "SECRET"))
NAME = "made-by-a-stranger"

credential = ClientSecretCredential(TENANT, CLIENT, os.environ["CLIENT_SECRET"])
client = SecretClient(VAULT, credential)


def fails(error, status, code, call):
    """The call fails with this error of the client's, and the service's own status and code."""
    try:
        call()
    except error as seen:
        told = (seen.status_code, seen.error.code if seen.error else None)
        assert told == (status, code), (told, seen)
    else:
        raise AssertionError(f"{status} {code} was expected")


def a_secret_is_kept_as_it_was_given():
    now = datetime.now(timezone.utc).replace(microsecond=0)
    ends = now + timedelta(days=30)
    made = client.set_secret(NAME, "välue/1+=", content_type="text/plain", tags={"stage": "pending"}, expires_on=ends)
    read = client.get_secret(NAME, made.properties.version)
    for secret in (made, read, client.get_secret(NAME)):
        about = secret.properties
        assert (secret.value, about.content_type, about.tags) == ("välue/1+=", "text/plain", {"stage": "pending"})
        assert (about.expires_on, about.enabled, about.vault_url) == (ends, True, VAULT)
        assert abs(about.created_on - now) < timedelta(minutes=2), about.created_on
        assert len(about.version) == 32 and about.recovery_level and about.recoverable_days
    assert read.id == f"{VAULT}/secrets/{NAME}/{about.version}", read.id


def versions_come_in_pages():
    written = {client.set_secret(NAME, f"value {n}").properties.version for n in range(60)}
    pages = [len(list(page)) for page in client.list_properties_of_secret_versions(NAME).by_page()]
    listed = [about.version for about in client.list_properties_of_secret_versions(NAME)]
    assert len(pages) > 1 and sum(pages) == 61, pages
    assert len(set(listed)) == 61 and written < set(listed)
    small = client.list_properties_of_secret_versions(NAME, max_page_size=7)
    assert {len(list(page)) for page in small.by_page()} <= {7, 61 % 7}
    assert sorted(secret.name for secret in client.list_properties_of_secrets()) == sorted([NAME, SECRET])


def tags_are_changed_and_what_is_not_named_stays():
    version = client.set_secret(NAME, "tagged", content_type="text/plain", tags={"stage": "pending"}).properties.version
    client.update_secret_properties(NAME, version, tags={"stage": "current", "seq": "2"})
    about = client.get_secret(NAME, version).properties
    assert (about.tags, about.content_type, about.enabled) == ({"stage": "current", "seq": "2"}, "text/plain", True)
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=2)
    begins = ends - timedelta(days=3)
    client.update_secret_properties(NAME, version, content_type="text/html", expires_on=ends, not_before=begins)
    about = client.get_secret(NAME, version).properties
    assert about.tags == {"stage": "current", "seq": "2"}, about.tags
    assert (about.content_type, about.expires_on, about.not_before) == ("text/html", ends, begins)
    # Without a version, the latest.
    assert client.update_secret_properties(NAME, tags={}).version == version
    assert not client.get_secret(NAME).properties.tags


def a_disabled_version_is_listed_and_not_read():
    version = client.set_secret(NAME, "disabled").properties.version
    client.update_secret_properties(NAME, version, enabled=False)
    fails(HttpResponseError, 403, "Forbidden", lambda: client.get_secret(NAME, version))
    listed = {about.version: about.enabled for about in client.list_properties_of_secret_versions(NAME)}
    assert listed[version] is False and sum(not enabled for enabled in listed.values()) == 1
    client.update_secret_properties(NAME, version, enabled=True)
    assert client.get_secret(NAME, version).value == "disabled"


def a_deleted_secret_is_gone_and_its_name_is_taken_until_it_is_recovered():
    before = {about.version for about in client.list_properties_of_secret_versions(NAME)}
    gone = client.begin_delete_secret(NAME).result()
    assert (gone.name, gone.recovery_id) == (NAME, f"{VAULT}/deletedsecrets/{NAME}"), gone
    assert gone.deleted_date and gone.scheduled_purge_date - gone.deleted_date >= timedelta(days=7)
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.get_secret(NAME))
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.begin_delete_secret(NAME))
    assert not list(client.list_properties_of_secret_versions(NAME))
    fails(ResourceExistsError, 409, "Conflict", lambda: client.set_secret(NAME, "value"))
    assert [secret.name for secret in client.list_deleted_secrets()] == [NAME]
    assert client.get_deleted_secret(NAME).properties.name == NAME
    back = client.begin_recover_deleted_secret(NAME).result()
    assert back.name == NAME and client.get_secret(NAME).value == "disabled"
    assert {about.version for about in client.list_properties_of_secret_versions(NAME)} == before
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.get_deleted_secret(NAME))


def a_purged_secret_never_was():
    client.begin_delete_secret(NAME).wait()
    client.purge_deleted_secret(NAME)
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.get_deleted_secret(NAME))
    client.set_secret(NAME, "anew")
    assert len(list(client.list_properties_of_secret_versions(NAME))) == 1


def what_the_service_does_not_take_is_told():
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.get_secret("never-made"))
    # As the real service does it (and says otherwise in its reference).
    assert not list(client.list_properties_of_secret_versions("never-made"))
    fails(ResourceNotFoundError, 404, "SecretNotFound", lambda: client.get_secret(NAME, "0" * 32))
    fails(HttpResponseError, 400, "BadParameter", lambda: client.set_secret("no_name", "value"))
    fails(HttpResponseError, 400, "BadParameter", lambda: client.set_secret(NAME, "x" * 25_601))
    fails(HttpResponseError, 400, "BadParameter", lambda: client.set_secret(NAME, "v", tags={str(n): "" for n in range(16)}))


for visit in [
    a_secret_is_kept_as_it_was_given,
    versions_come_in_pages,
    tags_are_changed_and_what_is_not_named_stays,
    a_disabled_version_is_listed_and_not_read,
    a_deleted_secret_is_gone_and_its_name_is_taken_until_it_is_recovered,
    a_purged_secret_never_was,
    what_the_service_does_not_take_is_told,
]:
    visit()
    print("done:", visit.__name__)
