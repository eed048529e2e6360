//! Comparison with a statement of the bank, the treasury or MPay: a person chooses its columns, and the API
//! compares it with the recorded payments.

use bytes::Bytes;
use http::{Response, StatusCode};
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use tables::{Format, Options, Sheet, Table, Value};

use super::{
    super::layout::{Answer, Page},
    columns::Memory,
    desk::{Ask, Desk, encode},
    orders::money,
    upload::{MEDIA_TYPE, Upload},
};
use crate::{
    access::{self, BOOKKEEPERS},
    api::table_file,
    domain::time,
    json::FieldError,
    store::Platform,
};

/// The purposes of columns, named as the API's parameters; their texts; the beginnings of names that such
/// columns have.
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
    #[serde(default)]
    unreadable: usize,
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
    difference: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    shown_by_others: Vec<String>,
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

/// `POST /admin/settlement`: the choice of columns, or the comparison.
pub async fn post<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    access::permit(desk.principal, &BOOKKEEPERS)?;
    let upload = Upload::of(&desk.form)?;
    if desk.form.text("amount").is_none() {
        return choose(desk, &upload);
    }
    let comparison = compare(desk, &upload).await?;
    // The choice is remembered for the next statement with the same columns.
    let chosen = COLUMNS
        .into_iter()
        .filter_map(|(name, ..)| Some((name, desk.form.text(name)?)));
    let memory = Memory::of_request(desk.view.pages, desk.headers);
    let read = table(&upload)?;
    let cookie = memory.with(desk.view.pages, WHAT, &read, chosen);
    let title = desk.t("menu-settlement");
    let groups = comparison.groups();
    let has_errors = !comparison.errors.is_empty();
    let content = html! {
        h1 { (title) }
        @if comparison.unreadable > 0 { p.alert role="alert" { (desk.t("settlement-unreadable")) } }
        @else if !comparison.complete { p.alert role="alert" { (desk.t("settlement-incomplete")) } }
        ul.sums {
            @for group in &groups {
                li { span.mark.(group.kind) { (group.entries.len()) } " " (desk.t(group.title)) }
            }
            @if has_errors {
                li { span.mark.bad { (comparison.errors.len()) } " " (desk.t("settled-errors")) }
            }
        }
        // One form holds the file for all lists. The button names the list.
        form #lists method="post" action=(desk.link("/admin/settlement")) {
            (desk.form_fields())
            (upload.hidden())
            @for name in chosen_names() {
                @if let Some(value) = desk.form.text(name) { input type="hidden" name=(name) value=(value); }
            }
        }
        @for group in groups.iter().filter(|group| !group.entries.is_empty()) {
            h2 { (desk.t(group.title)) }
            @for deed in group.deeds() { p { (desk.t(deed)) } }
            (entries_table(desk, group, comparison.complete))
            p { button type="submit" form="lists" name=(LIST) value=(group.name) { (desk.t("export-xlsx")) } }
        }
        @if has_errors {
            h2 { (desk.t("settled-errors")) }
            p { (desk.t("settled-errors-do")) }
            ul {
                @for wrong in &comparison.errors {
                    li {
                        (desk.t("row")) " " (wrong.row) ": "
                        (desk.wrong(&wrong.errors))
                    }
                }
            }
            p { button type="submit" form="lists" name=(LIST) value=(ERRORS) { (desk.t("export-xlsx")) } }
        }
        p { a.button href=(desk.link("/admin/settlement")) { (desk.t("other-file")) } }
    };
    let mut answer = desk.page(StatusCode::OK, &Page::new(title, content));
    answer.cookie = cookie;
    Ok(answer)
}

/// The kind of table in [`Memory`].
const WHAT: &str = "statement";

/// The field that names a list to download.
pub const LIST: &str = "list";

/// The name of the list of rows that cannot be read.
const ERRORS: &str = "errors";

/// A list of entries with the same outcome.
struct Group<'a> {
    name: &'static str,
    kind: &'static str,
    title: &'static str,
    /// The instructions for an entry without instructions of its own.
    deed: &'static str,
    entries: &'a [Entry],
}

