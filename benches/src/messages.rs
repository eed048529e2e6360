//! The two calls of MPay, about 5 KB with their answers, signed as MPay signs today.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use mpay_provider::soap::NAMESPACE;
use wsse::{Algorithms, Content, Signer, Writer};

const MPAY_KEY: &str = include_str!("../../crates/wsse/tests/data/mpay.key.pem");
pub(crate) const MPAY: &str = include_str!("../../crates/wsse/tests/data/mpay.pem");

/// ServiceID of the order.
pub(crate) const SERVICE: &str = "TAX";
/// OrderKey of the order.
pub(crate) const ORDER: &str = "48217730918";
/// Lines of the order.
pub(crate) const LINES: usize = 4;
/// `AmountDue` of each line.
pub(crate) const AMOUNT: &str = "150.25";

/// The time of all steps, within the validity of the certificates.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_780_304_400).unwrap_or_default()
}

/// MPay's calls, the same bytes each time.
#[derive(Debug)]
pub struct Messages {
    /// `GetOrderDetails`.
    pub details: Bytes,
    /// `ConfirmOrderPayment`.
    pub confirmation: Bytes,
}

impl Messages {
    /// Signs both.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Messages {
        let signer = Signer::from_pem(MPAY_KEY, MPAY).expect("MPay's key");
        let sign = |body: &Content| {
            let lifetime = Duration::from_secs(300);
            let signed = signer.sign(body, Algorithms::SHA1, now(), lifetime);
            Bytes::from(signed.expect("a message"))
        };
        Messages {
            details: sign(&details()),
            confirmation: sign(&confirmation()),
        }
    }
}

fn details() -> Content {
    let mut xml = Writer::new();
    xml.start_in("GetOrderDetails", NAMESPACE);
    xml.start("query");
    xml.element("Language", "ro");
    xml.element("OrderKey", ORDER);
    xml.element("ServiceID", SERVICE);
    xml.finish()
}

fn confirmation() -> Content {
    let mut xml = Writer::new();
    xml.start_in("ConfirmOrderPayment", NAMESPACE);
    xml.start("confirmation");
    xml.element("Currency", "MDL");
    xml.element("InvoiceID", "318840275511");
    xml.start("Lines");
    for line in 1..=LINES {
        xml.start("PaymentConfirmationLine");
        xml.element("Amount", AMOUNT);
        xml.start("DestinationAccount");
        xml.element("BankAccount", "MD24AG000225100013104168");
        xml.element("BankCode", "AGRNMD2X");
        xml.element("BankFiscalCode", "1000000000007");
        xml.element("BeneficiaryName", "Primăria Exemplu");
        xml.end();
        xml.element("LineID", &line.to_string());
        xml.end();
    }
    xml.end();
    xml.element("OrderKey", ORDER);
    xml.element("PaidAt", "2026-06-01T11:58:30");
    xml.element("PaymentID", "7f1c2f0e-5f0e-4f6a-9a54-7d8b1d0c9a11");
    xml.start("Properties");
    for (name, value) in [
        ("HO:Telephone", "+37322820000"),
        ("Payer", "Ion Exemplu"),
        ("Instrument", "Card & MPass"),
    ] {
        xml.start("PaymentProperty");
        xml.element("Name", name);
        xml.element("Value", value);
        xml.end();
    }
    xml.end();
    xml.element("ServiceID", SERVICE);
    xml.element("TotalAmount", "601.00");
    xml.finish()
}
