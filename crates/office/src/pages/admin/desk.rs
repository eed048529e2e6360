//! The tools of an office page: the person who is signed in, the form that was sent, and the order API.

use bytes::Bytes;
use fluent_bundle::FluentValue;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use maud::{Markup, html};
use mpay_door::{Problem, log::log};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::{
    super::{
        OFFICE, Query,
        layout::{Answer, Page, View},
    },
    session::Session,
};
use crate::{
    App,
    access::{self, EVERYBODY, MANAGERS, Principal, Role},
    api::{Call, Effort, Endpoint, endpoints},
    config::Config,
    json::FieldError,
    store::{Ledger, Platform},
};

/// A request of a person who is signed in.
pub struct Desk<'a, P> {
    pub app: &'a App,
    pub config: &'a Config,
    pub store: &'a Ledger<P>,
    pub principal: &'a Principal,
    pub session: &'a Session,
    pub view: View<'a>,
    pub query: Query,
    pub form: Form,
    pub headers: &'a HeaderMap,
}

/// The pages in the menu: path, text, and the roles that see it.
const MENU: [(&str, &str, &[Role]); 7] = [
    ("/admin", "menu-today", &EVERYBODY),
    ("/admin/orders", "menu-orders", &EVERYBODY),
    ("/admin/import", "menu-import", &EVERYBODY),
    ("/admin/payments", "menu-payments", &EVERYBODY),
    ("/admin/settlement", "menu-settlement", &EVERYBODY),
    ("/admin/personal", "menu-personal", &MANAGERS),
    ("/admin/connection", "menu-connection", &EVERYBODY),
];

/// The texts that name members and parameters on the pages.
const MEMBERS: [(&str, &str); 18] = [
    ("order_key", "order-number"),
    ("reason", "for-what"),
    ("amount_due", "amount"),
    ("amount", "amount"),
    ("due_date", "due-date"),
    ("customer_name", "payer"),
    ("customer_id", "payer-code"),
    ("service_id", "service"),
    ("payment_id", "payment-number"),
    ("invoice_id", "invoice-number"),
    ("paid_at", "paid-at"),
    ("note", "note"),
    ("refund_reference", "refund-reference"),
    ("file", "file"),
    ("lines", "lines"),
    ("total_amount_due", "total"),
    ("aliases", "other-number"),
    ("amounts", "amounts-by-day"),
];

/// A call of the order API.
pub struct Ask<'a> {
    method: &'a str,
    address: String,
    media_type: &'a str,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
    effort: Effort,
}

/// The rest of an answer that shows only a part so far.
pub struct GoOn {
    /// Seconds until the browser loads the page again, without scripts, and the address to load. `None` if the
    /// page stays.
    pub reload: Option<(u32, String)>,
    /// The note on the page, with links to continue at once and to stay.
    pub note: Markup,
}

/// The most times that a page reloads itself: five minutes.
const MOST_RELOADS: u64 = 300;

impl<'a> Ask<'a> {
    /// A call that reads the resource at an address below `/api/`.
    pub fn get(address: impl Into<String>) -> Self {
        Self::new("GET", address)
    }

    /// A call by another method.
    pub fn new(method: &'a str, address: impl Into<String>) -> Self {
        Self {
            method,
            address: address.into(),
            media_type: "application/json",
            headers: Vec::new(),
            body: Vec::new(),
            effort: Effort::PAGE,
        }
    }

    /// A call for secondary content of a page, which may do less work.
    pub fn beside(self) -> Self {
        Self {
            effort: Effort::BESIDE,
            ..self
        }
    }

    /// A call for a file, which may take longer than a page.
    pub fn file(self) -> Self {
        Self {
            effort: Effort::PROGRAM,
            ..self
        }
    }

    /// A call whose answer is lines of JSON.
    pub fn lines(self) -> Self {
        self.header(header::ACCEPT, "application/x-ndjson".to_owned())
    }

    /// A call with a JSON document.
    pub fn json(self, document: &serde_json::Value) -> Self {
        self.body("application/json", document.to_string().into_bytes())
    }

    /// A call with a body of a media type.
    pub fn body(self, media_type: &'a str, body: Vec<u8>) -> Self {
        Self {
            media_type,
            body,
            ..self
        }
    }

    /// A call that fails if somebody changed the resource after `etag`.
    pub fn if_match(self, etag: &str) -> Self {
        self.header(header::IF_MATCH, etag.to_owned())
    }

    /// A call that fails if the resource exists.
    pub fn only_new(self) -> Self {
        self.header(header::IF_NONE_MATCH, "*".to_owned())
    }

