//! x
/// x
pub enum Decision {}
/// x
pub enum Facts {}
/// x
pub enum Question {}
