//! Which connection speaks for which issuer tenant, so that no two rotate each other's token away.
//!
//! Only the issuer's bearer tells the tenant. So every connection introduces itself at its first look, and none issues
//! before all others of the process have at least tried to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Shared by all connections of a process.
#[derive(Debug, Default)]
pub struct Tenants(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Connections that have not tried to introduce themselves yet.
    expected: BTreeSet<String>,
    /// Who claims which tenant.
    claims: BTreeMap<String, Vec<String>>,
    /// The tenants that a connection claims: more than one, once it has come to another.
    tenants: BTreeMap<String, Vec<String>>,
}

impl Tenants {
    /// A connection is going to introduce itself.
    pub fn expect(&self, connection: &str) {
        self.with(|state| state.expected.insert(connection.to_owned()));
    }

    /// A connection has tried to learn its tenant, and has perhaps learnt it.
    pub fn introduce(&self, connection: &str, tenant: Option<&str>) {
        self.with(|state| {
            state.expected.remove(connection);
            if let Some(tenant) = tenant {
                add(state.claims.entry(tenant.to_owned()).or_default(), connection);
                add(state.tenants.entry(connection.to_owned()).or_default(), tenant);
            }
        });
    }

    /// Whether some connection has yet to try.
    pub fn is_incomplete(&self) -> bool {
        self.with(|state| !state.expected.is_empty())
    }

    /// Another connection that claims the same tenant as this one; then neither may rotate.
    pub fn rival_of(&self, connection: &str) -> Option<String> {
        self.with(|state| {
            let claimants = state.tenants.get(connection)?.iter().filter_map(|tenant| state.claims.get(tenant));
            claimants.flatten().find(|name| *name != connection).cloned()
        })
    }

    /// A connection is no longer tended.
    pub fn release(&self, connection: &str) {
        self.with(|state| {
            state.expected.remove(connection);
            for tenant in state.tenants.remove(connection).unwrap_or_default() {
                if let Some(claimants) = state.claims.get_mut(&tenant) {
                    claimants.retain(|name| name != connection);
                    if claimants.is_empty() {
                        state.claims.remove(&tenant);
                    }
                }
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Once. Nearly always it is the only one, for which a set would be large.
fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.reserve_exact(1);
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_connections_of_one_tenant_are_both_refused_until_one_is_gone() {
        let tenants = Tenants::default();
        tenants.introduce("a", Some("t"));
        assert_eq!(tenants.rival_of("a"), None);
        tenants.introduce("b", Some("t"));
        assert_eq!(tenants.rival_of("a"), Some("b".to_owned()));
        assert_eq!(tenants.rival_of("b"), Some("a".to_owned()));
        tenants.introduce("c", Some("u"));
        assert_eq!(tenants.rival_of("c"), None);
        tenants.release("b");
        assert_eq!(tenants.rival_of("a"), None);
    }

    #[test]
    fn it_is_incomplete_until_everybody_has_tried_or_is_gone() {
        let tenants = Tenants::default();
        tenants.expect("a");
        tenants.expect("b");
        tenants.introduce("a", Some("t"));
        assert!(tenants.is_incomplete());
        tenants.introduce("b", None);
        assert!(!tenants.is_incomplete());
        tenants.expect("c");
        tenants.release("c");
        assert!(!tenants.is_incomplete());
    }

    #[test]
    fn whoever_has_come_to_another_tenant_shares_that_one_as_well() {
        let tenants = Tenants::default();
        for (name, tenant) in [("a", "t"), ("a", "u"), ("b", "u")] {
            tenants.introduce(name, Some(tenant));
        }
        assert_eq!(tenants.rival_of("a"), Some("b".to_owned()));
        assert_eq!(tenants.rival_of("b"), Some("a".to_owned()));
    }
}
