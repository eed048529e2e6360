//! What the host answers by itself, where the component does not: in the form that the caller
//! reads. MPay takes what is not SOAP for an answer of somebody else's.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use mpay_provider::api::Problem;
use mpay_provider::service::MAX_BODY;
use mpay_provider::soap::{self, Fault};
use wasmtime_wasi_http::WasiBody;

/// Why the host answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No route leads there.
    NotFound,
    /// The `Host` is missing or wrong.
    BadHost,
    /// The body broke off.
    BrokenRequest,
    /// The body did not come in time.
    SlowRequest,
    /// The body is announced to be longer than any that is read.
    TooLarge,
    /// There was no turn in time.
    Busy,
    /// The component trapped or gave no answer.
    BrokenComponent,
    /// The component took too long.
    SlowComponent,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadHost | Self::BrokenRequest => StatusCode::BAD_REQUEST,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::BrokenComponent => StatusCode::INTERNAL_SERVER_ERROR,
            Self::SlowComponent => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this path.",
            Self::BadHost => "The request must have one valid Host header.",
            Self::BrokenRequest => "The request's body could not be read.",
            Self::SlowRequest => "The request took too long to arrive.",
            Self::TooLarge => "The body is too long.",
            Self::Busy => "Too many requests are waiting. Try again later.",
            Self::BrokenComponent => "The provider failed to answer. Try again.",
            Self::SlowComponent => "The provider took too long to answer. Try again.",
        }
    }
}

/// What a caller reads, by what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A SOAP call: a fault.
    Soap,
    /// The order API: a problem of RFC 9457.
    Api,
    /// Anybody else: a line of text.
    Other,
}

impl Reader {
    /// Who asks this.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path();
        let service = matches!(path, "/" | "/ServiceProvider.svc");
        if service && request.method() == Method::POST && is_xml(request) {
            Self::Soap
        } else if path.starts_with("/api/") {
            Self::Api
        } else {
            Self::Other
        }
    }

    /// The answer.
    pub(super) fn refuse(self, refusal: Refusal) -> Response<WasiBody> {
        let response = match (self, refusal) {
            // As the component answers everybody.
            (_, Refusal::TooLarge) => {
                let text = format!("The body may have {MAX_BODY} bytes at most.");
                Problem::new(refusal.status(), text).into_response()
            }
            (Self::Soap, Refusal::BadHost | Refusal::BrokenRequest) => {
                soap::unsigned(&Fault::client(refusal.text()))
            }
            (Self::Soap, _) => soap::unsigned(&Fault::internal(refusal.text())),
            (Self::Api, _) => Problem::new(refusal.status(), refusal.text()).into_response(),
            (Self::Other, _) => plain(refusal.status(), refusal.text()),
        };
        response.map(whole)
    }
}

/// A line of text.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// A body that is there already.
pub(super) fn whole(body: Bytes) -> WasiBody {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn is_xml<B>(request: &Request<B>) -> bool {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()?.split(';').next());
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("text/xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(method: &str, uri: &str, media_type: &str) -> Reader {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", media_type);
        Reader::of(&request.body(()).unwrap())
    }

    const ALL: [Refusal; 8] = [
        Refusal::NotFound,
        Refusal::BadHost,
        Refusal::BrokenRequest,
        Refusal::SlowRequest,
        Refusal::TooLarge,
        Refusal::Busy,
        Refusal::BrokenComponent,
        Refusal::SlowComponent,
    ];

    #[test]
    fn who_reads_is_told_by_what_is_asked() {
        for (method, uri, media_type, expected) in [
            ("POST", "/", "text/xml; charset=utf-8", Reader::Soap),
            (
                "POST",
                "http://h/?x",
                "Text/XML;charset=utf-8",
                Reader::Soap,
            ),
            ("POST", "/ServiceProvider.svc", "text/xml", Reader::Soap),
            ("POST", "/", "text/xmlish", Reader::Other),
            ("GET", "/?wsdl", "text/xml", Reader::Other),
            ("POST", "/api/orders/bulk", "text/xml", Reader::Api),
            ("GET", "/api/payments", "", Reader::Api),
            ("GET", "/health", "", Reader::Other),
        ] {
            assert_eq!(reader(method, uri, media_type), expected, "{method} {uri}");
        }
    }

    #[tokio::test]
    async fn a_soap_caller_gets_a_soap_fault_whatever_the_reason() {
        for refusal in ALL {
            let response = Reader::Soap.refuse(refusal);
            if refusal == Refusal::TooLarge {
                assert_eq!(response.status(), 413);
                continue;
            }
            assert_eq!(response.status(), 500, "{refusal:?}");
            let media_type = &response.headers()["content-type"];
            assert_eq!(media_type, "text/xml; charset=utf-8");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let code = match refusal {
                Refusal::BadHost | Refusal::BrokenRequest => "soap:Client",
                _ => "InternalError",
            };
            let reason = refusal.text();
            assert_eq!(
                body,
                format!(
                    "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
                     <soap:Body><soap:Fault><faultcode>{code}</faultcode>\
                     <faultstring xml:lang=\"en\">{reason}</faultstring></soap:Fault></soap:Body>\
                     </soap:Envelope>"
                )
            );
        }
    }

    #[tokio::test]
    async fn others_get_the_status_in_a_form_that_they_read() {
        for refusal in ALL {
            let response = Reader::Api.refuse(refusal);
            assert_eq!(response.status(), refusal.status());
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], refusal.status().as_u16());

            let response = Reader::Other.refuse(refusal);
            assert_eq!(response.status(), refusal.status());
        }
    }
}
