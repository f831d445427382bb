#!/usr/bin/env bash
# What must exist in Azure and Entra for scim-rotator, and no more: an identity, one role on one secret, one permission of
# Microsoft Graph, and one ownership. What is there already is left as it is, and nothing is ever removed: run it as often as
# you like. The words of --help say how.
set -euo pipefail

usage() {
    cat <<'END'
usage: setup.sh [--dry-run] WHO --vault NAME --secret NAME --application ID [--wide]

WHO the daemon is, one of
  --managed-identity NAME --resource-group GROUP   a user-assigned managed identity, made where there is none
  --app-registration NAME                          an app registration with its service principal, made where there is none
      --client-id ID                               or this one of that name, which is there already
  --principal ID                                   what exists already, by its object id: a virtual machine's own identity, say
and of the first two, in a Kubernetes cluster with workload identity
  --kubernetes URL                                 the cluster's OIDC issuer
  --service-account NAMESPACE:NAME                 whose tokens are good (scim-rotator:scim-rotator)

WHAT it may do
  --vault NAME, --secret NAME                      read and write this one secret
  --vault-subscription ID                          where the vault is, if not in the subscription that az is set to
  --application ID                                 tend the provisioning of this enterprise application (its object id)
  --wide                                           of every application of the tenant in place of that one

  --dry-run                                        print every command, with why, and run none

Log in before (az login), as somebody who may
  assign roles at the vault                        Role Based Access Control Administrator there
  grant permissions of Graph                       Privileged Role Administrator
  add an owner to the enterprise application       Cloud Application Administrator, or one of its owners
  make a managed identity                          Managed Identity Contributor in the resource group
  or an app registration                           Application Developer
END
}

refuse() {
    printf 'setup.sh: %s (--help says more)\n' "$1" >&2
    exit 64
}

stop() {
    printf 'setup.sh: %s\n' "$1" >&2
    exit 1
}

# The arguments.

dry_run='' wide='' managed='' group='' registration='' client='' principal='' issuer='' account='scim-rotator:scim-rotator'
vault='' subscription='' secret='' application=''
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry_run=yes ;;
    --wide) wide=yes ;;
    --help) usage && exit ;;
    --managed-identity | --resource-group | --app-registration | --client-id | --principal | --kubernetes | --service-account | \
        --vault | --vault-subscription | --secret | --application)
        hint=''
        [ "$1" != --kubernetes ] || hint=': has the cluster an OIDC issuer (az aks update --enable-oidc-issuer)?'
        [ -n "${2:-}" ] || refuse "$1 wants a value$hint"
        case $1 in
        --managed-identity) managed=$2 ;;
        --resource-group) group=$2 ;;
        --app-registration) registration=$2 ;;
        --client-id) client=$2 ;;
        --principal) principal=$2 ;;
        --kubernetes) issuer=$2 ;;
        --service-account) account=$2 ;;
        --vault) vault=$2 ;;
        --vault-subscription) subscription=$2 ;;
        --secret) secret=$2 ;;
        --application) application=$2 ;;
        esac
        shift
        ;;
    *) refuse "\"$1\" is no option" ;;
    esac
    shift
done

# Some of them go into queries and URLs, so each is held to what it can be.
must_be() {
    [[ $2 =~ ^$3$ ]] || refuse "$1: \"$2\" is not $4"
}
uuid='[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'
case "${managed:+m}${registration:+r}${principal:+p}" in
m)
    must_be --managed-identity "$managed" '[0-9A-Za-z][0-9A-Za-z_-]{2,127}' 'the name of a managed identity'
    must_be --resource-group "$group" '[0-9A-Za-z_().-]{1,90}' 'the name of a resource group'
    ;;
