//! Which connection speaks for which issuer tenant, so that no two rotate each other's token away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Shared by all connections of a process.
#[derive(Debug, Default)]
pub struct Tenants(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Tenants {
    /// Claims `tenant` for `connection`. The error names another connection that claims it too; then neither may rotate.
    pub fn claim(&self, tenant: &str, connection: &str) -> Result<(), String> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claimants = tenants.entry(tenant.to_owned()).or_default();
        claimants.insert(connection.to_owned());
        claimants.iter().find(|name| *name != connection).cloned().map_or(Ok(()), Err)
    }

    /// A connection is no longer tended.
    pub fn release(&self, connection: &str) {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for claimants in tenants.values_mut() {
            claimants.remove(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_connections_of_one_tenant_are_both_refused_until_one_is_gone() {
        let tenants = Tenants::default();
        assert_eq!(tenants.claim("t", "a"), Ok(()));
        assert_eq!(tenants.claim("t", "b"), Err("a".to_owned()));
        assert_eq!(tenants.claim("t", "a"), Err("b".to_owned()));
        tenants.release("b");
        assert_eq!(tenants.claim("t", "a"), Ok(()));
    }
}
