//! From requests to replies.

use std::{sync::Arc, time::Duration};

use base64ct::{Base64, Encoding};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stage::{Reply, Request};

use super::{
    Offline,
    checkout::{self, Visit, web_address},
    mischief::Mischief,
    pages::{self, View},
    payment::{self, Payment, Purchase, Stage},
    pdf::{self, Format},
    provider::NoOrder,
};
use mpay_client::OrderDetails;

/// The type of files to keep: a browser would try to show XML, and MPay sends its invoices like this.
const BINARY: &str = "application/octet-stream";

/// The time for which the answer to a payer waits for the provider's first answer, which is then on the
/// page.
const PATIENCE: Duration = Duration::from_millis(1500);

/// True if a path is where pages of providers send payers, and operators of terminals come in.
pub fn is_entrance(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path == "/service/pay" || path.starts_with("/posterminal/")
}

/// Answers a request.
pub fn answer(offline: &Offline, request: &Request) -> Reply {
    // MPay's own server takes its paths in any case.
    let lower: Vec<String> = request
        .path
        .iter()
        .map(|part| part.to_ascii_lowercase())
        .collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let get = matches!(request.method, Method::GET | Method::HEAD);
    let post = request.method == Method::POST;
    if !get && !post {
        return Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.\n");
    }
    match (lower.as_slice(), path.as_slice()) {
        ([], _) if get => start(offline, request),
        (["service", "pay"], _) => match Visit::read(request) {
            Some(visit) => show(offline, request, &visit),
            None => missing(offline, request),
        },
        (["posterminal", "pay", ..], [_, _, service_id, order_key]) => {
            let return_url = request.field("ReturnUrl");
            match Visit::new(service_id, order_key, return_url, true) {
                Some(visit) => show(offline, request, &visit),
                None => missing(offline, request),
            }
        }
        (["posterminal", "configure"], _) => {
            let view = View::new(request, "/PosTerminal/Configure".to_owned());
            Reply::page(StatusCode::OK, pages::terminal(&view))
        }
        (["posterminal", "payinvoice", ..], [_, _, invoice_id]) => {
            let order = offline.invoices.order(invoice_id);
            let visit = order.and_then(|(service_id, order_key)| {
                Visit::new(&service_id, &order_key, request.field("ReturnUrl"), true)
            });
            match visit {
                Some(visit) => show(offline, request, &visit),
                None => not_found(offline, request),
            }
        }
        (["service", "confirm"], _) if post => match Visit::read(request) {
            Some(visit) => pay(offline, request, &visit),
            None => missing(offline, request),
        },
        (["payments", ..], [_, id, rest @ ..]) => match offline.payments.get(id) {
            Some(payment) => of_payment(offline, request, &payment, rest),
            None => not_found(offline, request),
        },
        (["api", "invoices"], _) if get => invoices(offline, request),
        (["api", "invoices", "getpdfinvoicebytes"], _) if get => {
            match invoice_pdf(offline, request) {
                // As ASP.NET writes a byte[].
                Ok((_, pdf)) => {
                    Reply::json(StatusCode::OK, &Value::from(Base64::encode_string(&pdf)))
                }
                Err(refusal) => refusal,
            }
        }
        (["api", "invoices", "downloadinvoicepdf"], _) if get => {
            match invoice_pdf(offline, request) {
                Ok((number, pdf)) => {
                    Reply::file(BINARY, &format!("Nota de plata {number}.pdf"), pdf)
                }
                Err(refusal) => refusal,
            }
        }
        (["journal"], _) if get => {
            let view = View::new(request, "/journal".to_owned());
            Reply::page(
                StatusCode::OK,
                pages::journal(&view, &offline.provider.journal.entries()),
            )
        }
        (["journal.json"], _) if get => {
            let journal = offline.provider.journal.to_json().to_string();
            Reply::file("application/json", "mpay-offline-journal.json", journal)
        }
        (["journal", ..], [_, number, rest @ ..]) if get => {
            of_entry(offline, request, number, rest)
        }
        _ => not_found(offline, request),
    }
}

fn start(offline: &Offline, request: &Request) -> Reply {
    let view = View::new(request, "/".to_owned());
    let page = pages::start(
        &view,
        offline.provider.url(),
        &offline.services,
        &offline.orders,
        &offline.payments.latest(10),
    );
    Reply::page(StatusCode::OK, page)
}

fn missing(_: &Offline, request: &Request) -> Reply {
    let view = View::new(request, "/".to_owned());
    Reply::page(StatusCode::BAD_REQUEST, pages::missing(&view))
}

