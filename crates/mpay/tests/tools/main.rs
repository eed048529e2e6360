//! The commands for those who build and run a provider, as a person runs them.

mod archive;
mod bench;
mod connect;
mod doctor_folder;
mod doctor_provider;
mod keys;
mod messages;
mod orders;
mod provider;
mod stop;
mod support;
mod terminal;
mod verify;
