//! `mpay keys show`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::material::{
    self, Certificate, Material, PrivateKey, Purpose, Request, bits, fingerprints,
};
use crate::{
    passphrase::Passphrase,
    terminal::{Mark, Page, print_json},
};

/// The time before its end from which a certificate is worth a warning.
const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The arguments of `mpay keys show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay keys show certificate.cer
  mpay keys show service.key.pem service.pem     do they belong together?
  mpay keys show delivered.p12 --json

Exit status: 0, or 1 if a key and a certificate that are shown together do not belong together.")]
pub struct Arguments {
    /// Files with keys, certificates or requests: PEM, DER or PKCS#12.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    file: String,
    #[serde(flatten)]
    item: Item,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Item {
    PrivateKey {
        format: &'static str,
        encrypted: bool,
        key_bits: u32,
    },
    Certificate {
        subject: String,
        issuer: String,
        serial_number: String,
        not_before: Timestamp,
        not_after: Timestamp,
        purpose: &'static str,
        host_names: Vec<String>,
        /// Absent where the key is not RSA.
        key_bits: Option<u32>,
        subject_key_identifier: String,
        subject_key_identifier_named: bool,
        sha1: String,
        sha256: String,
    },
    Request {
        subject: String,
        key_bits: Option<u32>,
    },
}

#[derive(Serialize)]
struct Report {
    items: Vec<Shown>,
    /// True if every private key has its certificate or request here; absent where one of both sides is
    /// missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    belong_together: Option<bool>,
}

/// Shows it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut all = Material::default();
    let mut items = Vec::new();
    for file in &arguments.files {
        let material = material::read(file, &arguments.passphrase)?;
        let name = file.display().to_string();
        let keys = material.keys.iter().map(Item::of_key);
        let certificates = material.certificates.iter().map(Item::of_certificate);
        let requests = material.requests.iter().map(Item::of_request);
        items.extend(keys.chain(certificates).chain(requests).map(|item| Shown {
            file: name.clone(),
            item,
        }));
        all.keys.extend(material.keys);
        all.certificates.extend(material.certificates);
        all.requests.extend(material.requests);
    }
    let belong_together = belong_together(&all);
    let code = match belong_together {
        Some(false) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    let report = Report {
        items,
        belong_together,
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        report.page(Timestamp::now()).print()?;
    }
    Ok(code)
}

fn belong_together(all: &Material) -> Option<bool> {
    if all.keys.is_empty() || (all.certificates.is_empty() && all.requests.is_empty()) {
        return None;
    }
    Some(all.keys.iter().all(|PrivateKey { key, .. }| {
        let public = Some(key.as_public_key());
        let certified = all.certificates.iter().any(|c| c.is_of(key));
        let requested = |request: &Request| request.public_key().as_ref() == public;
        certified || all.requests.iter().any(requested)
    }))
}

impl Item {
    fn of_key(key: &PrivateKey) -> Item {
        Item::PrivateKey {
            format: key.format,
            encrypted: key.encrypted,
            key_bits: bits(&key.key),
        }
    }

    fn of_certificate(certificate: &Certificate) -> Item {
        let (not_before, not_after) = certificate.validity();
        let (sha1, sha256) = fingerprints(&certificate.der);
        let (identifier, named) = certificate.key_identifier();
        Item::Certificate {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            serial_number: certificate.serial_number(),
            not_before,
            not_after,
            purpose: match certificate.purpose() {
                Purpose::Authority => "authority",
                Purpose::Server => "web server (TLS)",
                Purpose::Other => "signer",
            },
            host_names: certificate.host_names(),
            key_bits: certificate.public_key().as_ref().map(bits),
            subject_key_identifier: identifier,
            subject_key_identifier_named: named,
            sha1,
            sha256,
        }
    }

    fn of_request(request: &Request) -> Item {
        Item::Request {
            subject: request.subject(),
            key_bits: request.public_key().as_ref().map(bits),
        }
    }
}

impl Report {
    fn page(&self, now: Timestamp) -> Page {
        let mut page = Page::new();
        for Shown { file, item } in &self.items {
            page.gap();
            item.show(&mut page, file, now);
        }
        match self.belong_together {
            Some(true) => {
                page.gap();
                page.finding(
                    Mark::Ok,
                    "key and certificate, or request, belong together",
                    None,
                );
            }
            Some(false) => {
                page.gap();
                page.finding(
                    Mark::Wrong,
                    "the private key is of another certificate",
                    Some("Find the key that the request was made with: a certificate works with no other."),
                );
            }
            None => {}
        }
        page
    }
}

impl Item {
    fn show(&self, page: &mut Page, file: &str, now: Timestamp) {
        match self {
            Item::PrivateKey {
                format,
                encrypted,
                key_bits,
            } => {
                page.heading(format!("Private key in {file}"));
                page.field("Format", *format);
                let kept = match encrypted {
                    true => "yes",
                    false => "no: whoever can read the file can sign with it",
                };
                page.field("Encrypted", kept);
                page.field("Key", key_size(Some(*key_bits)));
            }
            Item::Certificate {
                subject,
                issuer,
                serial_number,
                not_before,
                not_after,
                purpose,
                host_names,
                key_bits,
                subject_key_identifier,
                subject_key_identifier_named,
                sha1,
                sha256,
            } => {
                page.heading(format!("Certificate in {file}"));
                page.field("Subject", subject);
                page.field("Issuer", issuer);
                page.field("Serial number", serial_number);
                page.field("Valid", validity(*not_before, *not_after, now));
                page.field("For", *purpose);
                if !host_names.is_empty() {
                    page.field("Host names", host_names.join(", "));
                }
                page.field("Key", key_size(*key_bits));
                let from = match subject_key_identifier_named {
                    true => "",
                    false => " (the certificate names none; this is what others make of its key)",
                };
                page.field("SKI", format!("{subject_key_identifier}{from}"));
                page.field("SHA-1", sha1);
                page.field("SHA-256", sha256);
            }
            Item::Request { subject, key_bits } => {
                page.heading(format!("Request in {file}"));
                page.field("Subject", subject);
                page.field("Key", key_size(*key_bits));
            }
        }
    }
}

fn validity(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> String {
    let days = |later: Timestamp, earlier: Timestamp| later.duration_since(earlier).as_hours() / 24;
    let state = if now < not_before {
        "NOT YET valid".to_owned()
    } else if now > not_after {
        format!("EXPIRED {} days ago", days(now, not_after))
    } else if not_after.duration_since(now) < NOTICE {
        format!(
            "expires in {} days: ask for the next one now",
            days(not_after, now)
        )
    } else {
        format!("for {} more days", days(not_after, now))
    };
    format!("{not_before} to {not_after}\n{state}")
}

fn key_size(bits: Option<u32>) -> String {
    match bits {
        Some(bits) if bits < 2048 => format!("RSA, {bits} bits: too short, 2048 are required"),
        Some(bits) => format!("RSA, {bits} bits"),
        None => "not RSA, which MPay asks for".to_owned(),
    }
}

/// Refuses what cannot be a system certificate, with the reason and what to look for instead.
pub fn check_system_certificate(certificate: &Certificate) -> anyhow::Result<()> {
    let subject = certificate.subject();
    match certificate.purpose() {
        Purpose::Authority => bail!(
            "the certificate of {subject} is an authority's, not a system's: choose the one whose key is yours"
        ),
        Purpose::Server | Purpose::Other => {}
    }
    match certificate.public_key() {
        None => bail!("the certificate of {subject} has no RSA key, which MPay asks for"),
        Some(key) if bits(&key) < 2048 => bail!(
            "the certificate of {subject} has a key of {} bits, and 2048 are required",
            bits(&key)
        ),
        Some(_) => Ok(()),
    }
}
