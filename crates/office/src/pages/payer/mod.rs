//! The pages of one order, for the holder of its link: the order itself, the return from MPay, the notice and
//! the receipt.
//!
//! The holder of the link sees the same data as a payer who enters the order's number at MPay. So links are
//! given to payers only. These pages write nothing, except that a payment by card can be begun.

pub mod card;
mod order;
mod print;
mod returned;
#[cfg(test)]
mod tests;

use http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};
use mpay_door::Problem;

use super::{
    Visit,
    layout::{Answer, View},
    link::PayLink,
};
use crate::{
    cards::{Kept, Why, kept_by_books},
    domain::{Money, Order, OrderStatus, RecordedPayment, SetStatus},
    json::{Channel, PaymentJson},
    store::{Ledger, Platform, StoredOrder},
};

/// An order, as the request for its page found it.
struct Shown<'a> {
    view: &'a View<'a>,
    link: &'a PayLink,
    /// The path of the order's own page.
    path: &'a str,
    order: &'a Order,
    stored: &'a StoredOrder,
    now: Timestamp,
    /// True if the payer can pay by card now.
    by_card: bool,
    /// The payment by card that holds back another one; `None` if there is none.
    kept: Option<Kept>,
}

/// Answers a page of an order. `rest` is the path below [`PAYER`](super::PAYER): the link's token, and the name
/// of the page after a slash.
pub async fn page<P: Platform>(visit: &Visit<'_, P>, rest: &str) -> Result<Answer, Problem> {
    let view = &visit.view;
    let no_such_page = || {
        let (title, text) = (view.t("no-order-title"), view.t("no-order-text"));
        Ok(view.message(StatusCode::NOT_FOUND, &title, &text))
    };
    let (token, what) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(link) = PayLink::read(&view.pages.keys, token) else {
        return no_such_page();
    };
    let now = visit.store.now();
    if link.has_ended(now) {
        let (title, text) = (view.t("link-ended-title"), view.t("link-ended-text"));
        return Ok(view.message(StatusCode::GONE, &title, &text));
    }
    let stored = visit.store.orders().get(&link.service, &link.key).await?;
    let Some((stored, order)) = stored
        .as_ref()
        .and_then(|stored| Some((stored, stored.state.order()?)))
    else {
        return no_such_page();
    };
    let path = view.path.strip_suffix(what).unwrap_or(view.path);
    let mut shown = Shown {
        view,
        link: &link,
        path: path.trim_end_matches('/'),
        order,
        stored,
        now,
        by_card: false,
        // Money stays held even if no gateway is configured any more.
        kept: kept_by_books(visit.store, stored).await?,
    };
    shown.by_card = card::is_offered(visit.cards, &shown);
    let page = match what {
        "" => order::page(&shown),
        "return" => returned::page(&shown, &visit.query),
        "notice" => print::notice(&shown)?,
        "receipt" => print::receipt(&shown),
        _ => return no_such_page(),
    };
    Ok(view.answer(StatusCode::OK, &page))
}

/// The notice of an order as one of several printed sheets; `None` if the order cannot be paid, or if a payment
/// by card covers it already.
///
/// # Errors
/// A [`Problem`] if the books cannot be read, or if the QR code cannot be drawn.
pub async fn sheet<P: Platform>(
    view: &View<'_>,
    store: &Ledger<P>,
    stored: &StoredOrder,
) -> Result<Option<Markup>, Problem> {
    let Some(order) = stored.state.order() else {
        return Ok(None);
    };
    let shown = Shown {
        view,
        link: &PayLink::of(&order.service_id, &order.order_key),
        path: "",
        order,
        stored,
        now: store.now(),
        by_card: false,
        kept: kept_by_books(store, stored).await?,
    };
    (shown.may_be_paid() && !shown.has_paid())
        .then(|| print::sheet(&shown))
        .transpose()
}

