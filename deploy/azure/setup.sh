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
  --principal ID                                   what exists already, by its object id: a virtual machine's own identity, say
and of the first two, in a Kubernetes cluster with workload identity
  --kubernetes URL                                 the cluster's OIDC issuer
  --service-account NAMESPACE:NAME                 whose tokens are good (scim-rotator:scim-rotator)

WHAT it may do
  --vault NAME, --secret NAME                      read and write this one secret
  --application ID                                 tend the provisioning of this enterprise application (its object id)
  --wide                                           of every application of the tenant in place of that one

  --dry-run                                        print every command, with why, and run none

Log in before (az login), as somebody who may assign roles at the vault (Role Based Access Control Administrator), grant
permissions of Graph (Privileged Role Administrator), and own or administer the enterprise application.
END
}

refuse() {
    printf 'setup.sh: %s (--help says more)\n' "$1" >&2
    exit 64
}

# The arguments.

dry_run='' wide='' managed='' group='' registration='' principal='' issuer='' account='scim-rotator:scim-rotator'
vault='' secret='' application=''
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry_run=yes ;;
    --wide) wide=yes ;;
    --help) usage && exit ;;
    --managed-identity | --resource-group | --app-registration | --principal | --kubernetes | --service-account | --vault | --secret | --application)
        [ $# -gt 1 ] || refuse "$1 wants a value"
        case $1 in
        --managed-identity) managed=$2 ;;
        --resource-group) group=$2 ;;
        --app-registration) registration=$2 ;;
        --principal) principal=$2 ;;
        --kubernetes) issuer=$2 ;;
        --service-account) account=$2 ;;
        --vault) vault=$2 ;;
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
must_be --vault "$vault" '[0-9A-Za-z-]{3,24}' 'the name of a vault'
must_be --secret "$secret" '[0-9A-Za-z-]{1,127}' 'the name of a secret'
must_be --service-account "$account" '[a-z0-9-]+:[a-z0-9.-]+' 'NAMESPACE:NAME'
if [ -n "$issuer" ]; then
    [ -z "$principal" ] || refuse '--kubernetes wants --managed-identity or --app-registration: what it is to be federated with'
    must_be --kubernetes "$issuer" 'https://[0-9A-Za-z./_-]+' 'a URL with https'
fi
if [ -n "$wide" ]; then
    [ -z "$application" ] || refuse '--wide is for every application: leave --application away'
else
    must_be --application "$application" "$uuid" 'the object id of an enterprise application'
fi
principal=${principal,,} application=${application,,}

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

# look STAND-IN ARGUMENTS asks for what is there; by lists, since a list of nothing is no failure. A dry run takes the stand-in.
look() {
    if [ -n "$dry_run" ]; then
        show "${@:2}" --output tsv
        printf '%s\n' "$1"
    else
        az "${@:2}" --output tsv
    fi
}

# make STAND-IN ARGUMENTS makes what is not there.
make() {
    show "${@:2}" --output tsv
    if [ -n "$dry_run" ]; then printf '%s\n' "$1"; else az "${@:2}" --output tsv --only-show-errors; fi
}

there() {
    printf '  is there already\n' >&3
}
trap '[ $? -eq 0 ] || echo "setup.sh: stopped there. What was done before stands: mend that, and run this again (a principal that was just made may take a minute to be known everywhere)" >&2' EXIT

if [ -n "$dry_run" ]; then
    say "Nothing is run. IDENTITY, CLIENT, VAULT, GRAPH and PERMISSION stand for ids that the commands before them answer with."
fi

# 1. Who the daemon is.

if [ -n "$managed" ]; then
    say "Who the daemon is: the managed identity $managed. Azure keeps its key, so there is no secret that could leak or end."
    it=(--name "$managed" --resource-group "$group")
    principal=$(look '' identity list --resource-group "$group" --query "[?name=='$managed'].principalId")
    if [ -n "$principal" ]; then there; else principal=$(make IDENTITY identity create "${it[@]}" --query principalId); fi
    client=$(look CLIENT identity show "${it[@]}" --query clientId)
