//! `mpay verify`: what kept evidence proves, without a provider and without a network.

mod archive;
mod books;
pub mod evidence;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use mpay_client::NAMESPACE;
use mpay_domain::{Money, OrderKey, time};
use mpay_host::backup;
use mpay_ledger::digest::sha256;
use mpay_provider::soap::MENTIONED;
use serde::Serialize;
use wsse::{Certificate, Element, Envelope, Trust, Verified, names::SOAP};

use crate::{
    inspect::{parse_time, policy, read_message},
    message::{Outline, child, member},
    terminal::{Mark, Page, print_json},
    trust::{self, Signers},
};
use evidence::{Evidence, Meta, MetaPayment, MetaRefusal, Verdict};

/// The time within which the answer may have been signed after the request, in seconds.
const ANSWERED_WITHIN: i64 = 15 * 60;

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

/// The source of the time for which is judged.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum TimeSource {
    Given,
    Receipt,
    Created,
}

#[derive(Serialize)]
struct Report {
    file: String,
    holds: bool,
    judged_at: Timestamp,
    judged_at_is: TimeSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<Signer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    checks: Vec<Check>,
    does_not_prove: Vec<String>,
}

#[derive(Serialize)]
struct Signer {
    subject: String,
    issuer: String,
    serial_number: String,
    not_before: Timestamp,
    not_after: Timestamp,
    sha256: String,
}

/// The content of the verified part of the message.
#[derive(Serialize)]
struct Message {
    sha256: String,
    algorithms: String,
    signature_method: &'static str,
    created: Timestamp,
    expires: Option<Timestamp>,
    operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Payment>,
}

