use super::reader::Reader;
use crate::domain::{Iban, PaymentAccount, ServiceId, Text};

impl Reader<'_> {
    pub fn service_ids(&mut self) -> Vec<ServiceId> {
        let Some(value) = self.required(
            "service_ids",
            "the ServiceIDs that MPay gave you, separated by commas",
        ) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        for text in value.split(',') {
            match ServiceId::parse(text) {
                Ok(id) => ids.push(id),
                Err(error) => self.error("service_ids", format!("{text:?} {error}")),
            }
        }
        ids
    }

    pub fn default_account(&mut self) -> Option<PaymentAccount> {
        const MEMBERS: [&str; 4] = [
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
        ];
        if MEMBERS
            .iter()
            .all(|member| self.variables.get(member).is_none())
        {
            return None;
        }
        let bank_account = self.account_member("bank_account", Iban::parse);
        let bank_code = self.account_member("bank_code", Text::parse);
        let bank_fiscal_code = self.account_member("bank_fiscal_code", Text::parse);
        let beneficiary_name = self.account_member("beneficiary_name", Text::parse);
        Some(PaymentAccount {
            bank_account: bank_account?,
            bank_code: bank_code?,
            bank_fiscal_code: bank_fiscal_code?,
            beneficiary_name: beneficiary_name?,
            configuration_code: None,
        })
    }

    fn account_member<T, E: ToString>(
        &mut self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.required(
            variable,
            "a value, or leave bank_account, bank_code, bank_fiscal_code and beneficiary_name all empty",
        )?;
        parse(value)
            .map_err(|error| self.error(variable, error.to_string()))
            .ok()
    }
}
