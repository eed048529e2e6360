//! The component itself, built for Wasm and served by the embedded host, over HTTP.

mod api;
mod browser;
mod clients;
mod configuration;
mod details;
mod evidence;
mod harness;
mod life;
mod offline;
mod payments;
mod requests;
mod security;
mod transport;
