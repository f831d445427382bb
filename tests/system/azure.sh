#!/usr/bin/env bash
# deploy/azure/setup.sh against an Azure CLI that is played over a folder (bin/az): what it makes, that it makes it once, and
# that a dry run tells the very commands that a real one runs. `make test-azure` has installed what this needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/system/checks.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export AZ=$work
PATH=$PWD/tests/system/bin:$PWD/target/system/bin:$PATH
application=8f14e45f-ceea-467f-9c3b-1d2f3a4b5c6d
vault=/subscriptions/1/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/contoso
what=(--vault contoso --secret greenlake-scim-token)
issuer=https://westeurope.oic.prod-aks.azure.com/tenant/cluster/

# A tenant with a vault that goes by roles ($1) and an application whose name only begins like ours.
tenant() {
    rm -f "$work"/{log,lags,slept,stale}
    cat >"$work/state.json" <<END
{ "identities": {}, "federated": {}, "roles": {}, "graph": {},
  "apps": [{ "displayName": "SCIM rotator of somebody else", "appId": "f0000000-0000-4000-8000-000000000000" }],
  "vaults": { "contoso": { "id": "$vault", "properties": { "enableRbacAuthorization": $1, "vaultUri": "https://contoso.vault.azure.net/" } } },
  "principals": { "graph": { "appId": "00000003-0000-0000-c000-000000000000", "id": "a0000000-0000-4000-8000-000000000000", "appRoles": [
    { "value": "Application.ReadWrite.OwnedBy", "id": "b0000000-0000-4000-8000-000000000000" },
    { "value": "Application.ReadWrite.All", "id": "e0000000-0000-4000-8000-000000000000" },
    { "value": "Synchronization.ReadWrite.All", "id": "c0000000-0000-4000-8000-000000000000" }] } } }
END
}

setup() {
    deploy/azure/setup.sh "$@" >"$work/said" 2>&1
}

# Ends with this status and says this.
ends() {
    local status=0
    setup "${@:3}" || status=$?
    echo "status $status:" && cat "$work/said"
    [ "$status" = "$1" ] && grep -F -- "$2" "$work/said" >/dev/null
}

asked_nobody() {
    [ ! -e "$work/log" ] || { cat "$work/log" && return 1; }
}

# The commands that were run, with the ids of this tenant put as a dry run puts them.
ran() {
    jp() { python -c "import json, jmespath, sys; print(jmespath.search(sys.argv[1], json.load(open('$work/state.json'))) or 'nothing of the kind')" "$1"; }
    sed -e "s,$vault,VAULT,g" -e 's,a0000000-0000-4000-8000-000000000000,GRAPH,g' -e 's,[bc]0000000-0000-4000-8000-000000000000,PERMISSION,g' \
        -e "s,$(jp 'values(identities)[].principalId | [0]'),IDENTITY,g" -e "s,$(jp "apps[?displayName=='SCIM rotator'].appId | [0]"),CLIENT,g" \
        -e "s,$(jp "values(principals)[?appId!='00000003-0000-0000-c000-000000000000'].id | [0]"),IDENTITY,g" "$work/log"
}

# The commands that a dry run has told, without its quotes.
told() {
    sed -n 's/^az /echo /p' "$work/said" | sh
}

holds() {
    python - "$work/state.json" "$1" <<'END'
import json, sys, jmespath
state = json.load(open(sys.argv[1]))
if jmespath.search(sys.argv[2], state) is not True:
    print(sys.argv[2], json.dumps(state, indent=1))
    sys.exit(1)
END
}

