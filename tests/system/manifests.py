"""Judges rendered manifests (standard input): by the schemas of Kubernetes, by the restricted profile of its pod security
standards, and by what this program needs of a cluster. It names each problem, and fails if there is one."""

import sys

import kubernetes_validate
import yaml

VERSION = "1.37.0"
# What no schema of Kubernetes itself describes: its keys are held to those that we mean.
OPERATOR = {
    "apiVersion": "monitoring.coreos.com/v1",
    "keys": {"apiVersion", "kind", "metadata", "spec"},
    "spec": {"selector", "endpoints"},
    "endpoint": {"port", "path", "interval", "relabelings"},
}
FOLDERS = {"/etc/scim-rotator": "configuration", "/run/secrets/scim-rotator": "secrets", "/run/scim-rotator": "runtime"}
VOLUMES = {"configMap", "emptyDir", "projected", "secret", "downwardAPI", "csi", "ephemeral", "persistentVolumeClaim"}


def by_schema(one):
    if one["kind"] == "ServiceMonitor":
        spec = one.get("spec", {})
        endpoints = spec.get("endpoints", [])
        is_known = set(one) == OPERATOR["keys"] and set(spec) == OPERATOR["spec"] and one["apiVersion"] == OPERATOR["apiVersion"]
        if not (is_known and endpoints and all(set(endpoint) <= OPERATOR["endpoint"] for endpoint in endpoints)):
            yield "not what the Prometheus operator takes"
        return
    try:
        kubernetes_validate.validate(one, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


def by_pod_security(pod):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    shared = pod.get("securityContext", {})
    for name in ["hostNetwork", "hostPID", "hostIPC"]:
        if pod.get(name):
            yield f"{name} is shared"
    for volume in pod.get("volumes", []):
        if not VOLUMES & set(volume):
            yield f"volume {volume['name']}: of a kind that is not allowed"
    for container in pod["containers"] + pod.get("initContainers", []):
        own = {**shared, **container.get("securityContext", {})}
        capabilities = own.get("capabilities", {})
        if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
            yield "privileges can be had"
        if own.get("runAsNonRoot") is not True or own.get("runAsUser") == 0:
            yield "it may be root"
        if own.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
            yield "system calls are not restricted"
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield "it keeps capabilities"
        if own.get("seLinuxOptions") or own.get("appArmorProfile", {}).get("type") == "Unconfined":
            yield "the host's own guards are bent"
        if own.get("sysctls") or own.get("procMount") or any("hostPort" in port for port in container.get("ports", [])):
            yield "it reaches into the host"


def chosen(selector, labels):
    """Whether a selector takes what bears these labels."""
    return not selector.get("matchExpressions") and selector.get("matchLabels", {}).items() <= labels.items()


def unmet(needs):
    return (f"wanted: {need}" for need, is_met in needs.items() if not is_met)


def by_need(kinds):
    deployment = kinds["Deployment"][0]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    account = kinds["ServiceAccount"][0]
    policy = kinds["NetworkPolicy"][0]["spec"]
    ports_out = {(port.get("protocol", "TCP"), port["port"]) for rule in policy["egress"] for port in rule["ports"]}
    hosts_out = [to["ipBlock"] for rule in policy["egress"] for to in rule.get("to", [])]
    yield from unmet({
        "one replica": deployment["replicas"] == 1,
        "its own pods": chosen(deployment["selector"], labels),
        "the one command": container.get("args") == ["run"] and "command" not in container,
        "the old one gone before the new one, in a rollout": deployment["strategy"] == {"type": "Recreate"},
        "300 seconds to end": pod["terminationGracePeriodSeconds"] == 300,
        "a root that is read-only": container["securityContext"].get("readOnlyRootFilesystem") is True,
        "a user by number": pod["securityContext"].get("runAsUser") == 65532,
        "bounded memory": "memory" in container["resources"]["limits"],
        "no token of the cluster": account["automountServiceAccountToken"] is False and pod["automountServiceAccountToken"] is False,
        "the identity": "azure.workload.identity/client-id" in account["metadata"]["annotations"],
        "the identity's label": labels.get("azure.workload.identity/use") == "true",
        "that account": pod["serviceAccountName"] == account["metadata"]["name"],
        "the configuration there is": {"configMap": {"name": kinds["ConfigMap"][0]["metadata"]["name"]}, "name": "configuration"} in pod["volumes"],
        "folders where the program looks": {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]} == FOLDERS,
        "a volume for each": set(FOLDERS.values()) == {volume["name"] for volume in pod["volumes"]},
        "no secret in it": "Secret" not in kinds,
        "a policy for this pod": chosen(policy["podSelector"], labels),
        "both directions closed": set(policy["policyTypes"]) == {"Ingress", "Egress"},
        "nobody let in unnamed": all(rule.get("from") and rule.get("ports") for rule in policy.get("ingress", [])),
        "DNS and 443 alone": ports_out == {("UDP", 53), ("TCP", 53), ("TCP", 443)},
        "not the machine's own identity": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]} in hosts_out
        and all("169.254.0.0/16" in host["except"] for host in hosts_out if host["cidr"] != "::/0")
        and all(rule.get("to") for rule in policy["egress"] if any(port["port"] == 443 for port in rule["ports"])),
        "a namespace that is restricted": kinds["Namespace"][0]["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") == "restricted",
        "all in one namespace": {one["metadata"].get("namespace") for kind, all_ in kinds.items() if kind != "Namespace" for one in all_} == {"scim-rotator"},
        # A restart mends no token.
        "probes that ask for the process alone": all(
            container[probe]["exec"]["command"] == ["/usr/bin/scim-rotator", "health"] for probe in ["livenessProbe", "readinessProbe"]
        ),
    })


