use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{FieldError, OrderJson, Reader};
use crate::domain::{
    AmountChange, DatedAmount, LONGEST_TERM, LineId, Money, Term, WorkingDays, time,
};

/// An amount that a line asks on some days: `amount_due` instead of its own amount, `add` more than that, or
/// `add_per_day` more for each day from the first on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AmountJson {
    /// May be left out if the order has one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    /// The first day, from midnight in Chişinău on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day, to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Instead of `until`: the last day is this working day, counted from the day after `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_days: Option<u16>,
    /// The day after which working days are counted; that of `issued_at` if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The amount that the line asks instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_due: Option<String>,
    /// The amount that the line asks in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// The amount that the line asks in addition for each day. The amount added by the last day stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_per_day: Option<String>,
    /// The most that `add_per_day` adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<String>,
}

impl AmountJson {
    /// The amount that this describes, of an order that has this line alone if it is given.
    pub(super) fn read(
        &self,
        reader: &mut Reader,
        position: usize,
        only_line: Option<&LineId>,
    ) -> Option<DatedAmount> {
        let path = |member: &str| format!("amounts[{position}].{member}");
        let errors = reader.errors.len();
        let line_id = match (&self.line_id, only_line) {
            (None, Some(only)) => Some(only.clone()),
            (id, _) => reader.required(path("line_id"), id.as_ref(), LineId::parse),
        };
        let from = reader.optional(path("from"), self.from.as_ref(), day);
        let until = reader.optional(path("until"), self.until.as_ref(), day);
        let after = reader.optional(path("after"), self.after.as_ref(), day);
        let term = self.working_days.map(|working_days| Term {
            working_days,
            after,
        });
        if term.is_none() && self.after.is_some() {
            let detail = "is the day after which working_days are counted; give both or neither";
            reader.error(path("after"), detail);
        }
        if term.is_some() && self.until.is_none() {
            reader.error(path("until"), "is missing beside working_days");
        }
        let mut money = |member, text: &Option<String>| {
            reader.optional(path(member), text.as_ref(), Money::parse)
        };
        let amount_due = money("amount_due", &self.amount_due);
        let add = money("add", &self.add);
        let add_per_day = money("add_per_day", &self.add_per_day);
        let at_most = money("at_most", &self.at_most);
        let given = [&self.amount_due, &self.add, &self.add_per_day];
        if given.into_iter().flatten().count() != 1 {
            let detail = "must have one of amount_due, add and add_per_day";
            reader.error(format_args!("amounts[{position}]"), detail);
        }
        if self.at_most.is_some() && self.add_per_day.is_none() {
            reader.error(path("at_most"), "is what add_per_day adds at most");
        }
        let change = match (amount_due, add, add_per_day) {
            (Some(amount), ..) => AmountChange::Instead(amount),
            (_, Some(amount), _) => AmountChange::Add(amount),
            (.., Some(amount)) => AmountChange::AddPerDay { amount, at_most },
            (None, None, None) => return None,
        };
        (reader.errors.len() == errors).then_some(())?;
        Some(DatedAmount {
            line_id: line_id?,
            from,
            until,
            term,
            change,
        })
    }
}

impl From<&DatedAmount> for AmountJson {
    fn from(amount: &DatedAmount) -> Self {
        let mut json = Self {
            line_id: Some(amount.line_id.to_string()),
            from: amount.from.map(|day| day.to_string()),
            until: amount.until.map(|day| day.to_string()),
            working_days: amount.term.map(|term| term.working_days),
            after: amount.term.and_then(|term| Some(term.after?.to_string())),
            ..Self::default()
        };
        match amount.change {
            AmountChange::Instead(amount) => json.amount_due = Some(amount.to_string()),
            AmountChange::Add(amount) => json.add = Some(amount.to_string()),
            AmountChange::AddPerDay { amount, at_most } => {
                json.add_per_day = Some(amount.to_string());
                json.at_most = at_most.map(|most| most.to_string());
            }
        }
        json
    }
}

impl OrderJson {
    /// Gives every term in working days its last day. If a last day is given too, it must be that one, or
    /// the one that `before`, the present order, has for the same term: it was counted at registration,
    /// and stays if the calendar has changed since.
    pub fn count_working_days(
        &mut self,
        days: &WorkingDays,
        before: Option<&Self>,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let issued = |order: &Self| {
            let issued_at = order.issued_at.as_deref()?;
            time::parse_start(issued_at).ok().map(time::date)
        };
        let issued_on = issued(self);
        let before = before.filter(|before| issued(before) == issued_on);
        for (position, amount) in self.amounts.iter_mut().enumerate() {
            let Some(count) = amount.working_days else {
                continue;
            };
            let mut error = |member: &str, detail: String| {
                errors.push(FieldError::new(
                    format!("amounts[{position}].{member}"),
                    detail,
                ));
            };
            if !(1..=LONGEST_TERM).contains(&count) {
                error("working_days", format!("must be 1 to {LONGEST_TERM}"));
                continue;
            }
            let after = match &amount.after {
                // Its mistake is reported elsewhere.
                Some(after) => day(after).ok(),
                None if issued_on.is_none() => {
                    let detail = "are counted from issued_at, which is missing; or give after";
                    error("working_days", detail.to_owned());
                    None
                }
                None => issued_on,
            };
            let Some(until) = after.and_then(|after| days.after(after, count)) else {
                continue;
            };
            let until = until.to_string();
            let was = before.is_some_and(|before| {
                before.amounts.iter().any(|known| {
                    (known.working_days, &known.after, &known.until)
                        == (amount.working_days, &amount.after, &amount.until)
                })
            });
            match &amount.until {
                Some(given) if given.trim() == until || was => {}
                Some(_) => error(
                    "until",
                    format!("is not that working day, which is {until}; leave it out"),
                ),
                None => amount.until = Some(until),
            }
        }
        errors
    }
}

/// Reads a day: amounts change at midnight, and never within a day.
fn day(text: &str) -> Result<Date, &'static str> {
    let date = time::parse_date(text.trim()).ok();
    let date = date.filter(|date| time::start_of(*date).is_ok_and(time::is_sendable));
    date.ok_or("must be a day such as 2026-12-31: an amount holds for whole days")
}
