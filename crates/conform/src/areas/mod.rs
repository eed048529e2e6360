//! The checks, a file for each area. Within a file the list comes first.

mod fault;
mod idempotence;
mod language;
mod payment;
mod reading;
mod refusal;
mod signature;
mod status;
mod structure;
mod transport;
mod wsdl;

use super::check::Check;
pub use wsdl::origin;

/// Names of the areas for people, and their checks in order: those that only look come before those that
/// pay.
pub const AREAS: [(&str, &str, &[Check]); 11] = [
    ("transport", "Transport", transport::CHECKS),
    ("wsdl", "WSDL", wsdl::CHECKS),
    ("structure", "Structures in answers", structure::CHECKS),
    ("language", "Languages", language::CHECKS),
    ("reading", "Tolerant reading", reading::CHECKS),
    ("signature", "Signatures", signature::CHECKS),
    ("refusal", "Refusal of hostile messages", refusal::CHECKS),
    ("fault", "Faults", fault::CHECKS),
    ("payment", "Partial and advance payments", payment::CHECKS),
    ("idempotence", "Idempotence", idempotence::CHECKS),
    ("status", "Statuses", status::CHECKS),
];
