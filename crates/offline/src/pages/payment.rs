//! The page of a payment: the progress of its confirmation, the way back, and the mischief that was
//! played.

use jiff::Timestamp;
use maud::{Markup, html};
use url::Url;

use super::{
    View, day_and_time, layout, mischief_options, moment, money, outcome, pdf_link, reason,
    status_text,
};
use crate::{
    checkout::Visit,
    journal::Entry,
    mischief::{Expected, OrderState, Step, Trial},
    payment::{Payment, Progress, Stage},
    text,
};

/// Seconds after which the page of a payment that is being confirmed is reloaded.
const RELOAD: u32 = 2;

/// The path of a payment's page.
pub fn path(payment: &Payment) -> String {
    format!("/payments/{}", payment.id())
}

/// The page of a payment. `return_url` is where the payer may be sent back to.
pub fn payment(view: &View, payment: &Payment, return_url: Option<Url>) -> Markup {
    let progress = payment.progress();
    let confirmation = &payment.purchase.confirmation;
    let under_way = matches!(progress.stage, Stage::Sending | Stage::Waiting(_));
    let title = match progress.stage {
        Stage::Confirmed => text::CONFIRMED,
        Stage::Failed => text::FAILED,
        Stage::Idle => text::UNCONFIRMED,
        Stage::Sending | Stage::Waiting(_) => text::CONFIRMING,
    };
    let visit = Visit::new(
        &confirmation.service_id,
        &confirmation.order_key,
        payment.purchase.return_url.as_deref(),
        false,
    );
    let content = html! {
        (banner(view, payment, &progress))
        p.actions {
            @if let Some(url) = &return_url {
                a.button.primary #return href=(url.as_str()) rel="noreferrer" { (view.t(text::RETURN)) }
            }
            @if let Some(visit) = &visit {
                a.button href=(visit.link()) { (view.t(text::ORDER_AGAIN)) }
            }
            a href=(pdf_link(view, &confirmation.service_id, &confirmation.order_key)) {
                (view.t(text::DOWNLOAD_PDF))
            }
            a href="/" { (view.t(text::ANOTHER)) }
        }
        @match (&payment.purchase.return_url, &return_url) {
            (_, Some(url)) => p.hint.back { (url.as_str()) },
            (Some(url), None) => p.hint.back { (view.t(text::NO_RETURN)) " " (url) },
            (None, None) => {},
        }
        (receipt(view, payment))
        @if !progress.attempts.is_empty() { (attempts(view, &progress)) }
        @if progress.stage != Stage::Failed { (trouble(view, payment, &progress)) }
    };
    layout(view, view.t(title), under_way.then_some(RELOAD), content)
}

fn banner(view: &View, payment: &Payment, progress: &Progress) -> Markup {
    let button = |action: &str, label| {
        html! {
            form method="post" action={ (path(payment)) "/" (action) } { button { (view.t(label)) } }
        }
    };
    html! {
        @match progress.stage {
            Stage::Confirmed => div.banner.good role="status" {
                h1 { (view.t(text::CONFIRMED)) }
                p { (view.t(text::CONFIRMED_HINT)) }
            },
            Stage::Failed => div.banner.bad role="status" {
                h1 { (view.t(text::FAILED)) }
                p { (view.t(text::FAILED_HINT)) }
            },
            Stage::Idle => div.banner.busy role="status" {
                h1 { (view.t(text::UNCONFIRMED)) }
                p { (view.t(text::UNCONFIRMED_HINT)) }
                (button("confirm", text::CONFIRM_USUAL))
            },
            Stage::Sending | Stage::Waiting(_) => div.banner.busy role="status" {
                h1 { (view.t(text::CONFIRMING)) }
                p {
                    (view.t(text::CONFIRMING_HINT))
                    @if let Stage::Waiting(next) = progress.stage {
                        " " (view.t(text::NEXT_ATTEMPT)) " " (seconds_until(next)) " " (view.t(text::SECONDS)) "."
                    }
                }
                div.actions { (button("confirm", text::NOW)) (button("stop", text::STOP)) }
            },
        }
    }
}

fn seconds_until(next: Timestamp) -> i64 {
    next.duration_since(Timestamp::now()).as_secs().max(0)
}

