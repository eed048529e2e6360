//! Payments by hand: one person proposes, another person approves.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode},
    order_form::{Field, amount, fields, mistakes, services, typed_amount},
    orders::{money, own, path},
    payments::moment,
};
use crate::{
    access::{BOOKKEEPERS, MANAGERS, permit},
    json::{FieldError, LocalizedJson},
    store::Platform,
};

/// The fields of a payment by hand, named as the API's members.
const FIELDS: [Field; 6] = [
    field("order_key", "order-number", "text", 36),
    field("payment_id", "payment-number", "text", 36),
    field("amount", "amount", "text", 20),
    field("paid_at", "paid-at", "date", 10),
    Field {
        is_required: false,
        ..field("invoice_id", "invoice-number", "text", 36)
    },
    field("note", "known-from", "text", 500),
];

const fn field(name: &'static str, text: &'static str, kind: &'static str, longest: u16) -> Field {
    Field {
        name,
        text,
        kind,
        is_required: true,
        longest,
    }
}

/// A proposal to enter a payment, or to void one.
#[derive(Deserialize)]
pub struct Proposal {
    id: u64,
    proposed_at: String,
    payment_id: String,
    service_id: String,
    order_key: String,
    invoice_id: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    paid_at: Option<String>,
    note: String,
    by: String,
    approved_at: Option<String>,
    approved_by: Option<String>,
    withdrawn_at: Option<String>,
    withdrawn_by: Option<String>,
    #[serde(default)]
    not_carried_out: bool,
    #[serde(default)]
    lines: Vec<PaidLine>,
}

/// A line of a proposed payment.
#[derive(Deserialize)]
struct PaidLine {
    line_id: String,
    amount: String,
}

/// The members of an order that a payment of it needs.
#[derive(Deserialize)]
struct Known {
    service_id: String,
    order_key: String,
    reason: Option<LocalizedJson>,
    currency: String,
    lines: Vec<KnownLine>,
}

#[derive(Deserialize)]
struct KnownLine {
    line_id: String,
    reason: Option<LocalizedJson>,
}

/// The beginning of the names of the fields for the amounts of lines.
const LINE: &str = "line-";
/// The field that names the order whose lines the form has.
const LINES_OF: &str = "lines-of";

impl Known {
    /// The order that the form or the address names; `None` if there is none.
    async fn of<P: Platform>(desk: &Desk<'_, P>) -> Result<Option<Self>, Problem> {
        let named = |name| typed(desk, name);
        let (Some(service), Some(key)) = (named("service_id"), named("order_key")) else {
            return Ok(None);
        };
        let address = format!("orders/{}/{}", encode(&service), encode(&key));
        match desk.document(Ask::get(address)).await {
            Ok(order) => Ok(Some(order)),
            // Who proposes the payment is told what is wrong.
            Err(problem) if problem.status().is_client_error() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    fn name(&self) -> String {
        path(&self.service_id, &self.order_key)
    }

    /// True if the payment must say what each line got.
    fn has_several_lines(&self) -> bool {
        self.lines.len() > 1
    }

    /// The lines that were paid, as the form says; `None` if its fields were for another order, or for none.
    fn paid<P: Platform>(&self, desk: &Desk<'_, P>) -> Result<Option<Vec<Value>>, Problem> {
        if desk.form.text(LINES_OF) != Some(self.name().as_str()) {
            return Ok(None);
        }
        let mut paid = Vec::new();
        for (line_id, typed) in desk.form.named(LINE) {
            if let Some(amount) = typed_amount("lines", typed)? {
                paid.push(json!({"line_id": line_id, "amount": amount}));
            }
        }
        Ok(Some(paid))
    }
}

/// A value that was typed, or that the address has.
fn typed<P: Platform>(desk: &Desk<'_, P>, name: &str) -> Option<String> {
    let typed = desk.form.text(name).map(str::to_owned);
    typed.or_else(|| desk.query.text(name))
}

/// A page of proposals, as the API lists them.
#[derive(Default, Deserialize)]
pub struct Proposals {
    pub proposals: Vec<Proposal>,
    pub next: Option<String>,
}

/// `GET /admin/payments/manual`: the form for a proposal, and the open proposals. With `id` it redirects to
/// that proposal.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    if let Some(id) = desk.query.number("id") {
        let address = format!("/admin/payments/manual/{id}");
        return Ok(Answer::see_other(&desk.link(&address)));
    }
    let order = Known::of(desk).await?;
    form(desk, StatusCode::OK, order.as_ref(), &[]).await
}

