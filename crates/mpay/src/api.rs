//! The order API, as the commands call it: with a token, patiently, and with what it says of errors.

use std::{cell::Cell, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use mpay::{
    component,
    development::{Credentials, read},
    roles::Tls,
    schedule, tell,
};
use mpay_client::proxy_to;
use mpay_host::Environment;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::{HeaderMap, Request, Response};

/// The media type of XLSX.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// The most bytes of a body.
pub const MOST_BYTES: usize = 1_000_000;
/// Longer than an import of 500 orders takes on a slow store.
const TIMEOUT: Duration = Duration::from_secs(180);
/// More than the largest part of an export has.
const MAX_BODY: u64 = 64 << 20;
/// The number of times that a call is tried in all, if it does not get through.
const ATTEMPTS: u32 = 8;
/// The longest pause that a provider may ask for.
const LONGEST_PAUSE: u64 = 600;
/// The ASCII characters that a path or query has only percent-encoded: all but those that stand for
/// themselves (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The flags of every command that calls the order API.
#[derive(Debug, Clone, Args)]
pub struct Access {
    /// The provider.
    #[arg(
        long,
        global = true,
        env = "MPAY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000/"
    )]
    url: String,
    /// File with a token of the order API [default: MPAY_TOKEN of the environment or of .env; for a
    /// provider on this machine also the development token].
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    tls: Tls,
}

impl Access {
    /// A client with address and token.
    ///
    /// # Errors
    /// If there is no token, or a file cannot be read.
    pub fn api(&self) -> anyhow::Result<Api> {
        let (host, ..) = crate::doctor::http::host_of(&self.url)?;
        let base = self.url.trim_end_matches('/');
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(Duration::from_secs(10)))
            .tls_config(self.tls.config(false)?)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy_to(&self.url))
            .build()
            .new_agent();
        Ok(Api {
            agent,
            base: base.strip_suffix("/api").unwrap_or(base).to_owned(),
            token: self.token(&host)?,
            has_answered: Cell::new(false),
            tell: Box::new(|line| tell!("{line}")),
        })
    }

    /// A client that makes the calls of timers there.
    ///
    /// # Errors
    /// As [`Access::api`].
    pub fn timer(&self) -> anyhow::Result<schedule::Api> {
        let (host, ..) = crate::doctor::http::host_of(&self.url)?;
        let (token, tls) = (self.token(&host)?, self.tls.config(false)?);
        Ok(schedule::Api::new(&self.url, token, tls))
    }

    fn token(&self, host: &str) -> anyhow::Result<String> {
        const NONE: &str = "there is no token of the order API: give --token-file, or MPAY_TOKEN in the environment or in .env";
        let token = match &self.token_file {
            Some(file) => read(file)?,
            None => match Environment::read(std::path::Path::new("."))?.get("MPAY_TOKEN") {
                Some(token) => token
                    .into_string()
                    .map_err(|_| anyhow!("MPAY_TOKEN is no text"))?,
                None => {
                    let is_here = matches!(host, "127.0.0.1" | "::1" | "localhost");
                    let workspace = component::workspace_root().filter(|_| is_here);
                    let credentials = Credentials::of_workspace(&workspace.context(NONE)?);
                    let file = credentials.api_token();
                    if !file.exists() {
                        bail!("{NONE}");
                    }
                    read(&file)?
                }
            },
        };
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("the token of the order API must be one word of ASCII characters");
        }
        Ok(token.to_owned())
    }
}

/// A query as it is written behind the path.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    let pairs: Vec<_> = pairs.collect();
    match pairs.as_slice() {
        [] => String::new(),
        pairs => format!("?{}", pairs.join("&")),
    }
}

/// A segment of a path, or the value of a parameter.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The client. Every call of it may be made again: the API gives what is done twice the effect of
/// once.
pub struct Api {
    agent: ureq::Agent,
    base: String,
    token: String,
    /// True once there was an answer: only then is a connection that fails one that was lost.
    has_answered: Cell<bool>,
    /// Tells the user that the client waits, and for how long.
    pub tell: Box<dyn Fn(&str)>,
}

