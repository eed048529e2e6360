//! The pages of a payer: the form of the card, 3-D Secure, the result.

use maud::{Markup, html};
use stage::{Text, View};

use super::{cards, layout, layout_that_leaves, message, money};
use crate::{
    Options,
    gateway::{Customer, Session},
    mischief::Mischief,
    order::Order,
    text,
};

/// The content of the form of the card.
pub struct Form<'a> {
    /// The session.
    pub session: &'a Session,
    /// The payment; `None` if a card is saved.
    pub order: Option<&'a Order>,
    /// The customer who pays, with their cards.
    pub customer: Option<&'a Customer>,
    /// The mistake in their last input.
    pub mistake: Option<Text>,
    /// The address to which they may go back.
    pub back: &'a str,
}

/// The form of the card.
pub fn card_form(view: &View, options: &Options, form: &Form<'_>) -> Markup {
    let title = match form.order {
        Some(_) => text::PAYMENT,
        None => text::ADDING,
    };
    let session = form.session;
    let active = form.order.and(form.customer).map(|customer| {
        let cards = customer.cards.iter().filter(|card| card.is_active);
        cards.collect::<Vec<_>>()
    });
    let active = active.unwrap_or_default();
    let content = html! {
        h1 { (view.t(title)) }
        @if let Some(code) = session.code {
            div.banner.bad role="alert" {
                h2 { (view.t(text::FAILED)) }
                p { code { (code) } " — " (view.t(text::FAILED_HINT)) }
            }
        }
        @if let Some(mistake) = form.mistake {
            p.alert role="alert" { (view.t(mistake)) }
        }
        div.columns {
            form.card.pay method="post" action={ "/" (session.interface.path()) "/Card" } autocomplete="off" {
                input type="hidden" name="SessionId" value=(session.id);
                @if let Some(order) = form.order {
                    p.total {
                        span { (view.t(text::TO_PAY)) }
                        strong #amount { (money(order.asked)) " " small { (options.currency) } }
                    }
                }
                @for (_, text) in &session.texts { p.hint { (text) } }
                @if !active.is_empty() {
                    fieldset.choices {
                        legend { (view.t(text::SAVED_CARDS)) }
                        @for saved in &active {
                            label { input type="radio" name="saved" value=(saved.id); span { (saved.card.mask()) } }
                        }
                        label { input type="radio" name="saved" value="" checked; span { (view.t(text::NEW_CARD)) } }
                    }
                }
                label {
                    span { (view.t(text::CARD_NUMBER)) }
                    input #number name="number" inputmode="numeric" maxlength="19" required[active.is_empty()] autofocus;
                }
                div.inline {
                    label { span { (view.t(text::MONTH)) } input name="month" inputmode="numeric" maxlength="2" value="12"; }
                    label { span { (view.t(text::YEAR)) } input name="year" inputmode="numeric" maxlength="4" value="2099"; }
                    label { span { (view.t(text::SECURITY_CODE)) } input #code name="code" inputmode="numeric" maxlength="3" required; }
                }
                label { span { (view.t(text::HOLDER)) } input name="holder" maxlength="50"; }
                @if form.order.is_some() && form.customer.is_some() {
                    fieldset.choices {
                        label { input type="checkbox" name="saves" value="1"; span { (view.t(text::SAVE_CARD)) } }
                    }
                }
                @if form.order.is_some() { (trouble(view)) }
                button.primary #pay {
                    @match form.order {
                        Some(_) => (view.t(text::PAY)),
                        None => (view.t(text::SAVE)),
                    }
                }
                p.back { a href=(form.back) rel="noreferrer" { (view.t(text::BACK)) } }
            }
            section { (cards(view, options)) }
        }
    };
    layout(view, view.t(title), content)
}

fn trouble(view: &View) -> Markup {
    html! {
        details {
            summary { (view.t(text::TROUBLE)) }
            label {
                span { (view.t(text::TROUBLE_HINT)) }
                select #mischief name="mischief" {
                    option value="" { (view.t(text::AS_USUAL)) }
                    @for mischief in Mischief::all() {
                        option value=(mischief.name()) { (view.t(text::title(*mischief))) }
                    }
                }
            }
            label {
                span { (view.t(text::AT_COMMAND)) }
                select name="command" {
                    option value="" { (view.t(text::ANY_COMMAND)) }
                    @for command in ["GetState", "Charge", "Unblock", "Refund"] {
                        option { (command) }
                    }
                }
            }
        }
    }
}

/// The step of 3-D Secure.
pub fn secure(view: &View, options: &Options, session: &Session, order: Option<&Order>) -> Markup {
    let content = html! {
        h1 { (view.t(text::SECURE)) }
        p.hint { (view.t(text::SECURE_HINT)) }
        form.card.narrow method="post" action={ "/" (session.interface.path()) "/Secure" } {
            input type="hidden" name="SessionId" value=(session.id);
            @if let Some(order) = order {
                p.total {
                    span { (view.t(text::TO_PAY)) }
                    strong { (money(order.asked)) " " small { (options.currency) } }
                }
            }
            button.primary #confirm name="confirm" value="1" { (view.t(text::CONFIRM)) }
            button.quiet #refuse name="confirm" value="" { (view.t(text::REFUSE)) }
        }
    };
    layout(view, view.t(text::SECURE), content)
}

/// The result of a session that came to a good end. After 3 seconds the browser goes back.
pub fn result(
    view: &View,
    options: &Options,
    order: Option<&Order>,
    proof: Option<u64>,
    back: &str,
) -> Markup {
    let title = match order {
        Some(_) => text::SUCCEEDED,
        None => text::CARD_SAVED,
    };
    let content = html! {
        div.banner.good role="status" {
            h1 { (view.t(title)) }
            @if let Some(order) = order {
                p { strong { (money(order.asked)) " " (options.currency) } " · " code { (order.id) } }
            }
            @if let Some(proof) = proof {
                p { (view.t(text::PROOF)) " " strong { (money(proof)) " " (options.currency) } }
            }
            p { (view.t(text::RETURNING)) }
        }
        p.actions { a.button.primary #return href=(back) rel="noreferrer" { (view.t(text::BACK)) } }
    };
    // The payer must read and keep the proof first.
    match proof {
        Some(_) => layout(view, view.t(title), content),
        None => layout_that_leaves(view, view.t(title), back, content),
    }
}

/// The page of a session that is over.
pub fn over(view: &View, back: Option<&str>) -> Markup {
    message(view, text::SESSION_OVER, text::SESSION_OVER_HINT, back)
}
