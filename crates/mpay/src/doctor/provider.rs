//! A running provider.

use std::time::Duration;

use jiff::Timestamp;
use mpay::roles::Tls;
use mpay_ledger::digest::sha256;
use ureq::tls::TlsConfig;
use wsse::{Algorithms, Certificate, Document, Hash, SecurityError, Verified};

use super::{
    Findings,
    certificates::validity,
    http::{Http, Reply, host_of},
    probe::{ACTION, Answer, Caller, Probe, fault_code, judge, unsigned},
    tls,
};
use crate::{
    keys::material::{self, Purpose},
    message,
};

/// The contract's clock skew: more, and signed messages are refused.
const SKEW: i64 = 120;
/// More than a clock that is kept right is ever off.
const DRIFT: i64 = 10;
/// Legal messages have this many bytes, and more.
const LARGE: usize = 64 << 10;

const OTHER_PORT: &str = "Is the provider running, and is the address right? `mpay up` prints the address where it listens.";

/// The remedy for InternalError.
const LOG: &str = "The provider's log says why: its store or its configuration.";

struct Examination<'a> {
    /// The address that calls go to.
    url: String,
    http: Http,
    caller: &'a Caller,
    /// The certificate of TLS, in DER.
    tls: Option<Vec<u8>>,
    /// Seconds by which the provider's clock is ahead.
    ahead: i64,
    /// True if it says that it is stopped on purpose: then InternalError is what every call gets.
    is_paused: bool,
    findings: &'a mut Findings,
}

/// Asks a provider.
pub fn examine(
    url: &str,
    caller: &Caller,
    tls: &Tls,
    timeout: Duration,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    // Takes any certificate, for the time after one was found to be wrong.
    let trusting = tls.config(true)?;
    let (host, port, is_tls) = host_of(url)?;
    let mut examination = Examination {
        url: url.split(['?', '#']).next().unwrap_or(url).to_owned(),
        http: Http::new(url, timeout, tls.config(false)?),
        caller,
        tls: None,
        ahead: 0,
        is_paused: false,
        findings,
    };
    if is_tls {
        examination.look_at_tls(&host, port, timeout);
    }
    if !examination.reach(timeout, trusting) {
        return Ok(());
    }
    examination.ask_for_the_wsdl();
    examination.call_unsigned();
    examination.call_signed()
}

/// The path where the people's door tells its state.
const OFFICE_HEALTH: &str = mpay_office::health::HEALTH;

/// The state that a door tells of itself.
struct Health {
    is_paused: bool,
    environment: String,
    version: String,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Health {
    /// `None` if it is not this provider's answer.
    fn read(reply: &Reply) -> Option<Self> {
        let health: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
        let status = health["status"].as_str()?;
        let lines = |name: &str| {
            let lines = health[name].as_array().into_iter().flatten();
            lines
                .filter_map(|line| Some(line.as_str()?.to_owned()))
                .collect()
        };
        let text = |name: &str| health[name].as_str().unwrap_or("?").to_owned();
        Some(Self {
            is_paused: status == "paused",
            environment: text("environment"),
            version: text("version"),
            errors: lines("errors"),
            warnings: lines("warnings"),
        })
    }
}

/// The finding's name and the advice for a line of `/health` that is not about a variable.
fn advice_of(line: &str) -> Option<(&'static str, &'static str)> {
    match line.split_once(':')?.0 {
        "store" => Some((
            "store",
            "Look at the provider's log, and at the disk or the server that holds the store. What is not recorded is not acknowledged: MPay repeats its calls.",
        )),
        "clock" => Some((
            "clock",
            "Compare the clock of the provider's machine with the true time (`timedatectl`, `chronyc tracking`), and have it kept by NTP.",
        )),
        _ => None,
    }
}

impl Examination<'_> {
    fn look_at_tls(&mut self, host: &str, port: u16, timeout: Duration) {
        let Ok(der) = tls::certificate(host, port, timeout) else {
            // What is wrong with the connection is said where it is used.
            return;
        };
        if let Ok(certificate) = material::Certificate::from_der(&der) {
            validity(
                "TLS",
                &certificate,
                Timestamp::now(),
                "Renew the web server's certificate, where TLS ends.",
                self.findings,
            );
        }
        self.tls = Some(der);
    }

