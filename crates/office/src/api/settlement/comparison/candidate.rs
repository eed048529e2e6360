//! A payment that a statement may show, and its refunds.

use jiff::Timestamp;
use tables::Amount;

use super::super::{Known, amount, statement::StatementRow};
use crate::{
    api::Problem,
    domain::time,
    store::{self, MOST_PARTS, SettlementMark, SettlementPart, Span, StoredPayment},
};

/// A refund of a payment. Its amount is positive; statements show it as negative.
pub(super) struct GivenBack {
    /// The name of the refund: the amount that remained after it. Each refund leaves less than the one before.
    pub(super) name: String,
    pub(super) amount: i128,
    /// The banks' reference number, if the refund has its own.
    pub(super) reference: Option<String>,
    pub(super) at: Timestamp,
    pub(super) is_of_period: bool,
    /// The name of the row that shows it.
    pub(super) row: Option<String>,
    /// True if that row does not name the refund's own number, so that only its amount identifies it.
    pub(super) is_by_amount: bool,
    /// True if a row of this statement is about it.
    pub(super) is_taken: bool,
}

impl GivenBack {
    /// True if a row may show it: no row does so far, or this one does.
    pub(super) fn is_for(&self, row: &str) -> bool {
        self.row.as_deref().is_none_or(|known| known == row)
    }
}

/// The refunds of a payment, each with the row that shows it according to the stored parts.
pub(super) fn given_back(
    stored: &StoredPayment,
    parts: &[SettlementPart],
    span: Span,
) -> Result<Vec<GivenBack>, Problem> {
    let mut all = Vec::with_capacity(stored.state.refunds.len());
    for refund in &stored.state.refunds {
        all.push(GivenBack {
            name: refund.remaining.to_string(),
            reference: refund.rrn.clone(),
            amount: amount(refund.amount.to_string())?.hundredths(),
            at: refund.at,
            is_of_period: span.from.is_none_or(|from| from <= refund.at)
                && span.to.is_none_or(|to| refund.at < to),
            row: None,
            is_by_amount: false,
            is_taken: false,
        });
    }
    // A refund that a row named by its number belongs to that row. A refund that a row showed by its amount
    // alone gives way to such a row, and the row receives another refund of that amount. So do records of
    // earlier versions, which name no refund.
    let is_certain = |part: &&SettlementPart| part.refund.is_some() && !part.by_amount;
    let (certain, others): (Vec<_>, Vec<_>) = parts.iter().partition(is_certain);
    let mut show = |part: &SettlementPart, fits: &dyn Fn(&GivenBack) -> bool| {
        let refund = all.iter_mut().find(|refund| fits(refund));
        if let Some(refund) = refund {
            refund.row = Some(part.row.clone());
            refund.is_by_amount = !is_certain(&part);
            return true;
        }
        false
    };
    for part in certain {
        show(part, &|refund| part.refund.as_ref() == Some(&refund.name));
    }
    let mut left = Vec::new();
    for part in others {
        let is_it =
            |refund: &GivenBack| refund.row.is_none() && part.refund.as_ref() == Some(&refund.name);
        if !show(part, &is_it) {
            left.push(part);
        }
    }
    for part in left {
        let shown = amount(part.amount.clone())?.hundredths();
        show(part, &|refund| {
            refund.row.is_none() && refund.amount == -shown
        });
    }
    Ok(all)
}

/// A payment that a statement may show.
pub(super) struct Candidate {
    pub(super) stored: StoredPayment,
    pub(super) total: i128,
    /// Its lines, each with its account and its amount in hundredths.
    pub(super) lines: Vec<(Option<String>, i128)>,
    pub(super) is_of_period: bool,
    /// Its order key in the form in which two keys of a service differ.
    pub(super) folded_key: String,
    /// True if rows of this statement are about it.
    pub(super) is_taken: bool,
    /// The accounts of which sums of this statement have taken its lines; empty if no such sum is about it, or
    /// a row about the whole payment is.
    pub(super) taken_accounts: Vec<String>,
    pub(super) mark: Option<SettlementMark>,
    /// The parts of it that statements show, each with the row that shows it. Negative parts are refunds, or
    /// parts that a statement took back.
    pub(super) parts: Vec<SettlementPart>,
    pub(super) refunds: Vec<GivenBack>,
}