# All that must be true of one way to say who the daemon is ($2…), known as $1.
way() {
    local name=$1 before again
    shift
    tenant true
    check "$name: a dry run ends well" setup --dry-run "$@"
    check "$name: a dry run asks nobody" asked_nobody
    told >"$work/told"
    check "$name: the first run ends well" setup "$@"
    check "$name: the first run runs the very commands that the dry run told" same "$(cat "$work/told")" "$(ran)"
    check "$name: the first run shows each command that changes something" same "$(grep -cE ' (create|POST) ' "$work/log")" "$(grep -c '^az ' "$work/said")"
    before=$(cat "$work/state.json")
    rm "$work/log"
    # What the first run says that a second one wants.
    read -ra again < <(grep -oE -- '--client-id [0-9a-f-]{36}' "$work/said" || echo)
    check "$name: the second run ends well" setup "$@" "${again[@]}"
    check "$name: the second run changes nothing" same "$before" "$(cat "$work/state.json")"
    refused "$name: the second run tries to make nothing" grep -E ' (create|POST) ' "$work/log"
}

scripts=(deploy/azure/setup.sh tests/system/azure.sh tests/system/checks.sh)
check "the scripts are clean" shellcheck -x "${scripts[@]}"

tenant true
for option in --resource-gruop --subject --force; do
    refused "the played az takes no $option" az identity list "$option" x --output tsv
done

managed=(--managed-identity scim-rotator --resource-group identities "${what[@]}" --application "$application")
way "a managed identity" "${managed[@]}"
check "it has the one role, on the one secret" holds "length(values(roles)) == \`1\` && values(roles)[0].role == 'Key Vault Secrets Officer' && \
    values(roles)[0].scope == '$vault/secrets/greenlake-scim-token' && values(roles)[0].principalId == values(identities)[0].principalId"
check "it has the one permission, and owns the application" holds "length(values(graph)) == \`2\` && \
    graph.\"servicePrincipals/$application/owners\".*.id == values(identities)[].principalId && \
    values(graph)[].*[].appRoleId == ['b0000000-0000-4000-8000-000000000000']"
check "it is told what goes into the configuration" grep -E 'client_id = "[0-9a-f-]{36}"' "$work/said"

way "a managed identity in Kubernetes" "${managed[@]}" --kubernetes "$issuer"
check "the one service account's tokens are taken" holds "length(values(federated)) == \`1\` && values(federated)[0].issuer == '$issuer' && \
    values(federated)[0].subject == 'system:serviceaccount:scim-rotator:scim-rotator' && values(federated)[0].audiences == ['api://AzureADTokenExchange']"

# A credential for each cluster: an identity's of the same name would be written over.
for who in "${managed[*]}" "--app-registration rotator --application $application"; do
    read -ra who <<<"$who"
    tenant true
    setup "${who[@]}" "${what[@]}" --kubernetes "$issuer"
    read -ra again < <(grep -oE -- '--client-id [0-9a-f-]{36}' "$work/said" || echo)
    check "a second cluster leaves the first one's login alone (${who[0]})" setup "${who[@]}" "${again[@]}" "${what[@]}" --kubernetes https://oidc.elsewhere.example/2/
    check "and has its own" holds "sort(values(federated)[].issuer) == sort(['$issuer', 'https://oidc.elsewhere.example/2/'])"
done

way "an app registration in Kubernetes" --app-registration 'SCIM rotator' --kubernetes "$issuer" "${what[@]}" --application "$application"
check "a registration whose name only begins so is left alone" holds "length(apps) == \`2\` && length(values(federated)) == \`1\`"

tenant true
setup --app-registration 'SCIM rotator' "${what[@]}" --application "$application"
check "a registration of that name is not taken for ours unseen" ends 1 'if it is yours: --client-id' --app-registration 'SCIM rotator' "${what[@]}" --application "$application"
check "nor is one of another name" ends 1 'no app registration called "SCIM rotator" has it' --app-registration 'SCIM rotator' \
    --client-id f0000000-0000-4000-8000-000000000000 "${what[@]}" --application "$application"
check "and what is there is looked at by a dry run" setup --dry-run --app-registration 'SCIM rotator' --client-id f0000000-0000-4000-8000-000000000000 "${what[@]}" --wide
refused "which then makes no other" grep 'ad app create' "$work/said"

way "what exists already, for every application" --principal D0000000-0000-4000-8000-000000000000 "${what[@]}" --wide
check "it has the wide permission, and owns nothing" holds "values(graph)[].*[].appRoleId == ['c0000000-0000-4000-8000-000000000000'] && \
    keys(graph) == ['servicePrincipals/d0000000-0000-4000-8000-000000000000/appRoleAssignments']"

