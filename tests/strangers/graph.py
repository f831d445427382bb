"""The provisioning job of an enterprise application, by the core of Microsoft's own client of Graph, read by its own readers
of JSON, with the types that Graph's metadata gives to each property."""

import asyncio
import json
import os
from datetime import datetime, timedelta, timezone

from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.api_error import APIError
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from msgraph_core import BaseGraphRequestAdapter
from msgraph_core.authentication import AzureIdentityAuthenticationProvider

TENANT, CLIENT, PRINCIPAL, JOB = (os.environ[name] for name in ("TENANT", "CLIENT", "PRINCIPAL", "JOB"))
ROOT = f"https://graph.microsoft.com/v1.0/servicePrincipals/{PRINCIPAL}"
NEVER = datetime(1, 1, 1, tzinfo=timezone.utc)


class Refused(Exception):
    def __init__(self, error):
        super().__init__(str(error))
        self.status = error.response_status_code
        self.request_id = {name.lower(): value for name, value in error.response_headers.items()}.get("request-id")


class Graph:
    def __init__(self, credential):
        # The hosts that may see a bearer: the library's own default for them is refused by the library.
        provider = AzureIdentityAuthenticationProvider(credential, allowed_hosts=["graph.microsoft.com"])
        self.adapter = BaseGraphRequestAdapter(provider)

    async def call(self, method, path, body=None):
        request = RequestInformation()
        request.http_method = method
        request.url = path if path.startswith("https://") else ROOT + path
        request.headers.try_add("Accept", "application/json")
        if body is not None:
            request.headers.try_add("Content-Type", "application/json")
            request.content = json.dumps(body).encode()
        try:
            answer = await self.adapter.send_primitive_async(request, "bytes", {})
        except APIError as error:
            raise Refused(error) from error
        return JsonParseNodeFactory().get_root_parse_node("application/json", answer) if answer else None

    async def get(self, path):
        return await self.call(Method.GET, path)

    async def refuses(self, status, method, path, body=None):
        try:
            await self.call(method, path, body)
        except Refused as refused:
            assert refused.status == status and refused.request_id, refused
        else:
            raise AssertionError(f"{status} was expected of {path}")


def value(node, name):
    return node.get_child_node(name)


def text(node, name):
    child = value(node, name)
    return child.get_str_value() if child else None


def items(node):
    return value(node, "value").get_collection_of_object_values(Raw)


class Raw:
    """Takes an item of a collection as it is."""

    def __init__(self, node):
        self.node = node

    @staticmethod
    def create_from_discriminator_value(node):
        return Raw(node)

    def get_field_deserializers(self):
        return {}

    def serialize(self, writer):
        raise NotImplementedError


async def principal_is_found(graph):
    for path in ["", f"?$select=id,appId,displayName"]:
        found = await graph.get(path)
        assert text(found, "id") == PRINCIPAL and text(found, "displayName"), found
    by_app = await graph.get(f"https://graph.microsoft.com/v1.0/servicePrincipals(appId='{text(found, 'appId')}')")
    assert text(by_app, "id") == PRINCIPAL
    assert len(items(await graph.get("/owners"))) > 0
    assert len(items(await graph.get("/appRoleAssignedTo"))) > 0
    await graph.refuses(404, Method.GET, "https://graph.microsoft.com/v1.0/servicePrincipals/00000000-0000-4000-8000-000000000bad")


async def job(graph):
    """The job, each property read as the type that it has."""
    read = await graph.get(f"/synchronization/jobs/{JOB}")
    assert (text(read, "id"), text(read, "templateId")) == (JOB, "scim")
    schedule, status = value(read, "schedule"), value(read, "status")
    interval = value(schedule, "interval").get_timedelta_value()
    assert timedelta(minutes=1) <= interval <= timedelta(hours=2), interval
    assert text(schedule, "state") in ("Active", "Disabled", "Paused")
    code = text(status, "code")
    assert code in ("NotConfigured", "NotRun", "Active", "Paused", "Quarantine"), code
    for name in ("steadyStateFirstAchievedTime", "steadyStateLastAchievedTime"):
        assert value(status, name).get_datetime_value() >= NEVER
    value(status, "countSuccessiveCompleteFailures").get_int_value()
    value(status, "escrowsPruned").get_bool_value()
    for name in ("lastExecution", "lastSuccessfulExecution"):
        execution = value(status, name)
        if execution and execution.get_child_node("state"):
            began, ended = (value(execution, name).get_datetime_value() for name in ("timeBegan", "timeEnded"))
            assert NEVER < began <= ended and text(execution, "state") in ("Succeeded", "Failed", "EntryLevelErrors")
            value(execution, "activityIdentifier").get_uuid_value()
            value(execution, "countExported").get_int_value()
    return code


async def job_is_read_alone_and_in_the_list(graph):
    assert await job(graph) == "Active"
    listed = items(await graph.get("/synchronization/jobs"))
    assert [text(item.node, "id") for item in listed] == [JOB]
    schema = await graph.get(f"/synchronization/jobs/{JOB}/schema")
    assert text(schema, "id") and value(schema, "synchronizationRules")
    await graph.refuses(404, Method.GET, "/synchronization/jobs/no-such-job")


async def settings(graph):
    pairs = items(await graph.get("/synchronization/secrets"))
    return {text(pair.node, "key"): text(pair.node, "value") for pair in pairs}


async def credentials_are_tested_saved_and_masked(graph):
    url, token = os.environ["TENANT_URL"], os.environ["TOKEN"]
    test = f"/synchronization/jobs/{JOB}/validateCredentials"

    def candidate(secret):
        pairs = [{"key": "BaseAddress", "value": url}, {"key": "SecretToken", "value": secret}]
        return {"credentials": pairs}

    await graph.call(Method.POST, test, candidate(token))
    await graph.refuses(400, Method.POST, test, candidate("no-token-of-anybody"))
    await graph.refuses(400, Method.POST, test, {})
    await graph.call(Method.POST, test, {"useSavedCredentials": True})
    before = await settings(graph)
    assert (before["BaseAddress"], before["SecretToken"]) == (url, "*") and len(before) > 2, before
    body = {"value": [{"key": key, "value": token if key == "SecretToken" else kept} for key, kept in before.items()]}
    await graph.call(Method.PUT, "/synchronization/secrets", body)
    assert await settings(graph) == before
    await graph.refuses(400, Method.PUT, "/synchronization/secrets", {"value": [{"key": "SecretToken"}]})
    await graph.call(Method.POST, test, {"useSavedCredentials": True})


async def job_is_paused_and_started(graph):
    await graph.call(Method.POST, f"/synchronization/jobs/{JOB}/pause")
    assert await job(graph) == "Paused"
    await graph.call(Method.POST, f"/synchronization/jobs/{JOB}/start")
    assert await job(graph) == "Active"
    await graph.refuses(404, Method.POST, "/synchronization/jobs/no-such-job/pause")


async def main():
    async with ClientSecretCredential(TENANT, CLIENT, os.environ["CLIENT_SECRET"]) as credential:
        graph = Graph(credential)
        for visit in [
            principal_is_found,
            job_is_read_alone_and_in_the_list,
            credentials_are_tested_saved_and_masked,
            job_is_paused_and_started,
        ]:
            await visit(graph)
            print("done:", visit.__name__)


asyncio.run(main())
