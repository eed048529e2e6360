//! The commands for those who build and run a provider, as a person runs them.

mod keys;
mod support;