    /// A call that takes effect once, however often it is repeated with this key.
    pub fn once(self, key: &str) -> Self {
        let name = HeaderName::from_static("idempotency-key");
        self.header(name, format!("\"{key}\""))
    }

    fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl<P: Platform> Desk<'_, P> {
    /// Calls the order API in the name of the person who is signed in.
    ///
    /// # Errors
    /// The problem that the API answers.
    pub async fn call(&self, ask: Ask<'_>) -> Result<Response<Bytes>, Problem> {
        let (path, query) = ask.address.split_once('?').unwrap_or((&ask.address, ""));
        let method = Method::from_bytes(ask.method.as_bytes()).map_err(Problem::internal)?;
        let endpoints = endpoints();
        let (endpoint, values) = Endpoint::find(&endpoints, path, &method)?;
        access::permit(self.principal, endpoint.roles)?;
        let mut headers = HeaderMap::new();
        let media_type = HeaderValue::from_str(ask.media_type).map_err(Problem::internal)?;
        headers.insert(header::CONTENT_TYPE, media_type);
        for (name, value) in &ask.headers {
            // The value comes from a form, so it may contain anything.
            let value = HeaderValue::from_str(value)
                .map_err(|_| Problem::member(name.as_str(), "is not what a page has sent"))?;
            headers.insert(name, value);
        }
        let call = Call {
            app: self.app,
            config: self.config,
            store: self.store,
            headers: &headers,
            query,
            caller: self.principal,
            effort: ask.effort,
        };
        endpoint.call(&call, &values, &ask.body).await
    }

    /// Calls the API, and reads the JSON document of its answer.
    ///
    /// # Errors
    /// Those of [`call`](Self::call); a server error if the document has another form.
    pub async fn document<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, Problem> {
        let answer = self.call(ask).await?;
        serde_json::from_slice(answer.body()).map_err(Problem::internal)
    }

    /// True if the person who is signed in has one of these roles.
    pub fn may(&self, roles: &[Role]) -> bool {
        roles.contains(&self.principal.role)
    }

    /// The text with this identifier, in the language of the page.
    pub fn t(&self, id: &str) -> String {
        self.view.t(id)
    }

    /// The text with this identifier, with values in its placeholders.
    pub fn with(&self, id: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        self.view.with(id, values)
    }

    /// An address of the office, in the language of the page.
    pub fn link(&self, path: &str) -> String {
        self.view.link(path)
    }

    /// The hidden field that every form needs: the token of this session.
    pub fn form_fields(&self) -> Markup {
        let token = self.session.form_token(&self.view.pages.keys);
        html! { input type="hidden" name="form" value=(token); }
    }

    /// A page in the office's frame.
    pub fn page(&self, status: StatusCode, page: &Page) -> Answer {
        let header = html! {
            header {
                (self.view.brand())
                (self.view.languages())
            }
            nav.menu aria-label=(self.t("menu")) {
                @for (path, id, _) in MENU.into_iter().filter(|(_, _, roles)| self.may(roles)) {
                    @let is_here = self.view.path.trim_end_matches('/') == path
                        || (path != "/admin" && self.view.path.starts_with(path));
                    a href=(self.link(path)) aria-current=[is_here.then_some("page")] { (self.t(id)) }
                }
                form.out method="post" action=(self.link("/admin/sign-out")) {
                    (self.form_fields())
                    span { (self.principal.name) }
                    button type="submit" { (self.t("sign-out")) }
                }
            }
        };
        self.view.document(status, page, &header)
    }

    /// The continuation of a page that has more to look through than one answer covers. The page at `address`
    /// reloads itself each second. It stays if the reader chose to stay, if it has reloaded [`MOST_RELOADS`]
    /// times, or if it has a form (`has_form`), since a reload would discard what somebody types.
    pub fn go_on(&self, address: &str, says: &Markup, has_form: bool) -> GoOn {
        let at = |rest: &str| {
            let separator = if address.contains('?') { '&' } else { '?' };
            self.link(&format!("{address}{separator}{rest}"))
        };
        let step = self.query.number("n").unwrap_or(0);
        let stays = has_form || self.query.text("stay").is_some() || step >= MOST_RELOADS;
        let next = match stays {
            true => at("stay=1"),
            false => at(&format!("n={}", step.saturating_add(1))),
        };
        let note = html! {
            div.banner.busy {
                p { (says) }
                p {
                    @if !stays { (self.t("goes-on-by-itself")) " " }
                    a href=(next) { (self.t("go-on-now")) }
                    @if !stays { " · " a #stay href=(at("stay=1")) { (self.t("do-not-reload")) } }
                }
            }
        };
        GoOn {
            reload: (!stays).then_some((1, next)),
            note,
        }
    }

    /// The page for an address that no page has.
    pub fn no_such_page(&self) -> Answer {
        let title = self.t("no-page-title");
        let content = html! { h1 { (title) } p { (self.t("no-page-text")) } };
        self.page(StatusCode::NOT_FOUND, &Page::new(title, content))
    }

    /// The mistakes in members, one after another. Each names its member as the field is called on the pages.
    pub fn wrong<'e>(&self, errors: impl IntoIterator<Item = &'e FieldError>) -> Markup {
        html! {
            @for (place, error) in errors.into_iter().enumerate() {
                @if place > 0 { "; " }
                @if !error.field.is_empty() { (member(self, &error.field)) " " }
                (self.view.said(&error.detail))
            }
        }
    }

