//! Accounts that money goes to.

use super::{Iban, Text};

/// `PaymentAccount`: the account that a line is paid to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentAccount {
    /// An account of which everything is known.
    Whole(AccountDetails),
    /// `ConfigurationCode` alone: the account that MPay has on file under this name, by its contract
    /// with the institution (MPay contract, "Settled readings").
    OnFile(Text<36>),
}

/// The members of a [`PaymentAccount`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDetails {
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

impl PaymentAccount {
    /// `BankAccount`; `None` if only MPay knows it.
    pub fn bank_account(&self) -> Option<&Iban> {
        self.details().map(|details| &details.bank_account)
    }

    /// The details beside its name at MPay; `None` if only MPay knows it.
    pub fn details(&self) -> Option<&AccountDetails> {
        match self {
            Self::Whole(details) => Some(details),
            Self::OnFile(_) => None,
        }
    }

    /// `ConfigurationCode`.
    pub fn configuration_code(&self) -> Option<&Text<36>> {
        match self {
            Self::Whole(details) => details.configuration_code.as_ref(),
            Self::OnFile(code) => Some(code),
        }
    }
}
