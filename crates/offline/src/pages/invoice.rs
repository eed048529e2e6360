//! The pay page.

use maud::{Markup, html};
use stage::{Request, Text};

use super::{View, day_and_time, layout, mischief_options, money, pdf_link, status};
use crate::{
    Mischief,
    checkout::{Blank, Terms, Visit, is_true, to_fill_in, web_address},
    provider::NoOrder,
    text,
};
use mpay_client::{OrderDetails, OrderLine};

/// Instruments of MPay's page, and of a terminal.
const INSTRUMENTS: [(&str, Text); 4] = [
    ("card", text::CARD),
    ("instant", text::INSTANT),
    ("banking", text::BANKING),
    ("cash", text::CASH),
];
const AT_TERMINAL: [(&str, Text); 2] = [
    ("card-at-terminal", text::CARD_AT_TERMINAL),
    ("cash-at-desk", text::CASH_AT_DESK),
];

/// The instrument of a form, or the first of them.
pub fn instrument(name: &str) -> Text {
    INSTRUMENTS
        .into_iter()
        .chain(AT_TERMINAL)
        .find(|(known, _)| *known == name)
        .map_or(text::CARD, |(_, label)| label)
}

/// The invoice of an order, to be paid. `wrong` is the mistake in the form that was sent.
pub fn invoice(
    view: &View,
    visit: &Visit,
    order: &OrderDetails,
    number: &str,
    request: &Request,
    wrong: Option<Text>,
    mischief: Option<Mischief>,
) -> Markup {
    let terms = Terms::of(order);
    let currency = order.get("Currency").unwrap_or("MDL");
    let content = html! {
        @if let Some(wrong) = wrong { p.alert role="alert" { (view.t(wrong)) } }
        div.columns {
            (paper(view, visit, order, number, currency))
            form.card.pay method="post" action="/service/confirm" {
                @for (name, value) in visit.fields() {
                    input type="hidden" name=(name) value=(value);
                }
                (total(view, order, currency))
                @if !terms.payable {
                    p.alert { (view.t(text::NOT_PAYABLE)) }
                    p.hint { (view.t(text::NOT_PAYABLE_HINT)) }
                }
                @if terms.adjustable() { (amount(view, &terms, order, request, currency)) }
                (blanks(view, order, request))
                @if terms.payable { (instruments(view, visit, request)) }
                details open[mischief.is_some() || !terms.payable] {
                    summary { (view.t(text::TROUBLE)) }
                    label {
                        span { (view.t(text::TROUBLE_HINT)) }
                        @let chosen = chosen(request, mischief, terms.payable);
                        select name="mischief" {
                            option value="" selected[chosen.is_none()] { (view.t(text::AS_USUAL)) }
                            (mischief_options(view, chosen))
                        }
                    }
                }
                // The first button is the one that Enter presses.
                @if terms.payable {
                    button.primary name="outcome" value="pay" { (view.t(text::PAY)) }
                    button.quiet name="outcome" value="fail" formnovalidate { (view.t(text::FAIL)) }
                } @else {
                    button name="outcome" value="pay" { (view.t(text::CONFIRM_ALL_THE_SAME)) }
                }
                (way_back(view, visit))
            }
        }
    };
    layout(view, view.t(text::INVOICE), None, content)
}

/// The content of the invoice.
fn paper(view: &View, visit: &Visit, order: &OrderDetails, number: &str, currency: &str) -> Markup {
    html! {
        article.card {
            p.over { (view.t(text::INVOICE)) " " (number) }
            h1 { (order.get("Reason").unwrap_or("—")) }
            dl {
                dt { (view.t(text::ORDER_NUMBER)) } dd { (visit.order_key) }
                dt { (view.t(text::SERVICE)) } dd { (visit.service_id) }
                dt { (view.t(text::PAYER)) }
                dd {
                    @if let Some(name) = order.get("CustomerName") { (name) br; }
                    @match order.get("CustomerID") {
                        Some(id) => (id),
                        None => span.hint { (view.t(text::CUSTOMER_UNKNOWN)) },
                    }
                }
                dt { (view.t(text::STATUS)) } dd { (status(view, order)) }
                @for (member, label) in [("IssuedAt", text::ISSUED), ("DueDate", text::DUE)] {
                    @if let Some(time) = order.get(member) {
                        dt { (view.t(label)) } dd { (day_and_time(time)) }
                    }
                }
                (properties(&order.properties))
            }
            h2 { (view.t(text::LINES)) }
            ul.lines { @for line in &order.lines { (self::line(view, line, currency)) } }
            p { a href=(pdf_link(view, &visit.service_id, &visit.order_key)) { (view.t(text::DOWNLOAD_PDF)) } }
        }
    }
}

