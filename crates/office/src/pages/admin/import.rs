//! Import of orders from a table: the page previews the outcome, and registers the orders once a person has
//! confirmed the preview. A table with more orders than one call accepts is imported in parts.

use std::collections::BTreeMap;

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use tables::{Encoding, Options, RowKind, Source, Table, TableError};

use super::{
    super::layout::{Answer, Page},
    columns::{self, Chosen, MEMBERS, Memory},
    desk::{Ask, Desk, encode},
    orders,
    upload::{MEDIA_TYPE, Upload},
};
use crate::{
    access::{CLERKS, permit},
    api::{MOST_IMPORTED, order_columns},
    digest::sha256,
    domain::{Money, time},
    json::FieldError,
    store::Platform,
};

/// The outcomes that a row can have.
const RESULTS: [&str; 5] = ["created", "amended", "unchanged", "skipped", "error"];

/// The encodings that a person can choose.
const ENCODINGS: [&str; 5] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
];

/// Beginning of the names of fields that give a column's meaning.
const COLUMN: &str = "column:";

/// The outcome of a row, as the API answers it.
#[derive(Deserialize)]
struct Row {
    row: usize,
    service_id: Option<String>,
    order_key: Option<String>,
    result: String,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
    #[serde(default)]
    warnings: Vec<FieldError>,
    total_amount_due: Option<String>,
    currency: Option<String>,
}

/// `GET /admin/import`: the form for a file. `wrong` is the problem with the file that was sent before.
pub fn page<P: Platform>(desk: &Desk<'_, P>, status: StatusCode, wrong: Option<Problem>) -> Answer {
    let title = desk.t("menu-import");
    let content = html! {
        h1 { (title) }
        @if let Some(problem) = wrong { (said(desk, problem)) }
        @if desk.may(&CLERKS) {
            p { (desk.t("import-hint")) }
            form.card.narrow method="post" enctype="multipart/form-data" action=(desk.link("/admin/import")) {
                (desk.form_fields())
                label { span { (desk.t("file")) } input type="file" name="file" required accept=".csv,.xlsx,.txt,.tsv"; }
                (service(desk))
                (encodings(desk))
                button.primary type="submit" { (desk.t("look-through")) }
            }
            p.hint { (desk.t("import-columns")) }
        } @else {
            p { (desk.t("not-allowed")) }
        }
        h2 { (desk.t("export")) }
        p {
            a.button href="/admin/export?format=xlsx" { (desk.t("export-xlsx")) } " "
            a.button href="/admin/export?format=csv&separator=semicolon" { (desk.t("export-csv")) }
        }
        p.hint { (desk.t("export-hint")) }
    };
    desk.page(status, &Page::new(title, content))
}

fn said<P: Platform>(desk: &Desk<'_, P>, problem: Problem) -> Markup {
    let (detail, errors) = problem.into_parts();
    html! {
        div.banner.bad role="alert" {
            @if errors.is_empty() { (desk.view.said(&detail)) } @else { (desk.wrong(&errors)) }
        }
    }
}

fn encodings<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let chosen = desk.form.text("encoding");
    html! {
        label {
            span { (desk.t("encoding")) }
            select name="encoding" {
                option value="" { (desk.t("found-out")) }
                @for name in ENCODINGS { option value=(name) selected[chosen == Some(name)] { (name) } }
            }
        }
    }
}

/// The choice of a service for orders that name none; empty if there is only one service.
fn service<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let ids: Vec<_> = desk.config.service_ids().collect();
    let chosen = desk.form.text("service_id");
    html! {
        @if ids.len() > 1 {
            label {
                span { (desk.t("service")) }
                select name="service_id" {
                    option value="" { (desk.t("as-the-table-says")) }
                    @for id in ids { option selected[chosen == Some(id.as_str())] { (id) } }
                }
            }
        }
    }
}

