//! The simulator: the provider on several hosts over one store, with everything that goes wrong, in
//! one thread, without real time, and decided by one seed.
//!
//! Read in this order:
//!
//! 1. `executor`: futures in virtual time; `random`; `hashing`, why a seed decides really
//!    everything; `clock`: what hosts take for the time.
//! 2. `engine`: what the store does, and how it fails; `world`: hosts, requests, and each call of
//!    the store on its way; `platform`: the provider's own trait over that; `audit`: whether the
//!    store keeps its promises.
//! 3. `profile`: what a run is mostly about. The actors: `mpay`, `office` (people and programs), `cards` (the
//!    gateway, payers at it, and who takes and gives back), `readers`, `webhook`, `chaos` (what befalls
//!    hosts). What they ask and are answered is in `history`.
//! 4. `model`: what an order is; `oracle`: everything compared at the end; `recovery`: how long
//!    the dead hold up the living; `run`: all of it.

pub mod audit;
pub mod cards;
pub mod chaos;
pub mod client;
pub mod clock;
pub mod configuration;
pub mod engine;
pub mod executor;
mod hashing;
pub mod history;
pub mod log;
pub mod model;
pub mod mpay;
pub mod office;
pub mod oracle;
pub mod platform;
pub mod profile;
pub mod random;
pub mod readers;
pub mod recovery;
pub mod run;
pub mod trace;
pub mod webhook;
pub mod world;

pub use run::{Plan, Report, run};
