//! WS-Security X.509 signatures for SOAP 1.1: bytes, a policy and a time in, verified data out;
//! and the other way, a body in, a signed message out.
//!
//! A received message is read in two steps. [`Envelope::parse`] reads it into a tree and trusts
//! nothing; [`Envelope::verify`] checks signature, timestamp and signer and gives a [`Verified`],
//! the only way to the message's content. There is no answer "valid: true" that could be looked
//! at apart from the data it is about, so there is nothing a wrapped message could slip between.
//!
//! ```
//! use std::time::Duration;
//! use wsse::{Algorithms, Certificate, Envelope, Policy, Signer, Trust, Writer};
//!
//! # let key = include_str!("../tests/data/service.key.pem");
//! # let certificate = include_str!("../tests/data/service.pem");
//! # let now: jiff::Timestamp = "2026-06-01T10:00:00Z".parse()?;
//! let signer = Signer::from_pem(key, certificate)?;
//! let mut body = Writer::new();
//! body.start_in("Ping", "urn:example");
//! body.element("Text", "hello");
//! body.end();
//! let message = signer.sign(&body.finish(), Algorithms::SHA256, now, Duration::from_secs(300))?;
//!
//! let policy = Policy {
//!     trust: Trust::pinned(Certificate::bundle_from_pem(certificate)?),
//!     accept_sha1: false,
//!     clock_skew: Duration::from_secs(120),
//!     max_age: Duration::from_secs(1800),
//! };
//! let verified = Envelope::parse(message.as_bytes())?.verify(&policy, now)?;
//! let ping = verified.body().children().next().ok_or("an empty body")?;
//! assert!(ping.is("urn:example", "Ping"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Trust is configuration: [`Trust`] pins certificates, or names authorities and the signers that they
//! are trusted for. The README lists the parts of WS-Security and XML Signature that are accepted;
//! [`SecurityError`] has a variant for each refusal.
//!
//! The crate has no clock, no randomness and no I/O: time and keys are arguments. Its only state is the
//! choice of the fastest RSA engine that is right on this host, made once.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![forbid(unsafe_code)]

mod algorithms;
#[allow(
    clippy::indexing_slicing,
    reason = "numbers of nodes and names are made with their tables, which only grow"
)]
mod c14n;
mod certificate;
mod chain;
mod datetime;
mod distinguished_name;
mod envelope;
mod link;
pub mod names;
mod pem;
mod policy;
#[cfg(feature = "sign")]
mod sign;
#[cfg(feature = "simulation")]
pub mod simulation;
mod verify;
mod write;
#[allow(
    clippy::indexing_slicing,
    reason = "numbers of nodes and names are made with their tables, which only grow"
)]
mod xml;

pub use algorithms::{Algorithms, Hash};
pub use c14n::{exclusive_c14n, inclusive_c14n, inclusive_c14n11};
pub use certificate::{Certificate, CertificateError};
pub use chain::ChainError;
pub use envelope::{Envelope, EnvelopeError};
/// The arithmetic that computes RSA on this host: shown, and reported where it fails.
pub use rsa_fma::Engine as RsaEngine;

pub use pem::{PemBlock, PemError, pem_blocks};
pub use policy::{Policy, Trust, TrustError};
#[cfg(feature = "sign")]
pub use sign::{Signer, SignerError};
pub use verify::{SecurityError, Verified};
pub use write::{Content, Writer, escaped_attribute, escaped_text};
pub use xml::{Document, Element, Malformed, XmlError};

/// The README's example is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
