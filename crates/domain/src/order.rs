//! Orders: the demands of an institution.

use std::{collections::HashSet, ops::Deref};

use jiff::Timestamp;

use super::{
    AmountError, Currency, DatedAmount, LineId, Localized, Money, OrderKey, PaymentAccount,
    ServiceId, Text,
};

/// The largest number of amounts that depend on the day, in an order.
pub const AMOUNTS_MAX: usize = 100;

/// `OrderProperty/Type` values known to MPay.
pub const PROPERTY_TYPES: [&str; 7] = [
    "string",
    "idn",
    "tc",
    "number",
    "CustomerName",
    "CustomerType",
    "LineDescription",
];

/// `CustomerType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerType {
    /// Not known.
    Unspecified,
    /// A natural person.
    Person,
    /// A legal person.
    Organization,
}

impl CustomerType {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Unspecified, Self::Person, Self::Organization];

    /// The contract's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "Unspecified",
            Self::Person => "Person",
            Self::Organization => "Organization",
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A status that no payment or date gives: the institution sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetStatus {
    /// The service was rendered; nothing more is due.
    Completed,
    /// The order was withdrawn.
    Cancelled,
    /// The money is on its way back.
    Refunding,
    /// The money was given back.
    Refunded,
}

impl SetStatus {
    /// All of these statuses.
    pub const ALL: [Self; 4] = [
        Self::Completed,
        Self::Cancelled,
        Self::Refunding,
        Self::Refunded,
    ];

    /// The contract's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::Refunding => "Refunding",
            Self::Refunded => "Refunded",
        }
    }

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// `OrderProperty`: a value that is shown to the payer, or a blank that the payer may fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// `Id`.
    pub id: Option<Text<36>>,
    /// `Name`: letters, digits and spaces.
    pub name: Text<36>,
    /// `DisplayName`.
    pub display_name: Localized<36>,
    /// `Type`, one of [`PROPERTY_TYPES`]; absent means `string`.
    pub kind: Option<&'static str>,
    /// `Value`; `None` is written as an empty value.
    pub value: Option<Text<255>>,
    /// `IsVisible`.
    pub is_visible: Option<bool>,
    /// `Modifiable`: the payer may change the value.
    pub modifiable: Option<bool>,
    /// `Required`.
    pub required: Option<bool>,
}

/// `OrderLine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `LineID`, unique in its order.
    pub line_id: LineId,
    /// `Reason`: the reason of the payment.
    pub reason: Localized<50>,
    /// `AmountDue` before any payment; `None` if it is not known yet.
    pub amount_due: Option<Money>,
    /// `DestinationAccount`; `None` stands for the service's default account.
    pub destination_account: Option<PaymentAccount>,
    /// `Properties`.
    pub properties: Vec<Property>,
}

/// A pair of an order's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadatum {
    /// Its name: letters, digits, `_`, `-` and `.`.
    pub name: Text<40>,
    /// Its value.
    pub value: Text<500>,
    /// True if it is personal data, which an erasure removes.
    pub is_personal: bool,
}

/// Another name of an order, by which MPay finds it: a fiscal code, a contract, a cadastral number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name that payers type.
    pub name: OrderKey,
    /// True if it is personal data, which an erasure removes.
    pub is_personal: bool,
}

/// The largest number of other names of an order.
pub const ALIASES_MAX: usize = 10;

/// The largest number of pairs of metadata of an order.
pub const METADATA_MAX: usize = 20;

/// The members of an [`Order`], of which each is valid on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFields {
    /// `ServiceID`.
    pub service_id: ServiceId,
    /// `OrderKey`.
    pub order_key: OrderKey,
    /// `Currency`.
    pub currency: Currency,
    /// `Reason`: the purpose of the order, printed on receipts.
    pub reason: Localized<50>,
    /// `IssuedAt`.
    pub issued_at: Option<Timestamp>,
    /// `DueDate`: the time after which the order is expired. `None` for a bill that stays payable.
    pub due_date: Option<Timestamp>,
    /// The time from which the order can be paid. Before it, MPay gets the answer that there is no such order.
    pub payable_from: Option<Timestamp>,
    /// `CustomerType`.
    pub customer_type: Option<CustomerType>,
    /// `CustomerID`: IDNP or IDNO.
    pub customer_id: Option<Text<13>>,
    /// `CustomerName`.
    pub customer_name: Option<Text<60>>,
    /// `AllowPartialPayments`: the payer may pay less than is due.
    pub allow_partial_payments: bool,
    /// `AllowAdvancePayments`: the payer may pay more than is due.
    pub allow_advance_payments: bool,
    /// The least that a payment should be, if the payer chooses the amount.
    pub min_payment: Option<Money>,
    /// The most that a payment should be, if the payer chooses the amount.
    pub max_payment: Option<Money>,
    /// `Lines`.
    pub lines: Vec<Line>,
    /// Amounts that the lines ask on some days, instead of their own amounts or in addition to them.
    pub amounts: Vec<DatedAmount>,
    /// `Properties`.
    pub properties: Vec<Property>,
    /// Other names by which MPay finds the order. Several orders may share one.
    pub aliases: Vec<Alias>,
    /// The institution's own notes, in the order of the names. Neither MPay nor payers ever
    /// see it.
    pub metadata: Vec<Metadatum>,
    /// A status that the institution set.
    pub set_status: Option<SetStatus>,
    /// The reference by which a refund is found at the bank or the treasury.
    pub refund_reference: Option<Text<140>>,
}

