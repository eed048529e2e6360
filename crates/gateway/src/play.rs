//! The server: from requests to the gateway and its pages, and notifications to the merchant.

use std::{net::IpAddr, ops::Deref, sync::Arc, time::Duration};

use anyhow::Context;
use http::{Method, StatusCode};
use jiff::Timestamp;
use stage::{Language, Play, Reply, Request, Server, Text, View, link};
use tokio::task::JoinHandle;

use crate::{
    Options,
    gateway::{Answer, Gateway, Mistake, Next, Notice, Session, Typed},
    journal::{Entry, Kind},
    mischief::{Mischief, Plan},
    pages, text,
    wire::Interface,
};

/// The time that the merchant has to answer a notification.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that listens. Dropping it cuts off the requests under way. It gives access to the
/// [`Gateway`] behind it.
#[derive(Debug)]
pub struct Running {
    server: Server,
    gateway: Arc<Gateway>,
    posting: JoinHandle<()>,
}

impl Running {
    /// Its address as a URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Takes no more requests, and waits a little for those under way.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.posting.abort();
        self.server.stop().await
    }
}

impl Deref for Running {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

/// Listens.
///
/// # Errors
/// If the address cannot be listened at, or notifications cannot be posted where they should be.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    if let Some(url) = &options.notify {
        let _: http::Uri = url
            .parse()
            .with_context(|| format!("{url} is no address for notifications"))?;
    }
    let listen = options.listen;
    let gateway = Arc::new(Gateway::new(options));
    let server = Server::start(Arc::new(Pages(Arc::clone(&gateway))), listen).await?;
    let posting = tokio::spawn(post_all(Arc::clone(&gateway)));
    Ok(Running {
        server,
        gateway,
        posting,
    })
}

/// Posts notifications one after the other; the late ones when they are due.
async fn post_all(gateway: Arc<Gateway>) {
    loop {
        for notice in gateway.take_notices() {
            let posted = {
                let (gateway, notice) = (Arc::clone(&gateway), notice.clone());
                async move {
                    tokio::time::sleep(notice.after).await;
                    let _ = tokio::task::spawn_blocking(move || post(&gateway, &notice)).await;
                }
            };
            if notice.after.is_zero() {
                posted.await;
            } else {
                tokio::spawn(posted);
            }
        }
        gateway.noticed().await;
    }
}

/// Posts a notification, once.
fn post(gateway: &Gateway, notice: &Notice) {
    let mut entry = Entry::new(Timestamp::now(), Kind::Notification, &*notice.name);
    entry.order_id.clone_from(&notice.order_id);
    entry.sent.clone_from(&notice.body);
    entry.answer = match gateway.notify() {
        None => "no address".to_owned(),
        Some(url) => {
            let agent = ureq::Agent::config_builder()
                .proxy(proxy_to(&url))
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_global(Some(PATIENCE))
                .build()
                .new_agent();
            let sent = agent
                .post(url)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .send(&notice.body);
            match sent {
                Ok(response) => format!("HTTP {}", response.status().as_u16()),
                Err(error) => error.to_string(),
            }
        }
    };
    gateway.note(entry);
}

/// The environment's proxy, but none to this machine itself, which a proxy elsewhere does not reach.
fn proxy_to(url: &str) -> Option<ureq::Proxy> {
    let uri: Option<ureq::http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host());
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    let address: Result<IpAddr, _> = host.parse();
    let is_here = host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    match is_here {
        true => None,
        false => ureq::Proxy::try_from_env(),
    }
}

struct Pages(Arc<Gateway>);

impl Play for Pages {
    const NAME: &'static str = "The card gateway";

    /// Merchants are programs, and say nothing of sites.
    fn is_entrance(&self, _: &str) -> bool {
        false
    }

    fn answer(&self, request: &Request) -> Reply {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let get = matches!(request.method, Method::GET | Method::HEAD);
        let post = request.method == Method::POST;
        if !get && !post {
            return Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.\n");
        }
        match path.as_slice() {
            [] if get => self.page(request, "/", |view| {
                pages::start(view, self.0.options(), self.0.notify().as_deref())
            }),
            ["cabinet"] if get => self.page(request, "/cabinet", |view| {
                pages::cabinet(view, self.0.options(), &self.0.orders())
            }),
            ["cabinet", id] if get => self.cabinet(request, id, None),
            ["cabinet", id, what] if post => self.in_cabinet(request, id, what),
            ["journal"] if get => self.page(request, "/journal", |view| {
                pages::journal(view, &self.0.journal())
            }),
            ["journal.json"] if get => {
                let journal = self.0.journal_json().to_string();
                Reply::file("application/json", "card-gateway-journal.json", journal)
            }
            [path, command] => match Interface::of(path) {
                Some(interface) => self.of_interface(request, interface, command),
                None => self.not_found(request),
            },
            _ => self.not_found(request),
        }
    }
}

