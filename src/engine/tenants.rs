//! Which connection speaks for which issuer tenant, so that no two rotate each other's token away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Shared by all connections of a process.
#[derive(Debug, Default)]
pub struct Tenants(Mutex<HashMap<String, String>>);

impl Tenants {
    /// Claims `tenant` for `connection`; the error names the connection that has it already.
    pub fn claim(&self, tenant: &str, connection: &str) -> Result<(), String> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = tenants.entry(tenant.to_owned()).or_insert_with(|| connection.to_owned());
        if owner == connection { Ok(()) } else { Err(owner.clone()) }
    }
}