/// The options for reading the file as a table.
fn options<P: Platform>(desk: &Desk<'_, P>) -> Options<'static> {
    let encoding = desk.form.text("encoding");
    Options {
        encoding: encoding.and_then(|name| Encoding::parse(name).ok()),
        ..Options::default()
    }
}

/// The choice of columns on the page before; `None` if nothing was chosen.
fn sent<P: Platform>(desk: &Desk<'_, P>) -> Option<Chosen> {
    if let Some(text) = desk.form.text("columns") {
        return serde_json::from_str(text).ok();
    }
    let fields = desk.form.named(COLUMN);
    let chosen: Chosen = fields
        .map(|(name, member)| (name.to_owned(), member.to_owned()))
        .collect();
    (!chosen.is_empty()).then_some(chosen)
}

/// `POST /admin/import`: shows the choice of columns or a preview; with the field `do` it imports, and shows
/// the outcome.
pub async fn post<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    permit(desk.principal, &CLERKS)?;
    let upload = match Upload::of(&desk.form) {
        Ok(upload) => upload,
        Err(problem) => return Ok(page(desk, problem.status(), Some(problem))),
    };
    let memory = Memory::of_request(desk.view.pages, desk.headers);
    let options = options(desk);
    let chosen = match sent(desk) {
        _ if desk.form.text("choose").is_some() => None,
        Some(chosen) => Some(chosen),
        None => found(&upload, &options, &memory),
    };
    let Some(chosen) = chosen else {
        return Ok(choose(desk, &upload, &memory, None));
    };
    let table = match columns::read(&upload.content, &options, Some(&chosen)) {
        Ok(table) => table,
        Err(error) => {
            let said = match error {
                // Its words are for who writes the names of members into a table.
                TableError::NoHeader { .. } => {
                    "No column is the order number: choose which one is.".to_owned()
                }
                error => error.to_string(),
            };
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, said);
            return Ok(choose(desk, &upload, &memory, Some(problem)));
        }
    };
    let mut answer = shown(desk, &upload, &table, &chosen).await?;
    if desk.form.named(COLUMN).next().is_some()
        && let Ok(table) = columns::any(&upload.content, &options)
    {
        let pairs = chosen
            .iter()
            .map(|(name, member)| (member.as_str(), name.as_str()));
        answer.cookie = memory.with(desk.view.pages, WHAT, &table, pairs);
    }
    Ok(answer)
}

/// The kind of table in [`Memory`].
const WHAT: &str = "orders";

/// The remembered choice for such a table, or a guess that leaves no column open.
fn found(upload: &Upload, options: &Options<'_>, memory: &Memory) -> Option<Chosen> {
    let table = columns::any(&upload.content, options).ok()?;
    if let Some(known) = memory.get(WHAT, &table) {
        // A column for which the memory names no known member is left out.
        let is = |name: &str| {
            let mut known = known.iter().filter(|(_, column)| *column == name);
            let member = known.next().map_or("", |(member, _)| *member);
            order_columns().find(|column| *column == member)
        };
        let names = table.columns().iter().map(tables::Column::name);
        let chosen = names.map(|name| {
            let member = is(name).unwrap_or_default();
            (name.trim().to_owned(), member.to_owned())
        });
        return Some(chosen.collect());
    }
    table
        .column("order_key")
        .and_then(|_| columns::guessed(&table))
}

