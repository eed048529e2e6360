//! Signing in by the token of a principal, and signing out.

use http::{HeaderValue, StatusCode, Uri};
use maud::html;
use mpay_door::log::log;

use super::{
    super::layout::{Answer, Page, View},
    desk::{Form, encode},
    session::Session,
};
use crate::{
    access::Role,
    admission,
    config::Config,
    store::{Ledger, Platform},
};

/// The page to sign in, below [`OFFICE`](super::OFFICE).
pub const PATH: &str = "/sign-in";

/// The parameter with the page to open after signing in.
pub const NEXT: &str = "next";

/// The path to which the form for signing out is sent.
pub const OUT: &str = "sign-out";

/// The page to sign in, or the answer to its form. `asked` is the page to open afterwards.
pub async fn answer<P: Platform>(
    config: &Config,
    store: &Ledger<P>,
    view: &View<'_>,
    form: &Form,
    asked: Option<&str>,
    is_read: bool,
) -> Answer {
    if is_read {
        return page(view, None, asked);
    }
    let token = form.text("token").unwrap_or_default();
    match admission::admit(config, Some(token)) {
        Ok(principal) if principal.role == Role::Program => {
            page(view, Some("token-of-program"), Some(form.back()))
        }
        Ok(principal) => {
            let Ok(now) = Session::earliest(store, principal).await else {
                return view.unavailable();
            };
            let mut answer = Answer::see_other(&view.link(form.back()));
            answer.cookie = Session::begin(token, now).cookie(view.pages);
            answer
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            log!("somebody without a good token tried to sign in");
            page(view, Some("token-unknown"), Some(form.back()))
        }
        Err(_) => view.unavailable(),
    }
}

fn page(view: &View<'_>, wrong: Option<&str>, back: Option<&str>) -> Answer {
    let title = view.t("sign-in");
    let content = html! {
        form.card.narrow method="post" action=(view.link("/admin/sign-in")) {
            h1 { (title) }
            @if let Some(wrong) = wrong {
                p.alert role="alert" id="wrong" { (view.t(wrong)) }
            }
            label {
                span { (view.t("token")) }
                input type="password" name="token" required autocomplete="current-password" autofocus
                    aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
            }
            @if let Some(back) = back { input type="hidden" name="back" value=(back); }
            p.hint { (view.t("token-hint")) }
            button.primary type="submit" { (view.t("sign-in")) }
        }
    };
    let status = match wrong {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNAUTHORIZED,
    };
    view.answer(status, &Page::new(title, content))
}

/// Redirects a person who is not signed in to the page for it. If they wanted to read a page, they are led back
/// there afterwards.
pub fn to_sign_in(uri: &Uri, is_read: bool) -> Answer {
    let query = uri.query().unwrap_or_default();
    let language = query.split('&').find(|pair| pair.starts_with("lang="));
    let others = query.split('&').filter(|pair| Some(*pair) != language);
    let others = others.collect::<Vec<_>>().join("&");
    let mut asked = uri.path().to_owned();
    if !others.is_empty() {
        asked = format!("{asked}?{others}");
    }
    let asked = (is_read && asked != super::OFFICE).then(|| format!("{NEXT}={}", encode(&asked)));
    let pairs = language.map(str::to_owned).into_iter().chain(asked);
    let pairs = pairs.collect::<Vec<_>>().join("&");
    let separator = if pairs.is_empty() { "" } else { "?" };
    Answer::see_other(&format!("{}{PATH}{separator}{pairs}", super::OFFICE))
}

/// Signs out, and keeps the language of the page.
pub fn out(view: &View<'_>) -> Answer {
    let mut answer = Answer::see_other(&view.link(&format!("{}{PATH}", super::OFFICE)));
    answer.cookie = Session::no_cookie(view.pages);
    answer.clears = Some(HeaderValue::from_static("\"cache\""));
    answer
}
