//! From HTTP request to HTTP answer: the routes.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{
    api::{self, Problem},
    app::App,
    health,
    log::log,
    soap,
    store::{Platform, Store},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 1_000_000;

/// How long a call may take, in all: less than hosts give it (30 s), since what they answer then is
/// no SOAP. A call of the store that is under way ends first, which in `mpay up` takes 5 s at most.
pub const TIME: Duration = Duration::from_secs(24);

/// Answers a request, or says that it could not in time: what it was at is dropped where it stands,
/// as if the host had died, and its caller asks again.
///
/// `late` ends when [`TIME`] is over, counted from when the request came.
pub async fn handle_until<P: Platform>(
    app: &App,
    store: &Store<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
    late: impl Future<Output = ()>,
) -> Response<Bytes> {
    let path = request.uri().path();
    let calls_soap = is_service(path) && request.method() == Method::POST;
    let mut answer = pin!(handle(app, store, request));
    let mut late = pin!(late);
    let answered = poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => late.as_mut().poll(cx).map(|()| None),
    });
    match answered.await {
        Some(response) => response,
        None if calls_soap => soap::late(app, store),
        None => {
            log!("a call took too long");
            let text = "The provider could not answer in time; try again.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// Whether the SOAP service is at this path.
fn is_service(path: &str) -> bool {
    matches!(path, "/" | "/ServiceProvider.svc")
}

/// Answers a request.
pub async fn handle<P: Platform>(
    app: &App,
    store: &Store<P>,
    request: Request<impl Body<Error: Into<BoxError>>>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let result = match path.as_str() {
        path if is_service(path) => soap(app, store, &parts, body).await,
        "/health" => health::ready(app, store, &parts.method).await,
        health::LIVE => health::live(&parts.method),
        "/api/openapi.json" => api::openapi(&parts.method),
        path => match path.strip_prefix("/api/") {
            Some(path) => api(app, store, &parts, path, body).await,
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "There is nothing at this address.",
            )),
        },
    };
    finish(&parts.method, result)
}

/// What every answer has in common.
pub fn finish(method: &Method, result: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
    let mut response = result.unwrap_or_else(Problem::into_response);
    let length = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if *method == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    response
}

async fn soap<P: Platform>(
    app: &App,
    store: &Store<P>,
    parts: &Parts,
    body: impl Body<Error: Into<BoxError>>,
) -> Result<Response<Bytes>, Problem> {
    match parts.method {
        Method::POST => {
            check_media_type(&parts.headers)?;
            let message = read(parts, body).await?;
            Ok(soap::handle(app, store, &parts.headers, &message).await)
        }
        Method::GET | Method::HEAD if asks_for_wsdl(parts) => wsdl(app, parts),
        _ => Err(Problem::method_not_allowed("POST (SOAP), GET with ?wsdl")),
    }
}

fn asks_for_wsdl(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    query.eq_ignore_ascii_case("wsdl") || query.eq_ignore_ascii_case("singleWsdl")
}

fn wsdl(app: &App, parts: &Parts) -> Result<Response<Bytes>, Problem> {
    let public_url = match &app.config {
        Ok(config) => match config.switched_off(&["public_url"]) {
            Some(variable) => Err(variable),
            None => Ok(config.public_url.clone()),
        },
        Err(wrong) => wrong.public_url.clone(),
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

/// Where the request says that this service is: its own word, so it is checked to be an address.
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
            && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            return Err(refused());
        }
    }
    Ok(())
}

async fn api<P: Platform>(
    app: &App,
    store: &Store<P>,
    parts: &Parts,
    path: &str,
    body: impl Body<Error: Into<BoxError>>,
) -> Result<Response<Bytes>, Problem> {
    let Ok(config) = &app.config else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The provider is not configured; GET /health says what is missing.",
        ));
    };
    let caller = api::authorize(config, &parts.method, &parts.headers)?;
    let route = api::Route::of(path, &parts.method)?;
    let body = match parts.method {
        Method::POST | Method::PUT | Method::PATCH => read(parts, body).await?,
        _ => Bytes::new(),
    };
    let call = api::Call {
        app,
        config,
        store,
        headers: &parts.headers,
        query: parts.uri.query().unwrap_or_default(),
        caller: &caller,
    };
    api::handle(&call, &parts.method, route, &body).await
}

/// Reads a body, up to [`MAX_BODY`]: hosts have no limit of their own.
async fn read(parts: &Parts, body: impl Body<Error: Into<BoxError>>) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body may have {MAX_BODY} bytes at most."),
        )
    };
    let announced = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            log!("a body broke off: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "The body broke off."))
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;

    use super::*;
    use crate::{config::tests::variables, store::memory::Memory};

    /// A request whose body never comes.
    fn endless(path: &str) -> Request<impl Body<Data = Bytes, Error = BoxError>> {
        let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, BoxError>>();
        let token = "0123456789012345678901234567890123456789";
        Request::post(path)
            .header("content-type", "text/xml; charset=utf-8")
            .header("authorization", format!("Bearer {token}"))
            .body(StreamBody::new(frames))
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_answered_in_the_form_that_its_caller_reads() {
        let app = App::new(variables());
        let store = Store::new(Memory::new());
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
        let response = ask("/api/repair").await;
        assert_eq!(response.status(), 503);
        let media_type = &response.headers()["content-type"];
        assert_eq!(media_type, "application/problem+json");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_answered_in_time_is_answered_as_ever() {
        let app = App::new(variables());
        let store = Store::new(Memory::new());
        let request = Request::get("/health/live").body(String::new()).unwrap();
        let response = handle_until(&app, &store, request, std::future::ready(())).await;
        assert_eq!(response.status(), 200);
    }
}