/// A mistake of several members together, of which each is valid on its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// An order has at least one line.
    #[error("must have at least one line")]
    NoLines,
    /// Line number `line` (from 0) repeats an id.
    #[error("repeats the line_id {id}")]
    RepeatedLine {
        /// Position of the line, from 0.
        line: usize,
        /// The id.
        id: LineId,
    },
    /// Line number `line` (from 0) asks for no money on any day.
    #[error("must be more than zero")]
    NothingDue {
        /// Position of the line, from 0.
        line: usize,
    },
    /// Line number `line` (from 0) has no amount, but other lines have one.
    #[error("is missing: either all lines have an amount or none has")]
    AmountMissing {
        /// Position of the line, from 0.
        line: usize,
    },
    /// Amount number `amount` (from 0) of the amounts that depend on the day is invalid.
    #[error("{error}")]
    Amount {
        /// Its position, from 0.
        amount: usize,
        /// The mistake.
        error: AmountError,
    },
    /// There are too many amounts that depend on the day.
    #[error("are more than {AMOUNTS_MAX}")]
    TooManyAmounts,
    /// There are too many other names.
    #[error("are more than {ALIASES_MAX}")]
    TooManyAliases,
    /// Alias number `alias` (from 0) is the same as an earlier one, for payers.
    #[error("differs from another alias only in what payers do not see")]
    RepeatedAlias {
        /// Its position, from 0.
        alias: usize,
    },
    /// There is too much metadata.
    #[error("has more than {METADATA_MAX} pairs")]
    TooMuchMetadata,
    /// The order asks for nothing on this day.
    #[error("leave nothing to be paid on {0}")]
    NothingDueOn(jiff::civil::Date),
    /// The order could never be paid.
    #[error("is after due_date")]
    NeverPayable,
    /// An order of unknown amount allows neither partial nor advance payments.
    #[error(
        "is unknown, which needs allow_partial_payments or allow_advance_payments; else give every line its amount_due"
    )]
    UnknownAmount,
    /// The order limits the payer's choice of the amount, but its lines fix the amount.
    #[error(
        "is for an order whose amount the payer chooses; leave it out, or leave out amount_due of the lines"
    )]
    LimitOfKnownAmount,
    /// No payment can satisfy both limits.
    #[error("is less than min_payment, or zero")]
    LimitsCross,
    /// A Refunded order has no reference of its refund.
    #[error(
        "is missing: a Refunded order needs a reference of its refund, such as the number of the payment order"
    )]
    NoRefundReference,
    /// The order has a reference of a refund, but no refund.
    #[error("is for an order that is Refunding or Refunded; leave it out")]
    NoRefund,
    /// The sum is beyond [`Money::MAX`].
    #[error("add up to more than {max}", max = Money::MAX)]
    TooLarge,
}

/// `OrderDetails`: an order, whole and consistent.
///
/// The lines have distinct ids. Their amounts are all known and positive, or all unknown; if they are unknown,
/// partial or advance payments are allowed. A line's amount may be zero if an amount that depends on the day
/// names the line. On every day the order asks for more than zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(OrderFields);

impl Deref for Order {
    type Target = OrderFields;

    fn deref(&self) -> &OrderFields {
        &self.0
    }
}

