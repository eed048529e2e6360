//! A service provider for MPay, the payment platform of the Moldovan government, as one
//! WebAssembly component for Spin: it answers MPay's two SOAP calls, keeps orders and payments in
//! the platform's key-value store, and gives the institution's own system a JSON API.

pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod current;
pub mod health;
mod limit;
#[cfg(feature = "simulation")]
pub mod log;
#[cfg(not(feature = "simulation"))]
mod log;
pub mod notify;
pub mod platform;
pub mod probe;
pub mod service;
pub mod soap;
pub mod store;

pub use mpay_ledger::{digest, domain, json};

#[cfg(all(target_arch = "wasm32", not(feature = "library")))]
mod entry;
#[cfg(target_arch = "wasm32")]
pub mod spin;
