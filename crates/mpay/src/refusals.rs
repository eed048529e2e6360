//! Answers that the host of a provider gives by itself, where the component does not: in the form that
//! the caller reads. MPay takes what is not SOAP for an answer of somebody else's.

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri, header};
use mpay_door::{Problem, http::MAX_BODY};
use mpay_host::{Options, Refusal, Refuse};
use mpay_provider::{
    service::is_service,
    soap::{self, Fault},
};

/// Makes the host refuse requests as the component would.
pub fn as_component(options: &mut Options) {
    options.refusals = by_reader;
    options.limits.body = MAX_BODY;
    options.limits.read_ahead = MAX_BODY + 1;
}

/// A SOAP call gets a fault, the order API a problem of RFC 9457, anybody else a line of text.
fn by_reader(method: &Method, uri: &Uri, headers: &HeaderMap) -> Refuse {
    let path = uri.path();
    if is_service(path) && method == Method::POST && is_xml(headers) {
        fault
    } else if path.starts_with("/api/") {
        problem
    } else {
        other
    }
}

fn fault(refusal: Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::TooLarge { .. } => problem(refusal),
        Refusal::BadHost | Refusal::BrokenRequest => {
            soap::unsigned(&Fault::client(refusal.reason()))
        }
        _ => soap::unsigned(&Fault::internal(refusal.reason())),
    }
}

fn problem(refusal: Refusal) -> Response<Bytes> {
    Problem::new(refusal.status(), refusal.to_string()).into_response()
}

fn other(refusal: Refusal) -> Response<Bytes> {
    match refusal {
        // As the component answers everybody.
        Refusal::TooLarge { .. } => problem(refusal),
        _ => mpay_host::text(refusal),
    }
}

fn is_xml(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()?.split(';').next());
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("text/xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOAP: &str = "text/xml; charset=utf-8";
    const API: &str = "application/problem+json";
    const TEXT: &str = "text/plain; charset=utf-8";

    fn refuse(method: &str, uri: &str, media_type: &str, refusal: Refusal) -> Response<Bytes> {
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", media_type);
        let request = request.body(()).unwrap();
        by_reader(request.method(), request.uri(), request.headers())(refusal)
    }

    #[test]
    fn who_reads_is_told_by_what_is_asked() {
        for (method, uri, media_type, expected) in [
            ("POST", "/", "text/xml; charset=utf-8", SOAP),
            ("POST", "http://h/?x", "Text/XML;charset=utf-8", SOAP),
            ("POST", "/ServiceProvider.svc", "text/xml", SOAP),
            ("POST", "/serviceprovider.svc/", "text/xml", SOAP),
            ("POST", "/", "text/xmlish", TEXT),
            ("GET", "/?wsdl", "text/xml", TEXT),
            ("POST", "/api/orders/bulk", "text/xml", API),
            ("GET", "/api/payments", "", API),
            ("GET", "/health", "", TEXT),
        ] {
            let response = refuse(method, uri, media_type, Refusal::Busy);
            assert_eq!(
                response.headers()["content-type"],
                expected,
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn a_soap_caller_gets_a_soap_fault_whatever_the_reason() {
        for refusal in Refusal::ALL {
            let response = fault(refusal);
            if matches!(refusal, Refusal::TooLarge { .. }) {
                assert_eq!(response.status(), 413);
                continue;
            }
            assert_eq!(response.status(), 500, "{refusal:?}");
            assert_eq!(response.headers()["content-type"], SOAP);
            let code = match refusal {
                Refusal::BadHost | Refusal::BrokenRequest => "soap:Client",
                _ => "InternalError",
            };
            // The same in Romanian follows.
            let text = std::str::from_utf8(response.body()).unwrap();
            let expected = format!(
                "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
                 <soap:Body><soap:Fault><faultcode>{code}</faultcode>\
                 <faultstring xml:lang=\"en\">{refusal} / "
            );
            assert!(text.starts_with(&expected), "{text}");
            let end = "</faultstring></soap:Fault></soap:Body></soap:Envelope>";
            assert!(text.ends_with(end), "{text}");
        }
    }

    #[test]
    fn others_get_the_status_in_a_form_that_they_read() {
        for refusal in Refusal::ALL {
            let response = problem(refusal);
            assert_eq!(response.status(), refusal.status());
            assert_eq!(response.headers()["content-type"], API);
            let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(problem["status"], refusal.status().as_u16());
            assert_eq!(other(refusal).status(), refusal.status());
        }
    }
}