impl Shown<'_> {
    fn status(&self) -> OrderStatus {
        self.stored.state.status(self.now)
    }

    fn money(&self, amount: Money) -> String {
        self.view.money(amount, self.order.currency.as_str())
    }

    /// Amount due today; `None` if the payer chooses the amount.
    fn due(&self) -> Option<Money> {
        self.stored.state.amount_due(self.now)
    }

    /// Number of payments that count; payments that were voided do not.
    fn payment_count(&self) -> u64 {
        self.stored.state.payment_count
    }

    /// True if MPay accepts money for the order, now or from a later day on.
    fn may_be_paid(&self) -> bool {
        matches!(
            self.status(),
            OrderStatus::Active | OrderStatus::PartiallyPaid
        )
    }

    /// True if MPay accepts money for the order today.
    fn is_payable(&self) -> bool {
        self.may_be_paid() && self.stored.state.opens_at(self.now).is_none()
    }

    /// True if money for the order is held on a card, or if a saved card is being charged, so that the outcome
    /// is not known yet.
    fn is_money_kept(&self) -> bool {
        let why = self.kept.map(|kept| kept.why);
        matches!(why, Some(Why::Charging | Why::Held))
    }

    /// True if money that is held, or being charged, is all that is due. Its payer has paid, perhaps without
    /// knowing it, and must not be led to pay twice. Where the payer chooses the amount, another person may
    /// still want to pay; where partial payments are allowed, the rest can be paid.
    fn has_paid(&self) -> bool {
        let Some(due) = self.due() else {
            return false;
        };
        let leaves_a_rest =
            self.order.allow_partial_payments && self.kept.is_some_and(|kept| kept.amount < due);
        self.is_money_kept() && !leaves_a_rest
    }

    /// True if money that is held, or being charged, is only a part, and the rest can be paid.
    fn has_paid_in_part(&self) -> bool {
        self.is_money_kept() && !self.has_paid()
    }

    /// True if the page may invite a payer to pay now.
    fn can_be_paid(&self) -> bool {
        self.is_payable() && !self.has_paid()
    }

    /// The status in words, with a colour of its kind.
    fn mark(&self) -> Markup {
        let (kind, id) = match self.status() {
            _ if self.stored.state.opens_at(self.now).is_some() => ("busy", "status-early"),
            OrderStatus::Active => ("busy", "status-active"),
            OrderStatus::PartiallyPaid => ("busy", "status-partially-paid"),
            OrderStatus::Paid => ("good", "status-paid"),
            OrderStatus::Expired => ("bad", "status-expired"),
            OrderStatus::Set(SetStatus::Completed) => ("good", "status-completed"),
            OrderStatus::Set(SetStatus::Cancelled) => ("bad", "status-cancelled"),
            OrderStatus::Set(SetStatus::Refunding) => ("busy", "status-refunding"),
            OrderStatus::Set(SetStatus::Refunded) => ("bad", "status-refunded"),
        };
        html! { span.mark.(kind) { (self.view.t(id)) } }
    }

    /// The form that sends the payer to MPay. `id` is the text of its button.
    fn pay_button(&self, id: &str) -> Markup {
        let view = self.view;
        let back = format!(
            "{}/return?paid={}",
            view.pages.url_of(self.link),
            self.payment_count()
        );
        html! {
            form method="post" action={ (view.pages.mpay_url) "/service/pay" } {
                input type="hidden" name="ServiceID" value=(self.link.service);
                input type="hidden" name="OrderKey" value=(self.link.key);
                input type="hidden" name="ReturnUrl" value=(view.link(&back));
                button.primary type="submit" { (view.t(id)) }
            }
        }
    }

    /// The order's number in groups of four characters, for reading aloud. The copied text has no spaces.
    fn number(&self) -> Markup {
        let key = self.link.key.as_str();
        let has_groups = !key.chars().all(char::is_alphanumeric);
        let characters: Vec<_> = key.chars().collect();
        let size = if has_groups || characters.len() < 7 {
            usize::MAX
        } else {
            4
        };
        html! {
            span.number {
                @for group in characters.chunks(size) {
                    span { (group.iter().collect::<String>()) }
                }
            }
        }
    }

    /// Payments that count, the latest first.
    fn payments(&self) -> impl Iterator<Item = (&PaymentJson, &RecordedPayment)> {
        let payments = self.stored.payments.iter();
        let payments = payments.zip(self.stored.state.payments()).rev();
        payments.filter(|(_, payment)| payment.voided.is_none())
    }

    /// The sum of refunds; empty if nothing was refunded.
    fn refunded(&self) -> Markup {
        let refunded = self.stored.state.amount_refunded();
        html! {
            @if !refunded.is_zero() {
                p.total.small {
                    span { (self.view.t("amount-refunded")) }
                    span { (self.money(refunded)) }
                }
            }
        }
    }

    /// Payments as a list.
    fn payment_list<'p>(
        &self,
        payments: impl Iterator<Item = (&'p PaymentJson, &'p RecordedPayment)>,
    ) -> Markup {
        html! {
            ul.payments {
                @for (record, payment) in payments {
                    @let confirmation = &payment.confirmation;
                    @let money = |amount| self.view.money(amount, confirmation.currency.as_str());
                    li {
                        strong.amount { (money(confirmation.total)) }
                        span { (self.view.time_of(confirmation.paid_at)) }
                        span.hint { (self.view.t("payment-number")) " " code { (confirmation.payment_id) } }
                        @if record.channel() == Channel::Card { span.hint { (self.view.t("by-card")) } }
                        @for refund in &payment.refunds {
                            span.property { (self.view.t("card-given-back")) " " (money(refund.amount)) ", " (self.view.time_of(refund.at)) }
                        }
                    }
                }
            }
        }
    }

    /// The lines of the order, each with the amount that it asks today.
    fn lines(&self) -> Markup {
        html! {
            ul.lines {
                @for (position, line) in self.order.lines.iter().enumerate() {
                    li {
                        span { (self.view.own(&line.reason)) }
                        @if let Some(amount) = self.order.asked_at(position, self.now) {
                            span.amount { (self.money(amount)) }
                        }
                        @for property in line.properties.iter().filter(|property| property.is_visible != Some(false)) {
                            @if let Some(value) = &property.value {
                                span.property { (self.view.own(&property.display_name)) ": " (value.as_str()) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The order's number, payer, dates and visible properties.
    fn facts(&self) -> Markup {
        let (view, order) = (self.view, self.order);
        html! {
            dl {
                dt { (view.t("order-number")) }
                dd { (self.number()) }
                @if let Some(name) = &order.customer_name {
                    dt { (view.t("payer")) }
                    dd { (name.as_str()) }
                }
                @if let Some(at) = order.issued_at {
                    dt { (view.t("issued")) }
                    dd { (view.day_of(at)) }
                }
                @if let Some(at) = order.due_date {
                    dt { (view.t("due-date")) }
                    dd { (view.day_of(at)) }
                }
                @for property in order.properties.iter().filter(|property| property.is_visible != Some(false)) {
                    @if let Some(value) = &property.value {
                        dt { (view.own(&property.display_name)) }
                        dd { (value.as_str()) }
                    }
                }
            }
        }
    }
}