async fn form<P: Platform>(
    desk: &Desk<'_, P>,
    status: StatusCode,
    order: Option<&Known>,
    wrong: &[FieldError],
) -> Result<Answer, Problem> {
    let mut address = "payments/manual?open=true&limit=20".to_owned();
    if let Some(cursor) = desk.query.text("cursor") {
        address.push_str(&format!("&cursor={}", encode(&cursor)));
    }
    let open: Proposals = desk.document(Ask::get(address)).await?;
    let title = desk.t("by-hand");
    let typed = |name: &str| typed(desk, name);
    let content = html! {
        h1 { (title) }
        p { (desk.t("by-hand-hint")) }
        @if desk.may(&BOOKKEEPERS) {
            form.card.narrow method="post" action=(desk.link("/admin/payments/manual")) {
                (desk.form_fields())
                input type="hidden" name="back" value="/admin/payments/manual";
                (services(desk, &typed("service_id").unwrap_or_default()))
                (fields(desk, FIELDS.iter(), &typed, wrong))
                @if let Some(order) = order { (of_order(desk, order)) }
                button.primary type="submit" { (desk.t("propose")) }
            }
        }
        (waiting(desk, &open))
        form.card.inline method="get" action="/admin/payments/manual" {
            input type="hidden" name="lang" value=(desk.view.language().code());
            label { span { (desk.t("proposal-number")) } input name="id" inputmode="numeric" required; }
            button type="submit" { (desk.t("show")) }
        }
    };
    Ok(desk.page(status, &Page::new(title, content)))
}

/// The part of the form for a known order: its currency, and a field for each of several lines.
fn of_order<P: Platform>(desk: &Desk<'_, P>, order: &Known) -> Markup {
    let name = order.name();
    let is_of_order = desk.form.text(LINES_OF) == Some(name.as_str());
    let amount = |line: &KnownLine| {
        let mut amounts = desk.form.named(LINE);
        let amount = amounts.find(|(line_id, _)| *line_id == line.line_id);
        amount.filter(|_| is_of_order).map(|(_, amount)| amount)
    };
    html! {
        p.hint {
            (order.order_key) " · " (own(desk, order.reason.as_ref())) " · "
            (desk.with("amounts-in", &[("currency", order.currency.as_str().into())]))
        }
        @if order.has_several_lines() {
            input type="hidden" name=(LINES_OF) value=(name);
            p role="status" { (desk.t("amount-of-each-line")) }
            @for line in &order.lines {
                label {
                    span { (line.line_id) " · " (own(desk, line.reason.as_ref())) }
                    input name={ (LINE) (line.line_id) } type="text" maxlength="20" value=[amount(line)];
                }
            }
        }
    }
}

/// The proposals on which somebody has still to decide, or that were not carried out.
fn waiting<P: Platform>(desk: &Desk<'_, P>, open: &Proposals) -> Markup {
    html! {
        section.card {
            h2 { (desk.t("proposals-open")) }
            @if open.proposals.is_empty() {
                p { (desk.t(if open.next.is_some() { "none-so-far" } else { "none-waits" })) }
            }
            ul.payments {
                @for proposal in &open.proposals {
                    li {
                        a href=(desk.link(&format!("/admin/payments/manual/{}", proposal.id))) { (desk.t("proposal")) " " (proposal.id) }
                        span { (desk.t(proposal.what())) }
                        @if proposal.not_carried_out { span.mark.bad { (desk.t("proposal-unfinished")) } }
                        @if let (Some(amount), Some(currency)) = (&proposal.amount, &proposal.currency) { strong.amount { (money(desk, amount, currency)) } }
                        span.property { (proposal.order_key) " · " (proposal.by) ", " (moment(desk, &proposal.proposed_at)) }
                    }
                }
            }
            @if let Some(next) = &open.next {
                p { a.button href=(desk.link(&format!("/admin/payments/manual?cursor={}", encode(next)))) { (desk.t("further")) } }
            }
        }
    }
}

impl Proposal {
    /// The text for the purpose of the proposal.
    fn what(&self) -> &'static str {
        match self.amount {
            Some(_) => "proposal-to-enter",
            None => "proposal-to-void",
        }
    }
}

/// `POST /admin/payments/manual`: proposes a payment.
pub async fn propose<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    permit(desk.principal, &BOOKKEEPERS)?;
    let order = Known::of(desk).await?;
    match try_propose(desk, order.as_ref()).await {
        Ok(Some(proposal)) => Ok(to(desk, proposal.id)),
        Ok(None) => form(desk, StatusCode::OK, order.as_ref(), &[]).await,
        Err(problem) => {
            let status = problem.status();
            form(desk, status, order.as_ref(), &mistakes(problem)?).await
        }
    }
}

/// Proposes the payment; `None` if the form has still to ask what each line got.
async fn try_propose<P: Platform>(
    desk: &Desk<'_, P>,
    order: Option<&Known>,
) -> Result<Option<Proposal>, Problem> {
    let mut payment = json!({"amount": amount(desk, "amount")?});
    if let Some(payment) = payment.as_object_mut() {
        if let Some(order) = order {
            payment.insert("currency".to_owned(), json!(order.currency));
        }
        if let Some(order) = order.filter(|order| order.has_several_lines()) {
            let Some(paid) = order.paid(desk)? else {
                return Ok(None);
            };
            payment.insert("lines".to_owned(), json!(paid));
        }
        let fields = FIELDS.iter().map(|field| field.name);
        for name in fields
            .filter(|name| *name != "amount")
            .chain(["service_id"])
        {
            payment.insert(name.to_owned(), json!(desk.form.text(name)));
        }
    }
    let ask = Ask::new("POST", "payments/manual").json(&payment);
    desk.document(ask).await.map(Some)
}

