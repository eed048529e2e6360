//! `GET /api/reconciliation`: what was paid to which account, for the books of a day.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;

use super::{
    Call, Problem,
    export::{link, separator},
    json, payments,
    query::{Query, span},
    sheet::SheetWriter,
};
use crate::{
    domain::{Money, PaymentAccount, ServiceId, time},
    store::{Platform, Span, StoredPayment},
};

/// How many payments one call gives at most, and how many it reads at once.
const MOST: usize = 5000;
const PAGE: usize = 200;
/// This long after its end nothing can be recorded in a day any more.
const SETTLING: Duration = Duration::from_secs(120);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Reconciliation {
    from: String,
    to: String,
    /// Whether nothing can be recorded in this span any more, and all of it is here.
    closed: bool,
    lines: Vec<PaidLine>,
    totals: Vec<Total>,
    /// What `after` must be to go on; absent where all of it is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A line of a payment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PaidLine {
    index: u64,
    recorded_at: String,
    paid_at: String,
    service_id: String,
    order_key: String,
    payment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
    line_id: String,
    amount: String,
    currency: String,
    /// The account when the payment was recorded; absent where none was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    review: Vec<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    currency: String,
    amount: String,
    lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Lines,
    Totals,
}

/// Answers the lines of all payments recorded in a day or several, and their totals by account.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let names = ["date", "from", "to", "after", "format", "part", "separator"];
    let query = Query::read(call.query, &names)?;
    let formats = [("json", Format::Json), ("csv", Format::Csv)];
    let format = query.word("format", &formats)?.unwrap_or(Format::Json);
    let parts = [("lines", Part::Lines), ("totals", Part::Totals)];
    let part = query.word("part", &parts)?.unwrap_or(Part::Lines);
    let separator = separator(&query)?;
    let after = query.number("after", 0, 0..=(1 << 53) - 1)?;
    let (first, last) = match (query.get("date"), query.get("from"), query.get("to")) {
        (Some(_), None, None) => ("date", "date"),
        (None, Some(_), Some(_)) => ("from", "to"),
        _ => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "Give date, a day such as 2026-11-30, or from and to, of which the last is included.",
            ));
        }
    };
    let reconciliation = reconcile(call, span(&query, first, last)?, after).await?;
    if format == Format::Json {
        return json(StatusCode::OK, &reconciliation);
    }
    let day = |name| {
        query
            .get(name)
            .unwrap_or_default()
            .get(..10)
            .unwrap_or_default()
    };
    let mut name = format!("payments-{}", day(first));
    if day(first) != day(last) {
        name = format!("{name}-{}", day(last));
    }
    if part == Part::Totals {
        name.push_str("-totals");
    }
    if !reconciliation.closed {
        name.push_str("-not-closed");
    }
    name.push_str(".csv");
    let next = reconciliation.next;
    let sheet = match part {
        Part::Lines => lines(separator, reconciliation.lines),
        Part::Totals => totals(separator, reconciliation.totals),
    };
    let mut response = sheet.into_response(&name)?;
    if let Some(next) = next {
        let link = link("/api/reconciliation", call.query, "after", next)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

async fn reconcile<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
    after: u64,
) -> Result<Reconciliation, Problem> {
    let mut lines = Vec::new();
    let (mut cursor, mut complete) = (after, false);
    while lines.len() < MOST {
        let page = payments::recorded(call, cursor, PAGE, span).await?;
        for payment in call.store.payments(page.entries).await? {
            add(call, payment, &mut lines);
        }
        let came_on = page.next > cursor;
        (cursor, complete) = (page.next, page.complete);
        if complete || !came_on {
            break;
        }
    }
    let settled = span
        .to
        .and_then(|to| to.checked_add(SETTLING).ok())
        .is_some_and(|settled| call.store.now() > settled);
    Ok(Reconciliation {
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: complete && settled && after == 0,
        totals: sums(&lines)?,
        lines,
        next: (!complete).then_some(cursor),
    })
}

/// Adds the lines of a payment, each with the account that was kept with it. Older records have
/// none: then it is that of the order's latest version to have the line, or of the service now.
fn add<P: Platform>(call: &Call<'_, P>, stored: StoredPayment, lines: &mut Vec<PaidLine>) {
    let service = ServiceId::parse(&stored.payment.service_id).ok();
    let service = service.and_then(|id| call.config.service(&id));
    let default = service.and_then(|service| service.account.as_ref());
    for (position, line) in stored.payment.lines.into_iter().enumerate() {
        let account = stored.accounts.get(position).and_then(Option::as_ref);
        let account = account.or(default).map(iban);
        lines.push(PaidLine {
            index: stored.index,
            recorded_at: time::format(stored.recorded_at),
            paid_at: stored.payment.paid_at.clone(),
            service_id: stored.payment.service_id.clone(),
            order_key: stored.payment.order_key.clone(),
            payment_id: stored.payment.payment_id.clone(),
            invoice_id: stored.payment.invoice_id.clone(),
            line_id: line.line_id,
            amount: line.amount,
            currency: stored.payment.currency.clone(),
            bank_account: line.bank_account.or(account),
            review: stored
                .state
                .review
                .iter()
                .map(|review| review.as_str())
                .collect(),
        });
    }
}

fn iban(account: &PaymentAccount) -> String {
    account.bank_account.as_str().to_owned()
}

fn sums(lines: &[PaidLine]) -> Result<Vec<Total>, Problem> {
    let mut sums: BTreeMap<_, (Money, usize)> = BTreeMap::new();
    for line in lines {
        let amount = Money::parse(&line.amount).map_err(Problem::internal)?;
        let sum = sums
            .entry((line.bank_account.clone(), line.currency.clone()))
            .or_default();
        *sum = (sum.0 + amount, sum.1 + 1);
    }
    Ok(sums
        .into_iter()
        .map(|((bank_account, currency), (amount, lines))| Total {
            bank_account,
            currency,
            amount: amount.to_string(),
            lines,
        })
        .collect())
}

fn lines(separator: char, lines: Vec<PaidLine>) -> SheetWriter {
    let columns = [
        "index",
        "recorded_at",
        "paid_at",
        "service_id",
        "order_key",
        "payment_id",
        "invoice_id",
        "line_id",
        "amount",
        "currency",
        "bank_account",
        "review",
    ];
    let mut sheet = SheetWriter::new(separator, &columns);
    for line in lines {
        sheet.row(&[
            line.index.to_string(),
            line.recorded_at,
            line.paid_at,
            line.service_id,
            line.order_key,
            line.payment_id,
            line.invoice_id.unwrap_or_default(),
            line.line_id,
            line.amount,
            line.currency,
            line.bank_account.unwrap_or_default(),
            line.review.join(" "),
        ]);
    }
    sheet
}

fn totals(separator: char, totals: Vec<Total>) -> SheetWriter {
    let mut sheet = SheetWriter::new(separator, &["bank_account", "currency", "amount", "lines"]);
    for total in totals {
        sheet.row(&[
            total.bank_account.unwrap_or_default(),
            total.currency,
            total.amount,
            total.lines.to_string(),
        ]);
    }
    sheet
}