elif [ -n "$registration" ]; then
    say "Who the daemon is: the app registration $registration, of this tenant alone."
    client=$(look '' ad app list --display-name "$registration" --query "[?displayName=='$registration'].appId")
    [ "$(wc -w <<<"$client")" -le 1 ] || refuse "--app-registration: there is more than one of that name"
    if [ -n "$client" ]; then there; else
        client=$(make CLIENT ad app create --display-name "$registration" --sign-in-audience AzureADMyOrg --query appId)
    fi
    say "Its service principal: what roles and permissions are given to. Its object id is not the registration's."
    principal=$(look '' ad sp list --filter "appId eq '$client'" --query '[].id')
    if [ -n "$principal" ]; then there; else principal=$(make IDENTITY ad sp create --id "$client" --query id); fi
fi

if [ -n "$issuer" ]; then
    say "Kubernetes: tokens that the cluster gives to the service account $account are taken for this identity, and no others."
    subject=system:serviceaccount:$account
    is_it="[?issuer=='$issuer' && subject=='$subject'].name"
    if [ -n "$managed" ]; then
        of=(--identity-name "$managed" --resource-group "$group")
        found=$(look '' identity federated-credential list "${of[@]}" --query "$is_it")
        if [ -n "$found" ]; then there; else
            make '' identity federated-credential create --name "${account/:/-}" "${of[@]}" --issuer "$issuer" \
                --subject "$subject" --audiences api://AzureADTokenExchange --query name >/dev/null
        fi
    else
        found=$(look '' ad app federated-credential list --id "$client" --query "$is_it")
        if [ -n "$found" ]; then there; else
            make '' ad app federated-credential create --id "$client" --query name --parameters \
                "{\"name\":\"${account/:/-}\",\"issuer\":\"$issuer\",\"subject\":\"$subject\",\"audiences\":[\"api://AzureADTokenExchange\"]}" >/dev/null
        fi
    fi
fi

# 2. The secret.

say "The vault must go by roles. One that goes by access policies knows no single secrets."
by_roles=$(look true keyvault show --name "$vault" --query properties.enableRbacAuthorization)
if [ "${by_roles,,}" != true ]; then
    echo "setup.sh: the vault $vault goes by access policies; either: az keyvault update --name $vault --enable-rbac-authorization true" \
        "(which ends all access by policies), or: az keyvault set-policy --name $vault --object-id $principal --secret-permissions" \
        "get list set (for all secrets of the vault)" >&2
    exit 1
fi
say "The role Key Vault Secrets Officer on the secret $secret and no other: to read and write its versions and their tags."
scope=$(look VAULT keyvault show --name "$vault" --query id)/secrets/$secret
url=$(look "https://$vault.vault.azure.net/" keyvault show --name "$vault" --query properties.vaultUri)
role='Key Vault Secrets Officer'
found=$(look '' role assignment list --scope "$scope" --role "$role" --query "[?principalId=='$principal'].id")
if [ -n "$found" ]; then there; else
    make '' role assignment create --scope "$scope" --role "$role" --assignee-object-id "$principal" \
        --assignee-principal-type ServicePrincipal --query id >/dev/null
fi

# 3. Microsoft Graph.

say "Microsoft Graph of this cloud, and its service principal in this tenant, whose permissions are given out."
graph=$(look https://graph.microsoft.com/ cloud show --query endpoints.microsoftGraphResourceId)
graph=${graph%/}/v1.0
itself=(ad sp show --id 00000003-0000-0000-c000-000000000000)
resource=$(look GRAPH "${itself[@]}" --query id)

if [ -n "$wide" ]; then
    say "Synchronization.ReadWrite.All: to tend the provisioning of every application of the tenant."
    permission=Synchronization.ReadWrite.All
else
    say "Application.ReadWrite.OwnedBy: to change what it owns, and nothing else in the tenant. (It may also make applications of its own.)"
    permission=Application.ReadWrite.OwnedBy
fi
permission=$(look PERMISSION "${itself[@]}" --query "appRoles[?value=='$permission'].id")
grants=$graph/servicePrincipals/$principal/appRoleAssignments
found=$(look '' rest --method GET --url "$grants" --query "value[?resourceId=='$resource' && appRoleId=='$permission'].id")
if [ -n "$found" ]; then there; else
    make '' rest --method POST --url "$grants" --headers Content-Type=application/json --query id --body \
        "{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$permission\"}" >/dev/null
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
} >&3
