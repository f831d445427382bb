//! Whose hosts are whose: the sandbox's own, and those of Microsoft's clouds. All lead to the one port here.

use crate::world::Service;

/// The hosts of one cloud.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// Entra's login.
    pub login: &'static str,
    /// Microsoft Graph.
    pub graph: &'static str,
    /// What the hosts of vaults end in.
    pub vault: &'static str,
}

/// The sandbox, public, us-gov, us-dod, china: as Microsoft documents them.
pub const CLOUDS: [Hosts; 5] = [
    Hosts { login: "login.sandbox.test", graph: "graph.sandbox.test", vault: "vault.sandbox.test" },
    Hosts { login: "login.microsoftonline.com", graph: "graph.microsoft.com", vault: "vault.azure.net" },
    Hosts { login: "login.microsoftonline.us", graph: "graph.microsoft.us", vault: "vault.usgovcloudapi.net" },
    Hosts { login: "login.microsoftonline.us", graph: "dod-graph.microsoft.us", vault: "vault.usgovcloudapi.net" },
    Hosts {
        login: "login.partner.microsoftonline.cn",
        graph: "microsoftgraph.chinacloudapi.cn",
        vault: "vault.azure.cn",
    },
];

/// The hosts of HPE, the sandbox's and the real ones.
const HPE: [&str; 2] = ["*.sandbox.test", "*.us1.greenlake-hpe.com"];

/// Who answers on a host of any cloud.
pub fn service_of(host: &str) -> Option<Service> {
    CLOUDS.iter().find_map(|cloud| match host {
        host if host == cloud.login => Some(Service::EntraLogin),
        host if host == cloud.graph => Some(Service::Graph),
        host if is_vault_of(cloud, host) => Some(Service::Vault),
        _ => None,
    })
}

/// The cloud of a vault's host.
pub fn of_vault(host: &str) -> Hosts {
    CLOUDS.into_iter().find(|cloud| is_vault_of(cloud, host)).unwrap_or(CLOUDS[0])
}

/// Whether this login gives tokens for that scope: each knows the services of its own cloud alone.
pub fn knows(login: &str, scope: &str) -> bool {
    let host = url::Url::parse(scope).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    CLOUDS.iter().any(|cloud| cloud.login == login && (cloud.graph == host || cloud.vault == host))
}

/// Every name that the one certificate is for: the sandbox's own, and those of the real services, for tests that call them
/// by name.
pub fn names() -> Vec<String> {
    let of = |cloud: &Hosts| [cloud.login.to_owned(), cloud.graph.to_owned(), format!("*.{}", cloud.vault)];
    let mut names: Vec<_> = CLOUDS.iter().flat_map(of).chain(HPE.map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

fn is_vault_of(cloud: &Hosts, host: &str) -> bool {
    host.strip_suffix(cloud.vault).is_some_and(|name| name.ends_with('.'))
}
