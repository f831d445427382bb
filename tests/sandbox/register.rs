//! Which world a request is about, by what it names: so that one of ten thousand is found as fast as one of two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::world::World;

/// The first world for everything that a request may name. Settings may be turned while a world runs, so that whoever looks
/// something up makes sure of what he finds.
#[derive(Debug)]
pub struct Register(HashMap<String, usize>);

impl Register {
    /// Of these worlds, as they are set now.
    pub fn of(worlds: &[Arc<Mutex<World>>]) -> Self {
        let mut first = HashMap::new();
        for (number, world) in worlds.iter().enumerate() {
            let settings = &lock(world).settings;
            for name in [
                &settings.tenant,
                &settings.vault,
                &secret(&settings.vault, &settings.secret),
                &settings.service_principal,
                &settings.app_id,
                &settings.directory,
                &settings.azure_client_id,
            ] {
                first.entry(name.clone()).or_insert(number);
            }
        }
        Self(first)
    }

    /// The number of the world that had this name.
    pub fn look_up(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// What stands for a secret of a vault.
pub fn secret(vault: &str, secret: &str) -> String {
    format!("{vault}/{secret}")
}
