//! The native command `mpay`: hosts the component on a bare machine, and plays MPay against any
//! provider.

pub mod client;
pub mod component;
pub mod conform;
pub mod development;
pub mod dotenv;
pub mod host;
pub mod offline;
pub mod roles;
pub mod up;
