//! Requests and replies, as the pages need them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use url::form_urlencoded;

use crate::{Language, language};

/// A request that was read to its end.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The segments of the path, decoded, without empty ones.
    pub path: Vec<String>,
    /// The query, as it came.
    pub query: String,
    /// The type of the body, as it came.
    pub content_type: Option<String>,
    /// True if the length of the body was said before it came.
    pub has_length: bool,
    /// The body, as it came.
    pub body: Bytes,
    /// The fields of the form, then those of the query.
    fields: Vec<(String, String)>,
    /// The language of the answer.
    pub language: Language,
    /// True if the request asks for that language, so that it is to be remembered.
    asked_language: bool,
}

impl Request {
    /// Takes a request apart.
    pub fn new(method: Method, path: &str, query: &str, headers: &HeaderMap, body: Bytes) -> Self {
        let path = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode_segment)
            .collect();
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_form = content_type
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let mut fields: Vec<(String, String)> = Vec::new();
        if is_form {
            fields.extend(form_urlencoded::parse(&body).into_owned());
        }
        let of_query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let asked = of_query
            .iter()
            .find(|(name, _)| name == "lang")
            .and_then(|(_, code)| Language::of_code(code));
        fields.extend(of_query);
        Self {
            method,
            path,
            query: query.to_owned(),
            content_type: content_type.map(str::to_owned),
            has_length: headers.contains_key(header::CONTENT_LENGTH),
            fields,
            language: asked.unwrap_or_else(|| language::of_headers(headers)),
            asked_language: asked.is_some(),
            body,
        }
    }

    /// A field, by its name in any case, as MPay's own server reads it.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self
            .fields
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A segment of a path without its percent-encoding: a `+` is no space there.
fn decode_segment(segment: &str) -> String {
    let protected = segment.replace('+', "%2B");
    form_urlencoded::parse(format!("x={}", protected.replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    is_lost: bool,
    is_framed: bool,
}

/// A body that breaks off before its first byte.
#[derive(Debug)]
pub struct Broken;

impl Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(1)
    }
}

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body: body.into(),
            is_lost: false,
            is_framed: false,
        }
    }

    /// The reply, which pages of other sites may show in a frame.
    pub fn in_frames(mut self) -> Self {
        self.is_framed = true;
        self
    }

    /// No answer: the connection breaks off instead.
    pub fn lost() -> Self {
        let mut reply = Self::new(StatusCode::OK, "text/xml; charset=utf-8", Bytes::new());
        reply.is_lost = true;
        reply
    }

    /// A document of another type.
    pub fn document(
        status: StatusCode,
        content_type: &'static str,
        content: impl Into<Bytes>,
    ) -> Self {
        Self::new(status, content_type, content)
    }

    /// A page.
    pub fn page(status: StatusCode, markup: maud::Markup) -> Self {
        Self::new(status, HTML, markup.into_string())
    }

    /// A JSON document.
    pub fn json(status: StatusCode, document: &serde_json::Value) -> Self {
        Self::new(status, JSON, document.to_string())
    }

    /// A file to keep. Its name is of letters, digits, spaces, dots and hyphens.
    pub fn file(content_type: &'static str, name: &str, content: impl Into<Bytes>) -> Self {
        let mut reply = Self::new(StatusCode::OK, content_type, content);
        let disposition = format!("attachment; filename=\"{name}\"");
        if let Ok(value) = HeaderValue::from_str(&disposition) {
            reply.headers.push((header::CONTENT_DISPOSITION, value));
        }
        reply
    }

    /// A part of the pages that does not change.
    pub fn asset(content_type: &'static str, content: &'static [u8]) -> Self {
        Self::new(StatusCode::OK, content_type, Bytes::from_static(content))
    }

    /// Sends the browser on by GET.
    pub fn see_other(path: &str) -> Self {
        let mut reply = Self::new(StatusCode::SEE_OTHER, HTML, Bytes::new());
        if let Ok(value) = HeaderValue::from_str(path) {
            reply.headers.push((header::LOCATION, value));
        }
        reply
    }

    /// A refusal in plain text.
    pub fn refusal(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text)
    }

    /// The answer to a request, with the headers that all answers have.
    pub fn into_response(
        self,
        language: Option<Language>,
    ) -> Response<Either<Full<Bytes>, Broken>> {
        let body = match self.is_lost {
            true => Either::Right(Broken),
            false => Either::Left(Full::new(self.body)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        // No script, nothing from elsewhere, no frame around it unless it is meant for one.
        let policy = if self.is_framed {
            "default-src 'none'; style-src 'self'; font-src 'self'; form-action 'self'; \
             base-uri 'none'"
        } else {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
            "default-src 'none'; style-src 'self'; font-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'"
        };
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        );
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(language) = language {
            let cookie = format!(
                "lang={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
                language.code()
            );
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                headers.insert(header::SET_COOKIE, value);
            }
        }
        response
    }
}

impl Request {
    /// The language to remember.
    pub fn remembers(&self) -> Option<Language> {
        self.asked_language.then_some(self.language)
    }
}

/// A path with these fields as its query.
pub fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    match query.as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, query: &str, body: &str) -> Request {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        Request::new(
            Method::POST,
            path,
            query,
            &headers,
            Bytes::copy_from_slice(body.as_bytes()),
        )
    }

    #[test]
    fn fields_are_found_in_any_case_and_the_form_counts_before_the_query() {
        let request = request("/", "serviceID=A&lang=ru&x=1", "ServiceId=B+C%21");
        assert_eq!(request.field("ServiceID"), Some("B C!"));
        assert_eq!(request.field("X"), Some("1"));
        assert_eq!(request.field("OrderKey"), None);
        assert_eq!(request.remembers(), Some(Language::Russian));
    }

    #[test]
    fn segments_of_a_path_are_decoded_once() {
        let path = request("//PosTerminal/Pay/A+B%2FC/%2525&d=%C8%99/", "", "").path;
        assert_eq!(path, ["PosTerminal", "Pay", "A+B/C", "%25&d=ș"]);
    }

    #[test]
    fn links_are_encoded() {
        assert_eq!(link("/a", &[]), "/a");
        assert_eq!(
            link("/a", &[("b", "c d&\""), ("e", "ș")]),
            "/a?b=c+d%26%22&e=%C8%99"
        );
    }
}
