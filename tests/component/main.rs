//! The component itself, built for Wasm and served by the embedded host, over HTTP.

mod amounts;
mod api;
mod books;
mod browser;
mod bulk;
mod clients;
mod configuration;
mod details;
mod events;
mod evidence;
mod harness;
mod host;
mod keys;
mod life;
mod limits;
mod manual;
mod offline;
mod openapi;
mod payments;
mod personal_data;
#[path = "../../crates/wsse/tests/common/python.rs"]
mod python;
mod quickstarts;
mod receiver;
mod register;
mod requests;
mod reviews;
mod scale;
mod security;
mod settlement;
mod sharing;
mod size;
mod spreadsheets;
mod start;
mod transport;
mod webhook;
