use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AmountJson, FieldError, MetadataJson, MetadatumJson, Reader, metadata};
use crate::domain::{
    AccountDetails, Alias, AmountError, Currency, CustomerType, Iban, Line, LineId, Localized,
    Money, Order, OrderError, OrderFields, OrderKey, PROPERTY_TYPES, PaymentAccount, Property,
    ServiceId, SetStatus, Text, TextError, time,
};

/// An order: the contract's members in snake_case, amounts as strings, times as RFC 3339, texts as
/// one string or one for each language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OrderJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Only a status that no payment or date gives: Completed, Cancelled, Refunding, Refunded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Allowed with Refunding, required with Refunded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reference: Option<String>,
    /// `MDL` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<LocalizedJson>,
    /// The sum of the lines; checked if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_amount_due: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    /// The time before which the order cannot be paid and MPay is not told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payable_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_partial_payments: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_advance_payments: bool,
    /// The least amount that a payment should have, if the payer chooses the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_payment: Option<String>,
    /// The greatest amount that a payment should have, if the payer chooses the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_payment: Option<String>,
    #[serde(default)]
    pub lines: Vec<LineJson>,
    /// Amounts that lines ask on some days, instead of their own amounts or in addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amounts: Vec<AmountJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyJson>,
    /// Other names under which MPay finds the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<MetadatumJson>,
    /// The institution's own notes, which neither MPay nor payers ever see.
    #[serde(default, skip_serializing_if = "MetadataJson::is_empty")]
    pub metadata: MetadataJson,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LineJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<LocalizedJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_due: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_account: Option<AccountJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyJson>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PropertyJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<LocalizedJson>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_visible: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modifiable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// An account: either all of its members, or `configuration_code` alone, which names the account that