impl Pages {
    fn page(
        &self,
        request: &Request,
        here: &str,
        page: impl FnOnce(&View) -> maud::Markup,
    ) -> Reply {
        let view = View::new(request, here.to_owned());
        Reply::page(StatusCode::OK, page(&view))
    }

    fn not_found(&self, request: &Request) -> Reply {
        let view = View::new(request, "/".to_owned());
        Reply::page(StatusCode::NOT_FOUND, pages::not_found(&view))
    }

    fn of_interface(&self, request: &Request, interface: Interface, command: &str) -> Reply {
        let get = matches!(request.method, Method::GET | Method::HEAD);
        let session = || {
            self.0
                .session(request.field("SessionId").unwrap_or_default())
        };
        let ours = |session: &Session| session.interface == interface;
        match command {
            "Pay" | "Add" | "Result" if get => match session().filter(ours) {
                Some(session) => {
                    let pays = session.order_id.is_some();
                    match (command, pays) {
                        ("Result", _) => self.result(request, &session),
                        ("Pay", true) | ("Add", false) => {
                            self.0.open(&session);
                            self.form(request, &session, None)
                        }
                        _ => self.not_found(request),
                    }
                }
                None => self.not_found(request),
            },
            "Card" if !get => match session().filter(ours) {
                Some(session) => self.typed(request, &session),
                None => self.not_found(request),
            },
            "Secure" => match session().filter(ours) {
                Some(session) if get => self.secure(request, &session),
                Some(session) => {
                    let confirms = request
                        .field("confirm")
                        .is_some_and(|value| !value.is_empty());
                    self.0.confirm_3ds(&session.id, confirms);
                    self.go(&session, "Result")
                }
                None => self.not_found(request),
            },
            _ if get => {
                let complaint = "Commands are sent by POST: GET would log passwords.";
                self.complain(interface, command, complaint);
                Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, "Use POST.\n")
            }
            _ if !request.has_length => {
                let complaint =
                    "Content-Length is missing: not every server takes a form in chunks.";
                self.complain(interface, command, complaint);
                Reply::refusal(StatusCode::LENGTH_REQUIRED, "Send Content-Length.\n")
            }
            command => {
                let content_type = request.content_type.as_deref();
                let (query, body) = (&request.query, &request.body);
                match self
                    .0
                    .command(interface, command, content_type, query, body)
                {
                    Answer::Lost => Reply::lost(),
                    Answer::Given {
                        status,
                        body,
                        after,
                    } => {
                        std::thread::sleep(after);
                        let status = StatusCode::from_u16(status).unwrap_or_default();
                        Reply::document(status, "text/xml; charset=utf-8", body)
                    }
                }
            }
        }
    }

    /// Notes the mistake in a request that is not even read.
    fn complain(&self, interface: Interface, command: &str, complaint: &str) {
        let what = format!("/{}/{command}", interface.path());
        let mut entry = Entry::new(Timestamp::now(), Kind::Command, what);
        entry.complaint = Some(complaint.to_owned());
        self.0.note(entry);
    }

    /// The view of a page of a session: in the language of the session, unless the payer chose another.
    fn view(&self, request: &Request, session: &Session, page: &str) -> View {
        let mut view = View::new(request, path(session, page));
        let language = session.language.as_deref().map(str::to_lowercase);
        let language = language.as_deref().and_then(Language::of_code);
        if let (None, Some(language)) = (request.remembers(), language) {
            view.language = language;
        }
        view
    }

    fn go(&self, session: &Session, page: &str) -> Reply {
        Reply::see_other(&path(session, page))
    }

    fn form(&self, request: &Request, session: &Session, mistake: Option<Text>) -> Reply {
        let page = match session.order_id {
            Some(_) => "Pay",
            None => "Add",
        };
        let view = self.view(request, session, page);
        let back = back(session);
        if session.is_done || self.0.is_over(session) {
            return framed(pages::over(&view, Some(&back)));
        }
        let order = session.order_id.as_deref().and_then(|id| self.0.order(id));
        let login = session.customer.as_deref();
        let customer = login.and_then(|login| self.0.customer(login));
        let form = pages::Form {
            session,
            order: order.as_ref(),
            customer: customer.as_ref(),
            mistake,
            back: &back,
        };
        let page = pages::card_form(&view, self.0.options(), &form);
        framed(page)
    }

    fn typed(&self, request: &Request, session: &Session) -> Reply {
        let field = |name| request.field(name).unwrap_or_default();
        if let (Some(mischief), Some(id)) = (Mischief::of(field("mischief")), &session.order_id) {
            let plan = Plan::new(mischief).of(id);
            self.0.plan(match field("command") {
                "" => plan,
                command => plan.at(command),
            });
        }
        let typed = Typed {
            number: field("number"),
            month: field("month"),
            year: field("year"),
            code: field("code"),
            holder: field("holder"),
            saves: request.field("saves").is_some(),
            saved: request.field("saved").filter(|id| !id.is_empty()),
        };
        match self.0.typed(&session.id, &typed) {
            Next::Mistake(Mistake::NoCard) => self.form(request, session, Some(text::NO_CARD)),
            Next::Mistake(Mistake::Expired) => {
                self.form(request, session, Some(text::EXPIRED_CARD))
            }
            Next::Mistake(Mistake::SessionOver) => self.go(session, page_of(session)),
            Next::Asks3ds => self.go(session, "Secure"),
            Next::Result(after) => {
                std::thread::sleep(after);
                self.go(session, "Result")
            }
        }
    }

    fn secure(&self, request: &Request, session: &Session) -> Reply {
        if session.at_3ds.is_none() {
            return self.go(session, "Result");
        }
        let view = self.view(request, session, "Secure");
        let order = session.order_id.as_deref().and_then(|id| self.0.order(id));
        let page = pages::secure(&view, self.0.options(), session, order.as_ref());
        framed(page)
    }

    fn result(&self, request: &Request, session: &Session) -> Reply {
        if !session.is_done {
            // The form again, with the mistake.
            return self.go(session, page_of(session));
        }
        let view = self.view(request, session, "Result");
        let order = session.order_id.as_deref().and_then(|id| self.0.order(id));
        let login = session.customer.as_deref().filter(|_| order.is_none());
        let customer = login.and_then(|login| self.0.customer(login));
        let saved = customer.as_ref().and_then(|customer| customer.cards.last());
        let proof = saved.map(|saved| saved.proof);
        let back = back(session);
        let page = pages::result(&view, self.0.options(), order.as_ref(), proof, &back);
        framed(page)
    }

    fn cabinet(&self, request: &Request, id: &str, mistake: Option<(Text, &str)>) -> Reply {
        let Some(order) = self.0.order(id) else {
            return self.not_found(request);
        };
        self.page(request, &format!("/cabinet/{id}"), |view| {
            pages::order(view, self.0.options(), &order, mistake)
        })
    }

    fn in_cabinet(&self, request: &Request, id: &str, what: &str) -> Reply {
        let amount = request.field("amount").map(pages::minor_units);
        if amount == Some(None) {
            return self.cabinet(request, id, Some((text::NO_AMOUNT, "")));
        }
        let amount = amount.flatten();
        let done = match what {
            "charge" => self.0.charge_in_cabinet(id, amount),
            "cancel" => self.0.cancel_in_cabinet(id),
            "refund" => self.0.refund_in_cabinet(id, amount),
            "chargeback" => self.0.charge_back(id),
            "lapse" => self.0.lapse(id),
            _ => return self.not_found(request),
        };
        match done {
            Ok(()) => Reply::see_other(&format!("/cabinet/{id}")),
            Err(code) => self.cabinet(request, id, Some((text::NOT_DONE, code))),
        }
    }
}

/// A page that merchants may show in a frame of theirs.
fn framed(page: maud::Markup) -> Reply {
    Reply::page(StatusCode::OK, page).in_frames()
}

fn page_of(session: &Session) -> &'static str {
    match session.order_id {
        Some(_) => "Pay",
        None => "Add",
    }
}

fn path(session: &Session, page: &str) -> String {
    let path = format!("/{}/{page}", session.interface.path());
    link(&path, &[("SessionId", &session.id)])
}

/// The address to which the payer goes back.
fn back(session: &Session) -> String {
    let success = if session.is_done { "True" } else { "False" };
    let order_id = session.order_id.as_deref().unwrap_or_default();
    session
        .url
        .replace("{orderid}", order_id)
        .replace("{success}", success)
}