/// Properties that are shown, and not to be filled in.
fn properties(properties: &[mpay_client::OrderProperty]) -> Markup {
    html! {
        @for property in properties {
            @let hidden = property.get("IsVisible").is_some_and(|visible| !is_true(Some(visible)));
            @if !hidden && !is_true(property.get("Modifiable")) {
                dt { (property.get("DisplayName").or(property.get("Name")).unwrap_or("—")) }
                dd { (property.get("Value").unwrap_or_default()) }
            }
        }
    }
}

fn line(view: &View, line: &OrderLine, currency: &str) -> Markup {
    let account = |name: &str| {
        let found = line.account.iter().find(|(member, _)| member == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    html! {
        li {
            div.line {
                span { (line.get("Reason").unwrap_or("—")) }
                span.amount {
                    @match line.get("AmountDue") {
                        Some(amount) => { (money(amount)) " " (currency) },
                        None => (view.t(text::NOT_KNOWN)),
                    }
                }
            }
            dl.small { (properties(&line.properties)) }
            details {
                summary { (view.t(text::BENEFICIARY)) ": " (account("BeneficiaryName")) }
                dl.small {
                    @for (member, label) in [
                        ("BankAccount", text::ACCOUNT), ("BankCode", text::BANK_CODE),
                        ("BankFiscalCode", text::FISCAL_CODE),
                    ] {
                        dt { (view.t(label)) } dd { code { (account(member)) } }
                    }
                }
            }
        }
    }
}

fn total(view: &View, order: &OrderDetails, currency: &str) -> Markup {
    html! {
        p.total {
            span { (view.t(text::TOTAL)) }
            strong {
                @match order.get("TotalAmountDue") {
                    Some(due) => { (money(due)) " " small { (currency) } },
                    None => (view.t(text::NOT_KNOWN)),
                }
            }
        }
    }
}

/// The amount to enter.
fn amount(
    view: &View,
    terms: &Terms,
    order: &OrderDetails,
    request: &Request,
    currency: &str,
) -> Markup {
    let due = order
        .get("TotalAmountDue")
        .filter(|_| terms.due.is_some_and(|due| !due.is_zero()));
    let value = request.field("amount").or(due).unwrap_or_default();
    html! {
        label {
            span { (view.t(text::AMOUNT)) ", " (currency) }
            input name="amount" inputmode="decimal" autocomplete="off" required maxlength="20" value=(value);
            @if terms.payable && terms.partial { span.hint { (view.t(text::AMOUNT_PARTIAL)) " " } }
            @if terms.payable && terms.advance { span.hint { (view.t(text::AMOUNT_ADVANCE)) } }
        }
    }
}

/// The properties to fill in.
fn blanks(view: &View, order: &OrderDetails, request: &Request) -> Markup {
    let blanks = to_fill_in(order);
    html! {
        @if !blanks.is_empty() {
            fieldset {
                legend { (view.t(text::TO_FILL_IN)) }
                @for blank in &blanks { (self::blank(view, blank, request)) }
            }
        }
    }
}

fn blank(view: &View, blank: &Blank<'_>, request: &Request) -> Markup {
    let property = blank.property;
    let required = is_true(property.get("Required"));
    let digits = matches!(property.get("Type"), Some("idn" | "number"));
    let given = request.field(&blank.field).or(property.get("Value"));
    html! {
        label {
            span {
                (property.get("DisplayName").or(property.get("Name")).unwrap_or("—"))
                @if required { " " small { "(" (view.t(text::REQUIRED)) ")" } }
            }
            input name=(blank.field) maxlength="255" autocomplete="off" required[required]
                inputmode=[digits.then_some("numeric")] value=(given.unwrap_or_default());
        }
    }
}

fn instruments(view: &View, visit: &Visit, request: &Request) -> Markup {
    let offered: &[(&str, Text)] = if visit.terminal {
        &AT_TERMINAL
    } else {
        &INSTRUMENTS
    };
    let chosen = request.field("instrument");
    let chosen = offered
        .iter()
        .position(|(name, _)| Some(*name) == chosen)
        .unwrap_or_default();
    html! {
        fieldset.choices {
            legend { (view.t(text::INSTRUMENT)) }
            @for (at, (name, label)) in offered.iter().enumerate() {
                label {
                    input type="radio" name="instrument" value=(name) checked[at == chosen];
                    span { (view.t(*label)) }
                }
            }
        }
    }
}

/// The mischief that is chosen: by the form, or the command line, or the state of the order.
fn chosen(request: &Request, mischief: Option<Mischief>, payable: bool) -> Option<Mischief> {
    match request.field("mischief") {
        Some(name) => Mischief::of_name(name),
        None if payable => mischief,
        None => mischief.or(Some(Mischief::AfterExpiry)),
    }
}

/// The address that the payer is sent back to.
fn way_back(view: &View, visit: &Visit) -> Markup {
    html! {
        @if let Some(url) = &visit.return_url {
            p.hint.back {
                @match web_address(url) {
                    Some(url) => { (view.t(text::RETURN)) ": " (url.as_str()) },
                    None => { (view.t(text::NO_RETURN)) " " (url) },
                }
            }
        }
    }
}

/// The orders that have the name which was typed: each is paid by itself.
pub fn several(view: &View, visit: &Visit, orders: &[OrderDetails]) -> Markup {
    let content = html! {
        h1 { (view.t(text::SEVERAL)) }
        p.hint { (view.t(text::SEVERAL_HINT)) }
        ul.list {
            @for order in orders {
                @let of_order = visit.of(order);
                li { a href=(of_order.link()) {
                    span {
                        (order.get("Reason").unwrap_or("—")) " · " (of_order.order_key)
                        @if let Some(due) = order.get("DueDate") { br; span.hint { (view.t(text::DUE)) ": " (day_and_time(due)) } }
                    }
                    span.end {
                        @match order.get("TotalAmountDue") {
                            Some(due) => { (money(due)) " " (order.get("Currency").unwrap_or("MDL")) },
                            None => (view.t(text::NOT_KNOWN)),
                        }
                    }
                } }
            }
        }
        (way_back(view, visit))
    };
    layout(view, view.t(text::SEVERAL), None, content)
}

/// The page for when the provider gave no order.
pub fn no_order(view: &View, visit: &Visit, no_order: &NoOrder) -> Markup {
    let (hint, reason) = match no_order {
        NoOrder::Fault(fault) => (text::NO_ORDER_FAULT, fault.to_string()),
        NoOrder::Empty => (text::NO_ORDER_EMPTY, String::new()),
        NoOrder::Unusable(reason) => (text::NO_ORDER_UNUSABLE, reason.clone()),
        NoOrder::Unreachable(reason) => (text::NO_ORDER_UNREACHABLE, reason.clone()),
    };
    let content = html! {
        h1 { (view.t(text::NO_ORDER)) }
        div.card {
            dl {
                dt { (view.t(text::ORDER_NUMBER)) } dd { (visit.order_key) }
                dt { (view.t(text::SERVICE)) } dd { (visit.service_id) }
            }
            p { (view.t(hint)) }
            @if !reason.is_empty() { p.alert { (reason) } }
            p.actions {
                a.button href=(visit.link()) { (view.t(text::TRY_AGAIN)) }
                a.button href="/" { (view.t(text::ANOTHER)) }
                a href="/journal" { (view.t(text::SEE_JOURNAL)) }
            }
            (way_back(view, visit))
        }
    };
    layout(view, view.t(text::NO_ORDER), None, content)
}
