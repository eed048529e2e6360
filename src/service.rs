//! From HTTP request to HTTP answer: the routes of this door.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use mpay_door::{
    Configuration as _, Platform, Problem, clients, health,
    http::{BoxError, finish, is_at, is_browser, read},
    limit::within,
    log::{self, Field, log},
};
use mpay_ledger::Ledger;
use wsse::RsaEngine;

use crate::{App, config::Config, soap};

/// The address of this door's readiness: whether MPay's calls can be answered.
pub const HEALTH: &str = "/health";

/// The same, by the name that it has beside the liveness.
pub const READY: &str = "/health/ready";

/// Answers a request, or says that it could not in time: what it was at is dropped where it stands,
/// as if the host had died, and its caller asks again.
///
/// `late` ends when [`TIME`](mpay_door::http::TIME) is over, counted from when the request came.
pub async fn handle_until<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
    late: impl Future<Output = ()>,
) -> Response<Bytes> {
    let client = match &app.config {
        Ok(config) => clients::known(request.headers(), &config.gate.proxies),
        Err(_) => clients::peer(request.headers()),
    };
    log::answered(store, client, request, async |request| {
        let path = request.uri().path();
        let calls_soap = is_service(path) && request.method() == Method::POST;
        match within(late, handle(app, store, request)).await {
            Some(response) => response,
            None if calls_soap => soap::late(app, store),
            None => {
                log!(error: "a call took too long");
                let text = "The provider could not answer in time; try again.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
            }
        }
    })
    .await
}

/// True if the SOAP service is at this path: in any case, and with a slash behind it, as IIS takes it.
pub fn is_service(path: &str) -> bool {
    is_at(path, "") || is_at(path, "/ServiceProvider.svc")
}

/// Answers a request.
pub async fn handle<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let result = match parts.uri.path() {
        path if is_service(path) => soap(app, store, &parts, body).await,
        path if is_at(path, HEALTH) || is_at(path, READY) => {
            let engine = RsaEngine::best().name();
            let skew = |config: &Config| config.policy.clock_skew;
            let more = match &app.config {
                Ok(config) => {
                    let remembered = &app.memory.remembered;
                    mpay_notify::warnings(&config.notification, remembered, store).await
                }
                Err(_) => Vec::new(),
            };
            health::ready(app, store, &parts.method, skew, Some(engine), more).await
        }
        path if is_at(path, health::LIVE) => health::live(&parts.method),
        _ => Err(Problem::nothing_here()),
    };
    finish(&parts.method, result)
}

async fn soap<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
    body: impl Body<Error: Into<BoxError>>,
) -> Result<Response<Bytes>, Problem> {
    match parts.method {
        Method::POST => {
            admit(app, &parts.headers)?;
            if app.paused.get() {
                return Ok(soap::paused(app, store));
            }
            check_media_type(&parts.headers)?;
            let message = read(parts, body).await?;
            Ok(soap::handle(app, store, &parts.headers, &message).await)
        }
        Method::GET | Method::HEAD if asks_for_wsdl(parts) => {
            log::note(Field::Operation, "wsdl");
            wsdl(app, parts)
        }
        Method::GET | Method::HEAD if is_browser(&parts.headers) => Ok(page()),
        _ => Err(Problem::method_not_allowed_here(
            "GET, HEAD, POST",
            "MPay's calls are POSTed here, as SOAP; GET with ?wsdl gives the WSDL.",
        )),
    }
}

/// Refuses who may not call, before anything of the message is read.
fn admit(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    // Without configuration nobody is believed.
    let Ok(config) = &app.config else {
        return Ok(());
    };
    config.gate.admit(headers).map_err(|shut| {
        log::note(Field::Verdict, shut);
        Problem::new(StatusCode::FORBIDDEN, "Calls are not taken from here.")
    })
}

/// `?wsdl` and what clients make of it: `?wsdl=`, `?wsdl=1`, with more parameters behind it.
fn asks_for_wsdl(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let mut names = query
        .split('&')
        .map(|parameter| parameter.split('=').next());
    names.any(|name| {
        name.is_some_and(|name| {
            name.eq_ignore_ascii_case("wsdl") || name.eq_ignore_ascii_case("singleWsdl")
        })
    })
}

/// The page for a person who opens the service's address. It tells nothing of the institution; `/health`
/// does.
fn page() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(include_bytes!("page.html")));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::VARY, "Accept"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn wsdl(app: &App, parts: &Parts) -> Result<Response<Bytes>, Problem> {
    let public_url = match &app.config {
        Ok(config) => match config.switched_off(&["public_url"]) {
            Some(variable) => Err(variable),
            None => Ok(config.public_url.clone()),
        },
        Err(wrong) => wrong.rest.public_url.clone(),
    };
    let address =
        match public_url.map_err(|variable| Problem::switched_off("The WSDL", variable))? {
            Some(url) => url,
            None => own_address(parts)?,
        };
    let mut response = Response::new(Bytes::from(soap::wsdl::document(&address)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/xml; charset=utf-8"),
    );
    Ok(response)
}

/// The address of this service, as the request names it: it comes from the caller, so it is checked to be
/// an address.
fn own_address(parts: &Parts) -> Result<String, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "The Host header is missing or wrong.",
        )
    };
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().map_err(|_| unknown())?,
        None => parts.uri.authority().ok_or_else(unknown)?.as_str(),
    };
    let authority: http::uri::Authority = host.parse().map_err(|_| unknown())?;
    if authority.as_str().contains('@') {
        return Err(unknown());
    }
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    Ok(format!("{scheme}://{authority}{}", parts.uri.path()))
}

