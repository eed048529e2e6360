//! Where the money goes.

use super::{Iban, Text};

/// `PaymentAccount`: the account that a line is paid to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentAccount {
    /// `BankAccount`.
    pub bank_account: Iban,
    /// `BankCode`: BIC of the bank, such as `TREZMD2X`.
    pub bank_code: Text<20>,
    /// `BankFiscalCode`: fiscal code (IDNO) of the beneficiary.
    pub bank_fiscal_code: Text<20>,
    /// `BeneficiaryName`.
    pub beneficiary_name: Text<60>,
    /// `ConfigurationCode`: MPay's name for an account that it has on file.
    pub configuration_code: Option<Text<36>>,
}
