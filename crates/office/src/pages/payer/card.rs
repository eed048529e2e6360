//! The way to the card gateway: the button, and the request that it sends.

use http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};
use mpay_door::{Problem, log::log};

use super::{
    super::{
        Visit,
        layout::{Answer, Page, View},
        link::PayLink,
    },
    Shown,
};
use crate::{
    App,
    cards::{Cards, Desk, Kept, Why, Wish},
    config::Config,
    domain::Money,
    store::{Platform, StoredOrder},
};

/// True if an order can be paid by card now, with the whole amount due.
pub(super) fn is_offered(cards: Option<&Cards>, shown: &Shown<'_>) -> bool {
    let due = shown.due().is_some_and(|due| !due.is_zero());
    cards.is_some_and(|cards| {
        cards.of(&shown.link.service).is_some()
            && cards.currency == shown.order.currency
            && due
            && shown.kept.is_none()
            && shown.can_be_paid()
    })
}

/// The button that begins a payment by card.
pub(super) fn button(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    html! {
        form.by-card method="post" action=(view.link(&format!("{}/card", shown.path))) {
            button type="submit" { (view.t("pay-by-card")) }
        }
    }
}

/// The reason why an order cannot be paid by card now. If the reason is no payment of this payer, the text also
/// says how to pay otherwise.
pub(super) fn why_not(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    let is_part = shown.has_paid_in_part();
    let kept = shown.kept.map_or(Money::ZERO, |kept| kept.amount);
    let of_amount = |id, amount| view.with(id, &[("amount", shown.money(amount).into())]);
    let text = match shown.kept.map(|kept| kept.why) {
        Some(Why::Unclear(until)) => view.with(
            "card-not-now-until",
            &[("time", view.time_of(until).into())],
        ),
        Some(Why::Charging) if is_part => of_amount("card-part-charging", kept),
        Some(Why::Charging) => view.t("card-not-now-charging"),
        Some(Why::Held) if is_part => of_amount("card-part-held", kept),
        Some(Why::Held) => view.t("card-not-now-held"),
        None => view.t("card-not-now-text"),
    };
    let rest = shown.due().filter(|_| is_part);
    html! {
        p { (text) }
        @if let Some(due) = rest {
            p { (of_amount("card-part-rest", due.saturating_sub(kept))) }
        } @else if !shown.has_paid() {
            p { (view.t("card-not-now-mpay")) }
        }
    }
}

/// Begins a payment of the amount due, and sends the payer to the gateway. `None` if the link is unknown or has
/// ended, or if there is no gateway.
///
/// # Errors
/// A [`Problem`] if the books cannot be read.
pub async fn begin<P: Platform>(
    app: &App,
    config: &Config,
    visit: &Visit<'_, P>,
    token: &str,
) -> Result<Option<Answer>, Problem> {
    let (view, store) = (&visit.view, visit.store);
    let link = PayLink::read(&view.pages.keys, token);
    let link = link.filter(|link| !link.has_ended(store.now()));
    let (Some(cards), Some(link)) = (&config.cards, link) else {
        return Ok(None);
    };
    let desk = Desk {
        app,
        config,
        cards,
        store,
    };
    let order = store.orders().get(&link.service, &link.key).await?;
    let payments = order.map_or(0, |order| order.state.payment_count);
    let address = view.pages.url_of(&link);
    let return_url = view.link(&format!("{address}/return?paid={payments}"));
    let request = format!("payer {:016x}{:016x}", store.random(), store.random());
    let wish = Wish {
        service: &link.service,
        key: &link.key,
        amount: None,
        capture: cards.capture,
        return_url: Some(&return_url),
        customer: None,
        card: None,
        unattended: false,
        language: Some(view.language().code()),
        payer_ip: None,
        by: None,
        request: &request,
        content: b"",
    };
    let begun = desk.begin(&wish).await;
    let kept = match begun {
        Ok(begun) => match begun.redirect_url {
            Some(address) => return Ok(Some(Answer::see_other(&address))),
            None => None,
        },
        Err(not_begun) if not_begun.problem.status() == StatusCode::CONFLICT => not_begun.kept,
        Err(not_begun) => {
            let (detail, _) = not_begun.problem.into_parts();
            log!("a payer could not be sent to the card gateway: {detail}");
            return Ok(Some(view.unavailable()));
        }
    };
    let order = store.orders().get(&link.service, &link.key).await?;
    let (order, now) = (order.as_ref(), store.now());
    Ok(Some(not_now(view, &link, order, now, kept)))
}

/// The page that says why an order cannot be paid by card now, when it can be, and how to pay otherwise. An
/// order that nobody can pay any more shows the reason on its own page.
fn not_now(
    view: &View<'_>,
    link: &PayLink,
    stored: Option<&StoredOrder>,
    now: Timestamp,
    kept: Option<Kept>,
) -> Answer {
    let path = view.path.strip_suffix("/card").unwrap_or(view.path);
    let order = stored.and_then(|stored| Some((stored, stored.state.order()?)));
    let shown = order.map(|(stored, order)| Shown {
        view,
        link,
        path,
        order,
        stored,
        now,
        by_card: false,
        kept,
    });
    let Some(shown) = shown.filter(Shown::is_payable) else {
        return Answer::see_other(&view.link(path));
    };
    let title = view.t("card-not-now-title");
    let content = html! {
        h1 { (title) }
        (why_not(&shown))
        @if !shown.has_paid() { (shown.pay_button("pay")) }
        p { a href=(view.link(path)) { (view.t("to-order")) } }
    };
    view.answer(StatusCode::CONFLICT, &Page::new(title, content))
}
