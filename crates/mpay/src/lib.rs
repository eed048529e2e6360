//! The native command `mpay`: hosts the component on a bare machine, and plays MPay against any
//! provider.
//!
//! The work is done in libraries: [`mpay_host`] serves a component as Spin would, [`mpay_client`] is
//! MPay's side of a call, [`mpay_offline`] its pages for payers, [`mpay_gateway`] the card gateway,
//! [`mpay_conform`] the functional test. Here are the command's arguments and its output, a file or
//! folder for each command, and the parts that several commands or the tests need:
//!
//! | module | what |
//! | --- | --- |
//! | [`up`] | `mpay up`: puts the parts below together |
//! | [`component`] | builds the component, where there are sources |
//! | [`development`] | keys, certificates and a token for a developer's machine |
//! | [`refusals`] | what the host answers in the component's place |
//! | [`roles`] | the flags that say who MPay and the provider are |
//! | [`say`] | what is printed, whoever may have stopped reading |
//! | [`schedule`] | the calls of the order API that are cron's elsewhere |
//! | [`state`] | the folder of the data: who is at work in it, and how to begin anew |
//! | [`text`] | files of text, and of keys, as people's programs save them |
//! | [`offline`], [`gateway`], [`conform`] | the arguments of these commands |
//!
//! ```no_run
//! # async fn serve() -> anyhow::Result<()> {
//! use mpay::{component, refusals};
//!
//! let workspace = component::workspace_root().expect("within the workspace");
//! let mut options = mpay_host::Options::new(workspace.join("spin.toml"));
//! options.components = Some(component::build(&workspace, false)?);
//! refusals::as_component(&mut options);
//! let server = mpay_host::Server::start(options).await?;
//! println!("serving {}", server.url());
//! # server.stop().await
//! # }
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

pub mod component;
pub mod conform;
pub mod development;
pub mod gateway;
pub mod offline;
pub mod refusals;
pub mod roles;
pub mod say;
pub mod schedule;
pub mod state;
pub mod text;
pub mod up;
