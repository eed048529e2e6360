//! The way to the card gateway: the button, and what it brings about.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::{Problem, log::log};

use super::{
    super::{Visit, layout::Answer, link::PayLink},
    Shown,
};
use crate::{
    App,
    cards::{Cards, Desk, Wish},
    config::Config,
    store::Platform,
};

/// Whether an order can be paid by card, with what is due.
pub(super) fn is_offered(cards: Option<&Cards>, shown: &Shown<'_>) -> bool {
    let due = shown.due().is_some_and(|due| !due.is_zero());
    cards.is_some_and(|cards| {
        cards.of(&shown.link.service).is_some()
            && cards.currency == shown.order.currency
            && due
            && shown.can_be_paid()
    })
}

/// The button.
pub(super) fn button(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    html! {
        form.by-card method="post" action=(view.link(&format!("{}/card", shown.path))) {
            button type="submit" { (view.t("pay-by-card")) }
        }
    }
}

/// Begins a payment of what is due, and sends the payer to the gateway.
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
    let redirect_url = match begun {
        Ok(begun) => begun.redirect_url,
        Err(problem) if problem.status() == StatusCode::CONFLICT => None,
        Err(problem) => {
            let (detail, _) = problem.into_parts();
            log!("a payer could not be sent to the card gateway: {detail}");
            return Ok(Some(view.unavailable()));
        }
    };
    Ok(Some(match redirect_url {
        Some(address) => Answer::see_other(&address),
        None => {
            let (title, text) = (view.t("card-not-now-title"), view.t("card-not-now-text"));
            view.message(StatusCode::CONFLICT, &title, &text)
        }
    }))
}