/// An answer with a status of success.
#[derive(Debug)]
pub struct Answer {
    headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address of the listing's next part, below `/api/` (RFC 8288).
    pub fn next_part(&self) -> Option<&str> {
        let (address, parameters) = self.header("link")?.strip_prefix('<')?.split_once('>')?;
        let (_, below) = address.split_once("/api/")?;
        parameters.contains("rel=\"next\"").then_some(below)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the provider's answer is no JSON")
    }
}

impl Api {
    /// A client of a provider that a test plays.
    #[cfg(test)]
    pub fn to(base: &str, token: &str) -> Self {
        Self {
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .new_agent(),
            base: base.to_owned(),
            token: token.to_owned(),
            has_answered: Cell::new(false),
            tell: Box::new(|_| ()),
        }
    }

    /// Gets what is at a path below `/api/`.
    ///
    /// # Errors
    /// If the API says that something is wrong, or if there is no answer.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, &[], &[])
    }

    /// Posts a body.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.send("POST", path, &[("Content-Type", media_type)], body)
    }

    /// Deletes, if the entity tag is still that one.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn delete(&self, path: &str, entity_tag: &str) -> anyhow::Result<Answer> {
        self.send("DELETE", path, &[("If-Match", entity_tag)], &[])
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut attempt = 1;
        loop {
            let mut request = Request::builder()
                .method(method)
                .uri(format!("{}/api/{path}", self.base))
                .header("Authorization", format!("Bearer {}", self.token));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let outcome = match self.agent.run(request.body(body)?) {
                Ok(response) => read_answer(response),
                Err(error) => Err(error),
            };
            let (why, asked) = match outcome {
                Ok((status, answer)) => {
                    self.has_answered.set(true);
                    let asked = answer
                        .header("retry-after")
                        .and_then(|text| text.parse().ok());
                    if (200..300).contains(&status) {
                        return Ok(answer);
                    }
                    let refusal = refusal(status, &answer);
                    if asked.is_none() && !matches!(status, 429 | 502 | 503 | 504) {
                        return Err(Refused(status, refusal).into());
                    }
                    (anyhow!(refusal), asked)
                }
                Err(error) => {
                    let error = anyhow!(error);
                    if !self.has_answered.get() {
                        let base = &self.base;
                        return Err(
                            error.context(format!("cannot reach {base}: is the provider running?"))
                        );
                    }
                    let lost = error.context(format!("{} does not answer", self.base));
                    (lost, None)
                }
            };
            let Some(pause) = pause(attempt, asked) else {
                return Err(why);
            };
            (self.tell)(&crate::terminal::clean_lines(&format!(
                "{why:#} Trying again in {pause} s."
            )));
            std::thread::sleep(Duration::from_secs(pause));
            attempt += 1;
        }
    }
}

fn read_answer(mut response: Response<ureq::Body>) -> Result<(u16, Answer), ureq::Error> {
    let body = response.body_mut().with_config().limit(MAX_BODY);
    let body = body.read_to_vec()?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Ok((status, Answer { headers, body }))
}

/// The seconds to wait after the attempt with this number; `asked` are those that the provider asks for.
/// `None` to give up.
fn pause(attempt: u32, asked: Option<u64>) -> Option<u64> {
    let own = 1 << attempt.saturating_sub(1).min(5);
    match asked {
        _ if attempt >= ATTEMPTS => None,
        Some(asked) if asked > LONGEST_PAUSE => None,
        Some(asked) => Some(asked.max(1)),
        None => Some(own),
    }
}

/// A call that the API refused, and would refuse if it were asked again; with the API's own words.
#[derive(Debug)]
pub struct Refused(u16, String);

