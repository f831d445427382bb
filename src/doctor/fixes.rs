//! What mends a hop: commands to paste, and where to click. Pure text; every value in it is an id or a host of the
//! configuration or of a bearer's claims, checked to be one.

use url::Url;
use uuid::Uuid;

use crate::domain::PrincipalId;
use crate::domain::claims::Claims;

pub(super) const CLOCK: &str =
    "sudo timedatectl set-ntp true   # then: timedatectl timesync-status, or chronyc tracking";

pub(super) const CLIENT_ROLE: &str = "HPE GreenLake → User Management → the API client (or whoever the bearer speaks for) → Actions → Create Assignment: role \
     \"SCIM Proxy Token Contributor\", space \"All Resources\", scope \"greenlake.service.user\"";

pub(super) const MAPPING: &str = "Entra admin center → Enterprise applications → the application → Provisioning → Mappings → Provision Microsoft Entra ID \
     Users → Target Object Actions: untick Update (HPE's endpoint updates no user)";

pub(super) const TENANT_URL: &str = "correct entra.tenant_url in the configuration, or Entra admin center → Enterprise applications → the application → \
     Provisioning → Edit → Admin Credentials → Tenant URL";

pub(super) fn name(host: &str) -> String {
    format!("getent ahosts {host}")
}

pub(super) fn port((host, port): (&str, u16)) -> String {
    format!("timeout 5 bash -c '</dev/tcp/{host}/{port}' && echo open")
}

/// Shows who signs what answers there, by way of the proxy where there is one.
pub(super) fn chain((host, port): (&str, u16), proxy: Option<(&str, u16)>) -> String {
    let through = proxy.map(|(host, port)| format!("-proxy {host}:{port} ")).unwrap_or_default();
    format!(
        "openssl s_client {through}-connect {host}:{port} -servername {host} -showcerts </dev/null   # who signs it? A private CA goes \
         into http.ca_file"
    )
}

/// What lies below a service principal, quoted for a shell: an application id has quotes of its own.
fn below(graph: &Url, id: PrincipalId, rest: &str) -> String {
    let url = format!("{}/v1.0/{}/{rest}", graph.origin().ascii_serialization(), id.path());
    match id {
        PrincipalId::Object(_) => format!("'{url}'"),
        PrincipalId::Application(_) => format!("\"{}\"", url.replace('$', "\\$")),
    }
}

/// Gives the caller the permission of Graph that it needs. The ids of Graph and of its role are looked up.
pub(super) fn graph_role(graph: &Url, caller: Option<Uuid>) -> String {
    const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
    const ROLE: &str = "Application.ReadWrite.OwnedBy";
    let caller = object(caller);
    let url = graph.origin().ascii_serialization();
    format!(
        "az rest --method POST --url \"{url}/v1.0/servicePrincipals/{caller}/appRoleAssignments\" --headers \
         Content-Type=application/json --body \"{{\\\"principalId\\\":\\\"{caller}\\\",\\\"resourceId\\\":\\\"$(az ad sp show --id \
         {GRAPH} --query id -o tsv)\\\",\\\"appRoleId\\\":\\\"$(az ad sp show --id {GRAPH} --query \
         \"appRoles[?value=='{ROLE}'].id\" -o tsv)\\\"}}\"   # {ROLE}; an administrator's work, may take an hour"
    )
}

pub(super) fn owner(graph: &Url, service_principal: PrincipalId, caller: Option<Uuid>) -> String {
    let (owners, caller) = (below(graph, service_principal, "owners/$ref"), object(caller));
    let graph = graph.origin().ascii_serialization();
    format!(
        "az rest --method POST --url {owners} --headers Content-Type=application/json --body \
         '{{\"@odata.id\":\"{graph}/v1.0/directoryObjects/{caller}\"}}'"
    )
}

pub(super) fn find_principal() -> String {
    "az ad sp list --display-name \"HPE GreenLake\" --query \"[].{id:id,appId:appId,name:displayName}\" -o table   # id is what \
     service_principal_id wants"
        .to_owned()
}

pub(super) fn jobs(graph: &Url, service_principal: PrincipalId) -> String {
    let jobs = below(graph, service_principal, "synchronization/jobs");
    format!("az rest --url {jobs} --query \"value[].{{id:id,state:status.code}}\" -o table")
}

/// Makes the job go on from where it stopped. Only an id that a shell takes for a word is put in.
pub(super) fn start(graph: &Url, service_principal: PrincipalId, job: &str) -> String {
    let is_word = job.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let job = if is_word { job } else { "<id of the job>" };
    let start = below(graph, service_principal, &format!("synchronization/jobs/{job}/start"));
    format!("az rest --method POST --url {start}")
}

pub(super) fn assign(graph: &Url, service_principal: PrincipalId) -> String {
    let assigned = below(graph, service_principal, "appRoleAssignedTo");
    let own = match service_principal {
        PrincipalId::Object(id) => id.to_string(),
        PrincipalId::Application(_) => "<object id of the enterprise application>".to_owned(),
    };
    format!(
        "az rest --method POST --url {assigned} --headers Content-Type=application/json --body \
         '{{\"principalId\":\"<object id of the group>\",\"resourceId\":\"{own}\",\"appRoleId\":\"<id of its role, or \
         00000000-0000-0000-0000-000000000000 where it has none>\"}}'\nor Entra admin center → Enterprise applications → the \
         application → Users and groups → Add user/group"
    )
}

pub(super) fn vault_role(vault: &Url, secret: &str, claims: Option<&Claims>) -> String {
    let caller = object(claims.and_then(|claims| claims.object_id));
    let kind = if claims.is_some_and(Claims::is_delegated) { "User" } else { "ServicePrincipal" };
    let vault = vault_name(vault);
    let scope = format!("\"$(az keyvault show --name {vault} --query id -o tsv)/secrets/{secret}\"");
    format!(
        "az role assignment create --role \"Key Vault Secrets Officer\" --assignee-object-id {caller} \
         --assignee-principal-type {kind} --scope {scope}   # may take ten minutes"
    )
}

/// Shows which roles the caller has there, from wherever it inherits them.
pub(super) fn vault_roles(vault: &Url, secret: &str, claims: Option<&Claims>) -> String {
    let (caller, vault) = (object(claims.and_then(|claims| claims.object_id)), vault_name(vault));
    format!(
        "az role assignment list --assignee {caller} --include-inherited --scope \"$(az keyvault show --name {vault} --query id -o \
         tsv)/secrets/{secret}\" --query \"[].roleDefinitionName\" -o tsv   # one that lets it write must be among them; if none is:"
    )
}

pub(super) fn vault_firewall(vault: &Url) -> String {
    let vault = vault_name(vault);
    format!(
        "az keyvault network-rule add --name {vault} --ip-address <this machine's public address>   # or use the vault's \
         private endpoint"
    )
}

fn vault_name(vault: &Url) -> &str {
    vault.host_str().unwrap_or_default().split('.').next().unwrap_or_default()
}

fn object(id: Option<Uuid>) -> String {
    id.map_or_else(|| "<object id of the daemon's identity>".to_owned(), |id| id.to_string())
}