impl Candidate {
    pub(super) fn id(&self) -> &str {
        &self.stored.payment.payment_id
    }

    pub(super) fn currency(&self) -> &str {
        &self.stored.payment.currency
    }

    /// True if it was paid or recorded on a day.
    pub(super) fn is_of(&self, day: &str, by: Day) -> bool {
        let at = match by {
            Day::Paid => self.stored.payment.paid_at.clone(),
            Day::Recorded => time::format(self.stored.recorded_at),
        };
        at.get(..10) == Some(day)
    }

    /// The sum of its lines to an account, or of all lines if no account is given.
    pub(super) fn to_account(&self, account: Option<&str>) -> i128 {
        let lines = self.lines.iter();
        let lines = lines.filter(|(of, _)| account.is_none() || of.as_deref() == account);
        lines.map(|(_, amount)| amount).sum()
    }

    /// True if no row of this statement is about it, or with an account, about its lines to this account.
    pub(super) fn is_free_for(&self, account: Option<&str>) -> bool {
        let others = !self.taken_accounts.is_empty();
        let is_other = |account| others && self.taken_accounts.iter().all(|taken| taken != account);
        !self.is_taken || account.is_some_and(is_other)
    }

    /// Notes that a row of this statement is about it, or with an account, about its lines to this account.
    pub(super) fn take(&mut self, account: Option<&str>) {
        self.is_taken = true;
        match account {
            Some(account) => self.taken_accounts.push(account.to_owned()),
            None => self.taken_accounts.clear(),
        }
    }

    /// True if a part is a refund. Records of earlier versions name no refund.
    fn is_refund(&self, part: &SettlementPart) -> bool {
        let is_shown = |refund: &GivenBack| refund.row.as_ref() == Some(&part.row);
        part.refund.is_some() || part.amount.starts_with('-') && self.refunds.iter().any(is_shown)
    }

    /// The parts that are no refunds.
    fn money(&self) -> impl Iterator<Item = &SettlementPart> {
        self.parts.iter().filter(|part| !self.is_refund(part))
    }

    /// The sum that rows with such names show of it.
    pub(super) fn shown_by(&self, rows: &dyn Fn(&str) -> bool) -> i128 {
        let parts = self.money().filter(|part| rows(&part.row));
        let amounts = parts.filter_map(|part| amount(part.amount.clone()).ok());
        amounts.map(Amount::hundredths).sum()
    }

    /// True if other rows show so much of it, or of its lines to an account, that with these lines, or all of
    /// them, more would be shown than was paid. A settled payment is asked elsewhere.
    pub(super) fn is_too_much(&self, row: &str, account: Option<&str>) -> bool {
        if self.mark.is_some() {
            return false;
        }
        let counts = self.to_account(account);
        let others = self.money().filter(|part| part.row != row);
        let amounts = others.filter_map(|part| Some((part, amount(part.amount.clone()).ok()?)));
        let (mut before, mut of_account, mut of_none) = (0, 0, 0);
        for (part, amount) in amounts {
            before += amount.hundredths();
            match part.account.as_deref() {
                None => of_none += amount.hundredths(),
                of if of == account => of_account += amount.hundredths(),
                Some(_) => {}
            }
        }
        // What was taken back may be of this account.
        before + counts > self.total || account.is_some() && of_account + of_none.min(0) > 0
    }