impl Order {
    /// Checks the members together.
    ///
    /// # Errors
    /// Every [`OrderError`] that holds, not just the first.
    pub fn new(fields: OrderFields) -> Result<Self, Vec<OrderError>> {
        let mut errors = Vec::new();
        if fields.lines.is_empty() {
            errors.push(OrderError::NoLines);
        }
        let any_amount = fields.lines.iter().any(|line| line.amount_due.is_some());
        let mut ids = HashSet::new();
        for (position, line) in fields.lines.iter().enumerate() {
            if !ids.insert(&line.line_id) {
                errors.push(OrderError::RepeatedLine {
                    line: position,
                    id: line.line_id.clone(),
                });
            }
            match line.amount_due {
                Some(amount) if amount.is_zero() => {
                    let mut amounts = fields.amounts.iter();
                    if !amounts.any(|amount| amount.line_id == line.line_id) {
                        errors.push(OrderError::NothingDue { line: position });
                    }
                }
                None if any_amount => errors.push(OrderError::AmountMissing { line: position }),
                _ => {}
            }
        }
        let payable_unknown = fields.allow_partial_payments || fields.allow_advance_payments;
        if !any_amount && !fields.lines.is_empty() && !payable_unknown {
            errors.push(OrderError::UnknownAmount);
        }
        let limits = (fields.min_payment, fields.max_payment);
        if any_amount && limits != (None, None) {
            errors.push(OrderError::LimitOfKnownAmount);
        }
        if let (least, Some(most)) = limits
            && (most.is_zero() || least.is_some_and(|least| least > most))
        {
            errors.push(OrderError::LimitsCross);
        }
        let refund = matches!(
            fields.set_status,
            Some(SetStatus::Refunding | SetStatus::Refunded)
        );
        match &fields.refund_reference {
            None if fields.set_status == Some(SetStatus::Refunded) => {
                errors.push(OrderError::NoRefundReference);
            }
            Some(_) if !refund => errors.push(OrderError::NoRefund),
            _ => {}
        }
        if let (Some(from), Some(due)) = (fields.payable_from, fields.due_date)
            && from > due
        {
            errors.push(OrderError::NeverPayable);
        }
        if fields.aliases.len() > ALIASES_MAX {
            errors.push(OrderError::TooManyAliases);
        } else {
            let mut names = HashSet::new();
            let folded = fields.aliases.iter().map(|alias| alias.name.folded());
            let repeated = folded
                .enumerate()
                .filter(|(_, name)| !names.insert(name.clone()));
            errors.extend(repeated.map(|(alias, _)| OrderError::RepeatedAlias { alias }));
        }
        if fields.metadata.len() > METADATA_MAX {
            errors.push(OrderError::TooMuchMetadata);
        }
        let order = Self(fields);
        order.check_amounts(&mut errors);
        if errors.is_empty() {
            Ok(order)
        } else {
            Err(errors)
        }
    }

    fn check_amounts(&self, errors: &mut Vec<OrderError>) {
        let is_too_large = |total: Option<Money>| total.is_some_and(|total| total > Money::MAX);
        if is_too_large(self.total()) {
            errors.push(OrderError::TooLarge);
        }
        if self.amounts.len() > AMOUNTS_MAX {
            errors.push(OrderError::TooManyAmounts);
            return;
        }
        let before = errors.len();
        for (position, amount) in self.amounts.iter().enumerate() {
            let wrong = amount.errors(self, position).into_iter();
            errors.extend(wrong.map(|error| OrderError::Amount {
                amount: position,
                error,
            }));
        }
        if errors.len() > before {
            return;
        }
        // Between its turns the total stays or grows, so the turns and the days before them are enough.
        let turns = self.turns().into_iter();
        let days = turns.flat_map(|turn| turn.yesterday().ok().into_iter().chain([turn]));
        for day in days {
            let total = self.total_on(day);
            if total.is_some_and(Money::is_zero) {
                errors.push(OrderError::NothingDueOn(day));
                return;
            }
            if is_too_large(total) {
                errors.push(OrderError::TooLarge);
                return;
            }
        }
    }

    /// The same order under another key.
    pub fn with_key(&self, order_key: OrderKey) -> Self {
        Self(OrderFields {
            order_key,
            ..self.0.clone()
        })
    }

    /// The order with the status `Cancelled`.
    pub fn cancelled(&self) -> Self {
        Self(OrderFields {
            set_status: Some(SetStatus::Cancelled),
            refund_reference: None,
            ..self.0.clone()
        })
    }

    /// The sum of the lines' own amounts before any payment; `None` if it is unknown. [`Order::total_at`] is the
    /// total on a day.
    pub fn total(&self) -> Option<Money> {
        self.lines.iter().map(|line| line.amount_due).sum()
    }

    /// True if another version of the order asks the same amounts for the same lines on every day.
    pub fn asks_same(&self, other: &Self) -> bool {
        self.currency == other.currency
            && self.amounts == other.amounts
            && self.lines.len() == other.lines.len()
            && self.lines.iter().zip(&other.lines).all(|(line, other)| {
                line.line_id == other.line_id && line.amount_due == other.amount_due
            })
    }

    /// True if the order has this name beside its own key.
    pub fn has_alias(&self, name: &OrderKey) -> bool {
        let name = name.folded();
        self.aliases.iter().any(|alias| alias.name.folded() == name)
    }

    /// True if the order has a line of this id.
    pub fn has_line(&self, id: &LineId) -> bool {
        self.lines.iter().any(|line| line.line_id == *id)
    }
}
