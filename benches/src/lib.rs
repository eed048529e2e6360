//! The measured steps of MPay's two calls, each a piece of work that can be repeated.
//!
//! The same list is measured natively by criterion (`cargo bench -p speed`), and in Wasm, natively and
//! beside the Python stacks in one run (`cargo run -p mpay --example speed`).

mod messages;
mod platform;
mod provider;
mod steps;

pub use messages::Messages;
pub use provider::Provider;
pub use steps::{Step, steps};