    /// A page that says why a request was refused or failed.
    pub fn problem(&self, problem: Problem) -> Answer {
        let status = problem.status();
        let (detail, errors) = problem.into_parts();
        if status.is_server_error() {
            log!("a page of the office could not be made: {detail}");
            return self.view.unavailable();
        }
        let (id, says_all) = match status {
            StatusCode::FORBIDDEN => ("not-allowed", true),
            StatusCode::NOT_FOUND => ("not-found", true),
            StatusCode::PRECONDITION_FAILED => ("changed-meanwhile", true),
            _ => ("not-done", false),
        };
        let title = self.t(id);
        let typed = MEMBERS.into_iter();
        let typed = typed.filter_map(|(name, id)| Some((id, self.form.text(name)?)));
        let typed: Vec<_> = typed.collect();
        let content = html! {
            div.banner.bad role="alert" {
                h1 { (title) }
                @if says_all {
                } @else if errors.is_empty() {
                    p { (self.view.said(&detail)) }
                } @else {
                    ul { @for error in &errors { li { (self.wrong([error])) } } }
                }
            }
            @if !typed.is_empty() {
                h2 { (self.t("typed")) }
                dl { @for (id, value) in typed { dt { (self.t(id)) } dd { (value) } } }
            }
            p { a href=(self.link(self.form.back())) { (self.t("go-back")) } }
        };
        self.page(status, &Page::new(title, content))
    }
}

/// The name of a member on the pages.
pub fn member<P: Platform>(desk: &Desk<'_, P>, name: &str) -> Markup {
    match MEMBERS.into_iter().find(|(member, _)| *member == name) {
        Some((_, id)) => html! { strong { (desk.t(id)) } },
        None => html! { code { (name) } },
    }
}

/// A segment of an address, percent-encoded.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

/// A form that was sent.
#[derive(Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    file: Option<Vec<u8>>,
}

impl Form {
    /// Reads a body (`application/x-www-form-urlencoded` or `multipart/form-data`).
    ///
    /// # Errors
    /// A [`Problem`] if a multipart body ends early. A body of another media type gives a form without fields.
    pub async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        let media_type = headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        if let Ok(boundary) = multer::parse_boundary(media_type) {
            return Self::of_parts(boundary, body)
                .await
                .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The form broke off."));
        }
        let mut form = Self::default();
        if media_type.starts_with("application/x-www-form-urlencoded") {
            form.fields = form_urlencoded::parse(&body).into_owned().collect();
        }
        Ok(form)
    }

    async fn of_parts(boundary: String, body: Bytes) -> Result<Self, multer::Error> {
        let whole = std::future::ready(Ok::<_, std::convert::Infallible>(body));
        let mut parts = multer::Multipart::new(futures::stream::once(whole), boundary);
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await? {
            let name = part.name().unwrap_or_default().to_owned();
            let is_file = part.file_name().is_some();
            let content = part.bytes().await?;
            match is_file {
                true => form.file = Some(content.to_vec()),
                // Pages are in UTF-8, so their forms are as well. The tables of other encodings would make the
                // component much larger.
                false => {
                    let text = String::from_utf8_lossy(&content).into_owned();
                    form.fields.push((name, text));
                }
            }
        }
        Ok(form)
    }

    /// The fields whose names begin with `begin`: the rest of each name, and the value.
    pub fn named<'f>(&'f self, begin: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let fields = self.fields.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(begin)?, value.trim())))
    }

    /// A field without white space around it; `None` if it is absent or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        let value = found.map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// The page of the office to return to, as the form names it; [`OFFICE`] if it names none.
    pub fn back(&self) -> &str {
        // A page of the office only, and only characters that a header may hold.
        let is_here = |back: &&str| {
            let rest = back.strip_prefix(OFFICE);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
                && back.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.text("back").filter(is_here).unwrap_or(OFFICE)
    }

    /// The file that was sent.
    pub fn file(&self) -> Option<&[u8]> {
        self.file.as_deref()
    }
}