/// SOAP 1.1 comes as `text/xml`; the charset is UTF-8 or not named.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "SOAP 1.1 is sent as `Content-Type: text/xml; charset=utf-8`.",
        )
    };
    let value = headers.get(header::CONTENT_TYPE).ok_or_else(refused)?;
    let value = value.to_str().map_err(|_| refused())?;
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case("text/xml"))
    {
        return Err(refused());
    }
    for parameter in parts {
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            let charset = value.trim().trim_matches('"');
            if !["utf-8", "utf8"]
                .iter()
                .any(|name| charset.eq_ignore_ascii_case(name))
            {
                return Err(refused());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::StreamBody;
    use mpay_door::{config::testing::variables, http::TIME};
    use mpay_ledger::memory::Memory;

    use super::*;

    /// A request whose body never comes.
    fn endless(path: &str) -> Request<impl Body<Data = Bytes, Error = BoxError>> {
        let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, BoxError>>();
        Request::post(path)
            .header("content-type", "text/xml; charset=utf-8")
            .body(StreamBody::new(frames))
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_answered_in_the_form_that_its_caller_reads() {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        let ask = async |path| {
            let late = tokio::time::sleep(TIME);
            let answer = handle_until(&app, &store, endless(path), late);
            let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
            answer.expect("the host would have answered")
        };
        for path in ["/", "/ServiceProvider.svc"] {
            let response = ask(path).await;
            assert_eq!(response.status(), 500);
            let media_type = &response.headers()["content-type"];
            assert_eq!(media_type, "text/xml; charset=utf-8");
            let text = String::from_utf8(response.into_body().to_vec()).unwrap();
            assert!(
                text.contains("<faultcode>InternalError</faultcode>"),
                "{text}"
            );
            assert!(text.contains("SignatureValue"), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_answered_in_time_is_answered_as_ever() {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        let request = Request::get("/health/live").body(String::new()).unwrap();
        let response = handle_until(&app, &store, request, std::future::ready(())).await;
        assert_eq!(response.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_call_is_refused_before_anything_is_read_or_signed() {
        let mut variables = variables();
        for (name, value) in [
            ("allowed_addresses", "192.0.2.0/24, 2001:db8::/32"),
            ("trusted_proxies", "127.0.0.1"),
            ("client_certificate_header", "X-Client-Verify: SUCCESS"),
        ] {
            variables.set(name, value.to_owned());
        }
        let (app, memory) = (App::new(variables), Memory::new());
        let store = Ledger::new(memory.clone());
        for (forwarded, verified, status) in [
            ("192.0.2.9", "SUCCESS", 500),
            ("198.51.100.1, 192.0.2.9", "SUCCESS", 500),
            ("192.0.2.9, 198.51.100.1", "SUCCESS", 403),
            ("192.0.2.9", "NONE", 403),
        ] {
            let ask = async |method: Method, address: &str| {
                let request = Request::builder().method(method).uri("/?wsdl");
                let request = request
                    .header("host", "h")
                    .header("content-type", "text/xml")
                    .header("spin-client-addr", address)
                    .header("x-forwarded-for", forwarded)
                    .header("x-client-verify", verified);
                let request = request.body("<a/>".to_owned()).unwrap();
                handle(&app, &store, request).await
            };
            let response = ask(Method::POST, "127.0.0.1:9").await;
            assert_eq!(response.status(), status, "{forwarded} {verified}");
            let text = String::from_utf8(response.into_body().to_vec()).unwrap();
            assert_eq!(text.contains("SignatureValue"), status == 500, "{text}");
            // Who is no proxy speaks for nobody, and is not verified.
            assert_eq!(ask(Method::POST, "198.51.100.1:9").await.status(), 403);
            assert_eq!(ask(Method::POST, "192.0.2.9:9").await.status(), 403);
            assert_eq!(ask(Method::GET, "198.51.100.1:9").await.status(), 200);
        }
        assert_eq!(memory.take_calls(), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_everything_is_stopped_mpay_is_told_to_come_again_and_nothing_is_touched() {
        let mut variables = variables();
        variables.set("paused", "true".to_owned());
        let (app, memory) = (App::new(variables), Memory::new());
        let store = Ledger::new(memory.clone());
        let late = std::future::pending();
        let response = handle_until(&app, &store, endless("/"), late).await;
        assert_eq!(response.status(), 500);
        let text = String::from_utf8(response.into_body().to_vec()).unwrap();
        assert!(
            text.contains("<faultcode>InternalError</faultcode>"),
            "{text}"
        );
        assert!(text.contains("SignatureValue"), "{text}");
        assert_eq!(memory.take_calls(), [""; 0]);
        for path in ["/?wsdl", "/health/live", "/health"] {
            let request = Request::get(path).header("host", "h");
            let request = request.body(String::new()).unwrap();
            assert_eq!(handle(&app, &store, request).await.status(), 200, "{path}");
        }
    }

    async fn ask(request: http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
        let app = App::new(variables());
        let store = Ledger::new(Memory::new());
        let request = request.body(body.to_owned()).unwrap();
        let (parts, body) = handle(&app, &store, request).await.into_parts();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status, parts.headers, body)
    }

    #[tokio::test]
    async fn a_browser_is_shown_what_stands_here_and_others_what_to_send() {
        const ACCEPT: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
        for path in ["/", "/ServiceProvider.svc", "/?x=1"] {
            let request = || Request::get(path);
            let (status, headers, text) = ask(request().header("accept", ACCEPT), "").await;
            assert_eq!(
                (status, &headers["content-type"]),
                (
                    StatusCode::OK,
                    &HeaderValue::from_static("text/html; charset=utf-8")
                )
            );
            for words in ["<html lang=\"ro\">", "lang=\"en\"", "MPay", "?wsdl"] {
                assert!(text.contains(words), "{words}");
            }
            for accept in ["*/*", "text/xml", "application/json"] {
                let (status, headers, text) = ask(request().header("accept", accept), "").await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
                assert_eq!(headers["allow"], "GET, HEAD, POST");
                assert!(text.contains("?wsdl"), "{text}");
            }
            assert_eq!(ask(request(), "").await.0, StatusCode::METHOD_NOT_ALLOWED);
        }
        let request = Request::delete("/").header("accept", ACCEPT);
        assert_eq!(ask(request, "").await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn the_service_and_its_wsdl_are_found_as_clients_write_them() {
        for path in [
            "/?wsdl",
            "/?WSDL",
            "/?wsdl=",
            "/?wsdl=1",
            "/?singleWsdl",
            "/?x=1&wsdl",
            "/serviceprovider.svc?wsdl",
            "/SERVICEPROVIDER.SVC/?wsdl",
            "/ServiceProvider.svc/?wsdl",
        ] {
            let (status, _, text) = ask(Request::get(path).header("host", "h"), "").await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(text.contains("definitions"), "{path}");
        }
        for path in [
            "//?wsdl",
            "/ServiceProvider.svc//?wsdl",
            "/ServiceProvider?wsdl",
            "/x?wsdl",
        ] {
            let (status, ..) = ask(Request::get(path).header("host", "h"), "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
        let (status, ..) = ask(Request::get("/?wsdls").header("host", "h"), "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn the_health_is_found_as_people_write_its_address() {
        for path in [
            "/health",
            "/health/",
            "/Health",
            "/health/ready/",
            "/HEALTH/READY",
            "/health/live/",
        ] {
            let (status, _, text) = ask(Request::get(path), "").await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(text.contains("\"status\""), "{path}: {text}");
        }
        for path in ["/health//", "//health", "/healthy", "/health/x"] {
            let (status, ..) = ask(Request::get(path), "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn a_message_is_taken_in_utf8_and_not_compressed() {
        let post = |media_type: &str| Request::post("/").header("content-type", media_type);
        for media_type in [
            "text/xml",
            "text/xml; charset=utf8",
            "text/xml;charset=\"UTF-8\"",
        ] {
            assert_eq!(ask(post(media_type), "<a/>").await.0, 500, "{media_type}");
        }
        assert_eq!(ask(post("text/xml; charset=utf16"), "<a/>").await.0, 415);
        let identity = post("text/xml").header("content-encoding", "Identity");
        assert_eq!(ask(identity, "<a/>").await.0, 500);
        for coding in ["gzip", "deflate", "identity, br"] {
            let compressed = post("text/xml").header("content-encoding", coding);
            let (status, _, text) = ask(compressed, "<a/>").await;
            assert_eq!(status, 415, "{coding}");
            assert!(text.contains("Content-Encoding"), "{text}");
        }
    }

    #[tokio::test]
    async fn an_answer_to_head_says_no_length_that_it_has_not() {
        let head = |path| Request::head(path).header("host", "h");
        for path in ["/?wsdl", "/", "/health", "/health/live", "/nothing"] {
            let (_, headers, body) = ask(head(path), "").await;
            assert_eq!(
                (body.as_str(), headers.get("content-length")),
                ("", None),
                "{path}"
            );
        }
        let (_, headers, body) = ask(Request::get("/?wsdl").header("host", "h"), "").await;
        assert_eq!(headers["content-length"], *body.len().to_string());
    }
}
