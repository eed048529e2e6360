//! A statement of the bank, the treasury or MPay: its columns are chosen, and it is compared with what
//! is recorded.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use tables::{Options, Table};

use super::{
    super::layout::{Answer, Page},
    columns::Memory,
    desk::{Ask, Desk, encode},
    orders::money,
    upload::{MEDIA_TYPE, Upload},
};
use crate::{
    access::{self, BOOKKEEPERS},
    domain::time,
    json::FieldError,
    store::Platform,
};

/// What columns are chosen for, as the API names it; its text; and what such columns are called.
const COLUMNS: [(&str, &str, &[&str]); 8] = [
    (
        "amount",
        "column-amount",
        &["suma", "sumă", "amount", "сумма", "credit", "sum"],
    ),
    (
        "payment_id",
        "column-payment-id",
        &["payment", "plat", "плат"],
    ),
    (
        "order_key",
        "column-order-key",
        &["order", "comand", "comanda", "заказ", "nr"],
    ),
    (
        "text",
        "column-text",
        &["text", "descri", "destina", "detal", "назначен", "описан"],
    ),
    ("date", "column-date", &["data", "date", "дата"]),
    (
        "reference",
        "column-reference",
        &["reference", "referin", "document", "документ"],
    ),
    (
        "account",
        "column-account",
        &["account", "cont", "iban", "счёт", "счет"],
    ),
    ("fee", "column-fee", &["fee", "comision", "комисс"]),
];

#[derive(Deserialize)]
struct Comparison {
    complete: bool,
    matched: Vec<Entry>,
    differing: Vec<Entry>,
    not_recorded: Vec<Entry>,
    not_settled: Vec<Entry>,
    netted: Vec<Entry>,
    fees: Vec<Entry>,
    errors: Vec<Wrong>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    rows: Vec<usize>,
    payment_id: Option<String>,
    order_key: Option<String>,
    amount: String,
    shown: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
struct Wrong {
    row: usize,
    errors: Vec<FieldError>,
}

/// `GET /admin/settlement`.
pub fn page<P: Platform>(desk: &Desk<'_, P>) -> Answer {
    let title = desk.t("menu-settlement");
    let today = time::date(desk.store.now());
    let content = html! {
        h1 { (title) }
        p { (desk.t("settlement-hint")) }
        @if desk.may(&BOOKKEEPERS) {
            form.card.narrow method="post" enctype="multipart/form-data" action=(desk.link("/admin/settlement")) {
                (desk.form_fields())
                label { span { (desk.t("file")) } input type="file" name="file" required accept=".csv,.xlsx,.txt,.tsv"; }
                (days(desk, None, Some(&today.to_string())))
                button.primary type="submit" { (desk.t("choose-columns")) }
            }
        } @else {
            p { (desk.t("not-allowed")) }
        }
    };
    desk.page(StatusCode::OK, &Page::new(title, content))
}

fn days<P: Platform>(desk: &Desk<'_, P>, from: Option<&str>, to: Option<&str>) -> Markup {
    html! {
        label { span { (desk.t("from")) } input type="date" name="from" required value=[from]; }
        label { span { (desk.t("to")) } input type="date" name="to" required value=[to]; }
    }
}

/// `POST /admin/settlement`: the choice of columns, or what came of it.
pub async fn post<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    access::permit(desk.principal, &BOOKKEEPERS)?;
    let upload = Upload::of(&desk.form)?;
    if desk.form.text("amount").is_none() {
        return choose(desk, &upload);
    }
    // What was chosen is remembered for the next statement that has the same columns.
    let chosen = COLUMNS
        .into_iter()
        .filter_map(|(name, ..)| Some((name, desk.form.text(name)?)));
    let memory = Memory::of_request(desk.view.pages, desk.headers);
    let read = table(&upload)?;
    let cookie = memory.with(desk.view.pages, WHAT, &read, chosen);
    let names = COLUMNS
        .into_iter()
        .map(|(name, ..)| name)
        .chain(["from", "to", "fee_rate"]);
    let pairs = names.filter_map(|name| {
        let value = desk.form.text(name)?;
        Some(format!("{name}={}", encode(value)))
    });
    let address = format!("settlement?{}", pairs.collect::<Vec<_>>().join("&"));
    let ask = Ask::new("POST", address).body(MEDIA_TYPE, upload.content.clone());
    let comparison: Comparison = desk.document(ask).await?;
    let title = desk.t("menu-settlement");
    let groups = [
        ("bad", "settled-differing", &comparison.differing),
        ("bad", "settled-not-recorded", &comparison.not_recorded),
        ("busy", "settled-not-settled", &comparison.not_settled),
        ("busy", "settled-netted", &comparison.netted),
        ("busy", "settled-fees", &comparison.fees),
        ("good", "settled-matched", &comparison.matched),
    ];
    let content = html! {
        h1 { (title) }
        @if !comparison.complete { p.alert role="alert" { (desk.t("settlement-incomplete")) } }
        ul.sums {
            @for (kind, id, entries) in &groups {
                li { span.mark.(kind) { (entries.len()) } " " (desk.t(id)) }
            }
            @if !comparison.errors.is_empty() {
                li { span.mark.bad { (comparison.errors.len()) } " " (desk.t("settled-errors")) }
            }
        }
        @for (_, id, entries) in &groups {
            @if !entries.is_empty() {
                h2 { (desk.t(id)) }
                (entries_table(desk, &desk.t(id), entries))
            }
        }
        @if !comparison.errors.is_empty() {
            h2 { (desk.t("settled-errors")) }
            ul {
                @for wrong in &comparison.errors {
                    li {
                        (desk.t("row")) " " (wrong.row) ": "
                        (desk.wrong(&wrong.errors))
                    }
                }
            }
        }
        p { a.button href=(desk.link("/admin/settlement")) { (desk.t("other-file")) } }
    };
    let mut answer = desk.page(StatusCode::OK, &Page::new(title, content));
    answer.cookie = cookie;
    Ok(answer)
}