def by_monitoring(kinds):
    """Whether what is scraped is what is served."""
    template = kinds["Deployment"][0]["spec"]["template"]
    container = template["spec"]["containers"][0]
    service, monitor = kinds["Service"][0], kinds["ServiceMonitor"][0]["spec"]
    [endpoint] = monitor["endpoints"]
    listen = {one["name"]: one["value"] for one in container["env"]}["SCIM_ROTATOR__ADMIN__LISTEN"]
    host, port = listen.rsplit(":", 1)
    served = {one["name"]: one["containerPort"] for one in container["ports"]}
    targets = {one["name"]: one["targetPort"] for one in service["spec"]["ports"]}
    let_in = [one["port"] for rule in kinds["NetworkPolicy"][0]["spec"]["ingress"] for one in rule["ports"]]
    yield from unmet({
        "a service of this pod": chosen({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"]),
        "a monitor of this service": chosen(monitor["selector"], service["metadata"]["labels"]),
        "a port that the service has": endpoint["port"] in targets,
        "a port that the pod has": set(targets.values()) <= set(served),
        "a listener that can be reached": host == "0.0.0.0",
        "one port for all": [int(port)] == list(served.values()) == let_in,
        # Alerts remember by it, and it is the address in their links.
        "an instance that outlives the pod": {"targetLabel": "instance", "replacement": f"localhost:{port}"} in endpoint.get("relabelings", []),
    })


def main():
    manifests = [one for one in yaml.safe_load_all(sys.stdin) if one]
    kinds = {}
    for one in manifests:
        kinds.setdefault(one["kind"], []).append(one)
    problems = [f"{one['kind']} {one['metadata']['name']}: {problem}" for one in manifests for problem in by_schema(one)]
    if not problems:
        problems += by_pod_security(kinds["Deployment"][0]["spec"]["template"]["spec"])
        problems += by_need(kinds)
        problems += by_monitoring(kinds) if "ServiceMonitor" in kinds else []
    print(*problems or [f"{len(manifests)} are well: {', '.join(sorted(kinds))}"], sep="\n")
    sys.exit(1 if problems else 0)


main()