fn receipt(view: &View, payment: &Payment) -> Markup {
    let purchase = &payment.purchase;
    let confirmation = &purchase.confirmation;
    html! {
        section.card {
            h2 { (purchase.reason) }
            dl {
                dt { (view.t(text::PAID)) }
                dd { strong { (money(&confirmation.total)) " " (confirmation.currency) } }
                dt { (view.t(text::ORDER_NUMBER)) } dd { (confirmation.order_key) }
                dt { (view.t(text::INVOICE_NUMBER)) } dd { (confirmation.invoice_id.as_deref().unwrap_or("—")) }
                dt { (view.t(text::PAYMENT_ID)) } dd { code { (payment.id()) } }
                dt { (view.t(text::PAID_AT)) } dd { (day_and_time(&confirmation.paid_at)) }
                dt { (view.t(text::PAID_BY)) } dd { (view.t(purchase.instrument)) }
                @for (name, value) in &confirmation.properties {
                    dt { (name) } dd { (value) }
                }
                @for (line, name, value) in &confirmation.line_properties {
                    dt { (line) ": " (name) } dd { (value) }
                }
            }
        }
    }
}

fn attempts(view: &View, progress: &Progress) -> Markup {
    html! {
        section.card {
            h2 { (view.t(text::ATTEMPTS)) " (" (progress.made) ")" }
            ol.steps reversed {
                @for entry in progress.attempts.iter().rev() { li { (came_back(view, entry)) } }
            }
        }
    }
}

fn came_back(view: &View, entry: &Entry) -> Markup {
    html! {
        span.time { (moment(entry.record.at)) } " "
        (outcome(view, &entry.record.outcome)) " "
        a href={ "/journal/" (entry.number) } { (view.t(text::MESSAGES)) }
        @if let Some(reason) = reason(&entry.record.outcome) { span.reason { (reason) } }
    }
}

fn trouble(view: &View, payment: &Payment, progress: &Progress) -> Markup {
    html! {
        section.card #trouble {
            h2 { (view.t(text::TROUBLE)) }
            form.inline method="post" action={ (path(payment)) "/mischief" } {
                label {
                    span { (view.t(text::CHOOSE_TROUBLE)) }
                    select name="mischief" { (mischief_options(view, None)) }
                }
                button { (view.t(text::PLAY)) }
            }
            @for trial in &progress.trials { (self::trial(view, trial)) }
        }
    }
}

fn trial(view: &View, trial: &Trial) -> Markup {
    html! {
        article.trial data-mischief=(trial.mischief.name()) {
            h3 { (view.t(text::title(trial.mischief))) " " (self::trial_verdict(view, trial)) }
            p.hint { (view.t(text::RIGHT)) " " (view.t(text::right(trial.mischief))) }
            @if trial.steps.is_empty() { p { (view.t(text::NOT_EXPIRED)) } }
            @else { ol.steps { @for step in &trial.steps { li { (self::step(view, step)) } } } }
            dl.small {
                dt { (view.t(text::ORDER_BEFORE)) } dd { (state(view, trial.before.as_ref())) }
                dt { (view.t(text::ORDER_AFTER)) }
                dd {
                    (state(view, trial.after.as_ref()))
                    @if let Some(due) = trial.expected_due {
                        @if !trial.due_is_right() {
                            " " (verdict(view, false)) " " (view.t(text::EXPECTED)) ": "
                            (money(&due.to_string())) " " (view.t(text::DUE_NOW))
                        }
                    }
                }
            }
        }
    }
}

fn step(view: &View, step: &Step) -> Markup {
    html! {
        (came_back(view, &step.entry))
        @if step.dropped { " " span.mark.busy { (view.t(text::ANSWER_LOST)) } }
        span.reason {
            (view.t(text::SENT)) ": ConfirmOrderPayment, " (money(&step.sent.total)) " " (step.sent.currency)
            ", PaidAt " (day_and_time(&step.sent.paid_at))
        }
        span.reason {
            (view.t(text::EXPECTED)) ": "
            @match step.expected {
                Expected::Success => (view.t(text::SUCCESS)),
                Expected::SuccessOrBusy => { (view.t(text::SUCCESS)) " / InternalError" },
                Expected::Fault(code) => (code),
            }
            " " (verdict(view, step.passed()))
        }
    }
}

fn trial_verdict(view: &View, trial: &Trial) -> Markup {
    match trial.verdict() {
        Some(right) => verdict(view, right),
        None => html! { span.mark.busy { (view.t(text::NOT_PLAYED)) } },
    }
}

fn verdict(view: &View, right: bool) -> Markup {
    html! {
        @if right { span.mark.good { (view.t(text::DID_RIGHT)) } }
        @else { span.mark.bad { (view.t(text::DID_WRONG)) } }
    }
}

fn state(view: &View, state: Option<&OrderState>) -> Markup {
    html! {
        @match state {
            Some(state) => {
                (status_text(view, &state.status))
                @if let Some(due) = state.due {
                    ", " (money(&due.to_string())) " " (view.t(text::DUE_NOW))
                }
            },
            None => "—",
        }
    }
}
