//! The parts that all pages share: frame, headers, stylesheet.

use bytes::Bytes;
use fluent_bundle::FluentValue;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header, uri::PathAndQuery};
use jiff::{Timestamp, civil::Date};
use maud::{DOCTYPE, Markup, html};
use mpay_door::{PAUSE, config::Environment};

use super::{format, settings::Pages, text::Texts};
use crate::domain::{Language, Localized, Money};

/// The least contrast between a text and its background (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;

/// The circumstances of a page: settings, reader's language, address.
pub struct View<'a> {
    /// The settings.
    pub pages: &'a Pages,
    texts: Texts,
    /// Path of the request.
    pub path: &'a str,
    /// Query of the request, without its `?`.
    query: &'a str,
}

/// Content of a page, without its frame.
pub struct Page {
    /// The title, as browsers show it.
    pub title: String,
    /// Seconds until the browser loads the page again, and the address to load.
    pub reload: Option<(u32, String)>,
    /// True for a page to print: it has no frame.
    pub is_sheet: bool,
    /// The body of the page.
    pub content: Markup,
}

impl Page {
    /// An ordinary page: not reloaded, not printed.
    pub fn new(title: String, content: Markup) -> Self {
        Self {
            title,
            reload: None,
            is_sheet: false,
            content,
        }
    }
}

impl<'a> View<'a> {
    /// A view in one language of the page at `uri`.
    pub fn new(pages: &'a Pages, language: Language, uri: &'a Uri) -> Self {
        Self {
            pages,
            texts: Texts::new(language),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
        }
    }

    /// The language of the page.
    pub fn language(&self) -> Language {
        self.texts.language()
    }

    /// The text with this identifier in the catalogue.
    pub fn t(&self, id: &str) -> String {
        self.texts.t(id)
    }

    /// The text with this identifier, with values in its placeholders.
    pub fn with(&self, id: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        self.texts.with(id, values)
    }

    /// A sentence of the API in the language of the page. A sentence that the catalogue lacks stays English and
    /// is marked as English.
    pub fn said(&self, english: &str) -> Markup {
        match self.texts.said(english) {
            Some(text) => html! { (text) },
            None => html! { span lang="en" { (english) } },
        }
    }

    /// A sentence of the API in the language of the page, as plain text without markup.
    pub fn said_plainly(&self, english: &str) -> String {
        let text = self.texts.said(english);
        text.map_or_else(|| english.to_owned(), |text| text.to_string())
    }

