//! Payments that a bank's or the treasury's statement shows. Each row of all statements shows one payment
//! at most, and each payment is shown as a whole by one row, or in parts by several.
//!
//! Statements are imported one after the other: an import takes a place in the list `settlements`, and is
//! judged by the entries before it. Its entry there counts if its event's place in the journal does. The
//! marks, by which a payment finds its statement and a row its payment, are an index of the entries that
//! count: the next call writes the marks that an interrupted import has not written.

use std::collections::HashMap;

use mpay_log::BLOCK;
use serde::{Deserialize, Serialize};

use super::{
    Notes, Platform, StoreError,
    journal_list::{self, JournalList},
    keys,
    record::{Key, Place, are_alive, over_the_log, read, to_json},
};
use crate::{
    domain::PaymentId,
    json::{Event, PartJson, SettlementJson},
};

over_the_log! {
    /// The statements that were imported.
    pub struct Settlements
}

fn shown(row: &str) -> String {
    format!("{}/{row}", keys::SHOWN)
}

fn settled(id: &PaymentId) -> String {
    format!("{}/{}", keys::SETTLED, keys::encode(id.as_str()))
}

/// A part of a payment that a statement shows, from 1.
fn settled_part(id: &PaymentId, number: u32) -> String {
    format!("{}/{number}", settled(id))
}

/// A place in the list of statements.
pub(super) fn place(index: u64) -> Place {
    Place::new(keys::SETTLEMENTS, index)
}

/// Payments marked at once.
const AT_ONCE: usize = 200;
/// Name of the note of the entry of the list up to which everything is marked; an older note does no
/// harm.
const MARKED: &str = "settlements-marked";

/// The mark that a statement shows a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementMark {
    /// The event, by its place in the journal.
    pub settlement: u64,
    /// The name of the row.
    pub row: String,
}

/// A payment, and the row that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The payment's id.
    pub payment_id: String,
    /// The row's name, under which it is known in other statements too.
    pub row: String,
    /// The number of the part of the payment, from 1; `None` if the row settles the payment.
    pub part: Option<u32>,
    /// The part's amount.
    pub amount: Option<String>,
    /// If the row shows money that was given back: the refund, named by the amount that remained after
    /// it.
    pub refund: Option<String>,
    /// True if the row does not name the refund's own number, so that only the amount identifies the
    /// refund.
    pub by_amount: bool,
    /// The account of the lines that a part shows, if it is of a sum for one account.
    pub account: Option<String>,
}

/// A part of a payment that a statement shows, where the rest is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementPart {
    /// The event, by its place in the journal.
    pub settlement: u64,
    /// The name of the row.
    pub row: String,
    /// The amount; below zero for money that was given back, or that a statement took back.
    pub amount: String,
    /// The refund of the payment, named by the amount that remained after it. Absent in records of
    /// earlier versions, and if it is no refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// True if only the amount identifies the refund: a row that names the refund's own number takes its
    /// place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_amount: bool,
    /// The account of the lines that the part shows, if it is of a sum for one account. Absent in records of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Most parts in which a payment is settled, not counting the last, and most refunds of it: each row is one.
pub const MOST_PARTS: u32 = 100;
/// Parts of a payment that are read at once, if it has any.
const PARTS_AT_ONCE: u32 = 20;

/// An entry of the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SettlementEntry {
    /// A statement shows payments that none has shown before.
    Imported {
        /// Place of the event in the journal.
        journal: u64,
        payments: Vec<String>,
        /// The row of each.
        rows: Vec<String>,
        /// Parts of others.
        parts: Vec<PartJson>,
    },
    /// An index that was taken, but not used.
    Void,
}