impl Refused {
    /// The status of HTTP, if an error is such a refusal.
    pub fn status_of(error: &anyhow::Error) -> Option<u16> {
        error.downcast_ref().map(|Self(status, _)| *status)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Refused {}

/// The words in which the API says what is wrong (RFC 9457), or the answer's own text if it says nothing
/// so.
fn refusal(status: u16, answer: &Answer) -> String {
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut said = text(&document, "detail").to_owned();
    for error in document["errors"].as_array().into_iter().flatten() {
        said.push_str(&format!(
            "\n  {} {}",
            text(error, "field"),
            text(error, "detail")
        ));
    }
    if said.is_empty() {
        let body = String::from_utf8_lossy(&answer.body);
        let start: String = body.chars().take(200).collect();
        said = format!("HTTP {status}, not from the order API: {start}");
    }
    if status == 401 {
        said.push_str(" Is it the token of this provider? See --token-file and MPAY_TOKEN.");
    }
    said
}

/// A member of a document that is a text, or nothing.
pub fn text<'a>(document: &'a Value, member: &str) -> &'a str {
    document[member].as_str().unwrap_or_default()
}

/// A time without its seconds and its offset, which is that of Chișinău.
pub fn when(document: &Value, member: &str) -> String {
    let time = text(document, member);
    match time.split_once('T') {
        Some((day, clock)) => format!("{day} {}", clock.get(..5).unwrap_or(clock)),
        None => time.to_owned(),
    }
}

/// The flags that a person must look at.
pub fn review(document: &Value) -> String {
    let flags = document["review"].as_array().into_iter().flatten();
    let flags: Vec<_> = flags.filter_map(Value::as_str).collect();
    flags.join(", ")
}

/// The errors of members, as one text.
pub fn sentence(errors: &Value) -> String {
    let errors = errors.as_array().into_iter().flatten();
    let errors: Vec<_> = errors
        .map(|error| format!("{} {}", text(error, "field"), text(error, "detail")))
        .collect();
    errors.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_those_that_were_asked_for() {
        let own: Vec<_> = (1..).map_while(|attempt| pause(attempt, None)).collect();
        assert_eq!(own, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(pause(1, Some(0)), Some(1));
        assert_eq!(pause(3, Some(90)), Some(90));
        assert_eq!(pause(1, Some(601)), None);
        assert_eq!(pause(ATTEMPTS, Some(1)), None);
    }

    #[test]
    fn queries_and_paths_keep_what_they_are_given() {
        let pairs = [("from", "2026-11-30T00:00:00+02:00"), ("text", "a b&c=ș")];
        let written = "?from=2026-11-30T00%3A00%3A00%2B02%3A00&text=a%20b%26c%3D%C8%99";
        assert_eq!(query(pairs), written);
        assert_eq!(query([]), "");
        assert_eq!(encode("A/1-2.x_~"), "A%2F1-2.x_~");
    }

    #[test]
    fn the_next_part_is_taken_below_the_api() {
        let part = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("link", link.parse().unwrap());
            let answer = Answer {
                headers,
                body: Vec::new(),
            };
            answer.next_part().map(str::to_owned)
        };
        let below = Some("orders/export?limit=2&cursor=a-3".to_owned());
        for base in ["", "https://plati.exemplu.md", "/mpay"] {
            let link = format!("<{base}/api/orders/export?limit=2&cursor=a-3>; rel=\"next\"");
            assert_eq!(part(&link), below, "{link}");
        }
        assert_eq!(part("</api/x>; rel=\"prev\""), None);
    }

    #[test]
    fn a_refusal_says_what_the_api_says() {
        let said = |status, body: &str| {
            let answer = Answer {
                headers: HeaderMap::new(),
                body: body.as_bytes().to_vec(),
            };
            refusal(status, &answer)
        };
        let document = r#"{"detail": "No.", "errors": [{"field": "a", "detail": "is wrong"}]}"#;
        assert_eq!(said(422, document), "No.\n  a is wrong");
        assert!(said(401, r#"{"detail": "Who?"}"#).starts_with("Who? Is it the token"));
        assert_eq!(
            said(413, "<html>"),
            "HTTP 413, not from the order API: <html>"
        );
    }
}