    /// A text that the institution wrote, in the language of the page.
    pub fn own<'t, const MAX: usize>(&self, text: &'t Localized<MAX>) -> &'t str {
        text.get(self.language())
    }

    /// An amount with its currency.
    pub fn money(&self, amount: Money, currency: &str) -> String {
        format::money(self.language(), amount, currency)
    }

    /// A day, written in the language of the page.
    pub fn day(&self, date: Date) -> String {
        format::day(self.language(), date)
    }

    /// The day of a time in Chișinău, written in the language of the page.
    pub fn day_of(&self, at: Timestamp) -> String {
        format::day_of(self.language(), at)
    }

    /// A time in Chișinău, written in the language of the page.
    pub fn time_of(&self, at: Timestamp) -> String {
        format::time_of(self.language(), at)
    }

    /// An address of this provider, with the language of the page as its parameter `lang`.
    pub fn link(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}lang={}", self.language().code())
    }

    /// The institution's name; `None` if no variable gives one.
    pub fn institution(&self) -> Option<&str> {
        let name = self.pages.institution.name.as_ref()?;
        Some(self.own(name))
    }

    /// A page that only tells the reader something, such as that a link has ended.
    pub fn message(&self, status: StatusCode, title: &str, text: &str) -> Answer {
        let content = html! {
            h1 { (title) }
            p { (text) }
        };
        self.answer(status, &Page::new(title.to_owned(), content))
    }

    /// The page while the books cannot be read: status 503, try again in 5 seconds.
    pub fn unavailable(&self) -> Answer {
        self.later(["unavailable-title", "unavailable-text"], 5)
    }

    /// The page while the provider is paused: status 503, try again in [`PAUSE`] seconds.
    pub fn paused(&self) -> Answer {
        self.later(["paused-title", "paused-text"], PAUSE)
    }

    fn later(&self, texts: [&str; 2], seconds: u16) -> Answer {
        let [title, text] = texts.map(|id| self.t(id));
        Answer {
            retry_after: Some(seconds),
            ..self.message(StatusCode::SERVICE_UNAVAILABLE, &title, &text)
        }
    }

    /// A page in the frame of payers' pages: the institution's name and the choice of languages above it.
    pub fn answer(&self, status: StatusCode, page: &Page) -> Answer {
        let header = html! {
            header {
                (self.brand())
                (self.languages())
            }
        };
        self.document(status, page, &header)
    }

    /// Makes the browser load the same address again at once. The second request comes from this site, not from
    /// another one, so that the browser sends the session's cookie.
    pub fn come_again(&self, uri: &Uri) -> Answer {
        let here = uri.path_and_query().map_or(self.path, PathAndQuery::as_str);
        let content = html! { p { a href=(here) { (self.t("go-on")) } } };
        let page = Page {
            reload: Some((0, here.to_owned())),
            ..Page::new(self.t("go-on"), content)
        };
        self.answer(StatusCode::OK, &page)
    }

    /// A whole HTML document: the page with a header above it.
    pub fn document(&self, status: StatusCode, page: &Page, header: &Markup) -> Answer {
        let institution = self.institution();
        let title = match institution {
            Some(name) => format!("{} · {name}", page.title),
            None => page.title.clone(),
        };
        let markup = html! {
            (DOCTYPE)
            html lang=(self.language().code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    @if let Some((seconds, address)) = &page.reload {
                        meta http-equiv="refresh" content={ (seconds) "; url=" (address) };
                    }
                    title { (title) }
                    link rel="stylesheet" href="/o/style.css";
                    @if self.pages.institution.color.is_some() {
                        link rel="stylesheet" href="/o/theme.css";
                    }
                }
                body class=[page.is_sheet.then_some("sheet")] {
                    @if self.pages.environment != Environment::Production {
                        aside.environment aria-label=(self.t("not-production-label")) { (self.t("not-production")) }
                    }
                    @if page.is_sheet {
                        main { (page.content) }
                    } @else {
                        a.skip href="#content" { (self.t("to-content")) }
                        (header)
                        main id="content" tabindex="-1" { (page.content) }
                        @if let Some(note) = &self.pages.institution.note {
                            footer { p { (self.own(note)) } }
                        }
                    }
                }
            }
        };
        Answer::html(status, markup)
    }

    /// The institution's logo and name, as far as they are configured.
    pub fn brand(&self) -> Markup {
        let name = self.institution();
        html! {
            p.brand {
                @if self.pages.institution.logo.is_some() {
                    img.logo src="/o/logo" alt="";
                    " "
                }
                @if let Some(name) = name { span { (name) } }
            }
        }
    }

    /// Links to the same page in the other languages.
    pub fn languages(&self) -> Markup {
        let pairs = self.query.split('&');
        let others = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let others: String = others.map(|pair| format!("{pair}&")).collect();
        html! {
            nav.languages aria-label=(self.t("languages")) {
                @for language in Language::ALL {
                    @if language == self.language() {
                        b aria-current="true" lang=(language.code()) { (language.name()) }
                    } @else {
                        a href={ (self.path) "?" (others) "lang=" (language.code()) } hreflang=(language.code())
                            lang=(language.code()) { (language.name()) }
                    }
                    " "
                }
            }
        }
    }
}