impl<P: Platform> Settlements<'_, P> {
    /// Imports a statement with this SHA-256. `judge` reads what is known of its rows, and gives those
    /// that show a payment for the first time; it is asked again if another statement came in between.
    /// Also gives the place of the event, if anything is new.
    ///
    /// # Errors
    /// The errors of `judge`, or [`StoreError`]; repeating the call then does it.
    pub async fn import<T, E: From<StoreError>>(
        self,
        sha256: &str,
        by: &str,
        judge: impl AsyncFn() -> Result<(Vec<Shown>, T), E>,
    ) -> Result<(Option<u64>, T), E> {
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            let (marked, length) = self.mark().await?;
            let (mut shown, mut judged) = judge().await?;
            if shown.is_empty() {
                return Ok((None, judged));
            }
            let slot = self.log.take(keys::SETTLEMENTS).await?;
            if marked < length || slot.index() != marked + 1 {
                // Another statement came in between, or is being imported.
                self.log
                    .settle(keys::SETTLEMENTS, marked + 1, slot.index())
                    .await?;
                self.mark().await?;
                (shown, judged) = judge().await?;
                if shown.is_empty() {
                    let void = to_json(&SettlementEntry::Void)?;
                    let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
                    return Ok((None, judged));
                }
            }
            let journal = JournalList::on(self.log).take().await?;
            let (mut payments, mut rows, mut parts) = (Vec::new(), Vec::new(), Vec::new());
            for shown in shown {
                match (shown.part, shown.amount) {
                    (Some(number), Some(amount)) => parts.push(PartJson {
                        payment_id: shown.payment_id,
                        row: shown.row,
                        number,
                        amount,
                        refund: shown.refund,
                        by_amount: shown.by_amount,
                        account: shown.account,
                    }),
                    _ => {
                        payments.push(shown.payment_id);
                        rows.push(shown.row);
                    }
                }
            }
            let event = Event::SettlementImported(Box::new(SettlementJson {
                sha256: sha256.to_owned(),
                payments: payments.clone(),
                rows: rows.clone(),
                parts: parts.clone(),
                by: by.to_owned(),
                entry: slot.index(),
            }));
            let entry = SettlementEntry::Imported {
                journal: journal.index(),
                payments,
                rows,
                parts,
            };
            let texts = (to_json(&entry)?, to_json(&event)?);
            let filled = self
                .log
                .fill(&[(&slot, &texts.0), (&journal, &texts.1)], Vec::new())
                .await?;
            // If one of the places was passed by, neither counts, and the next try takes others.
            if filled.all() {
                self.mark_shown(entry).await?;
                Notes::on(self.log).set(MARKED, &slot.index()).await?;
                return Ok((Some(journal.index()), judged));
            }
        }
        Err(StoreError::Contested(keys::SETTLEMENTS.to_owned()).into())
    }

    /// Writes the marks that are not certain to be there. Gives the entry of the list up to which all
    /// marks are there, and the list's length.
    async fn mark(self) -> Result<(u64, u64), StoreError> {
        let mut marked = Notes::on(self.log).get(MARKED).await?.unwrap_or_default();
        loop {
            let listing = self
                .log
                .read_part::<SettlementEntry>(keys::SETTLEMENTS, marked + 1, BLOCK)
                .await?;
            let (cursor, length) = (listing.settled(), listing.length);
            for entry in listing.entries {
                if let SettlementEntry::Imported { journal, .. } = &entry.value
                    && are_alive(self.log, &[journal_list::place(*journal)]).await?
                {
                    self.mark_shown(entry.value).await?;
                }
            }
            if cursor <= marked {
                return Ok((marked, length));
            }
            marked = cursor;
            Notes::on(self.log).set(MARKED, &marked).await?;
            if cursor >= length {
                return Ok((marked, length));
            }
        }
    }

    /// Writes the marks of an entry that counts. They are the same whichever call writes them, and
    /// however often.
    async fn mark_shown(self, entry: SettlementEntry) -> Result<(), StoreError> {
        let SettlementEntry::Imported {
            journal,
            payments,
            rows,
            parts,
        } = entry
        else {
            return Ok(());
        };
        for parts in parts.chunks(AT_ONCE) {
            let mut marks = Vec::with_capacity(parts.len() * 2);
            for part in parts {
                let Ok(payment_id) = PaymentId::parse(&part.payment_id) else {
                    continue;
                };
                let mark = SettlementPart {
                    settlement: journal,
                    row: part.row.clone(),
                    amount: part.amount.clone(),
                    refund: part.refund.clone(),
                    by_amount: part.by_amount,
                    account: part.account.clone(),
                };
                let key = settled_part(&payment_id, part.number);
                marks.push((key, to_json(&mark)?.into_bytes()));
                let id = part.payment_id.clone().into_bytes();
                marks.push((shown(&part.row), id));
            }
            self.log.set_many(&marks).await?;
        }
        let pairs: Vec<_> = payments.into_iter().zip(rows).collect();
        for pairs in pairs.chunks(AT_ONCE) {
            let mut marks = Vec::with_capacity(pairs.len() * 2);
            for (id, row) in pairs {
                let Ok(payment_id) = PaymentId::parse(id) else {
                    continue;
                };
                let mark = SettlementMark {
                    settlement: journal,
                    row: row.clone(),
                };
                marks.push((settled(&payment_id), to_json(&mark)?.into_bytes()));
                marks.push((shown(row), id.clone().into_bytes()));
            }
            self.log.set_many(&marks).await?;
        }
        Ok(())
    }

    /// The payments that rows of these names have shown, by the row.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn payments_shown(
        self,
        rows: &[String],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut payments = HashMap::new();
        for rows in rows.chunks(AT_ONCE) {
            let keys: Vec<_> = rows.iter().map(|row| Key::new(shown(row))).collect();
            let mut values = read(self.log, &keys).await?;
            for (row, key) in rows.iter().zip(keys) {
                let payment = values.take(&key).map(String::from_utf8);
                let payment = payment.transpose().map_err(|_| not_a_mark(&key))?;
                payments.extend(payment.map(|payment| (row.clone(), payment)));
            }
        }
        Ok(payments)
    }

    /// The marks of payments, by their ids.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn marks(
        self,
        ids: &[String],
    ) -> Result<HashMap<String, SettlementMark>, StoreError> {
        let mut marks = HashMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let parsed: Vec<_> = ids.iter().flat_map(|id| PaymentId::parse(id)).collect();
            for (id, mark) in parsed.iter().zip(self.read_marks(&parsed).await?) {
                marks.extend(mark.map(|mark| (id.to_string(), mark)));
            }
        }
        Ok(marks)
    }

    /// The parts of payments that statements have shown before, in their order, by the payment's id.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn parts(
        self,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<SettlementPart>>, StoreError> {
        let mut parts: HashMap<String, Vec<SettlementPart>> = HashMap::new();
        let mut left: Vec<_> = ids.iter().flat_map(|id| PaymentId::parse(id)).collect();
        // Few payments have parts, so the first round asks for one part of each, and the others are short.
        let mut numbers = 1..=1;
        while !left.is_empty() && !numbers.is_empty() {
            let mut more = Vec::new();
            for ids in left.chunks(AT_ONCE / numbers.clone().count()) {
                let keys = ids.iter().flat_map(|id| {
                    let numbers = numbers.clone();
                    numbers.map(|number| Key::new(settled_part(id, number)))
                });
                let keys: Vec<_> = keys.collect();
                let mut values = read(self.log, &keys).await?;
                for (id, keys) in ids.iter().zip(keys.chunks(numbers.clone().count())) {
                    let mut found = 0;
                    for key in keys {
                        let Some(bytes) = values.take(key) else {
                            break;
                        };
                        let part = serde_json::from_slice(&bytes).map_err(|_| not_a_mark(key))?;
                        parts.entry(id.to_string()).or_default().push(part);
                        found += 1;
                    }
                    if found == keys.len() {
                        more.push(id.clone());
                    }
                }
            }
            left = more;
            let last = *numbers.end();
            numbers = last + 1..=(last + PARTS_AT_ONCE).min(MOST_PARTS);
        }
        Ok(parts)
    }

    /// The statement that shows a payment, for each of some: its place in the journal.
    pub(super) async fn of(self, ids: &[PaymentId]) -> Result<Vec<Option<u64>>, StoreError> {
        let marks = self.read_marks(ids).await?.into_iter();
        Ok(marks.map(|mark| Some(mark?.settlement)).collect())
    }

    async fn read_marks(
        self,
        ids: &[PaymentId],
    ) -> Result<Vec<Option<SettlementMark>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = ids.iter().map(|id| Key::new(settled(id))).collect();
        let marks = read(self.log, &keys).await?;
        let read = keys.iter().map(|key| {
            let mark = marks.get(key).map(|bytes| serde_json::from_slice(bytes));
            mark.transpose().map_err(|_| not_a_mark(key))
        });
        read.collect()
    }
}

fn not_a_mark(key: &Key) -> StoreError {
    key.corrupt("not the mark of a statement")
}
