//! The simulator runs the provider on several hosts over one store, with every kind of fault, in one
//! thread and in virtual time. One seed decides the whole run.
//!
//! Read in this order:
//!
//! 1. `executor`: futures in virtual time; `random`; `hashing`: the reason why a seed decides everything;
//!    `clock`: the wall clocks of hosts.
//! 2. `engine`: the store and its faults; `world`: hosts, requests, and each call of the store on its
//!    way; `platform`: the provider's own traits over that; `audit`: the check that the store keeps its
//!    guarantees.
//! 3. `profile`: the main subject of a run. The actors: `mpay`, `office` (people and programs), `cards`
//!    (the gateway, its payers, and people who take and give back), `readers`, `webhook`, `chaos`
//!    (accidents of hosts). Their requests and answers are in `history`.
//! 4. `model`: a model of an order; `oracle`: the comparison at the end; `recovery`: the time for which
//!    dead hosts hold up the living; `run`: a whole run.

pub mod audit;
pub mod cards;
pub mod chaos;
pub mod client;
pub mod clock;
pub mod configuration;
pub mod cursor;
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
