//! How this deployment stands: its variables, its certificates, whom it tells.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::{Configuration as _, Problem};
use serde::Deserialize;

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk},
    findings,
    orders::{self, money},
    payments::{calls, moment, refusal_line},
};
use crate::{
    domain::ServiceId,
    schedule::{self, Every, Run},
    service::readiness,
    store::Platform,
};

/// How this deployment stands.
#[derive(Deserialize)]
pub struct Health {
    status: String,
    version: String,
    environment: Option<String>,
    configuration: String,
    /// What must be mended.
    #[serde(default)]
    pub errors: Vec<String>,
    /// What will be wrong soon.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Health {
    /// Whether the variables as they are now are in use.
    pub fn is_current(&self) -> bool {
        self.configuration == "current"
    }
}

#[derive(Default, Deserialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

/// Who is told, and how it goes with them.
#[derive(Deserialize)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    origin: String,
    /// `active`, `failing`, `paused` or `ended`.
    pub status: String,
    pending: usize,
    pending_more: bool,
    last_success_at: Option<String>,
    last_error_at: Option<String>,
    /// Why it did not take the last message that it did not take.
    pub last_error: Option<String>,
}

/// How this deployment stands, as its readiness says.
pub async fn health<P: Platform>(desk: &Desk<'_, P>) -> Result<Health, Problem> {
    let health = readiness(desk.app, desk.store, &http::Method::GET).await?;
    serde_json::from_slice(health.body()).map_err(Problem::internal)
}

/// Who is told of what happens.
pub async fn webhooks<P: Platform>(desk: &Desk<'_, P>) -> Result<Vec<Webhook>, Problem> {
    let webhooks = match desk.document(Ask::get("webhooks")).await {
        Ok(webhooks) => webhooks,
        Err(problem) => match problem.status() {
            // Nobody is to be told, or a mistake has switched it off, which the readiness says.
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => Webhooks::default(),
            _ => return Err(problem),
        },
    };
    Ok(webhooks.webhooks)
}

/// How the other part is looked at, which this one cannot see: it is not given the key.
fn doctor<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let address = desk.config.pages.as_ref().map(|pages| &pages.public_url);
    html! {
        @if let Some(address) = address {
            pre { code { "mpay doctor . " (address) "/" } }
        }
    }
}

/// What MPay is to be sent, as `mpay connect` lists it.
fn to_send<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let address = desk.config.pages.as_ref().map(|pages| &pages.public_url);
    let mut certificates = desk.config.certificates().into_iter();
    let own = certificates.find(|(variable, _)| *variable == "service_certificate");
    let services = desk.config.service_ids().map(ServiceId::as_str);
    html! {
        section.card {
            h2 { (desk.t("to-send")) }
            p { (desk.t("to-send-hint")) }
            dl {
                @if let Some(address) = address {
                    dt { (desk.t("service-address")) }
                    dd { code { (address) "/" } br; small { "WSDL: " code { (address) "/?wsdl" } } }
                }
                dt { "ServiceID" }
                dd { code { (services.collect::<Vec<_>>().join(", ")) } }
                @if let Some((_, certificate)) = own {
                    dt { (desk.t("own-certificate")) }
                    dd {
                        (certificate.subject())
                        br; small { "SHA-256 " code { (certificate.fingerprint()) } }
                    }
                }
            }
            @if let Some((_, certificate)) = own {
                details {
                    summary { (desk.t("as-pem")) }
                    pre { code { (certificate.to_pem()) } }
                }
            }
        }
    }
}

/// What a call of a timer is for.
pub fn purpose(run: &Run) -> &'static str {
    match run.path {
        "outbox/deliver" => "schedule-deliver",
        "card-payments/check" => "schedule-check",
        "card-payments/recheck" => "schedule-recheck",
        _ => "schedule-erase",
    }
}