/// The page that asks for the meaning of each column, with guesses.
fn choose<P: Platform>(
    desk: &Desk<'_, P>,
    upload: &Upload,
    memory: &Memory,
    wrong: Option<Problem>,
) -> Answer {
    let options = options(desk);
    let table = match columns::any(&upload.content, &options) {
        Ok(table) => table,
        Err(error) => {
            let status = match error {
                tables::TableError::NotATable(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let problem = Problem::new(status, error.to_string());
            return page(desk, status, Some(problem));
        }
    };
    let sent = sent(desk);
    let known = memory.get(WHAT, &table).unwrap_or_default();
    let is = |name: &str| -> String {
        if let Some(sent) = &sent {
            return sent.get(name.trim()).cloned().unwrap_or_default();
        }
        let mut known = known.iter();
        match known.find(|(_, known)| *known == name) {
            Some((member, _)) => (*member).to_owned(),
            None => columns::guess_among(&table, name)
                .unwrap_or_default()
                .to_owned(),
        }
    };
    let sample = |name: &str| {
        let texts = table.rows().filter_map(|row| {
            let text = row
                .cells()
                .find(|(column, _)| column.name() == name)?
                .1
                .shown();
            let text: String = text.chars().take(60).collect();
            (!text.is_empty()).then_some(text)
        });
        texts.take(2).collect::<Vec<_>>().join("; ")
    };
    let others = order_columns().filter(|name| MEMBERS.iter().all(|(member, ..)| member != name));
    let others: Vec<_> = others.collect();
    let title = desk.t("choose-columns");
    let status = match wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let content = html! {
        h1 { (title) }
        @if let Some(problem) = wrong { (said(desk, problem)) }
        p { (desk.t("choose-order-columns-hint")) }
        p.hint { (read_as(desk, table.source())) }
        form.card.narrow method="post" action=(desk.link("/admin/import")) {
            (desk.form_fields())
            (upload.hidden())
            @for column in table.columns() {
                @let name = column.name();
                @let chosen = is(name);
                label {
                    span { (name) }
                    span.hint { (sample(name)) }
                    select name={ (COLUMN) (name.trim()) } {
                        option value="" { (desk.t("left-out")) }
                        @for (member, id, _) in MEMBERS {
                            option value=(member) selected[chosen == member] { (desk.t(id)) }
                        }
                        optgroup label=(desk.t("columns-of-programs")) {
                            @for member in &others {
                                option value=(member) selected[chosen == **member] { (member) }
                            }
                        }
                    }
                }
            }
            (service(desk))
            (encodings(desk))
            div.actions {
                button.primary type="submit" { (desk.t("look-through")) }
                button type="submit" name="choose" value="1" { (desk.t("read-again")) }
            }
        }
        p { a href=(desk.link("/admin/import")) { (desk.t("other-file")) } }
    };
    desk.page(status, &Page::new(title, content))
}

/// The text that says how the file was read: its sheet or its encoding.
fn read_as<P: Platform>(desk: &Desk<'_, P>, source: &Source) -> String {
    match source {
        Source::Xlsx { sheet } => desk.with("read-sheet", &[("sheet", sheet.clone().into())]),
        Source::Csv {
            encoding, is_guess, ..
        } => {
            let id = match is_guess {
                true => "read-guessed",
                false => "read-encoding",
            };
            desk.with(id, &[("encoding", encoding.to_string().into())])
        }
    }
}

/// The hidden fields that carry this page's choices to the next one.
fn kept<P: Platform>(desk: &Desk<'_, P>, upload: &Upload, columns: &str, part: usize) -> Markup {
    html! {
        (desk.form_fields())
        (upload.hidden())
        input type="hidden" name="encoding" value=(desk.form.text("encoding").unwrap_or_default());
        @if let Some(service) = desk.form.text("service_id") { input type="hidden" name="service_id" value=(service); }
        input type="hidden" name="columns" value=(columns);
        input type="hidden" name="part" value=(part);
    }
}

/// The preview of a part of a table; with the field `do`, the import and its outcome.
async fn shown<P: Platform>(
    desk: &Desk<'_, P>,
    upload: &Upload,
    table: &Table,
    chosen: &Chosen,
) -> Result<Answer, Problem> {
    let kinds = table.kinds(&["order_key"]);
    let count = kinds
        .into_iter()
        .filter(|kind| *kind == RowKind::Data)
        .count();
    let parts = count.div_ceil(MOST_IMPORTED).max(1);
    let part = desk.form.text("part").and_then(|part| part.parse().ok());
    let part: usize = part.filter(|part| (1..=parts).contains(part)).unwrap_or(1);
    let columns = serde_json::to_string(chosen).map_err(Problem::internal)?;
    let mut address = format!("batch={part}&columns={}", encode(&columns));
    for name in ["encoding", "service_id"] {
        if let Some(value) = desk.form.text(name) {
            address.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let import = async |dry_run: bool| {
        let address = format!("orders/import?dry_run={dry_run}&{address}");
        let ask = Ask::new("POST", address).body(MEDIA_TYPE, upload.content.clone());
        desk.call(ask.lines()).await
    };
    let mut answer = import(true).await?;
    let seen = sha256(answer.body());
    // If the outcome would differ from the preview that was confirmed, a new preview is shown.
    let is_done = desk.form.text("do").is_some() && desk.form.text("seen") == Some(seen.as_str());
    if is_done {
        answer = import(false).await?;
    }
    let rows = serde_json::Deserializer::from_slice(answer.body()).into_iter::<Row>();
    let rows: Vec<Row> = rows.collect::<Result<_, _>>().map_err(Problem::internal)?;
    let is = |row: &&Row, result: &str| row.result == result;
    let has_errors = rows.iter().any(|row| is(&row, "error"));
    let has_changes = rows
        .iter()
        .any(|row| is(&row, "created") || is(&row, "amended"));
    let title = desk.t(match is_done {
        true => "import-done",
        false => "import-preview",
    });
    let done = if is_done { part } else { part - 1 };
    let next = (part < parts && (is_done || !has_changes)).then_some(part + 1);
    let content = html! {
        h1 { (title) }
        @if parts > 1 {
            @let values = [("part", part.into()), ("parts", parts.into()), ("orders", count.into())];
            p { label { span { (desk.with("import-part", &values)) } progress max=(parts) value=(done) { (done) "/" (parts) } } }
        }
        div role="status" {
            ul.sums {
                @for what in RESULTS {
                    @let of_kind: Vec<_> = rows.iter().filter(|row| is(row, what)).collect();
                    @if !of_kind.is_empty() { li { (result(desk, what)) " " (of_kind.len()) (sums(desk, &of_kind)) } }
                }
            }
        }
        @if has_errors { p { (desk.t("import-errors-hint")) } }
        @if let Some(next) = next {
            form.card method="post" action=(desk.link("/admin/import")) {
                (kept(desk, upload, &columns, next))
                p { (desk.t("import-parts-hint")) }
                button.primary type="submit" { (desk.t("import-next")) }
            }
        } @else if !is_done && has_changes {
            form.card method="post" action=(desk.link("/admin/import")) {
                (kept(desk, upload, &columns, part))
                input type="hidden" name="do" value="1";
                input type="hidden" name="seen" value=(seen);
                button.primary type="submit" { (desk.t("import-do")) }
            }
        }
        @if is_done {
            p { a.button href=(desk.link(&format!("/admin/notices?registered_from={}", time::date(desk.store.now())))) { (desk.t("notices-of-today")) } }
        }
        (results(desk, &rows))
        details {
            summary { (desk.t("choose-columns")) }
            p { (read_as(desk, table.source())) }
            dl {
                @for (name, member) in chosen {
                    dt { (name) }
                    dd {
                        @match MEMBERS.into_iter().find(|(known, ..)| known == member) {
                            Some((_, id, _)) => (desk.t(id)),
                            None if member.is_empty() => (desk.t("left-out")),
                            None => code { (member) },
                        }
                    }
                }
            }
            form method="post" action=(desk.link("/admin/import")) {
                (kept(desk, upload, &columns, 1))
                button type="submit" name="choose" value="1" { (desk.t("choose-others")) }
            }
        }
        p { a.button href=(desk.link("/admin/import")) { (desk.t("other-file")) } }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

/// The sums of the orders' amounts, by currency.
fn sums<P: Platform>(desk: &Desk<'_, P>, rows: &[&Row]) -> Markup {
    let mut sums: BTreeMap<&str, Money> = BTreeMap::new();
    for row in rows {
        let amount = row.total_amount_due.as_deref();
        let amount = amount.and_then(|amount| Money::parse(amount).ok());
        if let (Some(amount), Some(currency)) = (amount, &row.currency) {
            let sum = sums.entry(currency).or_default();
            *sum = *sum + amount;
        }
    }
    html! {
        @for (currency, sum) in sums { " · " (desk.view.money(sum, currency)) }
    }
}

/// The outcome of a row as a colour and a text.
fn result<P: Platform>(desk: &Desk<'_, P>, result: &str) -> Markup {
    let (kind, id) = match result {
        "created" => ("good", "row-created"),
        "amended" => ("busy", "row-amended"),
        "unchanged" => ("busy", "row-unchanged"),
        "skipped" => ("busy", "row-skipped"),
        _ => ("bad", "row-error"),
    };
    html! { span.mark.(kind) { (desk.t(id)) } }
}

fn results<P: Platform>(desk: &Desk<'_, P>, rows: &[Row]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(desk.t("rows")) {
            table.wide {
                tr {
                    th scope="col" { (desk.t("row")) }
                    th scope="col" { (desk.t("order-number")) }
                    th scope="col" { (desk.t("result")) }
                    th scope="col" { (desk.t("remarks")) }
                }
                @for row in rows {
                    tr {
                        td { (row.row) }
                        td { (row.order_key.as_deref().unwrap_or_default()) br; small { (row.service_id.as_deref().unwrap_or_default()) } }
                        td { (result(desk, &row.result)) }
                        td {
                            @if let Some(detail) = row.detail.as_ref().filter(|_| row.errors.is_empty()) { (desk.view.said(detail)) }
                            (desk.wrong(&row.errors))
                            @if !row.warnings.is_empty() { " " em { (desk.wrong(&row.warnings)) } }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /admin/export`: the file, as the API answers it.
pub async fn export<P: Platform>(
    desk: &Desk<'_, P>,
) -> Result<http::Response<bytes::Bytes>, Problem> {
    let mut address = format!("orders/export?limit=2000{}", orders::chosen(desk)?);
    for name in ["format", "separator", "cursor"] {
        if let Some(value) = desk.query.text(name) {
            address.push_str(&format!("&{name}={}", encode(&value)));
        }
    }
    desk.call(Ask::get(address)).await
}
