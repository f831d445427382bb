//! How the process shows itself to the machine it runs on.

pub mod lock;
pub mod service_manager;
