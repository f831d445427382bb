#!/usr/bin/env bash
# deploy/kubernetes, rendered as `kubectl apply --kustomize` would, and judged (manifests.py); and each judge shown to bite.
# `make test-kubernetes` has installed what this needs. No cluster is asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/system/checks.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binary=${1:?usage: kubernetes.sh BINARY}

judge() {
    target/system/bin/python tests/system/manifests.py <"$1"
}

# A render with one line bent ($2, by sed) is refused, for this ($1).
bent() {
    sed -E "$2" "$work/${3:-base}" >"$work/bent"
    cmp -s "$work/${3:-base}" "$work/bent" && echo 'nothing was bent' && return 1
    if judge "$work/bent" >"$work/said"; then cat "$work/said" && return 1; fi
    cat "$work/said"
    grep -F -- "$1" "$work/said" >/dev/null
}

check "the scripts are clean" shellcheck -x tests/system/kubernetes.sh tests/system/checks.sh
for overlay in base monitoring example; do
    check "$overlay renders" kubectl kustomize "deploy/kubernetes/$overlay" --output "$work/$overlay"
    check "$overlay is well" judge "$work/$overlay"
done
for overlay in base example; do
    # With what AKS sets in a pod that has the label.
    check "the configuration of $overlay can be used" env AZURE_TENANT_ID=2f6f1a01-8f10-4d6e-9a9c-0d3f5d0b2f3e AZURE_CLIENT_ID=9a9c0d3f-2f6f-4a01-8d0b-2f3e8f104d6e \
        AZURE_FEDERATED_TOKEN_FILE=/var/run/secrets/azure/tokens/azure-identity-token "$binary" --config "deploy/kubernetes/$overlay/scim-rotator.toml" config check
done
check "the base serves its page to nobody" not grep -E 'SCIM_ROTATOR__ADMIN__LISTEN|containerPort' "$work/base"
check "the example has an image of its own" grep -F 'image: registry.contoso.example/scim-rotator:' "$work/example"
# As docs/kubernetes.md says, to the letter but for the cluster.
sed -n '/^{ printf/,/^  sed/p' docs/kubernetes.md | sed 's/ | kubectl.*//' | bash >"$work/rule"
check "the alerts make a PrometheusRule" target/system/bin/python -c "import sys, yaml; one = yaml.safe_load(open(sys.argv[1])); \
assert one['kind'] == 'PrometheusRule' and sum(len(group['rules']) for group in one['spec']['groups']) == $(grep -c 'alert: ' deploy/monitoring/scim-rotator.rules.yml)" "$work/rule"

check "a key that is misspelt is refused" bent terminationGracePeriodSecond 's/terminationGracePeriodSeconds/terminationGracePeriodSecond/'
check "a number in words is refused" bent replicas 's/replicas: 1/replicas: "one"/'
check "a probe in the wrong words is refused" bent livenessProbe 's/periodSeconds: 30/period: 30s/'
check "a monitor in the wrong words is refused" bent 'Prometheus operator' 's/^  endpoints:/  endpoint:/' monitoring
check "root is refused" bent 'it may be root' 's/runAsUser: 65532/runAsUser: 0/'
check "more privileges are refused" bent 'privileges can be had' 's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/'
check "capabilities are refused" bent 'it keeps capabilities' 's/- ALL/- NET_RAW/'
check "system calls without a filter are refused" bent 'not restricted' 's/type: RuntimeDefault/type: Unconfined/'
check "a folder of the host is refused" bent 'of a kind that is not allowed' 's/emptyDir:/hostPath:/; s/medium: Memory/path: \/run/; /sizeLimit/d'
check "a root that can be written is refused" bent 'read-only' '/readOnlyRootFilesystem/d; s/drop:/drop:/'
check "two replicas are refused" bent 'one replica' 's/replicas: 1/replicas: 2/'
check "two at once are refused" bent 'never two at once' 's/type: Recreate/type: RollingUpdate/'
check "half a minute to end is refused" bent '300 seconds' 's/(terminationGracePeriodSeconds): 300/\1: 30/'
check "probes that ask about tokens are refused" bent 'the process alone' 's/- health/- status/'
check "everybody let in is refused" bent 'nobody let in unnamed' '/^  - from:/,/name: monitoring/d; s/^    ports:/  - ports:/' monitoring
check "a pod that nobody puts an identity into is refused" bent "the identity's label" 's/use: "true"/use: "false"/'
check "another port outside is refused" bent 'DNS and 443' 's/port: 443/port: 80/'
conclude