/// Redirects the browser to a proposal.
fn to<P: Platform>(desk: &Desk<'_, P>, id: u64) -> Answer {
    Answer::see_other(&desk.link(&format!("/admin/payments/manual/{id}?done=1")))
}

/// `GET /admin/payments/manual/{id}`: a proposal, and the decisions that this person may take.
pub async fn one<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let proposal: Proposal = desk.document(Ask::get(path)).await?;
    let title = format!("{} {}", desk.t("proposal"), proposal.id);
    let is_open = proposal.not_carried_out
        || (proposal.approved_by.is_none() && proposal.withdrawn_by.is_none());
    let is_own = proposal.by == desk.principal.name;
    let order = format!(
        "/admin/orders/{}/{}",
        encode(&proposal.service_id),
        encode(&proposal.order_key)
    );
    let (kind, state) = match (&proposal.approved_by, &proposal.withdrawn_by) {
        _ if proposal.not_carried_out => ("bad", "proposal-unfinished"),
        (Some(_), _) => ("good", "proposal-approved"),
        (None, Some(_)) => ("bad", "proposal-withdrawn"),
        (None, None) => ("busy", "proposal-open"),
    };
    let what = proposal.what();
    let people = |at: &str, by: &str| html! { (by) ", " (moment(desk, at)) };
    let content = html! {
        @if desk.query.text("done").is_some() { p.banner.good role="status" { (desk.t("done")) } }
        h1 { (title) }
        p { span.mark.(kind) { (desk.t(state)) } " " (desk.t(what)) }
        section.card {
            dl {
                dt { (desk.t("payment-number")) } dd { code { (proposal.payment_id) } }
                dt { (desk.t("order-number")) }
                dd { a href=(desk.link(&order)) { (proposal.order_key) } " " small { (proposal.service_id) } }
                @if let Some(invoice) = &proposal.invoice_id { dt { (desk.t("invoice-number")) } dd { code { (invoice) } } }
                @if let (Some(amount), Some(currency)) = (&proposal.amount, &proposal.currency) {
                    dt { (desk.t("amount")) } dd { strong { (money(desk, amount, currency)) } }
                }
                @if let (Some(currency), [_, _, ..]) = (&proposal.currency, proposal.lines.as_slice()) {
                    dt { (desk.t("lines")) }
                    @for line in &proposal.lines { dd { (line.line_id) ": " (money(desk, &line.amount, currency)) } }
                }
                @if let Some(at) = &proposal.paid_at { dt { (desk.t("paid-at")) } dd { (moment(desk, at)) } }
                dt { (desk.t("note")) } dd { (proposal.note) }
                dt { (desk.t("proposed-by")) } dd { (people(&proposal.proposed_at, &proposal.by)) }
                @if let (Some(at), Some(by)) = (&proposal.approved_at, &proposal.approved_by) {
                    dt { (desk.t("proposal-approved")) } dd { (people(at, by)) }
                }
                @if let (Some(at), Some(by)) = (&proposal.withdrawn_at, &proposal.withdrawn_by) {
                    dt { (desk.t("proposal-withdrawn")) } dd { (people(at, by)) }
                }
            }
        }
        @if is_open {
            @if proposal.not_carried_out { p { (desk.t("unfinished-hint")) } }
            @if is_own { p { (desk.t("needs-another-person")) } }
            div.actions {
                @if desk.may(&MANAGERS) && !is_own { (action(desk, path, "approve", "do-approve")) }
                @if desk.may(&BOOKKEEPERS) { (action(desk, path, "withdraw", "do-withdraw")) }
            }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

fn action<P: Platform>(desk: &Desk<'_, P>, path: &str, what: &str, id: &str) -> Markup {
    let here = format!("/admin/{path}");
    html! {
        form method="post" action=(desk.link(&here)) {
            (desk.form_fields())
            input type="hidden" name="back" value=(here);
            input type="hidden" name="do" value=(what);
            button type="submit" { (desk.t(id)) }
        }
    }
}

/// `POST /admin/payments/manual/{id}`: approves a proposal, or withdraws it.
pub async fn decide<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let ask = match desk.form.text("do") {
        Some("approve") => Ask::new("POST", format!("{path}/approve")),
        Some("withdraw") => Ask::new("DELETE", path),
        _ => return Err(Problem::member("do", "is not what a page has sent")),
    };
    desk.call(ask).await?;
    Ok(Answer::see_other(
        &desk.link(&format!("/admin/{path}?done=1")),
    ))
}

/// `POST /admin/payments/{id}/void`: proposes to void a payment that was entered by hand.
pub async fn void<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let note = json!({"note": desk.form.text("note")});
    let proposal: Proposal = desk.document(Ask::new("POST", path).json(&note)).await?;
    Ok(to(desk, proposal.id))
}