r) must_be --app-registration "$registration" '[0-9A-Za-z_. -]{1,120}' 'a name of letters, digits, dots, spaces, _ and -' ;;
p) must_be --principal "$principal" "$uuid" 'an object id' ;;
*) refuse 'say who the daemon is: one of --managed-identity, --app-registration and --principal' ;;
esac
[ -n "$managed" ] || [ -z "$group" ] || refuse '--resource-group belongs to --managed-identity'
if [ -n "$client" ]; then
    [ -n "$registration" ] || refuse '--client-id belongs to --app-registration'
    must_be --client-id "$client" "$uuid" 'a client id'
fi
[ -z "$subscription" ] || must_be --vault-subscription "$subscription" "$uuid" 'the id of a subscription'
must_be --vault "$vault" '[0-9A-Za-z-]{3,24}' 'the name of a vault'
must_be --secret "$secret" '[0-9A-Za-z-]{1,127}' 'the name of a secret'
must_be --service-account "$account" '[a-z0-9][a-z0-9-]*:[a-z0-9][a-z0-9.-]*' 'NAMESPACE:NAME'
if [ -n "$issuer" ]; then
    [ -z "$principal" ] || refuse '--kubernetes wants --managed-identity or --app-registration: what it is to be federated with'
    must_be --kubernetes "$issuer" 'https://[0-9A-Za-z./_-]+' 'a URL with https'
fi
if [ -n "$wide" ]; then
    [ -z "$application" ] || refuse '--wide is for every application: leave --application away'
else
    must_be --application "$application" "$uuid" 'the object id of an enterprise application'
fi
principal=${principal,,} client=${client,,} application=${application,,}

# How az is asked. All that this script says goes to standard output (3), past what is kept of an answer.

exec 3>&1
say() {
    printf '\n# %s\n' "$1" >&3
}

# A command as it can be pasted. No word of ours holds quotes of both kinds, or what a shell reads within double ones.
show() {
    local word line=az
    for word; do
        if [[ $word =~ ^[0-9A-Za-z_./:@=,-]+$ ]]; then line+=" $word"; elif [[ $word == *"'"* ]]; then line+=" \"$word\""; else line+=" '$word'"; fi
    done
    printf '%s\n' "$line" >&3
}

# az itself. What was just made ($fresh) may take a minute to be known everywhere: where it is not found yet, that is waited for.
heard=$(mktemp)
fresh=''
run() {
    local left
    for left in 6 5 4 3 2 1 0; do
        if az "$@" --output tsv --only-show-errors 2>"$heard"; then return; fi
        if [ -z "$fresh" ] || [ "$left" = 0 ] || ! grep -qiE 'not ?found|does not exist|not reference a valid' "$heard"; then return 1; fi
        printf '  is not known there yet: once more in 10 seconds\n' >&3
        sleep 10
    done
}

# look STAND-IN ARGUMENTS asks for what is there; by lists, since a list of nothing is no failure. A dry run takes the stand-in.
look() {
    if [ -n "$dry_run" ]; then
        show "${@:2}" --output tsv
        printf '%s\n' "$1"
    else
        run "${@:2}" || { cat "$heard" >&2 && return 1; }
    fi
}

there() {
    printf '  is there already\n' >&3
}

# make STAND-IN ARGUMENTS makes what is not there. Graph's lists lag behind, so it may turn out to be there after all.
make() {
    show "${@:2}" --output tsv
    if [ -n "$dry_run" ]; then
        printf '%s\n' "$1"
    elif ! run "${@:2}"; then
        if [ "$2" = rest ] && grep -qi 'already exist' "$heard"; then there; else cat "$heard" >&2 && return 1; fi
    fi
}

end() {
    local status=$?
    rm -f "$heard"
    [ "$status" -eq 0 ] || echo 'setup.sh: stopped there. What was done before stands: mend that, and run this again' >&2
}
trap end EXIT

if [ -n "$dry_run" ]; then
    say "Nothing is run. IDENTITY, CLIENT, VAULT, GRAPH and PERMISSION stand for ids that the commands before them answer with."
fi

