//! `mpay inspect`: what a message consists of, and whether it verifies.

use std::io::Read;
use std::time::Duration;
use std::{path::Path, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use mpay_domain::time;
use mpay_ledger::digest::sha256;
use serde::Serialize;
use wsse::{Certificate, Envelope, Policy, Trust};

use crate::{
    message::{Outline, short},
    terminal::{Mark, Page, print_json},
    trust::Signers,
};

/// The largest file that is read, in bytes: messages have at most 1 MB.
const MAX_FILE: u64 = 16 << 20;

/// The arguments of `mpay inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay inspect request.xml
  mpay inspect answer.xml --certificate service.pem
  curl … | mpay inspect - --certificate mpay.pem --at 2026-07-01T12:00:00+03:00

Exit status: 0; 1 if certificates are given and the message does not verify; 2 if it is no message.")]
pub struct Arguments {
    /// The message; `-` is standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    signers: Signers,
    /// The time for which it is judged [default: when it says that it was made].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Refuse SHA-1.
    #[arg(long)]
    no_sha1: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    bytes: usize,
    sha256: String,
    #[serde(flatten)]
    outline: Outline,
    certificates: Vec<Sent>,
    judged_at: Option<Timestamp>,
    /// The verdict under a certificate that the message brings itself. It says nothing of the sender.
    intact: Option<Verdict>,
    /// The verdict under the certificates and authorities that were given.
    verdict: Option<Verdict>,
}

#[derive(Serialize)]
struct Sent {
    subject: Option<String>,
    issuer: Option<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    sha256: String,
    /// The reason why it cannot be used, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    unusable: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum Verdict {
    Verified { signer: String, algorithms: String },
    Refused { reason: String },
}

/// Looks at it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let message = read_message(&arguments.file)?;
    let outline = Outline::read(&message).with_context(|| {
        format!(
            "{} is no message that could be read",
            arguments.file.display()
        )
    })?;
    let judged_at = arguments.at.or(outline.created_at());
    let sent = outline.certificates.iter().map(|der| Sent::of(der));
    let sent: Vec<_> = sent.collect();
    let usable = outline.certificates.iter();
    let usable = usable.filter_map(|der| Certificate::from_der(der).ok());
    let usable: Vec<_> = usable.collect();
    let judge = |trust| {
        let now = judged_at.unwrap_or_else(Timestamp::now);
        verify(&message, trust, !arguments.no_sha1, now)
    };
    let intact = (!usable.is_empty()).then(|| judge(Trust::pinned(usable)));
    let verdict = match arguments.signers.are_given() {
        true => Some(judge(arguments.signers.trust()?)),
        false => None,
    };
    let code = match verdict {
        Some(Verdict::Refused { .. }) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    let report = Report {
        bytes: message.len(),
        sha256: sha256(&message),
        outline,
        certificates: sent,
        judged_at,
        intact,
        verdict,
    };
    match arguments.json {
        true => print_json(&report)?,
        false => report.page(arguments.at.is_some()).print()?,
    }
    Ok(code)
}

/// Reads a message, from standard input if the file is `-`.
pub fn read_message(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut message = Vec::new();
    let read = |source: &mut dyn Read, message: &mut Vec<u8>| {
        source.take(MAX_FILE).read_to_end(message).map(drop)
    };
    match file.as_os_str() == "-" {
        true => read(&mut std::io::stdin().lock(), &mut message),
        false => std::fs::File::open(file).and_then(|mut file| read(&mut file, &mut message)),
    }
    .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(message)
}

/// Reads `--at`: RFC 3339, or local time of Chişinău.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    time::parse(text).map_err(|error| {
        format!("{error}; write it like 2026-07-01T12:00:00+03:00, or without offset as time of Chişinău")
    })
}

/// The rules that hold for a message that comes in, at a time in the past.
pub fn policy(trust: Trust, accept_sha1: bool) -> Policy {
    Policy {
        trust,
        accept_sha1,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    }
}

fn verify(message: &[u8], trust: Trust, accept_sha1: bool, now: Timestamp) -> Verdict {
    let envelope = match Envelope::parse(message) {
        Ok(envelope) => envelope,
        Err(error) => {
            let reason = error.to_string();
            return Verdict::Refused { reason };
        }
    };
    match envelope.verify(&policy(trust, accept_sha1), now) {
        Ok(verified) => Verdict::Verified {
            signer: verified.signer().subject(),
            algorithms: verified.algorithms().to_string(),
        },
        Err(error) => Verdict::Refused {
            reason: error.to_string(),
        },
    }
}