    /// Asks for `/health`. Gives whether it makes sense to go on.
    fn reach(&mut self, timeout: Duration, trusting: TlsConfig) -> bool {
        let base = self.url.trim_end_matches('/');
        let base = base.strip_suffix("/ServiceProvider.svc").unwrap_or(base);
        let base = base.to_owned();
        let health = format!("{base}/health");
        let reply = match self.http.get(&health) {
            Ok(reply) => reply,
            Err(ureq::Error::Io(error)) if error.to_string().contains("certificate") => {
                self.findings.wrong(
                    "tls",
                    format!("the TLS certificate is not accepted: {error}"),
                    "MPay would not connect either: use one of a public authority, for this host name, with its intermediate certificates. If it is of an authority of your own on purpose, give that with --tls-authority.",
                );
                // The rest can be looked at all the same: nothing secret is sent.
                self.http = Http::new(&health, timeout, trusting);
                match self.http.get(&health) {
                    Ok(reply) => reply,
                    Err(error) => return self.unreachable(&error),
                }
            }
            Err(error) => return self.unreachable(&error),
        };
        self.read_clock(&reply);
        let reached = self.read_health(&reply);
        if reached {
            self.look_at_the_office(&base);
        }
        reached
    }

    /// Asks the people's door how it is. Nobody outside need reach it.
    fn look_at_the_office(&mut self, base: &str) {
        let reply = self.http.get(&format!("{base}{OFFICE_HEALTH}"));
        let health = reply.ok().and_then(|reply| Health::read(&reply));
        match health {
            Some(health) => {
                self.findings
                    .ok("office", "the people's door is up: the order API");
                self.tell(&health);
            }
            None => self.findings.note(
                "office",
                format!("{OFFICE_HEALTH} does not answer here"),
                "Fine if a proxy keeps the order API from this machine, or if it is another provider.",
            ),
        }
    }

    /// Tells what a door says of itself, unless the other door has said it.
    fn tell(&mut self, health: &Health) {
        if health.is_paused && !std::mem::replace(&mut self.is_paused, true) {
            self.findings.wrong(
                "paused",
                "the provider is stopped: MPay and everybody else is told to come later, and nothing is recorded",
                "Set the variable paused to false when the reason is gone, and restart, unless the host reads variables anew.",
            );
        }
        for line in &health.errors {
            let (id, advice) = advice_of(line).unwrap_or((
                "variables",
                "Mend the variable where the provider is started; `mpay doctor DIR` there says more.",
            ));
            if !self.findings.has(line) {
                self.findings.wrong(id, line.as_str(), advice);
            }
        }
        for line in &health.warnings {
            let (id, advice) = advice_of(line).unwrap_or((
                "health",
                "Have the next certificate ready before; the variable of MPay's takes several.",
            ));
            if !self.findings.has(line) {
                self.findings.warning(id, line.as_str(), advice);
            }
        }
    }

    fn unreachable(&mut self, error: &ureq::Error) -> bool {
        let text = format!("{} does not answer: {error}", self.url);
        match error {
            ureq::Error::Timeout(_) => self.findings.wrong(
                "unreachable",
                text,
                "An address filter or a firewall drops the call, or the provider hangs. Try from the provider's own network; then let MPay's outgoing address in, which suport.mpay@gov.md names.",
            ),
            ureq::Error::HostNotFound => self.findings.wrong(
                "unreachable",
                text,
                "The name is not in the DNS that this machine asks; MPay must be able to find it too.",
            ),
            _ => self.findings.wrong("unreachable", text, OTHER_PORT),
        }
        false
    }

    fn read_clock(&mut self, reply: &Reply) {
        let Some(ahead) = reply.ahead else { return };
        self.ahead = ahead;
        let off = ahead.unsigned_abs();
        let direction = if ahead > 0 { "ahead of" } else { "behind" };
        let text = format!("the provider's clock is {off} s {direction} this machine's");
        let advice = "Compare both with the true time (`timedatectl`, `chronyc tracking`), and have the wrong one kept by NTP.";
        if ahead.abs() > SKEW {
            self.findings.wrong(
                "clock",
                format!("{text}; messages are refused from {SKEW} s on"),
                advice,
            );
        } else if ahead.abs() > DRIFT {
            self.findings.warning("clock", text, advice);
        } else {
            self.findings.ok("clock", "the two clocks agree");
        }
    }

