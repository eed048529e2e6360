//! The state of this deployment: its variables, its certificates, the receivers of its messages.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use maud::{Markup, html};
use mpay_door::{Configuration as _, Problem, Unanswered};
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
    health::readiness,
    schedule::{self, Every, Run},
    store::Platform,
};

/// The readiness of one of the two components.
#[derive(Deserialize)]
pub struct Health {
    status: String,
    /// Its version.
    pub version: String,
    environment: Option<String>,
    configuration: String,
    /// The mistakes to correct.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Warnings of problems to come.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Health {
    /// True if the current variables are in use.
    pub fn is_current(&self) -> bool {
        self.configuration == "current"
    }

    /// True if no variables are in use, since no valid set is known.
    pub fn is_without(&self) -> bool {
        self.configuration == "none"
    }

    /// Distance of the variables in use from the current ones, to compare components: 0 for the current ones, 1
    /// for the last good ones, 2 for none.
    pub fn gravity(&self) -> u8 {
        match self.is_current() {
            true => 0,
            false if self.is_without() => 2,
            false => 1,
        }
    }

    /// The state as a colour and a text. `is_quiet` is true if nothing else is wrong.
    fn state(&self, is_quiet: bool) -> (&'static str, &'static str) {
        match self.status.as_str() {
            "ok" if is_quiet => ("good", "health-ok"),
            "ok" => ("busy", "health-watch"),
            "degraded" => ("busy", "health-degraded"),
            _ => ("bad", "health-bad"),
        }
    }
}

/// The readiness of MPay's door, as this door learned it.
pub enum OtherDoor {
    /// It answered.
    Stands(Health),
    /// It did not answer.
    Silent,
    /// The host does not allow this component to ask the other one.
    Unasked,
}

/// The readiness of MPay's door, by the host's service chaining. Anybody may read it.
const OTHER_DOOR: &str = "http://mpay-provider.spin.internal/health";
/// The longest answer that is read, in bytes, and the longest wait for it.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks MPay's door for its readiness.
pub async fn other_door<P: Platform>(desk: &Desk<'_, P>) -> Result<OtherDoor, Problem> {
    let request = Request::get(OTHER_DOOR).body(Bytes::new());
    let request = request.map_err(Problem::internal)?;
    let answer = desk.store.platform().fetch(request, MOST, PATIENCE).await;
    Ok(match answer {
        // The status does not matter: a component with wrong variables answers 503 and says what is wrong.
        Ok((_, body)) => match serde_json::from_slice(&body) {
            Ok(health) => OtherDoor::Stands(health),
            Err(_) => OtherDoor::Silent,
        },
        Err(Unanswered::NotSent(_)) => OtherDoor::Unasked,
        Err(Unanswered::Unknown(_)) => OtherDoor::Silent,
    })
}

#[derive(Default, Deserialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

/// A receiver of webhooks, and the state of its delivery.
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
    /// The error of the latest attempt that failed.
    pub last_error: Option<String>,
}

/// The readiness of this door.
pub async fn health<P: Platform>(desk: &Desk<'_, P>) -> Result<Health, Problem> {
    let health = readiness(desk.app, desk.store, &http::Method::GET).await?;
    serde_json::from_slice(health.body()).map_err(Problem::internal)
}

/// The receivers of webhooks, with the state of each.
pub async fn webhooks<P: Platform>(desk: &Desk<'_, P>) -> Result<Vec<Webhook>, Problem> {
    let webhooks = match desk.document(Ask::get("webhooks")).await {
        Ok(webhooks) => webhooks,
        Err(problem) => match problem.status() {
            // There are no receivers, or a mistake has switched them off, which the readiness says.
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => Webhooks::default(),
            _ => return Err(problem),
        },
    };
    Ok(webhooks.webhooks)
}

/// The command that examines MPay's door. This door cannot examine it, since it is not given the key.
fn doctor<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let address = desk.config.pages.as_ref().map(|pages| &pages.public_url);
    html! {
        @if let Some(address) = address {
            pre { code { "mpay doctor . " (address) "/" } }
        }
    }
}

/// The data that MPay needs about this provider, as `mpay connect` lists them.
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

/// The text for the purpose of a timer's call.
pub fn purpose(run: &Run) -> &'static str {
    match run.path {
        "outbox/deliver" => "schedule-deliver",
        "card-payments/check" => "schedule-check",
        "card-payments/recheck" => "schedule-recheck",
        _ => "schedule-erase",
    }
}

/// The times of the timers' latest calls; empty if no timer has anything to do.
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

/// The worse of two states.
fn worse<'t>(one: (&'t str, &'t str), other: (&'t str, &'t str)) -> (&'t str, &'t str) {
    let rank = |state: &(&str, &str)| match state.1 {
        "health-ok" => 0,
        "health-watch" => 1,
        "health-degraded" => 2,
        _ => 3,
    };
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

/// The state of a component, its version, and which variables it uses.
fn part<P: Platform>(desk: &Desk<'_, P>, health: &Health, is_quiet: bool) -> Markup {
    let (kind, state) = health.state(is_quiet);
    let variables = match health.is_current() {
        true => "variables-current",
        false if health.is_without() => "variables-none",
        false => "variables-last-good",
    };
    html! {
        span.mark.(kind) { (desk.t(state)) }
        br;
        small { (desk.t("version")) " " (health.version) "; " (desk.t("variables")) ": " (desk.t(variables)) }
    }
}

/// `GET /admin/connection`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let health = health(desk).await?;
    let webhooks = webhooks(desk).await?;
    let calls = calls(desk).await?;
    let last_call = mpay_notify::quiet_since(desk.store).await?;
    let runs = schedule::runs(desk.config, desk.store).await?;
    let other = other_door(desk).await?;
    let findings = findings::find(desk, &health, &other, &webhooks).await?;
    let now = desk.store.now();
    let title = desk.t("menu-connection");
    let is_quiet = findings.is_empty();
    let whole = match &other {
        OtherDoor::Stands(other) => worse(health.state(is_quiet), other.state(is_quiet)),
        OtherDoor::Silent => ("bad", "health-bad"),
        OtherDoor::Unasked => health.state(is_quiet),
    };
    let fact = |id: &str, value: &str| html! { dt { (desk.t(id)) } dd { (value) } };
    let content = html! {
        h1 { (title) }
        section.card {
            p { span.mark.(whole.0) { (desk.t(whole.1)) } }
            dl {
                dt { (desk.t("part-for-people")) }
                dd { (part(desk, &health, is_quiet)) }
                dt { (desk.t("part-for-mpay")) }
                dd {
                    @match &other {
                        OtherDoor::Stands(other) => (part(desk, other, is_quiet)),
                        OtherDoor::Silent => span.mark.bad { (desk.t("part-silent")) },
                        OtherDoor::Unasked => (desk.t("part-unasked")),
                    }
                }
                (fact("environment", health.environment.as_deref().unwrap_or("–")))
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