/// When timers called last; nothing where none has anything to do.
fn schedules<P: Platform>(desk: &Desk<'_, P>, runs: &[Run]) -> Markup {
    let now = desk.store.now();
    html! {
        @if !runs.is_empty() {
            section.card {
                h2 { (desk.t("schedules")) }
                ul.lines {
                    @for run in runs {
                        @let (kind, state) = match (run.at, run.is_overdue(now)) {
                            (None, _) => ("busy", "schedule-never"),
                            (Some(_), true) => ("bad", "schedule-overdue"),
                            (Some(_), false) => ("good", "schedule-runs"),
                        };
                        @let every = match run.every {
                            Every::Minute => "each-minute",
                            Every::Night => "each-night",
                        };
                        li {
                            span { (desk.t(purpose(run))) br; small { code { "POST /api/" (run.path) } } }
                            span { span.mark.(kind) { (desk.t(state)) } }
                            span.property {
                                (desk.t(every))
                                @if let Some(at) = run.at { "; " (desk.t("schedule-last")) ": " (desk.view.time_of(at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /admin/connection`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let health = health(desk).await?;
    let webhooks = webhooks(desk).await?;
    let calls = calls(desk).await?;
    let last_call = mpay_notify::quiet_since(desk.store).await?;
    let runs = schedule::runs(desk.config, desk.store).await?;
    let findings = findings::find(desk, &health, &webhooks).await?;
    let now = desk.store.now();
    let title = desk.t("menu-connection");
    let (kind, state) = match health.status.as_str() {
        "ok" if findings.is_empty() => ("good", "health-ok"),
        "ok" => ("busy", "health-watch"),
        "degraded" => ("busy", "health-degraded"),
        _ => ("bad", "health-bad"),
    };
    let configuration = match health.is_current() {
        true => "variables-current",
        false => "variables-last-good",
    };
    let fact = |id: &str, value: &str| html! { dt { (desk.t(id)) } dd { (value) } };
    let content = html! {
        h1 { (title) }
        section.card {
            p { span.mark.(kind) { (desk.t(state)) } }
            dl {
                (fact("version", &health.version))
                (fact("environment", health.environment.as_deref().unwrap_or("–")))
                (fact("variables", &desk.t(configuration)))
            }
            @if !findings.is_empty() {
                h2 { (desk.t("needs-somebody")) }
                (findings::list(desk, &findings, true))
            }
        }
        section.card {
            h2 { (desk.t("mpay-calls")) }
            dl {
                @if let Some(at) = last_call {
                    dt { (desk.t("last-call")) }
                    dd { (desk.view.time_of(at)) br; small { (desk.t("last-call-hint")) } }
                }
                dt { (desk.t("last-payment")) }
                dd {
                    @match &calls.last_payment {
                        None => (desk.t("no-payments")),
                        Some(payment) => {
                            (moment(desk, &payment.recorded_at)) ": "
                            (money(desk, &payment.amount, &payment.currency)) ", "
                            a href=(desk.link(&orders::path(&payment.service_id, &payment.order_key))) { (payment.order_key) }
                            br; small { code { (payment.payment_id) } }
                        }
                    }
                }
            }
            h3 { a href=(desk.link("/admin/refusals")) { (desk.t("refusals")) } }
            @if calls.latest_refusals.is_empty() { p { (desk.t("no-refusals")) } }
            @else {
                ul.lines { @for refusal in &calls.latest_refusals { (refusal_line(desk, refusal)) } }
            }
            p.hint { (desk.t("connection-hint")) }
            (doctor(desk))
        }
        (schedules(desk, &runs))
        (to_send(desk))
        section.card {
            h2 { (desk.t("certificates")) }
            ul.lines {
                @for (variable, certificate) in desk.config.certificates() {
                    @let left = certificate.not_after().duration_since(now).as_hours().div_euclid(24);
                    li {
                        span { code { (variable) } br; small { (certificate.subject()) } }
                        span {
                            (desk.view.day_of(certificate.not_after())) ", "
                            @if left < 0 { span.mark.bad { (desk.t("certificate-over")) } }
                            @else { (desk.with("days-left", &[("count", left.into())])) }
                        }
                    }
                }
            }
        }
        section.card {
            h2 { (desk.t("webhooks")) }
            @if webhooks.is_empty() { p { (desk.t("no-webhooks")) } }
            ul.lines {
                @for webhook in &webhooks {
                    @let (kind, state) = match webhook.status.as_str() {
                        "active" => ("good", "webhook-active"),
                        "failing" => ("bad", "webhook-failing"),
                        "paused" => ("busy", "webhook-paused"),
                        _ => ("bad", "webhook-ended"),
                    };
                    li {
                        span { (webhook.name) br; small { (webhook.origin) } }
                        span { span.mark.(kind) { (desk.t(state)) } }
                        span.property {
                            (desk.t("webhook-pending")) ": " (webhook.pending) @if webhook.pending_more { "+" }
                            @if let Some(at) = &webhook.last_success_at { "; " (desk.t("webhook-success")) ": " (moment(desk, at)) }
                            @if let Some(at) = &webhook.last_error_at { "; " (desk.t("webhook-error")) ": " (moment(desk, at)) }
                            @if let Some(error) = &webhook.last_error { " " span lang="en" { (error) } }
                        }
                    }
                }
            }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}