fn not_found(_: &Offline, request: &Request) -> Reply {
    let view = View::new(request, "/".to_owned());
    Reply::page(StatusCode::NOT_FOUND, pages::not_found(&view))
}

/// The pay page: asks for the order, and shows it.
fn show(offline: &Offline, request: &Request, visit: &Visit) -> Reply {
    match one_of(offline, request, visit) {
        Ok((visit, order)) => invoice(offline, request, &visit, &order, None),
        Err(reply) => reply,
    }
}

/// The order that is meant, and the visit for it. Where there are several, the payer chooses first.
fn one_of(
    offline: &Offline,
    request: &Request,
    visit: &Visit,
) -> Result<(Visit, OrderDetails), Reply> {
    let mut orders = ask(offline, request, visit)?;
    match orders.pop() {
        Some(order) if orders.is_empty() => Ok((visit.of(&order), order)),
        last => {
            orders.extend(last);
            let view = View::new(request, visit.link());
            let page = pages::several(&view, visit, &orders);
            Err(Reply::page(StatusCode::OK, page))
        }
    }
}

fn invoice(
    offline: &Offline,
    request: &Request,
    visit: &Visit,
    order: &OrderDetails,
    wrong: Option<stage::Text>,
) -> Reply {
    let status = match wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let number = offline
        .invoices
        .of_order(&visit.service_id, &visit.order_key);
    let view = View::new(request, visit.link());
    let page = pages::invoice(
        &view,
        visit,
        order,
        &number,
        request,
        wrong,
        offline.mischief,
    );
    Reply::page(status, page)
}

fn ask(offline: &Offline, request: &Request, visit: &Visit) -> Result<Vec<OrderDetails>, Reply> {
    let (service_id, order_key) = (&visit.service_id, &visit.order_key);
    offline
        .provider
        .orders(service_id, order_key, request.language)
        .map_err(|no_order| {
            let view = View::new(request, visit.link());
            Reply::page(
                status_of(&no_order),
                pages::no_order(&view, visit, &no_order),
            )
        })
}

fn status_of(no_order: &NoOrder) -> StatusCode {
    match no_order {
        NoOrder::Fault(_) | NoOrder::Empty => StatusCode::NOT_FOUND,
        NoOrder::Unusable(_) | NoOrder::Unreachable(_) => StatusCode::BAD_GATEWAY,
    }
}

/// The payer has pressed a button of the pay page.
fn pay(offline: &Offline, request: &Request, visit: &Visit) -> Reply {
    // The latest answer of the provider is the true one.
    let (visit, order) = match one_of(offline, request, visit) {
        Ok(one) => one,
        Err(reply) => return reply,
    };
    let visit = &visit;
    let invoice_id = offline
        .invoices
        .of_order(&visit.service_id, &visit.order_key);
    let fails = request.field("outcome") == Some("fail");
    let confirmation = if fails {
        checkout::failed(visit, &order, request)
    } else {
        match checkout::confirmation(visit, &order, invoice_id, request) {
            Ok(confirmation) => confirmation,
            Err(wrong) => return invoice(offline, request, visit, &order, Some(wrong)),
        }
    };
    let instrument = pages::instrument(request.field("instrument").unwrap_or_default());
    let purchase = Purchase {
        confirmation,
        reason: order.get("Reason").unwrap_or_default().to_owned(),
        instrument,
        return_url: visit.return_url.clone(),
    };
    let stage = if fails { Stage::Failed } else { Stage::Idle };
    let payment = offline.payments.add(purchase, stage);
    if !fails {
        match request.field("mischief").and_then(Mischief::of_name) {
            Some(mischief) => payment.play(mischief, &offline.provider),
            None => deliver(offline, &payment),
        }
    }
    Reply::see_other(&pages::payment_path(&payment))
}

fn deliver(offline: &Offline, payment: &Arc<Payment>) {
    let made = payment.progress().made;
    payment::deliver(&offline.runtime, payment, &offline.provider, offline.pause);
    payment.wait_for_answer(made, PATIENCE);
}