#[derive(Serialize)]
struct Payment {
    payment_id: String,
    service_id: String,
    order_key: String,
    amount: String,
    currency: String,
    paid_at: String,
    lines: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Check {
    holds: bool,
    what: String,
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
    match arguments.json {
        true => print_json(&report)?,
        false => report.page().print()?,
    }
    Ok(match report.holds {
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

impl Report {
    fn new(file: String, judged_at: Timestamp, judged_at_is: TimeSource) -> Self {
        Self {
            file,
            holds: false,
            judged_at,
            judged_at_is,
            signer: None,
            message: None,
            checks: Vec::new(),
            does_not_prove: Vec::new(),
        }
    }

    fn check(&mut self, holds: bool, what: impl Into<String>) {
        self.checks.push(Check {
            holds,
            what: what.into(),
        });
    }

    fn judge(&mut self, evidence: &Evidence, trust: Trust, providers: &[Certificate]) {
        let hash = sha256(&evidence.request);
        let meta = evidence.meta.as_ref();
        if let Some(meta) = meta {
            let same = meta.request_sha256.as_ref() == Some(&hash);
            self.check(
                same,
                differs(same, "request.xml has the SHA-256 that meta.json gives"),
            );
        }
        match verify(&evidence.request, trust, self.judged_at) {
            Ok(verified) => self.accept(&verified, hash, meta),
            Err(reason) => self.check(false, format!("the message is not verified: {reason}")),
        }
        self.judge_answer(evidence, providers);
        self.name_limits(evidence, !providers.is_empty());
        self.holds = self.checks.iter().all(|check| check.holds);
    }

    fn accept(&mut self, verified: &Verified, sha256: String, meta: Option<&Meta>) {
        let signer = verified.signer();
        self.check(
            true,
            format!(
                "signed by the key of {}, over the Body and the Timestamp",
                signer.subject()
            ),
        );
        let message = Message {
            sha256,
            algorithms: verified.algorithms().to_string(),
            signature_method: verified.signature_method(),
            created: verified.created(),
            expires: verified.expires(),
            operation: operation_name(verified),
            payment: Payment::read(verified),
        };
        if let Some(meta) = meta {
            self.compare(meta, signer, &message);
        }
        self.signer = Some(Signer {
            subject: signer.subject(),
            issuer: signer.issuer(),
            serial_number: signer.serial_number(),
            not_before: signer.not_before(),
            not_after: signer.not_after(),
            sha256: signer.fingerprint(),
        });
        self.message = Some(message);
    }

    /// Compares the provider's notes with what was signed.
    fn compare(&mut self, meta: &Meta, signer: &Certificate, message: &Message) {
        let certificate = meta
            .signer_certificate
            .as_deref()
            .map(Certificate::from_pem);
        let named = meta.receipt().map(|receipt| &receipt.signer);
        let same = named.is_some_and(|named| {
            named.fingerprint == signer.fingerprint() && named.algorithm == message.signature_method
        }) && certificate.is_none_or(|sent| sent.is_ok_and(|sent| sent == *signer));
        self.check(
            same,
            differs(same, "meta.json names this certificate and algorithm"),
        );
        let Some(payment) = &message.payment else {
            self.check(
                false,
                "the message confirms no payment, and meta.json says it does",
            );
            return;
        };
        let members = match &meta.verdict {
            Verdict::Accepted { payment: said, .. } | Verdict::Card { payment: said } => {
                said.compare(payment)
            }
            Verdict::Manual { payment: said, .. } => {
                let mut members = said.compare(payment);
                // A person wrote it down, and it does not decide.
                members.retain(|(name, _)| *name != "paid_at");
                members
            }
            Verdict::Refused { refusal, .. } => refusal.compare(payment),
        };
        let wrong: Vec<_> = members
            .iter()
            .filter(|(_, same)| !same)
            .map(|(name, _)| *name)
            .collect();
        match wrong.is_empty() {
            true => self.check(true, "meta.json says of the payment what was signed"),
            false => self.check(
                false,
                format!(
                    "meta.json says otherwise than what was signed: {}",
                    wrong.join(", ")
                ),
            ),
        }
    }

    fn judge_answer(&mut self, evidence: &Evidence, providers: &[Certificate]) {
        let expected = evidence
            .meta
            .as_ref()
            .and_then(|meta| meta.answer_sha256.as_ref());
        let Some(answer) = &evidence.answer else {
            if expected.is_some() {
                self.check(
                    false,
                    "meta.json names an answer, and there is no answer.xml",
                );
            } else if !providers.is_empty() {
                self.check(
                    false,
                    "there is no answer to judge by --provider-certificate",
                );
            }
            return;
        };
        let same = expected == Some(&sha256(answer));
        self.check(
            same,
            differs(same, "answer.xml has the SHA-256 that meta.json gives"),
        );
        if providers.is_empty() {
            return;
        }
        // By its own time: the provider's clock wrote both that and the time of receipt.
        let created = Outline::read(answer)
            .ok()
            .and_then(|outline| outline.created_at());
        let Some(created) = created else {
            self.check(false, "the answer does not say when it was made");
            return;
        };
        match verify(answer, Trust::pinned(providers.to_vec()), created) {
            Err(reason) => self.check(false, format!("the answer is not verified: {reason}")),
            Ok(verified) => {
                let answered = format!("the provider {} answered", verified.signer().subject());
                let refusal = evidence.meta.as_ref().and_then(Meta::refusal);
                match refusal {
                    None => {
                        let accepts = body_child(&verified).is_some_and(|child| {
                            child.is(NAMESPACE, "ConfirmOrderPaymentResponse")
                        });
                        self.check(
                            accepts,
                            match accepts {
                                true => format!("{answered} with success at {created}"),
                                false => {
                                    format!(
                                        "the answer is no success: {}",
                                        operation_name(&verified)
                                    )
                                }
                            },
                        );
                    }
                    Some(refusal) => {
                        let same = refusal.is_answered_by(&verified);
                        self.check(
                            same,
                            match same {
                                true => format!(
                                    "{answered} with the fault {} at {created}: {}",
                                    refusal.code, refusal.reason
                                ),
                                false => format!(
                                    "the answer is not the fault that meta.json says: {}",
                                    operation_name(&verified)
                                ),
                            },
                        );
                    }
                }
                let delay = created.as_second() - self.judged_at.as_second();
                if matches!(self.judged_at_is, TimeSource::Receipt)
                    && !(-1..=ANSWERED_WITHIN).contains(&delay)
                {
                    self.check(
                        false,
                        format!("the answer was signed {delay} s after the time of receipt"),
                    );
                }
            }
        }
    }

    fn name_limits(&mut self, evidence: &Evidence, with_provider: bool) {
        let mut limits = vec![
            "that money arrived: the account's statement does".to_owned(),
            "that the signer's certificate was not revoked: lists of revoked ones are not asked"
                .to_owned(),
        ];
        match self.judged_at_is {
            TimeSource::Receipt => limits.push(
                "the time of receipt: it is the provider's own word, in meta.json, which nobody signed"
                    .to_owned(),
            ),
            TimeSource::Created => limits.push(
                "when the message was made: Created is the signer's own word, and the certificate was judged for it; give --at if you know when it came in"
                    .to_owned(),
            ),
            TimeSource::Given => limits.push(
                "the time for which was judged: you gave it".to_owned(),
            ),
        }
        if let Some(message) = &self.message
            && message.algorithms.contains("sha1")
        {
            limits.push(
                "as much as SHA-256 would: with SHA-1, a signer who prepares it can make two messages of one signature; nobody else is known to be able to"
                    .to_owned(),
            );
        }
        if let Some(refusal) = evidence.meta.as_ref().and_then(Meta::refusal)
            && !(evidence.answer.is_some() && with_provider)
        {
            limits.push(format!(
                "that the provider refused it, with the fault {} ({}): meta.json says so, which nobody signed",
                refusal.code, refusal.reason
            ));
        }
        if evidence.answer.is_some() && !with_provider {
            limits.push(
                "who signed the answer: give --provider-certificate FILE to have it judged"
                    .to_owned(),
            );
        }
        if evidence.answer.is_some() && with_provider {
            limits.push(
                "that the answer is to this request: MPay's contract has it name no payment"
                    .to_owned(),
            );
        }
        if !evidence.ignored.is_empty() {
            limits.push(format!("anything of {}", evidence.ignored.join(", ")));
        }
        self.does_not_prove = limits;
    }

    fn page(&self) -> Page {
        let mut page = Page::new();
        let whose = match self.judged_at_is {
            TimeSource::Given => "the time given by --at",
            TimeSource::Receipt => "the time of receipt, by meta.json",
            TimeSource::Created => "the signed Created",
        };
        page.heading(&self.file);
        page.field(
            "Judged as of",
            format!("{}, {whose}", local(self.judged_at)),
        );
        if let Some(signer) = &self.signer {
            page.field("Signer", &signer.subject);
            page.field("Certificate", format!("SHA-256 {}", signer.sha256));
            page.field("", format!("issued by {}", signer.issuer));
            page.field(
                "",
                format!("valid {} to {}", signer.not_before, signer.not_after),
            );
        }
        if let Some(message) = &self.message {
            page.field("Algorithms", &message.algorithms);
            page.field("Created", local(message.created));
            page.field("SHA-256", &message.sha256);
            page.field("Operation", &message.operation);
            if let Some(payment) = &message.payment {
                payment.show(&mut page);
            }
        }
        page.gap();
        for check in &self.checks {
            let mark = match check.holds {
                true => Mark::Ok,
                false => Mark::Wrong,
            };
            page.finding(mark, &check.what, None);
        }
        if self.holds {
            page.gap();
            page.line("It does not prove:");
            for limit in &self.does_not_prove {
                page.line(format!("  - {limit}"));
            }
        } else {
            page.gap();
            page.line("This evidence does not hold.");
        }
        page
    }
}

impl Payment {
    /// The verified confirmation, if the message is one.
    fn read(verified: &Verified) -> Option<Payment> {
        let operation = body_child(verified)?;
        let confirmation = operation
            .is(NAMESPACE, "ConfirmOrderPayment")
            .then(|| child(operation, NAMESPACE, "confirmation"))??;
        let text = |name| member(confirmation, NAMESPACE, name).unwrap_or_default();
        let lines = child(confirmation, NAMESPACE, "Lines");
        let lines = lines.into_iter().flat_map(|lines| lines.children());
        Some(Payment {
            payment_id: text("PaymentID"),
            service_id: text("ServiceID"),
            order_key: text("OrderKey"),
            amount: text("TotalAmount"),
            currency: text("Currency"),
            paid_at: text("PaidAt"),
            lines: lines
                .map(|line| {
                    let text = |name| member(line, NAMESPACE, name).unwrap_or_default();
                    (text("LineID"), text("Amount"))
                })
                .collect(),
        })
    }

    fn show(&self, page: &mut Page) {
        page.field("Payment", &self.payment_id);
        page.field(
            "Order",
            format!("{} of service {}", self.order_key, self.service_id),
        );
        page.field("Amount", format!("{} {}", self.amount, self.currency));
        page.field("Paid at", &self.paid_at);
        for (id, amount) in &self.lines {
            page.field("Line", format!("{id}: {amount}"));
        }
    }
}

fn verify(message: &[u8], trust: Trust, at: Timestamp) -> Result<Verified, String> {
    let envelope = Envelope::parse(message).map_err(|error| error.to_string())?;
    envelope
        .verify(&policy(trust, true), at)
        .map_err(|error| error.to_string())
}

fn differs(same: bool, what: &str) -> String {
    match same {
        true => what.to_owned(),
        false => format!("NOT so: {what}"),
    }
}

fn body_child(verified: &Verified) -> Option<Element<'_>> {
    let mut children = verified.body().children();
    let child = children.next()?;
    children.next().is_none().then_some(child)
}

fn operation_name(verified: &Verified) -> String {
    match body_child(verified) {
        Some(fault) if fault.is(SOAP, "Fault") => {
            let code = member(fault, "", "faultcode").unwrap_or_default();
            format!("Fault {code}")
        }
        Some(child) => child.local_name().to_owned(),
        None => "none, or more than one".to_owned(),
    }
}

fn same_amount(a: &str, b: &str) -> bool {
    matches!((Money::parse(a), Money::parse(b)), (Ok(a), Ok(b)) if a == b)
}

/// The provider writes down the key as it was registered, whatever letters of its look MPay has signed.
fn same_key(a: &str, b: &str) -> bool {
    let folded = |key: &str| OrderKey::parse(key).map(|key| key.folded()).ok();
    a == b || folded(a).is_some_and(|key| folded(b) == Some(key))
}

fn same_time(a: &str, b: &str) -> bool {
    // Records have whole seconds, and the nearest time there is for one that there is not.
    let seconds = |text: &str| time::parse_paid_at(text).ok();
    seconds(a).is_some() && seconds(a) == seconds(b)
}

/// Members of the notes, each with true if it says what was signed.
type Members = Vec<(&'static str, bool)>;

impl Meta {
    fn refusal(&self) -> Option<&MetaRefusal> {
        match &self.verdict {
            Verdict::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

impl MetaPayment {
    fn compare(&self, signed: &Payment) -> Members {
        vec![
            ("payment_id", self.payment_id == signed.payment_id),
            ("service_id", self.service_id == signed.service_id),
            ("order_key", same_key(&self.order_key, &signed.order_key)),
            ("currency", self.currency == signed.currency),
            ("amount", same_amount(&self.amount, &signed.amount)),
            ("paid_at", same_time(&self.paid_at, &signed.paid_at)),
            ("lines", self.same_lines(signed)),
        ]
    }

    /// In any order: who enters a payment by hand need not keep MPay's.
    fn same_lines(&self, signed: &Payment) -> bool {
        let mut left: Vec<_> = signed.lines.iter().collect();
        let all = self.lines.iter().all(|line| {
            let same = left
                .iter()
                .position(|(id, amount)| line.line_id == *id && same_amount(&line.amount, amount));
            same.map(|position| left.swap_remove(position)).is_some()
        });
        all && left.is_empty()
    }
}

impl MetaRefusal {
    /// Members that could not be read when the message was refused are not compared.
    fn compare(&self, signed: &Payment) -> Members {
        let same = |said: &Option<String>, signed: &str| {
            // Of what is too long the provider writes down the beginning.
            let beginning = signed.trim().chars().take(MENTIONED);
            said.as_ref().is_none_or(|said| beginning.eq(said.chars()))
        };
        vec![
            ("payment_id", same(&self.payment_id, &signed.payment_id)),
            ("service_id", same(&self.service_id, &signed.service_id)),
            (
                "order_key",
                same(&self.order_key, &signed.order_key)
                    || self
                        .order_key
                        .as_deref()
                        .is_some_and(|key| same_key(key, &signed.order_key)),
            ),
        ]
    }

    fn is_answered_by(&self, answer: &Verified) -> bool {
        let fault = body_child(answer).filter(|child| child.is(SOAP, "Fault"));
        let said = |name| fault.and_then(|fault| member(fault, "", name));
        // The reason is kept in English; the fault says it in Romanian too.
        let is_reason = |text: &str| {
            let rest = text.strip_prefix(&self.reason);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" / "))
        };
        said("faultcode").as_deref() == Some(&self.code)
            && said("faultstring").as_deref().is_some_and(is_reason)
    }
}

/// An instant as people in Chişinău read it.
fn local(instant: Timestamp) -> String {
    time::format(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(order_key: &str) -> Payment {
        Payment {
            payment_id: "P".to_owned(),
            service_id: "TAX".to_owned(),
            order_key: order_key.to_owned(),
            amount: "1.00".to_owned(),
            currency: "MDL".to_owned(),
            paid_at: "2026-06-01T12:00:00+03:00".to_owned(),
            lines: Vec::new(),
        }
    }

    #[test]
    fn a_key_that_payers_take_for_the_registered_one_is_the_same() {
        let said = MetaPayment {
            payment_id: "P".to_owned(),
            service_id: "TAX".to_owned(),
            order_key: "AB-1".to_owned(),
            amount: "1".to_owned(),
            currency: "MDL".to_owned(),
            paid_at: "2026-06-01T12:00:00+03:00".to_owned(),
            lines: Vec::new(),
        };
        let refused = MetaRefusal {
            payment_id: Some("P".to_owned()),
            service_id: Some("TAX".to_owned()),
            order_key: Some("AB-1".to_owned()),
            code: "c".to_owned(),
            reason: "r".to_owned(),
        };
        for (key, same) in [("AB-1", true), ("ab-1", true), ("AB-2", false), ("", false)] {
            for members in [said.compare(&signed(key)), refused.compare(&signed(key))] {
                let wrong: Vec<_> = members.iter().filter(|(_, same)| !same).collect();
                assert_eq!(wrong.is_empty(), same, "{key} {wrong:?}");
            }
        }
    }
}
