//! Which connection speaks for which issuer tenant, so that no two rotate each other's token away.
//!
//! Only the issuer's bearer tells the tenant. So every connection introduces itself at its first look, and none issues
//! before all others of the process have at least tried to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by all connections of a process.
#[derive(Debug, Default)]
pub struct Tenants(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Connections that have not tried to introduce themselves yet.
    expected: BTreeSet<String>,
    /// Which tenant is claimed by whom: by more than one, where two speak for the same.
    claims: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Who claims which: more than one, once a connection has come to another.
    tenants: BTreeSet<(Arc<str>, Arc<str>)>,
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
                let (tenant, connection) = (Arc::<str>::from(tenant), Arc::<str>::from(connection));
                state.claims.insert((Arc::clone(&tenant), Arc::clone(&connection)));
                state.tenants.insert((connection, tenant));
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
            let claimants = of(&state.tenants, connection).flat_map(|(_, tenant)| of(&state.claims, tenant));
            let others = claimants.map(|(_, name)| &**name).filter(|name| *name != connection);
            others.map(str::to_owned).next()
        })
    }

    /// A connection is no longer tended.
    pub fn release(&self, connection: &str) {
        self.with(|state| {
            state.expected.remove(connection);
            let claimed: Vec<_> = of(&state.tenants, connection).cloned().collect();
            for (connection, tenant) in claimed {
                state.claims.remove(&(Arc::clone(&tenant), Arc::clone(&connection)));
                state.tenants.remove(&(connection, tenant));
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The pairs that begin with this.
fn of<'a>(pairs: &'a BTreeSet<(Arc<str>, Arc<str>)>, first: &'a str) -> impl Iterator<Item = &'a (Arc<str>, Arc<str>)> {
    let from = (Arc::<str>::from(first), Arc::<str>::from(""));
    pairs.range(from..).take_while(move |pair| &*pair.0 == first)
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
