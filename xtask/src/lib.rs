//! The tasks of those who keep the project: `cargo xtask release` makes the archive that others run,
//! without Rust.
//!
//! | module | what |
//! | --- | --- |
//! | [`release`] | the command: builds, and puts the parts below together |
//! | [`cargo`] | builds that hold no path of the builder's; what a package is made of |
//! | [`manifest`] | `spin.toml` as it is in the archive |
//! | [`folder`] | the archive's folder |
//! | [`archive`] | the folder as one file, the same bytes each time; checksums |
//! | [`sbom`], [`notices`] | what is in it, by CycloneDX and by its licences |
//!
//! It knows nothing of the other packages, so that it is built in seconds.

pub mod archive;
pub mod cargo;
pub mod folder;
pub mod manifest;
pub mod notices;
pub mod release;
pub mod sbom;
