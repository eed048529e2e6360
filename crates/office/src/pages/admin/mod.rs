//! The office at `/admin`: the institution's own people, in a browser.
//!
//! Its pages are a client of the order API within the component. Each page shows the answers of API calls, and
//! each action is an API call in the name of the person who is signed in. So the same roles, checks and records
//! apply.

mod cards;
mod columns;
mod connection;
mod desk;
mod findings;
mod history;
mod import;
mod manual;
mod notices;
mod order_form;
mod orders;
mod payments;
mod personal;
mod session;
mod settlement;
mod sign_in;
#[cfg(test)]
mod tests;
mod today;
mod upload;

use bytes::Bytes;
use http::{Method, Response, StatusCode, header, request::Parts};
use http_body::Body;
use mpay_door::{
    Problem,
    http::{BoxError, read},
    log::log,
};

use super::{
    Query, language,
    layout::{Answer, View},
};
use crate::{
    App,
    store::{Ledger, Platform},
};
use desk::{Desk, Form};
use session::Session;

/// Path of the office; the paths of its pages are below it.
pub const OFFICE: &str = "/admin";

/// Answers a request for a page of the office.
pub async fn answer<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
    body: impl Body<Error: Into<BoxError>>,
) -> Response<Bytes> {
    let Ok(config) = &app.config else {
        return Problem::nothing_here().into_response();
    };
    let Some(pages) = &config.pages else {
        return Problem::nothing_here().into_response();
    };
    let path = parts.uri.path();
    let query = Query::read(parts.uri.query().unwrap_or_default());
    let view = View::new(pages, language(&query, &parts.headers), &parts.uri);
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    if !is_read && parts.method != Method::POST {
        return Problem::method_not_allowed("GET, HEAD, POST").into_response();
    }
    let respond = |mut answer: Answer| {
        answer.is_of_office = true;
        answer.into_response(pages)
    };
    if !is_read && is_of_other_site(parts) {
        log!("a form of another site was refused");
        return respond(refused(&view));
    }
    let rest = path.strip_prefix(OFFICE).unwrap_or_default();
    let now = store.now();
    let mut session = Session::of_request(config, pages, &parts.headers, now);
    if let Some((known, principal)) = &session {
        match known.is_over(store, principal).await {
            Ok(false) => {}
            Ok(true) => session = None,
            Err(error) => {
                log!("it could not be read who has signed out: {error}");
                return respond(view.unavailable());
            }
        }
    }
    if session.is_none() && rest != sign_in::PATH {
        // After a link on another site the browser withholds the cookie. It sends the cookie if the page itself
        // asks it to load the address again.
        return match is_read && site(parts) == Some("cross-site") {
            true => respond(view.come_again(&parts.uri)),
            false => respond(sign_in::to_sign_in(&parts.uri, is_read)),
        };
    }
    let form = match is_read {
        true => Ok(Form::default()),
        false => match read(parts, body).await {
            Ok(body) => Form::read(&parts.headers, body).await,
            Err(problem) => Err(problem),
        },
    };
    let form = match form {
        Ok(form) => form,
        Err(problem) => {
            let (title, text) = (view.t("form-refused-title"), view.t("form-unread"));
            return respond(view.message(problem.status(), &title, &text));
        }
    };
    let Some((session, principal)) = session.filter(|_| rest != sign_in::PATH) else {
        let asked = query.text(sign_in::NEXT);
        let asked = asked.as_deref();
        return respond(sign_in::answer(config, store, &view, &form, asked, is_read).await);
    };
    if !is_read && !session.made(&pages.keys, form.text("form").unwrap_or_default()) {
        return respond(refused(&view));
    }
    let desk = Desk {
        app,
        config,
        store,
        principal,
        session: &session,
        view,
        query,
        form,
        headers: &parts.headers,
    };
    let path = rest.trim_matches('/');
    let file = match path {
        "settlement" if !is_read && desk.form.text(settlement::LIST).is_some() => {
            Some(settlement::file(&desk).await)
        }
        _ if !is_read => None,
        "export" => Some(import::export(&desk).await),
        "reconciliation" => Some(payments::file(&desk).await),
        path if payments::is_evidence(path) => Some(payments::evidence(&desk, path).await),
        _ => None,
    };
    let answer = match file {
        Some(Ok(file)) => return file,
        Some(Err(problem)) => Err(problem),
        None if !is_read && path == sign_in::OUT => match session.end(store, principal).await {
            Ok(()) => return respond(sign_in::out(&desk.view)),
            Err(error) => Err(Problem::internal(error)),
        },
        None => page(&desk, path, is_read).await,
    };
    let answer = answer.unwrap_or_else(|problem| desk.problem(problem));
    let mut response = respond(answer);
    if let Some(cookie) = session.cookie(pages) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Answers a path below [`OFFICE`]: reads the page, or handles the form that was sent to it.
async fn page<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
    is_read: bool,
) -> Result<Answer, Problem> {
    match (path, is_read) {
        ("", true) => today::page(desk).await,
        ("import", true) => Ok(import::page(desk, StatusCode::OK, None)),
        ("import", false) => import::post(desk).await,
        ("payments", true) => payments::page(desk).await,
        ("payments/manual", true) => manual::page(desk).await,
        ("payments/manual", false) => manual::propose(desk).await,
        (path, true) if path.starts_with("payments/manual/") => manual::one(desk, path).await,
        (path, false) if path.starts_with("payments/manual/") => manual::decide(desk, path).await,
        (path, false) if path.starts_with("payments/") && path.ends_with("/void") => {
            manual::void(desk, path).await
        }
        ("refusals", true) => payments::refusals(desk).await,
        (path, false) if path.contains("/reviews/") => payments::close(desk, path).await,
        ("personal", true) => personal::page(desk).await,
        ("personal", false) => personal::erase(desk).await,
        ("connection", true) => connection::page(desk).await,
        ("settlement", true) => Ok(settlement::page(desk)),
        ("settlement", false) => settlement::post(desk).await,
        ("notices", true) => notices::page(desk).await,
        (path, false) if path.starts_with("card-payments/") => {
            Box::pin(cards::post(desk, path)).await
        }
        ("orders", true) => orders::list(desk).await,
        (path, true) if path.starts_with("orders/") && history::is_history(path) => {
            history::page(desk, path).await
        }
        (path, true) if path.starts_with("orders/") => orders::one(desk, path).await,
        (path, false) if path.starts_with("orders/") => orders::change(desk, path).await,
        _ => Ok(desk.no_such_page()),
    }
}

/// The site that a request comes from, as browsers name it (Fetch Metadata).
fn site(parts: &Parts) -> Option<&str> {
    let site = parts.headers.get("sec-fetch-site")?;
    site.to_str().ok()
}

fn is_of_other_site(parts: &Parts) -> bool {
    site(parts).is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn refused(view: &View<'_>) -> Answer {
    let (title, text) = (view.t("form-refused-title"), view.t("form-refused-text"));
    view.message(StatusCode::FORBIDDEN, &title, &text)
}