/// The page of a payment, and its buttons.
fn of_payment(
    offline: &Offline,
    request: &Request,
    payment: &Arc<Payment>,
    action: &[&str],
) -> Reply {
    let get = request.method != Method::POST;
    let path = pages::payment_path(payment);
    match action {
        [] if get => {
            let view = View::new(request, path);
            let return_url = payment.purchase.return_url.as_deref();
            let page = pages::payment(&view, payment, return_url.and_then(web_address));
            return Reply::page(StatusCode::OK, page);
        }
        ["confirm"] if !get => deliver(offline, payment),
        ["stop"] if !get => payment.stop(),
        ["mischief"] if !get => {
            if let Some(mischief) = request.field("mischief").and_then(Mischief::of_name) {
                payment.play(mischief, &offline.provider);
            }
        }
        _ => return not_found(offline, request),
    }
    Reply::see_other(&path)
}

fn of_entry(offline: &Offline, request: &Request, number: &str, rest: &[&str]) -> Reply {
    let entry = number
        .parse()
        .ok()
        .and_then(|number| offline.provider.journal.get(number));
    let Some(entry) = entry else {
        return not_found(offline, request);
    };
    match (rest, &entry.record.answer) {
        ([], _) => {
            let view = View::new(request, format!("/journal/{}", entry.number));
            Reply::page(StatusCode::OK, pages::exchange(&view, &entry))
        }
        (["request.xml"], _) => Reply::file(
            BINARY,
            &format!("{}-request.xml", entry.number),
            entry.record.request.clone(),
        ),
        (["answer.xml"], Some(answer)) => Reply::file(
            BINARY,
            &format!("{}-answer.xml", entry.number),
            answer.body.clone(),
        ),
        _ => not_found(offline, request),
    }
}

/// `GET /api/invoices`: the ids of an order's invoices.
fn invoices(offline: &Offline, request: &Request) -> Reply {
    match orders_of_api(offline, request) {
        Ok((visit, orders)) => {
            let visits = orders.iter().map(|order| visit.of(order));
            let numbers = visits.map(|visit| {
                offline
                    .invoices
                    .of_order(&visit.service_id, &visit.order_key)
            });
            Reply::json(StatusCode::OK, &json!(numbers.collect::<Vec<_>>()))
        }
        Err(ApiRefusal::NoOrder(no_order)) if status_of(&no_order) == StatusCode::NOT_FOUND => {
            Reply::json(StatusCode::OK, &json!([]))
        }
        Err(refusal) => refusal.into(),
    }
}

/// The number and the PDF of an order's invoice.
fn invoice_pdf(offline: &Offline, request: &Request) -> Result<(String, Vec<u8>), Reply> {
    let (visit, orders) = orders_of_api(offline, request)?;
    // Of several, the one that is due first.
    let order = orders.into_iter().next();
    let order = order.ok_or(ApiRefusal::NoOrder(NoOrder::Empty))?;
    let visit = visit.of(&order);
    let format = match request.field("pageFormat") {
        Some(format) if format.eq_ignore_ascii_case("A5") => Format::A5,
        Some(format) if !format.is_empty() && !format.eq_ignore_ascii_case("A4") => {
            return Err(problem(
                StatusCode::BAD_REQUEST,
                "pageFormat must be A4 or A5",
            ));
        }
        _ => Format::A4,
    };
    let number = offline
        .invoices
        .of_order(&visit.service_id, &visit.order_key);
    let pdf = pdf::invoice(&order, &number, request.language, format);
    Ok((number, pdf))
}

enum ApiRefusal {
    Missing,
    NoOrder(NoOrder),
}

fn orders_of_api(
    offline: &Offline,
    request: &Request,
) -> Result<(Visit, Vec<OrderDetails>), ApiRefusal> {
    let visit = Visit::read(request).ok_or(ApiRefusal::Missing)?;
    let orders = offline
        .provider
        .orders(&visit.service_id, &visit.order_key, request.language)
        .map_err(ApiRefusal::NoOrder)?;
    Ok((visit, orders))
}

impl From<ApiRefusal> for Reply {
    fn from(refusal: ApiRefusal) -> Self {
        let no_order = match refusal {
            ApiRefusal::Missing => {
                let detail = "serviceID and orderKey are required, at most 36 characters each";
                return problem(StatusCode::BAD_REQUEST, detail);
            }
            ApiRefusal::NoOrder(no_order) => no_order,
        };
        let detail = match &no_order {
            NoOrder::Fault(fault) => fault.to_string(),
            NoOrder::Empty => "the provider knows no such order".to_owned(),
            NoOrder::Unusable(reason) | NoOrder::Unreachable(reason) => reason.clone(),
        };
        problem(status_of(&no_order), &detail)
    }
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Reply {
    let title = status.canonical_reason().unwrap_or_default();
    Reply::json(
        status,
        &json!({ "title": title, "status": status.as_u16(), "detail": detail }),
    )
}
