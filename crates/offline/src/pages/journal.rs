//! The journal: all exchanges, and one of them.

use std::sync::Arc;

use maud::{Markup, html};
use stage::Text;

use super::{View, layout, moment, outcome, reason};
use crate::{
    journal::{Entry, milliseconds},
    mischief::Mischief,
    text,
};

/// All exchanges, given the oldest first and shown the latest first.
pub fn journal(view: &View, entries: &[Arc<Entry>]) -> Markup {
    let content = html! {
        h1 { (view.t(text::JOURNAL)) }
        p.hint { (view.t(text::JOURNAL_HINT)) }
        @if entries.is_empty() {
            p { (view.t(text::JOURNAL_EMPTY)) }
        } @else {
            p { a.button href="/journal.json" { (view.t(text::DOWNLOAD_ALL)) } }
            ul.list {
                @for entry in entries.iter().rev() {
                    li { a href={ "/journal/" (entry.number) } {
                        span {
                            span.time { (entry.number) " · " (moment(entry.record.at)) }
                            br;
                            b { (entry.record.operation) } " " (entry.record.order_key)
                            @if let Some(name) = trouble(view, entry) { br; em { (name) } }
                        }
                        span.end {
                            (outcome(view, &entry.record.outcome)) " "
                            @if entry.record.signature.is_ok() {
                                span.mark.good { (view.t(text::VERIFIED)) }
                            } @else {
                                span.mark.bad { (view.t(text::NOT_VERIFIED)) }
                            }
                            br;
                            span.time { (milliseconds(entry.record.waiting)) " ms" }
                        }
                    } }
                }
            }
        }
    };
    layout(view, view.t(text::JOURNAL), None, content)
}

fn trouble(view: &View, entry: &Entry) -> Option<&'static str> {
    let mischief = entry.record.mischief.and_then(Mischief::of_name)?;
    Some(view.t(text::title(mischief)))
}

/// One exchange, with both messages.
pub fn exchange(view: &View, entry: &Entry) -> Markup {
    let record = &entry.record;
    let title = format!("{} {}", view.t(text::EXCHANGE), entry.number);
    let content = html! {
        p { a href="/journal" { "← " (view.t(text::JOURNAL)) } }
        h1 { (title) }
        section.card {
            dl {
                dt { (view.t(text::TIME)) } dd { (moment(record.at)) }
                dt { (view.t(text::CALL)) }
                dd { (record.operation) @if let Some(name) = trouble(view, entry) { " · " em { (name) } } }
                dt { (view.t(text::ORDER)) } dd { (record.order_key) " · " (record.service_id) }
                @if let Some(id) = &record.payment_id {
                    dt { (view.t(text::PAYMENT_ID)) } dd { a href={ "/payments/" (id) } { code { (id) } } }
                }
                dt { (view.t(text::OUTCOME)) }
                dd {
                    (outcome(view, &record.outcome))
                    @if let Some(reason) = reason(&record.outcome) { span.reason { (reason) } }
                }
                dt { (view.t(text::SIGNATURE)) }
                dd {
                    @match &record.signature {
                        Ok(signature) => {
                            span.mark.good { (view.t(text::VERIFIED)) }
                            span.reason { (signature.subject) br; code { (signature.algorithm) } }
                        },
                        Err(reason) => {
                            span.mark.bad { (view.t(text::NOT_VERIFIED)) }
                            span.reason { (reason) }
                        },
                    }
                }
                dt { (view.t(text::TOOK)) }
                dd {
                    (view.t(text::SIGNING)) " " (milliseconds(record.signing)) " ms, "
                    (view.t(text::WAITING)) " " (milliseconds(record.waiting)) " ms"
                }
            }
        }
        (message(view, text::REQUEST, "POST", &record.request, Some(format!("/journal/{}/request.xml", entry.number))))
        @match &record.answer {
            Some(answer) => (message(
                view,
                text::ANSWER,
                &format!("HTTP {} · {}", answer.status, answer.content_type),
                &String::from_utf8_lossy(&answer.body),
                Some(format!("/journal/{}/answer.xml", entry.number)),
            )),
            None => section.card { h2 { (view.t(text::ANSWER)) } p { (view.t(text::NO_ANSWER)) } },
        }
    };
    layout(view, &title, None, content)
}

fn message(view: &View, title: Text, how: &str, body: &str, file: Option<String>) -> Markup {
    html! {
        section.card {
            h2 { (view.t(title)) }
            p.line {
                span.hint { (how) }
                @if let Some(file) = file { a href=(file) { (view.t(text::DOWNLOAD)) } }
            }
            pre tabindex="0" { (body) }
        }
    }
}
