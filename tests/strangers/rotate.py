"""One rotation as a straight script does it, with Microsoft's own logins and client of Key Vault: what the daemon is measured
beside (`make bench PART=far`). It makes the calls that the daemon makes for its own safety as well: it tests the current
token, writes down what it is about to do, lists before it goes on, looks whether a setting was lost, and has Entra verify.
What it lacks is everything that happens when one of them goes wrong."""

import json
import os
import resource
import socket
import time
from datetime import datetime, timezone

BEGUN = time.monotonic()

import requests
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

LOADED = time.monotonic()
VAULT, SECRET, PRINCIPAL, JOB, TENANT_URL = (os.environ[n] for n in ("VAULT", "SECRET", "PRINCIPAL", "JOB", "TENANT_URL"))
GRAPH = f"https://graph.microsoft.com/v1.0/servicePrincipals/{PRINCIPAL}/synchronization"
HPE = "https://sps.us1.greenlake-hpe.com/v1alpha1/proxytoken"

# Every host is the sandbox.
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, port, *rest, **more: look_up("127.0.0.1", int(os.environ["PORT"]), *rest, **more)

credential = ClientSecretCredential(os.environ["TENANT"], os.environ["CLIENT"], os.environ["CLIENT_SECRET"])
vault = SecretClient(VAULT, credential)
web = requests.Session()


def graph(method, path, body=None):
    token = credential.get_token("https://graph.microsoft.com/.default").token
    answer = web.request(method, GRAPH + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def bearer():
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["HPE_CLIENT"],
        "client_secret": os.environ["HPE_SECRET"],
        "scope": "hpe-tenant",
    }
    answer = web.post(f"https://iam.us1.greenlake-hpe.com/oauth2/{os.environ['HPE_TENANT']}/aus/v1/token", data=form, timeout=20)
    answer.raise_for_status()
    return answer.json()["access_token"]


def test(token):
    pairs = [{"key": "BaseAddress", "value": TENANT_URL}, {"key": "SecretToken", "value": token}]
    graph("POST", f"/jobs/{JOB}/validateCredentials", {"credentials": pairs})


def versions():
    return list(vault.list_properties_of_secret_versions(SECRET))


# Look.
listed, job = versions(), graph("GET", f"/jobs/{JOB}")
assert job["status"]["code"] == "Active", job["status"]
# Preflight.
api, settings = bearer(), graph("GET", "/secrets")["value"]
current = vault.get_secret(SECRET)
test(current.value)
# Intent.
tags = current.properties.tags | {"intent": datetime.now(timezone.utc).isoformat()}
intent = vault.set_secret(SECRET, current.value, tags=tags, expires_on=current.properties.expires_on)
assert len(versions()) == len(listed) + 1
vault.update_secret_properties(SECRET, intent.properties.version, tags=tags | {"asked": "now"})
# Issue, store.
asked = time.monotonic()
answer = web.post(f"{HPE}/rotate", params={"remove-current": "false"}, headers={"Authorization": f"bearer {api}"}, timeout=20)
answer.raise_for_status()
issued = answer.json()
ends = datetime.fromisoformat(issued["expires_at"])
pending = vault.set_secret(SECRET, issued["token"], tags=tags | {"stage": "pending"}, expires_on=ends)
assert len(versions()) == len(listed) + 2
# Test, provision, verify.
test(issued["token"])
settings = graph("GET", "/secrets")["value"]
kept = [pair for pair in settings if pair["key"] not in ("BaseAddress", "SecretToken")]
ours = [{"key": "BaseAddress", "value": TENANT_URL}, {"key": "SecretToken", "value": issued["token"]}]
graph("PUT", "/secrets", {"value": kept + ours})
given = time.monotonic()
assert {pair["key"] for pair in kept} <= {pair["key"] for pair in graph("GET", "/secrets")["value"]}
graph("POST", f"/jobs/{JOB}/validateCredentials", {"useSavedCredentials": True})
# Promote.
vault.update_secret_properties(SECRET, pending.properties.version, tags=tags | {"stage": "current"})
ended = time.monotonic()
print(
    json.dumps(
        {
            "load_ms": round((LOADED - BEGUN) * 1000),
            "rotation_ms": round((ended - LOADED) * 1000),
            "exposed_ms": round((given - asked) * 1000),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        }
    )
)