/// MPay has on file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AccountJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_fiscal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "a text, or an object with the texts \"ro\", \"ru\" and \"en\""
)]
pub enum LocalizedJson {
    One(String),
    Each(EachLanguage),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EachLanguage {
    pub ro: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ru: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl OrderJson {
    /// The order that this describes.
    ///
    /// # Errors
    /// All errors, each with the path of its member.
    pub fn to_order(&self) -> Result<Order, Vec<FieldError>> {
        let mut reader = Reader::default();
        let service_id = reader.required("service_id", self.service_id.as_ref(), ServiceId::parse);
        let order_key = reader.required("order_key", self.order_key.as_ref(), OrderKey::parse);
        let currency = reader.optional("currency", self.currency.as_ref(), Currency::parse);
        let reason = localized(&mut reader, format_args!("reason"), self.reason.as_ref());
        let issued_at = reader.optional("issued_at", self.issued_at.as_ref(), |text| {
            time::parse_start(text).map(time::whole)
        });
        let due_date = reader.optional("due_date", self.due_date.as_ref(), |text| {
            time::parse(text).map(time::whole)
        });
        let payable_from = reader.optional("payable_from", self.payable_from.as_ref(), |text| {
            time::parse_start(text).map(time::whole)
        });
        let customer_type = reader.optional("customer_type", self.customer_type.as_ref(), |text| {
            CustomerType::parse(text).ok_or("must be Unspecified, Person or Organization")
        });
        let customer_id = reader.optional("customer_id", self.customer_id.as_ref(), Text::parse);
        let customer_name =
            reader.optional("customer_name", self.customer_name.as_ref(), Text::parse);
        let set_status = reader.optional("status", self.status.as_ref(), |text| {
            SetStatus::parse(text).ok_or(
                "can be set to Completed, Cancelled, Refunding or Refunded; the others follow from payments and dates",
            )
        });
        let refund_reference = reader.optional(
            "refund_reference",
            self.refund_reference.as_ref(),
            Text::parse,
        );
        let min_payment = reader.optional("min_payment", self.min_payment.as_ref(), Money::parse);
        let max_payment = reader.optional("max_payment", self.max_payment.as_ref(), Money::parse);
        let lines: Vec<_> = self
            .lines
            .iter()
            .enumerate()
            .map(|(i, line)| line.read(&mut reader, format_args!("lines[{i}]")))
            .collect();
        let only_line = match lines.as_slice() {
            [Some(line)] => Some(&line.line_id),
            _ => None,
        };
        let amounts = self.amounts.iter().enumerate();
        let amounts: Vec<_> = amounts
            .map(|(position, amount)| amount.read(&mut reader, position, only_line))
            .collect();
        let properties = properties(&mut reader, format_args!(""), &self.properties);
        let aliases = self.aliases.iter().enumerate();
        let aliases: Vec<_> = aliases
            .map(|(i, alias)| {
                let name = OrderKey::parse(alias.value());
                Some(Alias {
                    name: reader.check(format_args!("aliases[{i}]"), name)?,
                    is_personal: alias.is_personal(),
                })
            })
            .collect();
        let metadata = metadata::read(&mut reader, &self.metadata);
        let total = reader.optional(
            "total_amount_due",
            self.total_amount_due.as_ref(),
            Money::parse,
        );
        let fields = (|| {
            Some(OrderFields {
                service_id: service_id?,
                order_key: order_key?,
                currency: currency.unwrap_or(Currency::MDL),
                reason: reason?,
                issued_at,
                due_date,
                payable_from,
                customer_type,
                customer_id,
                customer_name,
                allow_partial_payments: self.allow_partial_payments,
                allow_advance_payments: self.allow_advance_payments,
                min_payment,
                max_payment,
                lines: lines.into_iter().collect::<Option<_>>()?,
                amounts: amounts.into_iter().collect::<Option<_>>()?,
                properties: properties?,
                aliases: aliases.into_iter().collect::<Option<_>>()?,
                metadata,
                set_status,
                refund_reference,
            })
        })();
        let order = match fields.map(Order::new) {
            Some(Ok(order)) => order,
            Some(Err(errors)) => {
                for error in errors {
                    reader.error(place(&error), error);
                }
                return Err(reader.errors);
            }
            None => return Err(reader.errors),
        };
        if let Some(total) = total
            && order.total() != Some(total)
        {
            let sum = order
                .total()
                .map_or("unknown".into(), |sum| sum.to_string());
            reader.error(
                "total_amount_due",
                format!(
                    "is {total}, but the sum of the lines is {sum}; leave it out or correct it"
                ),
            );
        }
        if reader.errors.is_empty() {
            Ok(order)
        } else {
            Err(reader.errors)
        }
    }
}

impl From<&Order> for OrderJson {
    fn from(order: &Order) -> Self {
        Self {
            service_id: Some(order.service_id.to_string()),
            order_key: Some(order.order_key.to_string()),
            status: order.set_status.map(|status| status.as_str().to_owned()),
            refund_reference: order.refund_reference.as_ref().map(text),
            currency: Some(order.currency.as_str().to_owned()),
            reason: Some((&order.reason).into()),
            total_amount_due: order.total().map(|total| total.to_string()),
            issued_at: order.issued_at.map(time::format_start),
            due_date: order.due_date.map(time::format_end),
            payable_from: order.payable_from.map(time::format_start),
            customer_type: order.customer_type.map(|kind| kind.as_str().to_owned()),
            customer_id: order.customer_id.as_ref().map(text),
            customer_name: order.customer_name.as_ref().map(text),
            allow_partial_payments: order.allow_partial_payments,
            allow_advance_payments: order.allow_advance_payments,
            min_payment: order.min_payment.map(|amount| amount.to_string()),
            max_payment: order.max_payment.map(|amount| amount.to_string()),
            lines: order
                .lines
                .iter()
                .map(|line| LineJson {
                    line_id: Some(line.line_id.to_string()),
                    reason: Some((&line.reason).into()),
                    amount_due: line.amount_due.map(|amount| amount.to_string()),
                    destination_account: line.destination_account.as_ref().map(Into::into),
                    properties: line.properties.iter().map(Into::into).collect(),
                })
                .collect(),
            amounts: order.amounts.iter().map(Into::into).collect(),
            properties: order.properties.iter().map(Into::into).collect(),
            aliases: order.aliases.iter().map(Into::into).collect(),
            metadata: metadata::write(&order.metadata),
        }
    }
}

impl LineJson {
    fn read(&self, reader: &mut Reader, path: fmt::Arguments<'_>) -> Option<Line> {
        let line_id = reader.required(
            format_args!("{path}.line_id"),
            self.line_id.as_ref(),
            LineId::parse,
        );
        let reason = localized(reader, format_args!("{path}.reason"), self.reason.as_ref());
        let amount_due = reader.optional(
            format_args!("{path}.amount_due"),
            self.amount_due.as_ref(),
            Money::parse,
        );
        let amount_is_wrong = self.amount_due.is_some() && amount_due.is_none();
        let destination_account = match &self.destination_account {
            Some(account) => {
                Some(account.read(reader, format_args!("{path}.destination_account"))?)
            }
            None => None,
        };
        let properties = properties(reader, format_args!("{path}."), &self.properties);
        if amount_is_wrong {
            return None;
        }
        Some(Line {
            line_id: line_id?,
            reason: reason?,
            amount_due,
            destination_account,
            properties: properties?,
        })
    }
}

impl AccountJson {
    /// The account that this describes; errors name it by `path`.
    ///
    /// # Errors
    /// All errors.
    pub fn to_account(&self, path: &str) -> Result<PaymentAccount, Vec<FieldError>> {
        let mut reader = Reader::default();
        match self.read(&mut reader, format_args!("{path}")) {
            Some(account) if reader.errors.is_empty() => Ok(account),
            _ => Err(reader.errors),
        }
    }

    /// This account, with the members of `other` where it has none.
    pub fn or(self, other: Self) -> Self {
        Self {
            bank_account: self.bank_account.or(other.bank_account),
            bank_code: self.bank_code.or(other.bank_code),
            bank_fiscal_code: self.bank_fiscal_code.or(other.bank_fiscal_code),
            beneficiary_name: self.beneficiary_name.or(other.beneficiary_name),
            configuration_code: self.configuration_code.or(other.configuration_code),
        }
    }

    fn read(&self, reader: &mut Reader, path: fmt::Arguments<'_>) -> Option<PaymentAccount> {
        let on_file = Self {
            configuration_code: self.configuration_code.clone(),
            ..Self::default()
        };
        if self.configuration_code.is_some() && *self == on_file {
            return reader
                .optional(
                    format_args!("{path}.configuration_code"),
                    self.configuration_code.as_ref(),
                    Text::parse,
                )
                .map(PaymentAccount::OnFile);
        }
        let bank_account = reader.required(
            format_args!("{path}.bank_account"),
            self.bank_account.as_ref(),
            Iban::parse,
        );
        let bank_code = reader.required(
            format_args!("{path}.bank_code"),
            self.bank_code.as_ref(),
            Text::parse,
        );
        let bank_fiscal_code = reader.required(
            format_args!("{path}.bank_fiscal_code"),
            self.bank_fiscal_code.as_ref(),
            Text::parse,
        );
        let beneficiary_name = reader.required(
            format_args!("{path}.beneficiary_name"),
            self.beneficiary_name.as_ref(),
            Text::parse,
        );
        let configuration_code = reader.optional(
            format_args!("{path}.configuration_code"),
            self.configuration_code.as_ref(),
            Text::parse,
        );
        Some(PaymentAccount::Whole(AccountDetails {
            bank_account: bank_account?,
            bank_code: bank_code?,
            bank_fiscal_code: bank_fiscal_code?,
            beneficiary_name: beneficiary_name?,
            configuration_code,
        }))
    }
}

impl From<&PaymentAccount> for AccountJson {
    fn from(account: &PaymentAccount) -> Self {
        let details = account.details();
        Self {
            bank_account: details.map(|details| details.bank_account.as_str().to_owned()),
            bank_code: details.map(|details| text(&details.bank_code)),
            bank_fiscal_code: details.map(|details| text(&details.bank_fiscal_code)),
            beneficiary_name: details.map(|details| text(&details.beneficiary_name)),
            configuration_code: account.configuration_code().map(text),
        }
    }
}

impl PropertyJson {
    fn read(&self, reader: &mut Reader, path: fmt::Arguments<'_>) -> Option<Property> {
        let id = reader.optional(format_args!("{path}.id"), self.id.as_ref(), Text::parse);
        let name = reader.required(format_args!("{path}.name"), self.name.as_ref(), |text| {
            let name = Text::parse(text).map_err(|error| error.to_string())?;
            if name
                .as_str()
                .chars()
                .all(|c| c.is_alphanumeric() || c == ' ')
            {
                Ok(name)
            } else {
                Err("may hold letters, digits and spaces only".to_owned())
            }
        });
        let display_name = localized(
            reader,
            format_args!("{path}.display_name"),
            self.display_name.as_ref(),
        );
        let kind = reader.optional(format_args!("{path}.type"), self.kind.as_ref(), |text| {
            PROPERTY_TYPES
                .into_iter()
                .find(|known| *known == text)
                .ok_or_else(|| format!("must be one of {}", PROPERTY_TYPES.join(", ")))
        });
        let value = match self.value.as_deref().map(Text::parse) {
            None | Some(Err(TextError::Empty)) => None,
            Some(value) => Some(reader.check(format_args!("{path}.value"), value)?),
        };
        Some(Property {
            id,
            name: name?,
            display_name: display_name?,
            kind,
            value,
            is_visible: self.is_visible,
            modifiable: self.modifiable,
            required: self.required,
        })
    }
}

impl From<&Property> for PropertyJson {
    fn from(property: &Property) -> Self {
        Self {
            id: property.id.as_ref().map(text),
            name: Some(text(&property.name)),
            display_name: Some((&property.display_name).into()),
            kind: property.kind.map(str::to_owned),
            value: property.value.as_ref().map(text),
            is_visible: property.is_visible,
            modifiable: property.modifiable,
            required: property.required,
        }
    }
}

impl LocalizedJson {
    /// The text that this describes; errors name it by `path`.
    ///
    /// # Errors
    /// All errors.
    pub fn to_localized<const MAX: usize>(
        &self,
        path: &str,
    ) -> Result<Localized<MAX>, Vec<FieldError>> {
        let mut reader = Reader::default();
        match localized(&mut reader, format_args!("{path}"), Some(self)) {
            Some(text) if reader.errors.is_empty() => Ok(text),
            _ => Err(reader.errors),
        }
    }
}

impl<const MAX: usize> From<&Localized<MAX>> for LocalizedJson {
    fn from(localized: &Localized<MAX>) -> Self {
        match localized {
            Localized {
                ro,
                ru: None,
                en: None,
            } => Self::One(text(ro)),
            Localized { ro, ru, en } => Self::Each(EachLanguage {
                ro: text(ro),
                ru: ru.as_ref().map(text),
                en: en.as_ref().map(text),
            }),
        }
    }
}

fn text<const MAX: usize>(text: &Text<MAX>) -> String {
    text.as_str().to_owned()
}

fn localized<const MAX: usize>(
    reader: &mut Reader,
    path: fmt::Arguments<'_>,
    json: Option<&LocalizedJson>,
) -> Option<Localized<MAX>> {
    match json {
        None => {
            reader.error(path, "is missing");
            None
        }
        Some(LocalizedJson::One(text)) => {
            let ro = reader.check(path, Text::parse(text))?;
            Some(Localized {
                ro,
                ru: None,
                en: None,
            })
        }
        Some(LocalizedJson::Each(each)) => {
            let ro = reader.check(format_args!("{path}.ro"), Text::parse(&each.ro));
            let ru = reader.optional(format_args!("{path}.ru"), each.ru.as_ref(), Text::parse);
            let en = reader.optional(format_args!("{path}.en"), each.en.as_ref(), Text::parse);
            Some(Localized { ro: ro?, ru, en })
        }
    }
}

fn properties(
    reader: &mut Reader,
    prefix: fmt::Arguments<'_>,
    properties: &[PropertyJson],
) -> Option<Vec<Property>> {
    let read: Vec<_> = properties
        .iter()
        .enumerate()
        .map(|(i, property)| property.read(reader, format_args!("{prefix}properties[{i}]")))
        .collect();
    read.into_iter().collect()
}

fn place(error: &OrderError) -> String {
    match error {
        OrderError::NoLines | OrderError::TooLarge => "lines".to_owned(),
        OrderError::RepeatedLine { line, .. } => format!("lines[{line}].line_id"),
        OrderError::NothingDue { line } | OrderError::AmountMissing { line } => {
            format!("lines[{line}].amount_due")
        }
        OrderError::Amount { amount, error } => {
            let member = match error {
                AmountError::UnknownLine(_) | AmountError::UnknownAmount(_) => ".line_id",
                AmountError::EndsBefore => ".until",
                AmountError::NoFirstDay => ".from",
                AmountError::NoEnd => ".at_most",
                _ => "",
            };
            format!("amounts[{amount}]{member}")
        }
        OrderError::TooManyAmounts | OrderError::NothingDueOn(_) => "amounts".to_owned(),
        OrderError::LimitOfKnownAmount => "min_payment".to_owned(),
        OrderError::LimitsCross => "max_payment".to_owned(),
        OrderError::TooManyAliases => "aliases".to_owned(),
        OrderError::RepeatedAlias { alias } => format!("aliases[{alias}]"),
        OrderError::TooMuchMetadata => "metadata".to_owned(),
        OrderError::NeverPayable => "payable_from".to_owned(),
        OrderError::UnknownAmount => "total_amount_due".to_owned(),
        OrderError::NoRefundReference | OrderError::NoRefund => "refund_reference".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Order, Vec<String>> {
        serde_json::from_value::<OrderJson>(json)
            .unwrap()
            .to_order()
            .map_err(|errors| {
                errors
                    .into_iter()
                    .map(|error| format!("{}: {}", error.field, error.detail))
                    .collect()
            })
    }

    fn whole() -> serde_json::Value {
        serde_json::json!({
            "service_id": "TAX", "order_key": "1001", "currency": "MDL",
            "reason": {"ro": "Taxă", "ru": "Сбор", "en": "Fee"},
            "total_amount_due": "150.50",
            "issued_at": "2026-11-01T09:00:00+02:00", "due_date": "2026-12-31",
            "customer_type": "Person", "customer_id": "2000000000004", "customer_name": "Ana",
            "allow_partial_payments": true,
            "lines": [
                {"line_id": "a", "reason": "Unu", "amount_due": "100",
                 "destination_account": {
                    "bank_account": "MD24AG000225100013104168", "bank_code": "AGRNMD2X",
                    "bank_fiscal_code": "1000000000007", "beneficiary_name": "Primăria"}},
                {"line_id": "b", "reason": "Doi", "amount_due": "50.5"}
            ],
            "properties": [{"name": "Adresa", "display_name": "Adresa", "type": "string",
                            "value": "", "modifiable": true}]
        })
    }

    #[test]
    fn an_order_survives_the_way_to_json_and_back() {
        let order = read(whole()).unwrap();
        let json = serde_json::to_value(OrderJson::from(&order)).unwrap();
        assert_eq!(read(json).unwrap(), order);
        assert_eq!(order.total().unwrap().to_string(), "150.50");
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut json = whole();
        json["order_key"] = "x".repeat(37).into();
        json["customer_id"] = "12345678901234".into();
        json["due_date"] = "tomorrow".into();
        json["lines"][0]["amount_due"] = "1,5".into();
        json["lines"][1]["reason"] = "".into();
        json["properties"][0]["name"] = "a/b".into();
        let errors = read(json).unwrap_err();
        for field in [
            "order_key",
            "customer_id",
            "due_date",
            "lines[0].amount_due",
            "lines[1].reason",
            "properties[0].name",
        ] {
            assert!(
                errors.iter().any(|e| e.starts_with(&format!("{field}: "))),
                "{field}: {errors:?}"
            );
        }
        assert_eq!(errors.len(), 6);
    }

    #[test]
    fn members_that_contradict_each_other_are_named() {
        let mut json = whole();
        json["lines"][1]["line_id"] = "a".into();
        json["total_amount_due"] = "1".into();
        assert_eq!(
            read(json).unwrap_err(),
            ["lines[1].line_id: repeats the line_id a"]
        );

        let mut json = whole();
        json["total_amount_due"] = "1".into();
        assert!(read(json).unwrap_err()[0].starts_with("total_amount_due: is 1.00, but"));

        let mut json = whole();
        json["lines"][1]
            .as_object_mut()
            .unwrap()
            .remove("amount_due");
        assert!(read(json).unwrap_err()[0].starts_with("lines[1].amount_due: is missing"));

        let mut json = whole();
        json["lines"] = serde_json::json!([]);
        json["status"] = "Paid".into();
        assert_eq!(read(json).unwrap_err().len(), 2);
    }

    #[test]
    fn an_unknown_amount_needs_leave_to_pay_another() {
        let mut json = whole();
        json.as_object_mut().unwrap().remove("total_amount_due");
        for line in 0..2 {
            json["lines"][line]
                .as_object_mut()
                .unwrap()
                .remove("amount_due");
        }
        assert_eq!(read(json.clone()).unwrap().total(), None);
        json["allow_partial_payments"] = false.into();
        assert!(read(json).unwrap_err()[0].starts_with("total_amount_due: is unknown"));
    }
}