/// An answer whose headers are not written yet.
pub struct Answer {
    status: StatusCode,
    media_type: &'static str,
    content: Bytes,
    /// Seconds after which the same request may succeed.
    retry_after: Option<u16>,
    /// The cookie that the browser is to keep.
    pub cookie: Option<HeaderValue>,
    /// Value of `Clear-Site-Data`: the data that the browser is to forget.
    pub clears: Option<HeaderValue>,
    location: Option<HeaderValue>,
    /// True if forms on the page may only be sent to this provider, not to MPay or a card gateway.
    pub is_of_office: bool,
    /// True if browsers and proxies may cache the answer, since it is the same for everybody.
    is_public: bool,
}

impl Answer {
    fn html(status: StatusCode, markup: Markup) -> Self {
        Self {
            status,
            media_type: "text/html; charset=utf-8",
            content: markup.into_string().into(),
            retry_after: None,
            cookie: None,
            clears: None,
            location: None,
            is_of_office: false,
            is_public: false,
        }
    }

    /// Redirects the browser to an address, which it reads by GET (status 303).
    pub fn see_other(address: &str) -> Self {
        Self {
            location: HeaderValue::from_str(address).ok(),
            ..Self::html(StatusCode::SEE_OTHER, html! {})
        }
    }

    fn asset(media_type: &'static str, content: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            media_type,
            content: content.into(),
            retry_after: None,
            cookie: None,
            clears: None,
            location: None,
            is_of_office: false,
            is_public: true,
        }
    }

    /// The stylesheet of all pages.
    pub fn style() -> Self {
        Self::asset("text/css", &include_bytes!("style.css")[..])
    }

    /// A stylesheet with the institution's colour; `None` if it has none.
    pub fn theme(pages: &Pages) -> Option<Self> {
        let color = pages.institution.color?;
        // On a light background the colour is used unchanged if it is legible there; on a dark one a lighter
        // shade is used.
        let on = match color.contrast_to_white() >= LEAST_CONTRAST {
            true => "#fff",
            false => "#000",
        };
        // The background of pages is a little darker than white.
        let is_dark = color.contrast_to_white() >= LEAST_CONTRAST / 0.92;
        let text = if is_dark {
            color.css()
        } else {
            "var(--ink)".to_owned()
        };
        let lighter = [0, 20, 40, 60, 75].map(|white| color.lighter(white));
        // The lightest part of the dark background, #1b222b, has a contrast of 16.0 to white.
        let ground = 16.0 / LEAST_CONTRAST;
        let on_dark = lighter
            .into_iter()
            .find(|color| color.contrast_to_white() <= ground);
        let on_dark = on_dark.map_or("#fff".to_owned(), |color| color.css());
        let css = format!(
            ":root{{--button:{};--on-button:{on};--accent:{text}}}\n@media (prefers-color-scheme:dark){{:root{{--accent:{on_dark}}}}}\n",
            color.css()
        );
        Some(Self::asset("text/css", css))
    }

    /// The institution's logo; `None` if it has none.
    pub fn logo(pages: &Pages) -> Option<Self> {
        let logo = pages.institution.logo.as_ref()?;
        Some(Self::asset(logo.media_type, logo.content.clone()))
    }

    /// The answer with the headers that every page has.
    pub fn into_response(self, pages: &Pages) -> Response<Bytes> {
        let mut response = Response::new(self.content);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media_type),
        );
        let kept = if self.is_public {
            "max-age=3600"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        let others = [
            (header::SET_COOKIE, self.cookie),
            (HeaderName::from_static("clear-site-data"), self.clears),
            (header::LOCATION, self.location),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
        // No script, no resource of another site, no frame around the page. Forms of the office are sent to
        // this provider only. A payer's form goes to MPay, which may redirect the browser, and some browsers
        // apply `form-action` to that redirection as well.
        let forms = match (self.is_of_office, pages.mpay_origin()) {
            (false, Some(mpay)) => match &pages.card_gateway {
                Some(gateway) => format!("'self' https: {mpay} {gateway}"),
                None => format!("'self' https: {mpay}"),
            },
            _ => "'self'".to_owned(),
        };
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in [
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
