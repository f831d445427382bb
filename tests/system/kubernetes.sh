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
# As docs/kubernetes.md says, to the letter but for the ids and the folder; with what `monitoring` sets, too.
sed -n '/^AZURE_TENANT_ID=/,/config check/p' docs/kubernetes.md | sed -e 's/TENANT_ID /2f6f1a01-8f10-4d6e-9a9c-0d3f5d0b2f3e /' \
    -e 's/CLIENT_ID /9a9c0d3f-2f6f-4a01-8d0b-2f3e8f104d6e /' -e "s,scim-rotator --,$binary --," >"$work/config-check"
for overlay in base example; do
    sed "s,my-overlay,deploy/kubernetes/$overlay," "$work/config-check" >"$work/$overlay-check"
    check "the configuration of $overlay can be used" bash -e "$work/$overlay-check"
    check "and with monitoring" env SCIM_ROTATOR__ADMIN__LISTEN=0.0.0.0:8642 bash -e "$work/$overlay-check"
done
check "the base serves its page to nobody" not grep -E 'SCIM_ROTATOR__ADMIN__LISTEN|containerPort' "$work/base"
check "the example has an image of its own" grep -F 'image: registry.contoso.example/scim-rotator:' "$work/example"
# As docs/kubernetes.md says, to the letter but for the cluster.
sed -n '/^{ printf/,/^  sed/p' docs/kubernetes.md | sed 's/ | kubectl.*//' | bash >"$work/rule"
mkdir "$work/labelled"
{ printf 'resources: [%s]\n' "$(realpath --relative-to "$work/labelled" deploy/kubernetes/monitoring)" && sed -n '/^patches:/,/^```/p' docs/kubernetes.md | sed '$d'; } >"$work/labelled/kustomization.yaml"
check "the label that a Prometheus wants is put on the monitor" kubectl kustomize --load-restrictor LoadRestrictionsNone "$work/labelled" --output "$work/label"
check "as its rules have it" same 2 "$(cat "$work/label" "$work/rule" | grep -c 'release: kube-prometheus-stack')"
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
check "a root that can be written is refused" bent 'read-only' '/readOnlyRootFilesystem/d'
check "two replicas are refused" bent 'one replica' 's/replicas: 1/replicas: 2/'
check "a new one beside the old one is refused" bent 'the old one gone' 's/type: Recreate/type: RollingUpdate/'
check "half a minute to end is refused" bent '300 seconds' 's/(terminationGracePeriodSeconds): 300/\1: 30/'
check "probes that ask about tokens are refused" bent 'the process alone' 's/- health/- status/'
check "everybody let in is refused" bent 'nobody let in unnamed' '/^  - from:/,/name: monitoring/d; s/^    ports:/  - ports:/' monitoring
check "a pod that nobody puts an identity into is refused" bent "the identity's label" 's/use: "true"/use: "false"/'
check "another port outside is refused" bent 'DNS and 443' 's/port: 443/port: 80/'
check "DNS by other means is refused" bent 'DNS and 443' 's/protocol: UDP/protocol: SCTP/'
check "the machine's own identity is refused" bent "the machine's own identity" '/except:/,+1d'
check "a policy for other pods is refused" bent 'a policy for this pod' 's/podSelector: \{\}/podSelector: { matchLabels: { a: b } }/'
check "a deployment of other pods is refused" bent 'its own pods' '/^  selector:/,/name:/s/name: scim-rotator/name: other/'
check "another command is refused" bent 'the one command' 's/- run$/- rum/'
check "a mount of no volume is refused" bent 'folders where' 's/^(          name: )runtime/\1other/'
check "a volume that is not there is refused" bent 'a volume for each' 's/^(      - name: )secrets/\1other/'
for folder in etc/scim-rotator run/secrets/scim-rotator run/scim-rotator; do
    check "/$folder elsewhere is refused" bent 'folders where' "s,mountPath: /$folder\$,mountPath: /elsewhere,"
done
check "another label of SELinux is refused" bent "the host's own guards" 's/allowPrivilegeEscalation: false/&\n          seLinuxOptions: { type: spc_t }/'
check "a pod without AppArmor is refused" bent "the host's own guards" 's/allowPrivilegeEscalation: false/&\n          appArmorProfile: { type: Unconfined }/'
check "a setting of the kernel is refused" bent 'into the host' 's/^( *)runAsNonRoot: true/&\n\1sysctls: [{ name: kernel.msgmax, value: "1" }]/'

check "a service of other pods is refused" bent 'a service of this pod' '/^kind: Service$/,/^---/{/^  selector:/,/name:/s/name: scim-rotator/name: other/}' monitoring
check "a monitor of another service is refused" bent 'a monitor of this service' '/^kind: ServiceMonitor/,/^---/s/^      (app.kubernetes.io.name): .*/      \1: other/' monitoring
check "a port that the service does not have is refused" bent 'that the service has' 's/port: metrics$/port: other/' monitoring
check "a port that the pod does not have is refused" bent 'that the pod has' 's/targetPort: metrics/targetPort: other/' monitoring
check "a listener on loopback is refused" bent 'a listener that' 's/0.0.0.0:8642/127.0.0.1:8642/' monitoring
check "a listener on another port is refused" bent 'one port' 's/0.0.0.0:8642/0.0.0.0:8643/' monitoring
check "another port let in is refused" bent 'one port' '/ingress:/,/podSelector/s/port: 8642/port: 9999/' monitoring
check "an instance that ends with the pod is refused" bent 'outlives the pod' '/relabelings:/,+2d' monitoring
conclude