/// What is remembered of tables for, here.
const WHAT: &str = "statement";

/// The table of a statement: the row that names the columns is the first that has one of an amount.
fn table(upload: &Upload) -> Result<Table, Problem> {
    let (_, _, amounts) = COLUMNS[0];
    let found = amounts
        .iter()
        .find_map(|name| Table::read(&upload.content, &Options::with_columns(&[name])).ok());
    found
        .map_or_else(|| Table::read(&upload.content, &Options::default()), Ok)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

fn entries_table<P: Platform>(desk: &Desk<'_, P>, title: &str, entries: &[Entry]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table.wide {
                tr {
                    th scope="col" { (desk.t("row")) }
                    th scope="col" { (desk.t("payment-number")) }
                    th scope="col" { (desk.t("order-number")) }
                    th.end scope="col" { (desk.t("amount")) }
                    th.end scope="col" { (desk.t("in-statement")) }
                    th scope="col" { (desk.t("remarks")) }
                }
                @for entry in entries {
                    @let rows: Vec<_> = entry.rows.iter().map(ToString::to_string).collect();
                    tr {
                        td { (rows.join(", ")) }
                        td { code { (entry.payment_id.as_deref().unwrap_or_default()) } }
                        td { (entry.order_key.as_deref().unwrap_or_default()) }
                        td.amount { (money(desk, &entry.amount, "")) }
                        td.amount { @if let Some(shown) = &entry.shown { (money(desk, shown, "")) } }
                        td { @if let Some(detail) = &entry.detail { (desk.view.said(detail)) } }
                    }
                }
            }
        }
    }
}

/// The page that asks which column is which, and guesses.
fn choose<P: Platform>(desk: &Desk<'_, P>, upload: &Upload) -> Result<Answer, Problem> {
    let table = table(upload)?;
    let memory = Memory::of_request(desk.view.pages, desk.headers);
    let known = memory.get(WHAT, &table);
    let columns: Vec<_> = table.columns().iter().map(tables::Column::name).collect();
    let guess = |names: &[&str]| {
        let is_one = |column: &&&str| {
            let column = column.to_lowercase();
            names.iter().any(|name| column.starts_with(name))
        };
        columns.iter().find(is_one).copied()
    };
    let title = desk.t("choose-columns");
    let content = html! {
        h1 { (title) }
        p { (desk.t("choose-columns-hint")) }
        form.card.narrow method="post" action=(desk.link("/admin/settlement")) {
            (desk.form_fields())
            (upload.hidden())
            (days(desk, desk.form.text("from"), desk.form.text("to")))
            @for (name, id, names) in COLUMNS {
                @let guessed = match &known {
                    Some(known) => known.iter().find(|(what, _)| *what == name).map(|(_, column)| *column),
                    None => guess(names),
                };
                label {
                    span { (desk.t(id)) }
                    select name=(name) required[name == "amount"] {
                        option value="" { (desk.t("none")) }
                        @for column in &columns {
                            option value=(column) selected[guessed == Some(*column)] { (column) }
                        }
                    }
                }
            }
            label { span { (desk.t("fee-rate")) } input name="fee_rate" maxlength="200" placeholder="1.5"; }
            button.primary type="submit" { (desk.t("compare")) }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}