    fn read_health(&mut self, reply: &Reply) -> bool {
        let health = Health::read(reply);
        match (&health, reply.status) {
            (Some(health), 200) => {
                self.findings.ok(
                    "health",
                    format!(
                        "mpay-provider {} is up, for environment {}",
                        health.version, health.environment
                    ),
                );
            }
            (Some(_), _) => {}
            (None, 401 | 403 | 407) => {
                self.findings.wrong(
                    "address-filter",
                    format!("something before the provider refuses this address ({})", reply.summary()),
                    "An address filter does so: let MPay's outgoing address in, which suport.mpay@gov.md names, and this one as long as you test.",
                );
                return false;
            }
            (None, 502..=504) => {
                self.findings.wrong(
                    "unreachable",
                    format!("a proxy answers, and does not reach the provider ({})", reply.summary()),
                    "Is the provider running, and does the proxy know where? Look into the proxy's log.",
                );
                return false;
            }
            (None, 300..=399) => {
                self.findings.wrong(
                    "redirect",
                    format!("the address leads somewhere else ({})", reply.summary()),
                    "MPay follows no redirection: give it the address where the provider answers itself.",
                );
            }
            (None, _) => self.findings.note(
                "health",
                format!("/health is not that of this provider ({})", reply.summary()),
                "Fine if it is another provider, or if a proxy lets only the service through.",
            ),
        }
        if let Some(health) = &health {
            self.tell(health);
        }
        true
    }

    fn ask_for_the_wsdl(&mut self) {
        const ADVICE: &str = "MPay's team and client generators ask for it at the address of the service with ?wsdl: let GET through there.";
        let reply = match self.http.get(&format!("{}?wsdl", self.url)) {
            Ok(reply) => reply,
            Err(error) => {
                self.findings
                    .wrong("wsdl", format!("the WSDL does not come: {error}"), ADVICE);
                return;
            }
        };
        let address = match reply.status {
            200 => wsdl_address(&reply.body),
            _ => None,
        };
        let Some(address) = address else {
            let text = format!("there is no WSDL at ?wsdl ({})", reply.summary());
            self.findings.wrong("wsdl", text, ADVICE);
            return;
        };
        if address.trim_end_matches('/') == self.url.trim_end_matches('/') {
            self.findings.ok("wsdl", "the WSDL names this address");
        } else {
            self.findings.warning(
                "wsdl",
                format!("the WSDL names another address: {address}"),
                "Who builds a client of it calls there. Set the variable public_url to the address that MPay calls.",
            );
        }
    }

    fn post(&self, message: &str) -> Result<Reply, ureq::Error> {
        self.http.post(&self.url, ACTION, message.as_bytes())
    }

    /// Calls without a signature, which must not be answered with an order; the refusal shows the
    /// provider's certificate, and whether it comes back whole.
    fn call_unsigned(&mut self) {
        let reply = match self.post(&unsigned(&self.caller.service, 0)) {
            Ok(reply) => reply,
            Err(error) => {
                let text = format!("a SOAP call is not answered: {error}");
                self.findings.wrong("soap", text, OTHER_PORT);
                return;
            }
        };
        match judge(&reply, self.caller.provider.as_ref(), self.now_there()) {
            Answer::NotSoap => self.not_soap(&reply),
            Answer::Unsigned { fault: true } => self.findings.wrong(
                "unsigned-answer",
                "the fault for a call without a signature is not signed",
                "Answers and faults must be signed. If the provider is this one, its service_key or service_certificate is missing; else mend the provider.",
            ),
            Answer::Unsigned { fault: false } => self.answers_strangers(),
            Answer::Doubtful(error, outline) => self.doubtful(&error, &outline),
            Answer::Signed(verified) => match fault_code(&verified) {
                None => self.answers_strangers(),
                Some(code) => {
                    let text = format!("a call without a signature gets the signed fault {code}");
                    match code.as_str() {
                        "AuthenticationFailed" => self.findings.ok("unsigned-call", text),
                        // It answers so to everything, and that is said already.
                        "InternalError" if self.is_paused => {}
                        "InternalError" => self.findings.wrong("unsigned-call", text, LOG),
                        _ => self.findings.warning(
                            "unsigned-call",
                            text,
                            "AuthenticationFailed is what MPay expects.",
                        ),
                    }
                    self.look_at_signer(verified.signer());
                }
            },
        }
        if let Ok(reply) = self.post(&unsigned(&self.caller.service, LARGE))
            && !reply.is_xml()
        {
            self.findings.wrong(
                "large-message",
                format!("a message of 64 KB does not get through ({})", reply.summary()),
                "Raise the proxy's limit of bodies to 1 MB (nginx: client_max_body_size; a web application firewall has one too).",
            );
        }
    }