# 1. Where it is all to be. Nothing has been made yet when the vault turns out to be another one.

say "Where: the subscription and the tenant that az is set to. (Others: az account set --subscription ID, az login --tenant ID)"
printf '  %s\n' "$(look 'SUBSCRIPTION, tenant ID' account show --query "join(', tenant ', [name, tenantId])")" >&3
say "The vault must go by roles. One that goes by access policies knows no single secrets."
at_vault=(keyvault show --name "$vault" ${subscription:+--subscription "$subscription"})
by_roles=$(look true "${at_vault[@]}" --query properties.enableRbacAuthorization)
[ "${by_roles,,}" = true ] || stop "the vault $vault goes by access policies; either: az keyvault update --name $vault \
--enable-rbac-authorization true (which ends all access by policies), or: az keyvault set-policy --name $vault --object-id \
${principal:-OBJECT_ID} --secret-permissions get list set (for all secrets of the vault)"
scope=$(look VAULT "${at_vault[@]}" --query id)/secrets/$secret
url=$(look "https://$vault.vault.azure.net/" "${at_vault[@]}" --query properties.vaultUri)

# 2. Who the daemon is.

if [ -n "$managed" ]; then
    say "Who the daemon is: the managed identity $managed. Azure keeps its key, so there is no secret that could leak or end."
    it=(--name "$managed" --resource-group "$group")
    principal=$(look '' identity list --resource-group "$group" --query "[?name=='$managed'].principalId")
    if [ -n "$principal" ]; then there; else
        principal=$(make IDENTITY identity create "${it[@]}" --query principalId)
        fresh=yes
    fi
    client=$(look CLIENT identity show "${it[@]}" --query clientId)
elif [ -n "$registration" ]; then
    say "Who the daemon is: the app registration $registration, of this tenant alone."
    known=$(look "$client" ad app list --display-name "$registration" --query "[?displayName=='$registration'].appId")
    if [ -n "$client" ]; then
        grep -qixF "$client" <<<"$known" || stop "--client-id: no app registration called \"$registration\" has it"
        there
    elif [ -n "$known" ]; then
        # Names belong to nobody.
        stop "there is an app registration called \"$registration\", and anybody may have made it; if it is yours: --client-id ${known//$'\n'/ or }"
    else
        client=$(make CLIENT ad app create --display-name "$registration" --sign-in-audience AzureADMyOrg --query appId)
        fresh=yes
    fi
    say "Its service principal: what roles and permissions are given to. Its object id is not the registration's."
    principal=$(look '' ad sp list --filter "appId eq '$client'" --query '[].id')
    if [ -n "$principal" ]; then there; else
        principal=$(make IDENTITY ad sp create --id "$client" --query id)
        fresh=yes
    fi
fi

