//! The component itself, built for Wasm and served by the embedded host, over HTTP.

mod api;
mod bulk;
mod clients;
mod configuration;
mod details;
mod events;
mod evidence;
mod harness;
mod life;
mod manual;
mod payments;
mod register;
mod requests;
mod reviews;
mod security;
mod settlement;
mod transport;