    fn not_soap(&mut self, reply: &Reply) {
        match reply.status {
            401 | 403 | 407 => self.findings.wrong(
                "address-filter",
                format!("SOAP calls are refused before the provider ({})", reply.summary()),
                "An address filter or a web application firewall does so: let MPay's outgoing address in, which suport.mpay@gov.md names, and POST of text/xml through.",
            ),
            _ => self.findings.wrong(
                "soap",
                format!("a SOAP call is not answered with SOAP ({})", reply.summary()),
                "Something before the provider answers, or the address is another one's: the provider's is / or /ServiceProvider.svc below where it is mounted.",
            ),
        }
    }

    fn answers_strangers(&mut self) {
        self.findings.wrong(
            "answers-strangers",
            "a call without a signature is answered: anybody could play MPay",
            "Take the provider off the network until it verifies every signature.",
        );
    }

    /// An answer that is signed and does not verify.
    fn doubtful(&mut self, error: &SecurityError, outline: &message::Outline) {
        match error {
            SecurityError::DigestMismatch { .. } | SecurityError::SignatureMismatch => {
                self.findings.wrong(
                    "body-changed",
                    format!("the answer was changed on its way: {error}"),
                    "A proxy rewrites bodies. Turn off what does (sub_filter, XML or HTML rewriting, transcoding, minifying); every byte must pass.",
                );
            }
            SecurityError::CreatedInFuture { .. }
            | SecurityError::Expired { .. }
            | SecurityError::TooOld { .. } => self.findings.wrong(
                "clock",
                format!("the answer's time is not right: {error}"),
                "Have the provider's clock kept by NTP; or a proxy answers from a cache, which must be off.",
            ),
            SecurityError::SignerExpired { .. } | SecurityError::SignerNotYetValid { .. } => {
                self.findings.wrong(
                    "expired",
                    format!("the provider signs with a certificate that does not hold now: {error}"),
                    "Ask STISC for the next one (`mpay keys new`), and send its .cer to MPay.",
                );
            }
            SecurityError::UntrustedSigner { .. } | SecurityError::UnknownSigner { .. } => {
                let sent = outline.certificates.first();
                let sent = sent.and_then(|der| material::Certificate::from_der(der).ok());
                let text = match sent {
                    Some(sent) => format!(
                        "the provider signs with another certificate than the one given: {}",
                        sent.subject()
                    ),
                    None => format!("the provider does not sign with the certificate given: {error}"),
                };
                self.findings.wrong(
                    "certificates-mixed-up",
                    text,
                    "Either it runs with another service_certificate than you think, or the one given is not the provider's system certificate (but its TLS one, or MPay's).",
                );
            }
            other => self.findings.wrong(
                "signature",
                format!("the answer's signature cannot be believed: {other}"),
                "`mpay inspect ANSWER --certificate FILE` shows it in parts.",
            ),
        }
    }

