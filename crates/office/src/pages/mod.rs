//! Pages for people: the payer's order at `/o/`, the institution's office at `/admin`. The pages read the same
//! books as the order API, work without scripts, and load nothing from other sites.
//!
//! Read in this order: [`settings`]: the variables. `mpay_door::pages`: addresses that nobody can guess.
//! `text`, `said`, `format`: three languages. `layout`: the frame, headers and stylesheet of every page.
//! `payer`, `admin`: the pages.

mod admin;
mod format;
mod layout;
mod payer;
mod said;
pub mod settings;
mod text;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header, request::Parts};
use mpay_door::{
    Problem,
    http::is_browser,
    log::{self, log},
    pages::{keys, link},
};

use crate::{
    App,
    cards::Cards,
    domain::Language,
    store::{Ledger, Platform},
};
pub use admin::{OFFICE, answer as office};
use layout::{Answer, View};
pub use link::PayLink;
pub use settings::Pages;

/// Beginning of the paths of payers' pages.
pub const PAYER: &str = "/o/";

/// A request for a page.
struct Visit<'a, P> {
    store: &'a Ledger<P>,
    view: View<'a>,
    query: Query,
    cards: Option<&'a Cards>,
}

/// Answers a request for a payer's page.
pub async fn payer<P: Platform>(app: &App, store: &Ledger<P>, parts: &Parts) -> Response<Bytes> {
    let config = app.config.as_ref().ok();
    let Some(pages) = config.and_then(|config| config.pages.as_ref()) else {
        return Problem::nothing_here().into_response();
    };
    let path = parts.uri.path();
    let query = Query::read(parts.uri.query().unwrap_or_default());
    let language = language(&query, &parts.headers);
    let visit = Visit {
        store,
        view: View::new(pages, language, &parts.uri),
        query,
        cards: config.and_then(|config| config.cards.as_ref()),
    };
    let to_gateway = path
        .strip_prefix(PAYER)
        .and_then(|rest| rest.strip_suffix("/card"));
    if let (Some(token), Some(config), &Method::POST) = (to_gateway, config, &parts.method) {
        let begun = Box::pin(payer::card::begin(app, config, &visit, token)).await;
        let answer = begun.unwrap_or_else(|problem| {
            let (detail, _) = problem.into_parts();
            log!("a payment by card could not be begun: {detail}");
            Some(visit.view.unavailable())
        });
        return match answer {
            Some(answer) => answer.into_response(pages),
            None => Problem::nothing_here().into_response(),
        };
    }
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Problem::method_not_allowed("GET, HEAD").into_response();
    }
    let answer = match path.strip_prefix(PAYER).unwrap_or_default() {
        asset @ ("style.css" | "theme.css" | "logo") => asset_of(pages, asset),
        rest => Some(payer::page(&visit, rest).await.unwrap_or_else(|problem| {
            let (detail, _) = problem.into_parts();
            log!("a page could not be made: {detail}");
            visit.view.unavailable()
        })),
    };
    match answer {
        Some(answer) => answer.into_response(pages),
        None => Problem::nothing_here().into_response(),
    }
}

/// Answers while the provider is paused: browsers receive a page, programs receive a problem document.
///
/// # Errors
/// [`Problem::paused`].
pub fn paused(app: &App, parts: &Parts) -> Result<Response<Bytes>, Problem> {
    let config = app.config.as_ref().ok();
    let pages = config.and_then(|config| config.pages.as_ref());
    let pages = pages.ok_or_else(Problem::paused)?;
    let asset = parts.uri.path().strip_prefix(PAYER);
    let answer = match asset.and_then(|path| asset_of(pages, path)) {
        Some(asset) => asset,
        None if is_browser(&parts.headers) => {
            let query = Query::read(parts.uri.query().unwrap_or_default());
            let language = language(&query, &parts.headers);
            View::new(pages, language, &parts.uri).paused()
        }
        None => return Err(Problem::paused()),
    };
    Ok(answer.into_response(pages))
}

/// The stylesheet, the colours or the logo, by its name below [`PAYER`]. None of them depends on the books, so
/// that they are served also while the provider is paused.
fn asset_of(pages: &Pages, path: &str) -> Option<Answer> {
    let asset = match path {
        "style.css" => Some(Answer::style()),
        "theme.css" => Answer::theme(pages),
        "logo" => Answer::logo(pages),
        _ => None,
    };
    if asset.is_some() {
        log::is_routine();
    }
    asset
}

/// The parameters of a page. None of them is trusted: a parameter that cannot be read counts as absent.
struct Query(Vec<(String, String)>);

impl Query {
    fn read(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// A parameter without white space around it; `None` if the parameter is absent or empty.
    fn text(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| known == name);
        let value = found.map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// The language that the address names (`lang`), else the language that the browser prefers.
fn language(query: &Query, headers: &HeaderMap) -> Language {
    let asked = query.text("lang").and_then(|code| Language::of_code(&code));
    let values = headers.get_all(header::ACCEPT_LANGUAGE).into_iter();
    asked
        .or_else(|| Language::accepted(values.filter_map(|value| value.to_str().ok())))
        .unwrap_or_default()
}
