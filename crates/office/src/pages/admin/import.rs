//! Many orders from a table: looked through first, and registered once somebody has seen what would
//! happen.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use tables::{Options, Table};

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode},
    upload::{MEDIA_TYPE, Upload},
};
use crate::{access::CLERKS, digest::sha256, domain::time, store::Platform};

/// What the answer of the API says of a row.
const COLUMNS: [&str; 6] = [
    "row",
    "service_id",
    "order_key",
    "result",
    "detail",
    "warnings",
];

/// What can become of a row.
const RESULTS: [&str; 5] = ["created", "amended", "unchanged", "skipped", "error"];

/// `GET /admin/import`.
pub fn page<P: Platform>(desk: &Desk<'_, P>) -> Answer {
    let title = desk.t("menu-import");
    let content = html! {
        h1 { (title) }
        @if desk.may(&CLERKS) {
            p { (desk.t("import-hint")) }
            form.card.narrow method="post" enctype="multipart/form-data" action=(desk.link("/admin/import")) {
                (desk.form_fields())
                label { span { (desk.t("file")) } input type="file" name="file" required accept=".csv,.xlsx,.txt,.tsv"; }
                (encodings(desk, None))
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
    desk.page(StatusCode::OK, &Page::new(title, content))
}

fn encodings<P: Platform>(desk: &Desk<'_, P>, chosen: Option<&str>) -> Markup {
    html! {
        label {
            span { (desk.t("encoding")) }
            select name="encoding" {
                option value="" { (desk.t("found-out")) }
                @for name in ["utf-8", "windows-1250", "windows-1251"] {
                    option value=(name) selected[chosen == Some(name)] { (name) }
                }
            }
        }
    }
}

/// `POST /admin/import`: what would happen, or with `do` what happened.
pub async fn post<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let upload = Upload::of(&desk.form)?;
    let is_done = desk.form.text("do").is_some();
    let encoding = desk.form.text("encoding");
    let encoding_of = encoding.map(|encoding| format!("&encoding={}", encode(encoding)));
    let import = async |dry_run: bool| {
        let encoding = encoding_of.as_deref().unwrap_or_default();
        let address = format!("orders/import?dry_run={dry_run}{encoding}");
        let ask = Ask::new("POST", address).body(MEDIA_TYPE, upload.content.clone());
        desk.call(ask).await
    };
    let mut answer = import(true).await?;
    let seen = sha256(answer.body());
    // Where something else would happen than was shown, it is shown again.
    let is_done = is_done && desk.form.text("seen") == Some(seen.as_str());
    if is_done {
        answer = import(false).await?;
    }
    let table = Table::read(answer.body(), &Options::with_columns(&COLUMNS));
    let table = table.map_err(Problem::internal)?;
    let cell = |row: &tables::Row<'_>, column: &str| {
        let text = row.cell(column).text().ok().flatten();
        text.unwrap_or_default()
    };
    let rows: Vec<[String; 6]> = table
        .rows()
        .map(|row| COLUMNS.map(|column| cell(&row, column)))
        .collect();
    let is = |row: &[String; 6], result: &str| row[3] == result;
    let (totals, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is(row, "total"));
    let has_errors = rows.iter().any(|row| is(row, "error"));
    let has_changes = rows
        .iter()
        .any(|row| is(row, "created") || is(row, "amended"));
    let title = desk.t(if is_done {
        "import-done"
    } else {
        "import-preview"
    });
    let content = html! {
        h1 { (title) }
        div role="status" {
            ul.sums {
                @for (what, count) in RESULTS.map(|what| (what, rows.iter().filter(|row| is(row, what)).count())) {
                    @if count > 0 { li { (result(desk, what)) " " (count) } }
                }
            }
        }
        @for total in &totals { p.hint lang="en" { (total[4]) } }
        @if !is_done && has_changes {
            form.card method="post" action=(desk.link("/admin/import")) {
                (desk.form_fields())
                (upload.hidden())
                input type="hidden" name="encoding" value=(encoding.unwrap_or_default());
                input type="hidden" name="do" value="1";
                input type="hidden" name="seen" value=(seen);
                @if has_errors { p { (desk.t("import-errors-hint")) } }
                button.primary type="submit" { (desk.t("import-do")) }
            }
        }
        @if is_done {
            p { a.button href=(desk.link(&format!("/admin/notices?registered_from={}", time::date(desk.store.now())))) { (desk.t("notices-of-today")) } }
        }
        (results(desk, &rows))
        p { a.button href=(desk.link("/admin/import")) { (desk.t("other-file")) } }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

/// What became of a row, marked by its kind and in words.
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

fn results<P: Platform>(desk: &Desk<'_, P>, rows: &[[String; 6]]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(desk.t("rows")) {
            table.wide {
                tr {
                    th scope="col" { (desk.t("row")) }
                    th scope="col" { (desk.t("order-number")) }
                    th scope="col" { (desk.t("result")) }
                    th scope="col" { (desk.t("remarks")) }
                }
                @for [row, service, key, what, detail, warnings] in rows {
                    tr {
                        td { (row) }
                        td { (key) br; small { (service) } }
                        td { (result(desk, what)) }
                        td lang="en" { (detail) @if !warnings.is_empty() { " " em { (warnings) } } }
                    }
                }
            }
        }
    }
}

/// `GET /admin/export`: the file that the API gives.
pub async fn export<P: Platform>(
    desk: &Desk<'_, P>,
) -> Result<http::Response<bytes::Bytes>, Problem> {
    let mut address = "orders/export?limit=2000".to_owned();
    for name in [
        "format",
        "separator",
        "cursor",
        "status",
        "service_id",
        "customer_id",
        "due_from",
        "due_to",
    ] {
        if let Some(value) = desk.query.text(name) {
            address.push_str(&format!("&{name}={}", encode(&value)));
        }
    }
    desk.call(Ask::get(address)).await
}