# Wherever it is broken off, the next run makes what is missing.
for at in principalId id 'Key Vault Secrets Officer' POST; do
    tenant true
    printf %s "$at" >"$work/fails"
    check "broken off at \"$at\", it says that it can be run again" ends 1 'run this again' "${managed[@]}"
    check "and then makes what is missing" setup "${managed[@]}"
    check "so that all is there" holds "length(values(roles)) == \`1\` && length(values(graph)) == \`2\`"
done

# What was just made, Graph does not know at once.
tenant true
echo 4 >"$work/lags"
check "a principal that Graph does not know yet is waited for" setup "${managed[@]}"
check "ten seconds at a time" same "$(printf '10\n%.0s' 1 2 3 4)" "$(cat "$work/slept")"
check "until all is there" holds "length(values(graph)) == \`2\`"
tenant true
echo 99 >"$work/lags"
check "but not for ever" ends 1 'Request_ResourceNotFound' "${managed[@]}"
check "a minute and no more" same 6 "$(wc -l <"$work/slept")"
rm "$work/slept"
check "one that was there before is not waited for" ends 1 'Request_ResourceNotFound' "${managed[@]}"
refused "not at all" test -e "$work/slept"
rm "$work/lags"
setup "${managed[@]}"
touch "$work/stale"
check "what Graph has and does not list is there already" ends 0 'is there already' "${managed[@]}"

tenant true
sed -i 's/Application.ReadWrite.OwnedBy/Application.ReadWrite.Others/' "$work/state.json"
check "a Graph without the permission is told" ends 1 'knows no Application.ReadWrite.OwnedBy' "${managed[@]}"
check "and is given nothing" holds "length(values(graph)) == \`0\`"

tenant true
check "it says where it is" ends 0 'Contoso, tenant 72f988bf' "${managed[@]}"
tenant true
check "a vault that is elsewhere is told" ends 1 'no such vault' "${managed[@]}" --vault fabrikam
check "before anything is made" holds "length(values(identities)) == \`0\`"
check "the vault may be in another subscription" setup "${managed[@]}" --vault-subscription 5d0b2f3e-8f10-4d6e-9a9c-0d3f2f6f1a01
refused "and is looked for nowhere else" grep -F 'keyvault show --name contoso --query' "$work/log"

tenant false
check "a vault that goes by access policies is refused, with what to do" ends 1 'set-policy --name contoso' "${managed[@]}"
check "and nothing has been made" holds "length(values(identities)) == \`0\` && length(values(roles)) == \`0\` && length(values(graph)) == \`0\`"

# What is said wrongly is told before anybody is asked.
tenant true
check "no argument is refused" ends 64 'say who the daemon is'
check "two ways to say who are refused" ends 64 'say who the daemon is' "${managed[@]}" --principal "$application"
check "an unknown option is refused" ends 64 '"--force" is no option' "${managed[@]}" --force
check "an option without its value is refused" ends 64 '--vault wants a value' --vault
check "a name for an id is refused" ends 64 'is not the object id' "${managed[@]}" --application greenlake
check "a missing secret is refused" ends 64 '--secret: ""' --principal "$application" --vault contoso --application "$application"
check "a quote in a name is refused" ends 64 'is not the name of a managed identity' "${managed[@]}" --managed-identity "x' || '"
check "an empty issuer is refused" ends 64 'az aks update --enable-oidc-issuer' "${managed[@]}" --kubernetes ''
check "a client id for a managed identity is refused" ends 64 'belongs to --app-registration' "${managed[@]}" --client-id "$application"
check "an issuer without TLS is refused" ends 64 'is not a URL with https' "${managed[@]}" --kubernetes http://issuer/
check "--wide beside one application is refused" ends 64 '--wide is for every application' "${managed[@]}" --wide
check "--help is no mistake" ends 0 'usage: setup.sh' --help
check "and all that was without a word to Azure" asked_nobody
conclude
