//! The amounts that a payer may pay, and the one that they chose.

use mpay_domain::Money;
use stage::{Request, Text, link};
use url::Url;

use super::text;
use mpay_client::{Confirmation, OrderDetails, OrderProperty};

/// The longest key of the contract, in characters.
const KEY: usize = 36;
/// The longest value of a property, in characters.
const VALUE: usize = 255;

/// A payer's arrival: the data that the provider's page posted, or that they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// `ServiceID`.
    pub service_id: String,
    /// `OrderKey`.
    pub order_key: String,
    /// `ReturnUrl` as it was given.
    pub return_url: Option<String>,
    /// True if an operator of a POS terminal is at work.
    pub terminal: bool,
}

impl Visit {
    /// Reads the fields of the pay page. `None` if one that is required is missing or too long.
    pub fn read(request: &Request) -> Option<Self> {
        let terminal = request.field("Terminal").is_some();
        Self::new(
            request.field("ServiceID")?,
            request.field("OrderKey")?,
            request.field("ReturnUrl"),
            terminal,
        )
    }

    /// A visit for an order.
    pub fn new(
        service_id: &str,
        order_key: &str,
        return_url: Option<&str>,
        terminal: bool,
    ) -> Option<Self> {
        let key = |key: &str| {
            let key = key.trim();
            (1..=KEY)
                .contains(&key.chars().count())
                .then(|| key.to_owned())
        };
        Some(Self {
            service_id: key(service_id)?,
            order_key: key(order_key)?,
            return_url: return_url
                .map(str::trim)
                .filter(|url| !url.is_empty())
                .map(str::to_owned),
            terminal,
        })
    }

    /// The fields, as a form carries them.
    pub fn fields(&self) -> Vec<(&'static str, &str)> {
        let mut fields = vec![
            ("ServiceID", self.service_id.as_str()),
            ("OrderKey", self.order_key.as_str()),
        ];
        fields.extend(self.return_url.as_deref().map(|url| ("ReturnUrl", url)));
        if self.terminal {
            fields.push(("Terminal", "1"));
        }
        fields
    }

    /// The visit for one of the orders that were found: each is paid under its own key, not under the
    /// name that was typed.
    pub fn of(&self, order: &OrderDetails) -> Self {
        let key = order.get("OrderKey").filter(|key| !key.is_empty());
        Self {
            order_key: key.unwrap_or(&self.order_key).to_owned(),
            ..self.clone()
        }
    }

    /// The address of the pay page for it.
    pub fn link(&self) -> String {
        link("/service/pay", &self.fields())
    }
}

/// The address that a payer may be sent back to: an absolute address of the web.
pub fn web_address(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The amounts that may be paid for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The amount due, if that is known.
    pub due: Option<Money>,
    /// True if less may be paid.
    pub partial: bool,
    /// True if more may be paid.
    pub advance: bool,
    /// True if the status says that it can be paid.
    pub payable: bool,
}

impl Terms {
    /// The terms of an order: a flag counts where both the order and its first line have it.
    pub fn of(order: &OrderDetails) -> Self {
        let flag = |name| {
            is_true(order.get(name))
                && order
                    .lines
                    .first()
                    .is_some_and(|line| is_true(line.get(name)))
        };
        Self {
            due: order
                .get("TotalAmountDue")
                .and_then(|due| Money::parse(due).ok()),
            partial: flag("AllowPartialPayments"),
            advance: flag("AllowAdvancePayments"),
            payable: matches!(order.get("Status"), Some("Active" | "PartiallyPaid")),
        }
    }

    /// True if the payer chooses the amount.
    pub fn adjustable(&self) -> bool {
        self.partial || self.advance || !self.payable || self.due.is_none_or(Money::is_zero)
    }

    /// The amount that was typed, or the amount that is due.
    ///
    /// # Errors
    /// A text for the payer that names the mistake.
    pub fn amount(&self, typed: Option<&str>) -> Result<Money, Text> {
        let amount = match typed.map(str::trim).filter(|typed| !typed.is_empty()) {
            Some(typed) => {
                let plain: String = typed
                    .chars()
                    .filter(|c| !c.is_whitespace())
                    .map(|c| if c == ',' { '.' } else { c })
                    .collect();
                Money::parse(&plain).map_err(|_| text::WRONG_AMOUNT)?
            }
            None => self.due.ok_or(text::WRONG_AMOUNT)?,
        };
        if amount.is_zero() {
            return Err(text::NOTHING_TO_PAY);
        }
        match self.due {
            Some(due) if self.payable && amount < due && !self.partial => Err(text::TOO_LITTLE),
            Some(due) if self.payable && amount > due && !self.advance => Err(text::TOO_MUCH),
            _ => Ok(amount),
        }
    }
}

/// A property that the payer fills in.
#[derive(Debug, Clone)]
pub struct Blank<'a> {
    /// The name of its field in the form.
    pub field: String,
    /// The property.
    pub property: &'a OrderProperty,
    /// `LineID` of the line it belongs to, or none if it is the order's.
    pub line_id: Option<&'a str>,
}

