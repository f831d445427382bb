//! The rows against the face in memory.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;

use super::far_side::{self, FarSide, Terms};
use crate::sim::{Face, FaceOptions};
use crate::world::{Settings, World};

#[path = "rows/answer.rs"]
mod answer;
#[path = "rows/issuer.rs"]
mod issuer;
#[path = "rows/job.rs"]
mod job;
#[path = "rows/probe.rs"]
mod probe;
#[path = "rows/saved.rs"]
mod saved;
#[path = "rows/vault.rs"]
mod vault;

/// A far side that begins with `settings`.
async fn begin(settings: Settings, terms: Terms) -> FarSide {
    let world = Arc::new(Mutex::new(World::new(settings)));
    let Terms { job_id, by_app_id: _, assumed_lifetime, patience: _ } = terms;
    let still = FaceOptions { latency: TimeDelta::zero(), timeout: TimeDelta::zero(), ..FaceOptions::default() };
    let face = Face::new(Arc::clone(&world), FaceOptions { job_id, assumed_lifetime, ..still });
    let ports = face.ports();
    FarSide {
        issuer: ports.issuer,
        vault: ports.vault,
        provisioner: ports.provisioner,
        probe: ports.probe,
        behind: world,
        held: Box::new(()),
    }
}
