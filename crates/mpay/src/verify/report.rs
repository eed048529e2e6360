//! The judgement of evidence: each check with its result, and what all of them do not prove.

use jiff::Timestamp;
use mpay_client::NAMESPACE;
use mpay_domain::time;
use mpay_ledger::digest::sha256;
use serde::Serialize;
use wsse::{Certificate, Envelope, Trust, Verified};

use super::{
    evidence::{Evidence, Meta, Verdict},
    signed::{Payment, body_child, operation_name},
};
use crate::{
    inspect::policy,
    message::Outline,
    terminal::{Mark, Page},
};

/// The time within which the answer may have been signed after the request, in seconds.
const ANSWERED_WITHIN: i64 = 15 * 60;

/// The source of the time for which is judged.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TimeSource {
    Given,
    Receipt,
    Created,
}

/// The result of judging evidence, for people and for programs.
#[derive(Serialize)]
pub(super) struct Report {
    file: String,
    /// True if everything holds that was checked.
    pub(super) holds: bool,
    judged_at: Timestamp,
    judged_at_is: TimeSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<Signer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    /// The checks, each with its result.
    pub(super) checks: Vec<Check>,
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

/// A check, and true if it holds.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) what: String,
}

impl Report {
    /// A report in which nothing was checked yet.
    pub(super) fn new(file: String, judged_at: Timestamp, judged_at_is: TimeSource) -> Self {
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

    /// Judges the message and the answer, and says what they do not prove.
    pub(super) fn judge(&mut self, evidence: &Evidence, trust: Trust, providers: &[Certificate]) {
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

    /// For people.
    pub(super) fn page(&self) -> Page {
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

/// An instant as people in Chişinău read it.
fn local(instant: Timestamp) -> String {
    time::format(instant)
}