/// The properties that the payer fills in: the order's, then those of its lines.
pub fn to_fill_in(order: &OrderDetails) -> Vec<Blank<'_>> {
    let of_order = order.properties.iter().map(|property| (None, property));
    let of_lines = order.lines.iter().flat_map(|line| {
        let properties = line.properties.iter();
        properties.map(move |property| (Some(line.get("LineID").unwrap_or_default()), property))
    });
    of_order
        .chain(of_lines)
        .filter(|(_, property)| is_true(property.get("Modifiable")))
        .enumerate()
        .map(|(n, (line_id, property))| Blank {
            field: format!("property-{n}"),
            property,
            line_id,
        })
        .collect()
}

/// True if a flag of the contract is set.
pub fn is_true(flag: Option<&str>) -> bool {
    matches!(flag.map(str::trim), Some("true" | "1"))
}

/// The confirmation of the payment that the payer chose.
///
/// # Errors
/// A text for the payer that names the mistake.
pub fn confirmation(
    visit: &Visit,
    order: &OrderDetails,
    invoice_id: String,
    request: &Request,
) -> Result<Confirmation, Text> {
    let amount = Terms::of(order).amount(request.field("amount"))?;
    let (mut properties, mut line_properties) = (Vec::new(), Vec::new());
    for blank in to_fill_in(order) {
        let value = request.field(&blank.field).unwrap_or_default().trim();
        if value.is_empty() && is_true(blank.property.get("Required")) {
            return Err(text::FILL_IN);
        }
        if value.chars().count() > VALUE {
            return Err(text::TOO_LONG);
        }
        let name = blank.property.get("Name").unwrap_or_default().to_owned();
        match blank.line_id {
            None => properties.push((name, value.to_owned())),
            Some(id) => line_properties.push((id.to_owned(), name, value.to_owned())),
        }
    }
    let lines = order.spread(amount).unwrap_or_default().into_iter();
    Ok(Confirmation {
        service_id: visit.service_id.clone(),
        order_key: visit.order_key.clone(),
        payment_id: Confirmation::new_payment_id(),
        currency: order.get("Currency").unwrap_or("MDL").to_owned(),
        total: amount.to_string(),
        paid_at: Confirmation::paid_now(),
        lines: lines.map(|(id, share)| (id, share.to_string())).collect(),
        invoice_id: Some(invoice_id),
        properties,
        line_properties,
    })
}

/// The confirmation shown to a payer who did not succeed; it is not sent.
pub fn failed(visit: &Visit, order: &OrderDetails, request: &Request) -> Confirmation {
    let amount = Terms::of(order).amount(request.field("amount"));
    Confirmation {
        service_id: visit.service_id.clone(),
        order_key: visit.order_key.clone(),
        payment_id: Confirmation::new_payment_id(),
        currency: order.get("Currency").unwrap_or("MDL").to_owned(),
        total: amount.unwrap_or(Money::ZERO).to_string(),
        paid_at: Confirmation::paid_now(),
        ..Confirmation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(due: Option<&str>, partial: bool, advance: bool) -> Terms {
        Terms {
            due: due.map(|due| Money::parse(due).unwrap()),
            partial,
            advance,
            payable: true,
        }
    }

    fn amount(terms: Terms, typed: &str) -> Result<String, Text> {
        terms.amount(Some(typed)).map(|amount| amount.to_string())
    }

    #[test]
    fn the_amount_follows_the_flags_of_the_order() {
        let fixed = terms(Some("100"), false, false);
        assert!(!fixed.adjustable());
        assert_eq!(amount(fixed, ""), Ok("100.00".into()));
        assert_eq!(amount(fixed, "99.99"), Err(text::TOO_LITTLE));
        assert_eq!(amount(fixed, "100.01"), Err(text::TOO_MUCH));
        let partial = terms(Some("100"), true, false);
        assert_eq!(amount(partial, "0,01"), Ok("0.01".into()));
        assert_eq!(amount(partial, "100.01"), Err(text::TOO_MUCH));
        let advance = terms(Some("100"), false, true);
        assert_eq!(amount(advance, "1 000,5"), Ok("1000.50".into()));
        assert_eq!(amount(advance, "99"), Err(text::TOO_LITTLE));
        let unknown = terms(None, false, true);
        assert!(unknown.adjustable());
        assert_eq!(amount(unknown, ""), Err(text::WRONG_AMOUNT));
        for typed in ["0", "-1", "1e3", "abc", "1.001", "NaN"] {
            assert!(amount(unknown, typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_paid_any_more_can_be_confirmed_with_any_amount() {
        let paid = Terms {
            payable: false,
            ..terms(Some("0"), false, false)
        };
        assert!(paid.adjustable());
        assert_eq!(amount(paid, "7"), Ok("7.00".into()));
        assert_eq!(amount(paid, ""), Err(text::NOTHING_TO_PAY));
    }

    #[test]
    fn a_payer_is_sent_back_to_the_web_only() {
        for good in ["https://a.md/x?y=1&z=2#f", "http://127.0.0.1:8080"] {
            assert!(web_address(good).is_some(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/path",
            "ftp://a.md/",
            "https://",
            "file:///etc/passwd",
            "",
        ] {
            assert!(web_address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn keys_are_trimmed_and_have_1_to_36_characters() {
        let visit = |service: &str, key: &str| Visit::new(service, key, Some(" "), false);
        assert_eq!(visit(" S ", "K").unwrap().service_id, "S");
        assert_eq!(visit("S", "K").unwrap().return_url, None);
        assert!(visit("S", " ").is_none());
        assert!(visit("S", &"ș".repeat(36)).is_some());
        assert!(visit(&"ș".repeat(37), "K").is_none());
    }
}