impl Group<'_> {
    /// The instructions for the entries, each text once.
    fn deeds(&self) -> Vec<&'static str> {
        let mut deeds = Vec::new();
        for entry in self.entries {
            let deed = entry.deed().unwrap_or(self.deed);
            if !deeds.contains(&deed) {
                deeds.push(deed);
            }
        }
        deeds
    }
}

impl Comparison {
    /// All lists; those that need a person come first.
    fn groups(&self) -> [Group<'_>; 6] {
        let group = |name, kind, [title, deed]: [&'static str; 2], entries| Group {
            name,
            kind,
            title,
            deed,
            entries,
        };
        let texts = [
            ["settled-differing", "settled-differing-do"],
            ["settled-not-recorded", "settled-not-recorded-do"],
            ["settled-not-settled", "settled-not-settled-do"],
            ["settled-netted", "settled-netted-do"],
            ["settled-fees", "settled-fees-do"],
            ["settled-matched", "settled-matched-do"],
        ];
        let [differing, not_recorded, not_settled, netted, fees, matched] = texts;
        [
            group("differing", "bad", differing, &self.differing),
            group("not-recorded", "bad", not_recorded, &self.not_recorded),
            group("not-settled", "busy", not_settled, &self.not_settled),
            group("netted", "busy", netted, &self.netted),
            group("fees", "busy", fees, &self.fees),
            group("matched", "good", matched, &self.matched),
        ]
    }
}

/// The fields with a statement's choices, named as the API's parameters.
fn chosen_names() -> impl Iterator<Item = &'static str> {
    let columns = COLUMNS.into_iter().map(|(name, ..)| name);
    columns.chain(["from", "to", "fee_rate", "currency", "service_id"])
}

/// Compares a statement by the choices of the form, and marks the payments that it shows as settled.
async fn compare<P: Platform>(desk: &Desk<'_, P>, upload: &Upload) -> Result<Comparison, Problem> {
    let pairs = chosen_names().filter_map(|name| {
        let value = desk.form.text(name)?;
        Some(format!("{name}={}", encode(value)))
    });
    let address = format!("settlement?{}", pairs.collect::<Vec<_>>().join("&"));
    let ask = Ask::new("POST", address).body(MEDIA_TYPE, upload.content.clone());
    desk.document(ask).await
}

/// `POST /admin/settlement` with [`LIST`]: a list as a workbook. Comparing the same statement again marks
/// nothing more.
pub async fn file<P: Platform>(desk: &Desk<'_, P>) -> Result<Response<Bytes>, Problem> {
    let comparison = compare(desk, &Upload::of(&desk.form)?).await?;
    let asked = desk.form.text(LIST).unwrap_or_default();
    let heads = [
        ("row", Value::Text),
        ("payment-number", Value::Text),
        ("order-number", Value::Text),
        ("amount", Value::Amount),
        ("in-statement", Value::Amount),
        ("remarks", Value::Text),
    ];
    let heads = heads.map(|(id, kind)| (desk.t(id), kind));
    let heads = heads.each_ref().map(|(text, kind)| (text.as_str(), *kind));
    let mut sheet = Sheet::new(Format::Xlsx, &heads);
    let groups = comparison.groups();
    if let Some(group) = groups.iter().find(|group| group.name == asked) {
        for entry in group.entries {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let detail = entry.detail.as_deref();
            sheet.row(&[
                entry.numbers(),
                text(&entry.payment_id),
                text(&entry.order_key),
                entry.amount.clone(),
                text(&entry.shown),
                detail
                    .map(|detail| desk.view.said_plainly(detail))
                    .unwrap_or_default(),
            ]);
        }
    } else if asked == ERRORS {
        for wrong in &comparison.errors {
            let said = wrong.errors.iter().map(|error| {
                let said = desk.view.said_plainly(&error.detail);
                format!("{} {said}", error.field)
            });
            let said = said.collect::<Vec<_>>().join("; ");
            let row = wrong.row.to_string();
            sheet.row(&[row.as_str(), "", "", "", "", said.as_str()]);
        }
    } else {
        return Err(Problem::member(LIST, "is not what a page has sent"));
    }
    table_file(sheet, Format::Xlsx, &format!("settlement-{asked}"))
}