if [ -n "$issuer" ]; then
    say "Kubernetes: tokens that the cluster gives to the service account $account are taken for this identity, and no others."
    subject=system:serviceaccount:$account
    # One for each cluster: of a managed identity, another one of the same name would take its place.
    name=${account//[:.]/-}
    name=${name:0:100}-$(printf %s "$issuer $subject" | sha256sum | cut -c 1-12)
    is_it="[?issuer=='$issuer' && subject=='$subject'].name"
    if [ -n "$managed" ]; then
        of=(--identity-name "$managed" --resource-group "$group")
        found=$(look '' identity federated-credential list "${of[@]}" --query "$is_it")
        if [ -n "$found" ]; then there; else
            make '' identity federated-credential create --name "$name" "${of[@]}" --issuer "$issuer" \
                --subject "$subject" --audiences api://AzureADTokenExchange --query name >/dev/null
        fi
    else
        found=$(look '' ad app federated-credential list --id "$client" --query "$is_it")
        if [ -n "$found" ]; then there; else
            make '' ad app federated-credential create --id "$client" --query name --parameters \
                "{\"name\":\"$name\",\"issuer\":\"$issuer\",\"subject\":\"$subject\",\"audiences\":[\"api://AzureADTokenExchange\"]}" >/dev/null
        fi
    fi
fi

# 3. The secret.

say "The role Key Vault Secrets Officer on the secret $secret and no other: to read and write its versions and their tags.
# (Whether Azure takes a role on a secret before it is there, is not known. If it does not, make it first, with nothing in it:
# az keyvault secret set --vault-name $vault --name $secret --value none --disabled true)"
role='Key Vault Secrets Officer'
found=$(look '' role assignment list --scope "$scope" --role "$role" --query "[?principalId=='$principal'].id")
if [ -n "$found" ]; then there; else
    make '' role assignment create --scope "$scope" --role "$role" --assignee-object-id "$principal" \
        --assignee-principal-type ServicePrincipal --query id >/dev/null
fi

# 4. Microsoft Graph.

say "Microsoft Graph of this cloud, and its service principal in this tenant, whose permissions are given out."
graph=$(look https://graph.microsoft.com/ cloud show --query endpoints.microsoftGraphResourceId)
graph=${graph%/}/v1.0
itself=(ad sp show --id 00000003-0000-0000-c000-000000000000)
resource=$(look GRAPH "${itself[@]}" --query id)

if [ -n "$wide" ]; then
    permission=Synchronization.ReadWrite.All
    say "Synchronization.ReadWrite.All: to tend the provisioning of every application of the tenant."
else
    permission=Application.ReadWrite.OwnedBy
    say "Application.ReadWrite.OwnedBy: to change what it owns, and nothing else in the tenant. (It may also make applications of its own.)"
fi
granted=$(look PERMISSION "${itself[@]}" --query "appRoles[?value=='$permission'].id")
[ -n "$granted" ] || stop "Microsoft Graph knows no $permission in this cloud"
grants=$graph/servicePrincipals/$principal/appRoleAssignments
found=$(look '' rest --method GET --url "$grants" --query "value[?resourceId=='$resource' && appRoleId=='$granted'].id")
if [ -n "$found" ]; then there; else
    make '' rest --method POST --url "$grants" --headers Content-Type=application/json --query id --body \
        "{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$granted\"}" >/dev/null
fi

if [ -z "$wide" ]; then
    say "What it owns: the enterprise application $application (the service principal; owning the app registration would not do)."
    owners=$graph/servicePrincipals/$application/owners
    found=$(look '' rest --method GET --url "$owners" --query "value[?id=='$principal'].id")
    if [ -n "$found" ]; then there; else
        make '' rest --method POST --url "$owners/\$ref" --headers Content-Type=application/json --body \
            "{\"@odata.id\":\"$graph/directoryObjects/$principal\"}" >/dev/null
    fi
fi

# What goes into the configuration.

say "A grant may take ten minutes at the vault and an hour at Graph to show: scim-rotator doctor tells. The configuration:"
{
    echo "#   [azure]"
    case "${issuer:+k}${managed:+m}${registration:+r}" in
    k*) echo "#   credential = { kind = \"workload-identity\" }         # and the client id at the service account: $client" ;;
    m) echo "#   credential = { kind = \"managed-identity\", client_id = \"$client\" }   # and give it to the machine or container" ;;
    r)
        echo "#   credential = { kind = \"client-certificate\", client_id = \"$client\", tenant_id = …, certificate_file = … }"
        echo "#   which the registration must know: az ad app credential reset --id $client --append --cert @certificate.pem"
        ;;
    *) echo "#   credential = …                                      # whatever $principal is" ;;
    esac
    echo "#   [[connections]]"
    echo "#   vault = { url = \"${url%/}\", secret = \"$secret\" }"
    [ -n "$wide" ] || echo "#   entra = { service_principal_id = \"$application\", … }"
    [ -z "$registration" ] || echo "# To run this again: --client-id $client, so that it is this registration and no other of its name."
} >&3