    /// The certificate that answers are signed with.
    fn look_at_signer(&mut self, signer: &Certificate) {
        let subject = signer.subject();
        if self.tls.as_deref() == Some(signer.der()) {
            self.findings.wrong(
                "certificates-mixed-up",
                format!("one certificate serves for TLS and for signing: {subject}"),
                "Sign with the system certificate of STISC, and give TLS one of its own: their keys lie in different hands.",
            );
            return;
        }
        let Ok(certificate) = material::Certificate::from_der(signer.der()) else {
            return;
        };
        if certificate.purpose() == Purpose::Server {
            self.findings.wrong(
                "certificates-mixed-up",
                format!("the provider signs with a web server's certificate: {subject}"),
                "Put the system certificate of STISC into service_certificate, and its key into service_key.",
            );
            return;
        }
        let known = match self.caller.provider {
            Some(_) => "the certificate that was expected",
            None => "give --provider-certificate to compare it",
        };
        self.findings.ok(
            "signer",
            format!("answers are signed by {subject} ({known})"),
        );
        validity(
            "the provider's system certificate",
            &certificate,
            Timestamp::now(),
            "Ask STISC for the next one (`mpay keys new`), and send its .cer to MPay before you change over.",
            self.findings,
        );
    }

    /// Calls as MPay does, if there is a key to sign with.
    fn call_signed(&mut self) -> anyhow::Result<()> {
        if self.is_paused {
            self.findings.note(
                "signed-call",
                "no signed call was made: while the provider is stopped, all get the same answer",
                "Ask again when it goes on.",
            );
            return Ok(());
        }
        if self.caller.signer.is_none() {
            self.findings.note(
                "signed-call",
                "no signed call was made",
                "Give --key and --certificate that the provider believes (on a test environment) to see how MPay would fare.",
            );
            return Ok(());
        }
        match self.ask(Probe::PLAIN)? {
            Outcome::Believed(verified) => self.believed(&verified)?,
            Outcome::NotBelieved(hash) => self.not_believed(&hash)?,
            Outcome::Explained => {}
        }
        Ok(())
    }

    /// A signed call.
    fn ask(&mut self, probe: Probe) -> anyhow::Result<Outcome> {
        let Some(signer) = &self.caller.signer else {
            return Ok(Outcome::Explained);
        };
        let message = probe.message(signer, &self.caller.service)?;
        let reply = match self.post(&message) {
            Ok(reply) => reply,
            Err(error) => {
                let text = format!("a signed call is not answered: {error}");
                self.findings.wrong("signed-call", text, OTHER_PORT);
                return Ok(Outcome::Explained);
            }
        };
        let verified = match judge(&reply, self.caller.provider.as_ref(), self.now_there()) {
            Answer::Signed(verified) => verified,
            Answer::Doubtful(error, outline) => {
                self.doubtful(&error, &outline);
                return Ok(Outcome::Explained);
            }
            Answer::Unsigned { .. } => {
                self.findings.wrong(
                    "unsigned-answer",
                    "the answer to a signed call is not signed",
                    "MPay refuses it. Answers and faults must be signed.",
                );
                return Ok(Outcome::Explained);
            }
            Answer::NotSoap => {
                self.not_soap(&reply);
                return Ok(Outcome::Explained);
            }
        };
        Ok(match fault_code(&verified).as_deref() {
            Some("AuthenticationFailed") => Outcome::NotBelieved(sha256(message.as_bytes())),
            _ => Outcome::Believed(verified),
        })
    }

    /// A call as MPay makes it got through: try what only some get through.
    fn believed(&mut self, verified: &Verified) -> anyhow::Result<()> {
        match fault_code(verified).as_deref() {
            Some("UnknownService") => self.findings.warning(
                "signed-call",
                format!(
                    "a signed call gets through, but ServiceID {:?} is not served",
                    self.caller.service
                ),
                "Give the one that MPay gave you, by --service, and set it in service_ids.",
            ),
            Some("InternalError") => self.findings.wrong(
                "signed-call",
                "a signed call is answered with InternalError",
                LOG,
            ),
            None | Some("UnknownOrder" | "InvalidParameter") => {
                self.findings.ok(
                    "signed-call",
                    "a signed call gets through, and the answer is signed",
                );
            }
            Some(code) => self.findings.warning(
                "signed-call",
                format!("a signed call for an unknown order is answered with {code}"),
                "UnknownOrder is what MPay expects.",
            ),
        }
        if verified.algorithms().signature != Hash::Sha1 {
            self.findings.warning(
                "sha1",
                format!(
                    "a call with SHA-1 is answered with {}",
                    verified.algorithms()
                ),
                "Answer as the call was signed: who signs with SHA-1 may not read anything else.",
            );
        }
        let delicate = Probe {
            delicate: true,
            ..Probe::PLAIN
        };
        if let Outcome::NotBelieved(hash) = self.ask(delicate)? {
            self.findings.wrong(
                "body-changed",
                "a call with white space and Romanian letters arrives changed",
                body_changed(&hash),
            );
        }
        let stronger = Probe {
            algorithms: Algorithms::SHA256,
            ..Probe::PLAIN
        };
        match self.ask(stronger)? {
            Outcome::NotBelieved(_) => self.findings.warning(
                "sha256",
                "a call with SHA-256 is not believed, one with SHA-1 is",
                "MPay will change over one day: have the provider take both.",
            ),
            Outcome::Believed(_) => self
                .findings
                .ok("sha256", "a call with SHA-256 gets through too"),
            Outcome::Explained => {}
        }
        Ok(())
    }

