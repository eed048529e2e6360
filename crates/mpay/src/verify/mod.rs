//! `mpay verify`: what kept evidence proves, without a provider and without a network.

mod archive;
mod books;
pub mod evidence;
mod notes;
mod report;
mod signed;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use mpay_domain::time;
use mpay_host::backup;
use serde::Serialize;
use wsse::{Certificate, Trust};

use self::{
    evidence::{Evidence, Meta},
    report::{Report, TimeSource},
};
use crate::{
    inspect::{parse_time, read_message},
    message::Outline,
    terminal::{Page, print_json},
    trust::{self, Signers},
};

/// The arguments of `mpay verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay verify evidence.zip --certificate mpay.cer --provider-certificate service.pem
  mpay verify evidence.zip --authority stisc-root.cer --authority stisc-sub.cer --signer-name 1003600000001
  mpay verify request.xml --certificate mpay.cer --at 2026-07-01T12:00:00+03:00
  mpay verify books.db --certificate mpay-2025.cer --certificate mpay.cer
  mpay verify evidence/2025-01-7-20260105093000.zip --certificate mpay-2025.cer

Of a backup and of an archive, it reads all of it, and judges the evidence of every payment.
Take the certificate or the authority from somebody whom you trust, not from the evidence.
Exit status: 0 if everything holds, 1 if something does not, 2 if it could not be judged.")]
pub struct Arguments {
    /// The ZIP of `GET /api/payments/{id}/evidence` or `GET /api/refusals/{index}/evidence`, the
    /// bytes of one signed message, a backup that `mpay backup` has made, or an archive of `mpay archive`.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    signers: Signers,
    /// The provider's certificate, PEM or DER: to judge the answer too; several for several.
    #[arg(long = "provider-certificate", value_name = "FILE")]
    provider_certificates: Vec<PathBuf>,
    /// The time for which it is judged [default: the time of receipt in meta.json; for bare bytes
    /// the signed Created].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Seconds that an expired --certificate is believed, as the provider's variable of this name.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    expired_signer_grace: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Judges it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if backup::is_database(&arguments.file) {
        return books::run(arguments);
    }
    let name = arguments.file.display().to_string();
    if archive::is_archive(&arguments.file) {
        return archive::run(arguments);
    }
    let bytes = read_message(&arguments.file)?;
    let evidence = Evidence::read(bytes).with_context(|| name.clone())?;
    if !arguments.signers.are_given() {
        bail!(no_signer(&evidence));
    }
    let (trust, providers) = arguments.believed()?;
    let (judged_at, judged_at_is) = time_of(arguments.at, &evidence)?;

    let mut report = Report::new(name, judged_at, judged_at_is);
    report.judge(&evidence, trust, &providers);
    tell(report.holds, arguments.json, &report, || report.page())
}

/// Tells a judgement to a person or a program, and gives the exit status for it.
fn tell(
    holds: bool,
    json: bool,
    judgement: &impl Serialize,
    page: impl FnOnce() -> Page,
) -> anyhow::Result<ExitCode> {
    match json {
        true => print_json(judgement)?,
        false => page().print()?,
    }
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

impl Arguments {
    /// The trust in MPay, and the certificates of the provider.
    fn believed(&self) -> anyhow::Result<(Trust, Vec<Certificate>)> {
        let grace = Duration::from_secs(self.expired_signer_grace);
        let trust = self.signers.trust()?.with_grace(grace);
        let providers = self.provider_certificates.iter();
        let providers = providers.map(|file| trust::certificate(file));
        Ok((trust, providers.collect::<anyhow::Result<_>>()?))
    }
}

/// The advice if no signer is given: whom the evidence names, and how to trust them.
fn no_signer(evidence: &Evidence) -> String {
    let receipt = evidence.meta.as_ref().and_then(Meta::receipt);
    let claimed = receipt.map(|receipt| {
        let signer = &receipt.signer;
        format!(
            "\nThe evidence names as its signer {}, certificate with SHA-256 {}: compare it with the one that you have from MPay.",
            signer.subject, signer.fingerprint
        )
    });
    format!(
        "evidence cannot vouch for itself: give MPay's certificate with --certificate FILE, or the authority's with --authority FILE and MPay's name with --signer-name NAME{}",
        claimed.unwrap_or_default()
    )
}

fn time_of(
    given: Option<Timestamp>,
    evidence: &Evidence,
) -> anyhow::Result<(Timestamp, TimeSource)> {
    if let Some(at) = given {
        return Ok((at, TimeSource::Given));
    }
    if let Some(receipt) = evidence.meta.as_ref().and_then(Meta::receipt) {
        let received = time::parse(&receipt.received_at)
            .map_err(|error| anyhow::anyhow!("received_at in meta.json: {error}"))?;
        return Ok((received, TimeSource::Receipt));
    }
    let outline = Outline::read(&evidence.request).context("not a message that could be read")?;
    let created = outline
        .created_at()
        .context("the message does not say when it was made: give --at TIME")?;
    Ok((created, TimeSource::Created))
}
