//! Signing in and out, by the token of a principal.

use http::{HeaderValue, StatusCode, Uri};
use maud::html;
use mpay_door::log::log;

use super::{
    super::{
        layout::{Answer, Page, View},
        settings::Pages,
    },
    desk::Form,
    session::Session,
};
use crate::{
    access::{self, Role},
    config::Config,
    store::{Ledger, Platform},
};

/// The page to sign in, below [`OFFICE`](super::OFFICE).
pub const PATH: &str = "/sign-in";

/// Where the form to sign out goes.
pub const OUT: &str = "sign-out";

/// The page to sign in, or what came of it.
pub async fn answer<P: Platform>(
    config: &Config,
    store: &Ledger<P>,
    view: &View<'_>,
    form: &Form,
    is_read: bool,
) -> Answer {
    if is_read {
        return page(view, None);
    }
    let token = form.text("token").unwrap_or_default();
    match access::admit(config, Some(token)) {
        Ok(principal) if principal.role == Role::Program => page(view, Some("token-of-program")),
        Ok(principal) => {
            let Ok(now) = Session::earliest(store, principal).await else {
                return view.unavailable();
            };
            let mut answer = Answer::see_other(&view.link(super::OFFICE));
            answer.cookie = Session::begin(token, now).cookie(view.pages);
            answer
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            log!("somebody without a good token tried to sign in");
            page(view, Some("token-unknown"))
        }
        Err(_) => view.unavailable(),
    }
}

fn page(view: &View<'_>, wrong: Option<&str>) -> Answer {
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

/// Sends who is not signed in to the page for it.
pub fn to_sign_in(uri: &Uri) -> Answer {
    let language = uri.query().unwrap_or_default().split('&');
    let language = language.filter(|pair| pair.starts_with("lang="));
    let query = language.take(1).map(|pair| format!("?{pair}"));
    Answer::see_other(&format!(
        "{}{PATH}{}",
        super::OFFICE,
        query.collect::<String>()
    ))
}

/// Signs out.
pub fn out(pages: &Pages) -> Answer {
    let mut answer = Answer::see_other(&format!("{}{PATH}", super::OFFICE));
    answer.cookie = Session::no_cookie(pages);
    answer.clears = Some(HeaderValue::from_static("\"cache\""));
    answer
}