impl Sent {
    fn of(der: &[u8]) -> Sent {
        let parsed = Certificate::from_der(der);
        let known = parsed.as_ref().ok();
        Sent {
            subject: known.map(Certificate::subject),
            issuer: known.map(Certificate::issuer),
            not_before: known.map(Certificate::not_before),
            not_after: known.map(Certificate::not_after),
            sha256: sha256(der),
            unusable: parsed.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Report {
    fn page(&self, at_given: bool) -> Page {
        let mut page = Page::new();
        let outline = &self.outline;
        page.heading("Message");
        page.field("Size", format!("{} bytes", self.bytes));
        page.field("SHA-256", &self.sha256);
        page.field("Body", joined(&outline.operations));
        if !outline.other_headers.is_empty() {
            page.field("Other headers", joined(&outline.other_headers));
        }
        page.field("Created", outline.created.as_deref().unwrap_or("—"));
        page.field("Expires", outline.expires.as_deref().unwrap_or("—"));
        if outline.security_headers != 1 {
            let found = format!("{}, where one is expected", outline.security_headers);
            page.field("Security", found);
        }
        for signature in &outline.signatures {
            page.gap();
            page.heading("Signature");
            let method = &signature.signature_method;
            page.field("Algorithm", format!("{}  ({method})", short(method)));
            page.field("C14N", short(&signature.canonicalization));
            page.field("Key", signature.key_info.join("\n"));
            for reference in &signature.references {
                let resolved = match reference.resolves_to.as_slice() {
                    [] => "NOTHING in the message".to_owned(),
                    [one] => one.clone(),
                    several => format!("SEVERAL elements: {}", several.join(", ")),
                };
                let transforms: Vec<_> = reference.transforms.iter().map(|t| short(t)).collect();
                page.field(
                    "Reference",
                    format!(
                        "{} → {resolved}\n{}, {}",
                        reference.uri,
                        short(&reference.digest_method),
                        transforms.join(", ")
                    ),
                );
            }
        }
        for sent in &self.certificates {
            page.gap();
            page.heading("Certificate in the message");
            if let (Some(subject), Some(issuer)) = (&sent.subject, &sent.issuer) {
                page.field("Subject", subject);
                page.field("Issuer", issuer);
            }
            if let (Some(from), Some(to)) = (sent.not_before, sent.not_after) {
                page.field("Valid", format!("{from} to {to}"));
            }
            page.field("SHA-256", &sent.sha256);
            if let Some(reason) = &sent.unusable {
                page.field("Unusable", reason);
            }
        }
        page.gap();
        self.show_verdicts(&mut page, at_given);
        page
    }

    fn show_verdicts(&self, page: &mut Page, at_given: bool) {
        if let Some(at) = self.judged_at {
            let whose = match at_given {
                true => "the time given",
                false => "the time that the message names itself",
            };
            page.line(format!("Judged as of {at}, {whose}:"));
        }
        match &self.intact {
            Some(Verdict::Verified { .. }) => page.finding(
                Mark::Note,
                "intact under the certificate that it carries, which says nothing of who sent it",
                None,
            ),
            Some(Verdict::Refused { reason }) => {
                let text = format!("does not verify under its own certificate: {reason}");
                page.finding(Mark::Wrong, text, None);
            }
            None => page.finding(Mark::Note, "carries no certificate of its own", None),
        }
        match &self.verdict {
            Some(Verdict::Verified { signer, algorithms }) => {
                let text = format!("verified: signed by {signer} with {algorithms}");
                page.finding(Mark::Ok, text, None);
            }
            Some(Verdict::Refused { reason }) => {
                page.finding(Mark::Wrong, format!("not verified: {reason}"), None);
            }
            None => page.finding(
                Mark::Note,
                "whether the right one signed was not asked",
                Some("Give --certificate FILE, or --authority FILE with --signer-name NAME."),
            ),
        }
    }
}

fn joined(names: &[String]) -> String {
    match names {
        [] => "—".to_owned(),
        names => names.join("\n"),
    }
}