    /// A call as MPay makes it was refused as not authentic: find out why by varying it.
    fn not_believed(&mut self, hash: &str) -> anyhow::Result<()> {
        if self.ahead.abs() > SKEW {
            let corrected = Probe {
                ahead: self.ahead,
                ..Probe::PLAIN
            };
            if let Outcome::Believed(_) = self.ask(corrected)? {
                self.findings.wrong(
                    "clock",
                    "a signed call is not believed, and one with the provider's own time is: its clock is the reason",
                    "Have both clocks kept by NTP.",
                );
                return Ok(());
            }
        }
        let stronger = Probe {
            algorithms: Algorithms::SHA256,
            ahead: if self.ahead.abs() > SKEW {
                self.ahead
            } else {
                0
            },
            ..Probe::PLAIN
        };
        if let Outcome::Believed(_) = self.ask(stronger)? {
            self.findings.wrong(
                "sha1",
                "a call with SHA-1 is not believed, one with SHA-256 is; MPay signs with SHA-1 today",
                "Set the variable accept_sha1 to true until MPay's team says that it signs with SHA-256.",
            );
            return Ok(());
        }
        match self.caller.is_believed {
            Some(true) => self.findings.wrong(
                "body-changed",
                "a signed call is not believed, though the folder's mpay_certificates has its certificate: what arrives is not what was sent, or the provider runs with other variables",
                body_changed(hash),
            ),
            Some(false) => self.findings.wrong(
                "not-believed",
                "a signed call is not believed: its certificate is not in the folder's mpay_certificates",
                "Give --key and --certificate of a signer that is, or add the certificate on a test environment.",
            ),
            None => self.findings.wrong(
                "not-believed",
                "a signed call is not believed",
                format!(
                    "Is --certificate in the provider's mpay_certificates? If it is, something changed the message on its way:\n{}",
                    body_changed(hash)
                ),
            ),
        }
        Ok(())
    }

    /// The time by the provider's clock, so that a wrong one is named once and not everywhere.
    fn now_there(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(jiff::SignedDuration::from_secs(self.ahead))
            .unwrap_or(now)
    }
}

enum Outcome {
    /// The signature was accepted.
    Believed(Box<Verified>),
    /// Refused as not authentic; the SHA-256 of the message that was sent.
    NotBelieved(String),
    /// Something else went wrong, and was said.
    Explained,
}

fn body_changed(hash: &str) -> String {
    format!(
        "The provider's log has a line `not authenticated: sha256=…` with the reason. If it is not\n\
         sha256={hash}\n\
         then a proxy changed the message: turn off what rewrites bodies or their encoding; every byte must pass."
    )
}

/// `soap:address` of a WSDL.
fn wsdl_address(wsdl: &[u8]) -> Option<String> {
    fn find(element: wsse::Element<'_>) -> Option<String> {
        if element.is("http://schemas.xmlsoap.org/wsdl/soap/", "address") {
            return element.attribute("", "location").map(str::to_owned);
        }
        element.children().find_map(find)
    }
    let document = Document::parse(wsdl).ok()?;
    let root = document.root();
    let is_wsdl = root.is("http://schemas.xmlsoap.org/wsdl/", "definitions");
    is_wsdl.then(|| find(root)).flatten()
}