impl Entry {
    /// The numbers of the statement's rows.
    fn numbers(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(ToString::to_string).collect();
        rows.join(", ")
    }

    /// The instructions for this entry; `None` if those of its list apply.
    fn deed(&self) -> Option<&'static str> {
        Some(match self.difference.as_deref()? {
            "part" => "settled-part-do",
            "shown-before" => "settled-shown-before-do",
            "taken-back" => "settled-taken-back-do",
            "other-sum" => "settled-other-sum-do",
            "reversal-of-nothing" => "settled-reversal-do",
            "other-currency" => "settled-other-currency-do",
            "several-services" => "settled-services-do",
            "too-many-parts" => "settled-no-room-do",
            "unknown-payment" if self.amount.starts_with('-') => "settled-reversal-do",
            _ if !self.shown_by_others.is_empty() => "settled-shown-by-others-do",
            _ => return None,
        })
    }

    /// True if nobody may have recorded this payment yet, so that it is offered for entry by hand. A recorded
    /// payment must never be offered a second time.
    fn may_be_new(&self) -> bool {
        let differences = ["unknown-payment", "unknown-order", "no-payment-named"];
        let difference = self.difference.as_deref();
        difference.is_some_and(|difference| differences.contains(&difference))
            && self.shown_by_others.is_empty()
            && !self.amount.starts_with('-')
            && self.amount.contains(|digit| matches!(digit, '1'..='9'))
    }
}

/// The table of a statement. Its header is the first row that names a column of amounts.
fn table(upload: &Upload) -> Result<Table, Problem> {
    let (_, _, amounts) = COLUMNS[0];
    let found = amounts
        .iter()
        .find_map(|name| Table::read(&upload.content, &Options::with_columns(&[name])).ok());
    found
        .map_or_else(|| Table::read(&upload.content, &Options::default()), Ok)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

fn entries_table<P: Platform>(desk: &Desk<'_, P>, group: &Group<'_>, is_complete: bool) -> Markup {
    // A payment recorded during the comparison can look unrecorded.
    let is_unknown = |entry: &Entry| is_complete && entry.may_be_new();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(desk.t(group.title)) {
            table.wide {
                tr {
                    th scope="col" { (desk.t("row")) }
                    th scope="col" { (desk.t("payment-number")) }
                    th scope="col" { (desk.t("order-number")) }
                    th.end scope="col" { (desk.t("amount")) }
                    th.end scope="col" { (desk.t("in-statement")) }
                    th scope="col" { (desk.t("remarks")) }
                }
                @for entry in group.entries {
                    tr {
                        td { (entry.numbers()) }
                        td { code { (entry.payment_id.as_deref().unwrap_or_default()) } }
                        td { @if let Some(key) = &entry.order_key { a href=(desk.link(&format!("/admin/orders?order_key={}", encode(key)))) { (key) } } }
                        td.amount { (money(desk, &entry.amount, "")) }
                        td.amount { @if let Some(shown) = &entry.shown { (money(desk, shown, "")) } }
                        td {
                            @if let Some(detail) = &entry.detail { (desk.view.said(detail)) }
                            @if is_unknown(entry) { " " a href=(desk.link(&by_hand(entry))) { (desk.t("settled-enter")) } }
                        }
                    }
                }
            }
        }
    }
}

/// The address of the form that enters an unrecorded payment by hand, filled from the statement.
fn by_hand(entry: &Entry) -> String {
    let pairs = [
        ("payment_id", entry.payment_id.as_deref()),
        ("order_key", entry.order_key.as_deref()),
        ("amount", Some(entry.amount.as_str())),
    ];
    let pairs = pairs
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
    let pairs: Vec<_> = pairs.collect();
    format!("/admin/payments/manual?{}", pairs.join("&"))
}

/// The page that asks for the meaning of each column, with guesses.
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
            label { span { (desk.t("statement-currency")) } input name="currency" maxlength="200" placeholder="MDL"; }
            @if desk.config.service_ids().nth(1).is_some() {
                label {
                    span { (desk.t("service")) }
                    select name="service_id" {
                        option value="" { (desk.t("any")) }
                        @for id in desk.config.service_ids() { option { (id) } }
                    }
                }
            }
            button.primary type="submit" { (desk.t("compare")) }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}