    /// True if a row of this name settles it.
    pub(super) fn is_marked_by(&self, row: &str) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.row == row)
    }

    /// True if a row of this name settles it or shows a part of it.
    pub(super) fn is_shown_by(&self, row: &str) -> bool {
        self.is_marked_by(row) || self.knows(row)
    }

    /// True if parts of its money are known.
    pub(super) fn is_in_parts(&self) -> bool {
        self.money().next().is_some()
    }

    /// The parts that rows with such names take back, as a positive sum.
    pub(super) fn taken_back_by(&self, rows: impl Fn(&str) -> bool) -> i128 {
        let parts = self.money().filter(|part| rows(&part.row));
        let amounts = parts.filter_map(|part| amount(part.amount.clone()).ok());
        amounts.map(|amount| -amount.hundredths().min(0)).sum()
    }

    /// True if a row of this name shows a part of it.
    pub(super) fn knows(&self, row: &str) -> bool {
        self.money().any(|part| part.row == row)
    }

    /// True if so many further parts can be kept.
    pub(super) fn has_room(&self, parts: usize) -> bool {
        self.parts.len() + parts <= MOST_PARTS as usize
    }

    /// The detail of a part that is not kept, since there is no room.
    pub(super) fn without_room(&self) -> String {
        format!(
            "{} of {} is shown in as many parts as are kept, {MOST_PARTS}; this part is not kept",
            written(self.shown_by(&|_| true)),
            written(self.total)
        )
    }

    /// The refunds that rows with such names may show, or that no row shows: their positions, and their sum.
    pub(super) fn refunds_for(&self, rows: &dyn Fn(&str) -> bool) -> (Vec<usize>, i128) {
        let is_for = |refund: &GivenBack| refund.row.as_deref().is_none_or(rows);
        let refunds = self.refunds.iter().enumerate();
        let open: Vec<_> = refunds.filter(|(_, refund)| is_for(refund)).collect();
        let sum = open.iter().map(|(_, refund)| refund.amount).sum();
        (
            open.into_iter().map(|(position, _)| position).collect(),
            sum,
        )
    }

    /// The banks' reference number of the payment itself.
    pub(super) fn reference(&self) -> Option<&String> {
        let card = self.stored.payment.card.as_ref();
        card.and_then(|card| card.rrn.as_ref())
    }

    /// True if a row names the number of a refund, other than the number of the payment.
    pub(super) fn names_a_refund(&self, row: &StatementRow) -> bool {
        let references = self.refunds.iter().flat_map(|refund| &refund.reference);
        let mut own = references.filter(|reference| self.reference() != Some(reference));
        own.any(|reference| row.names(reference))
    }

    /// The refunds that no row shows and that this row may be about, in groups, the likeliest group first. If
    /// the row names the number of a refund, refunds with another number are left out.
    pub(super) fn open_refunds(&self, row: &StatementRow) -> Vec<Vec<(usize, &GivenBack)>> {
        let open = |fits: &dyn Fn(&GivenBack) -> bool| {
            let refunds = self.refunds.iter().enumerate();
            let open = refunds.filter(|(_, refund)| refund.row.is_none() && fits(refund));
            open.collect::<Vec<_>>()
        };
        let named = |refund: &GivenBack| {
            let reference = refund.reference.as_ref();
            reference.is_some_and(|reference| row.names(reference))
        };
        let without = |refund: &GivenBack| refund.reference.is_none();
        if self.names_a_refund(row) {
            return vec![open(&|refund| {
                named(refund) && refund.reference.as_ref() != self.reference()
            })];
        }
        let is_of_payment = self.reference().is_some_and(|own| row.names(own));
        // A bank may use the payment's number for a refund, whatever number the gateway reports. But another
        // row may name a refund by its own number.
        let mut likeliest = match is_of_payment {
            true => vec![
                open(&named),
                open(&without),
                open(&|refund| named(refund) || without(refund)),
            ],
            false => vec![open(&without)],
        };
        likeliest.push(open(&|_| true));
        likeliest
    }

    /// The positions of the refunds that a row alone shows: those that it showed before, or one, or several.
    pub(super) fn refunds_shown_by(&self, row: &StatementRow) -> Vec<usize> {
        let refunds = self.refunds.iter().enumerate();
        let known = refunds.filter(|(_, refund)| refund.row.as_deref() == Some(&row.name));
        let known: Vec<_> = known.map(|(at, _)| at).collect();
        if !known.is_empty() {
            return known;
        }
        let taken = -row.amount.hundredths();
        let open = self.open_refunds(row);
        let mut all = open.iter().flatten();
        if let Some((at, _)) = all.find(|(_, refund)| refund.amount == taken) {
            return vec![*at];
        }
        if let Some(at) = self.shown_by_amount(row, taken) {
            return vec![at];
        }
        let sum = |refunds: &Vec<(usize, &GivenBack)>| -> i128 {
            refunds.iter().map(|(_, refund)| refund.amount).sum()
        };
        let whole = open.into_iter().find(|refunds| sum(refunds) == taken);
        let whole = whole.unwrap_or_default().into_iter();
        whole.map(|(at, _)| at).collect()
    }

    /// The position of the refund whose number a row names, if another row shows it by its amount alone, and if
    /// there is another refund of that amount for the other row.
    fn shown_by_amount(&self, row: &StatementRow, taken: i128) -> Option<usize> {
        let is_named = |refund: &GivenBack| {
            let own = refund.reference.as_ref();
            own.is_some_and(|own| self.reference() != Some(own) && row.names(own))
        };
        let of_amount = |refund: &&GivenBack| refund.amount == taken;
        let mut others = self.refunds.iter().filter(of_amount);
        if !others.any(|refund| refund.row.is_none()) {
            return None;
        }
        let mut refunds = self.refunds.iter();
        refunds.position(|refund| {
            let is_it = refund.amount == taken && is_named(refund);
            is_it && refund.is_by_amount && refund.row.is_some()
        })
    }

    /// Gives the row that shows this refund by its amount alone another refund of that amount.
    pub(super) fn give_way(&mut self, position: usize, row: &str) {
        let Some(refund) = self.refunds.get_mut(position) else {
            return;
        };
        if refund.is_for(row) {
            return;
        }
        let (amount, other) = (refund.amount, refund.row.take());
        let mut refunds = self.refunds.iter_mut().enumerate();
        let free = refunds.find(|(at, refund)| {
            *at != position && refund.row.is_none() && refund.amount == amount
        });
        if let Some((_, free)) = free {
            free.row = other;
            free.is_by_amount = true;
        }
    }

    /// The refunds at these positions, in the form of the answer; `None` if there are none.
    pub(super) fn given_back(&self, positions: &[usize], rows: Vec<usize>) -> Option<Known> {
        let refunds = || positions.iter().filter_map(|at| self.refunds.get(*at));
        let last = refunds().next_back()?;
        let sum: i128 = refunds().map(|refund| refund.amount).sum();
        Some(Known {
            amount: written(-sum),
            detail: Some("given back".to_owned()),
            recorded_at: time::format(last.at),
            ..Known::new(&self.stored, rows)
        })
    }

    /// Adds a part that a row shows. `refund` has the name of a refund, and is true if only its amount
    /// identifies it; `account` is that of a sum for one account. Returns the record to store; `None` if the payment has too many parts.
    pub(super) fn add_part(
        &mut self,
        row: &str,
        hundredths: i128,
        refund: Option<(String, bool)>,
        account: Option<&str>,
    ) -> Option<store::Shown> {
        let amount = written(hundredths);
        let (refund, by_amount) = refund.unzip();
        let by_amount = by_amount.unwrap_or_default();
        self.parts.push(SettlementPart {
            settlement: 0,
            row: row.to_owned(),
            amount: amount.clone(),
            refund: refund.clone(),
            by_amount,
            account: account.map(str::to_owned),
        });
        let number = u32::try_from(self.parts.len()).ok()?;
        (number <= MOST_PARTS).then(|| store::Shown {
            payment_id: self.id().to_owned(),
            row: row.to_owned(),
            part: Some(number),
            amount: Some(amount),
            refund,
            by_amount,
            account: account.map(str::to_owned),
        })
    }
}

/// The time that decides the day of a payment.
#[derive(Clone, Copy)]
pub(super) enum Day {
    Paid,
    Recorded,
}

pub(super) fn written(hundredths: i128) -> String {
    Amount::of_hundredths(hundredths).to_string()
}
