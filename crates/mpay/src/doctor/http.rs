//! Asking a provider, with answers and failures as they are.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use mpay_client::proxy_to;
use ureq::tls::TlsConfig;

/// More than any answer has.
const MAX_BODY: u64 = 4 << 20;

/// An HTTP client that looks at whatever comes.
pub struct Http {
    agent: ureq::Agent,
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    /// The header `Server`, or `Via`.
    pub server: String,
    /// The seconds by which the other clock is ahead, by the header `Date`.
    pub ahead: Option<i64>,
    pub body: Vec<u8>,
}

impl Http {
    /// A client for an address, that waits so long, and speaks TLS so.
    pub fn new(url: &str, timeout: Duration, tls: TlsConfig) -> Http {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .tls_config(tls)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy_to(url))
            .build()
            .new_agent();
        Http { agent }
    }

    pub fn get(&self, url: &str) -> Result<Reply, ureq::Error> {
        let before = Timestamp::now();
        Reply::read(self.agent.get(url).call()?, before)
    }

    /// Posts a form.
    pub fn post_form(&self, url: &str, form: &[u8]) -> Result<Reply, ureq::Error> {
        let before = Timestamp::now();
        let response = self
            .agent
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .send(form)?;
        Reply::read(response, before)
    }

    /// Posts a SOAP message.
    pub fn post(&self, url: &str, action: &str, message: &[u8]) -> Result<Reply, ureq::Error> {
        let before = Timestamp::now();
        let response = self
            .agent
            .post(url)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("SOAPAction", format!("\"{action}\""))
            .send(message)?;
        Reply::read(response, before)
    }
}

impl Reply {
    fn read(
        mut response: ureq::http::Response<ureq::Body>,
        before: Timestamp,
    ) -> Result<Reply, ureq::Error> {
        let after = Timestamp::now();
        let header = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let date = header("date").and_then(|text| jiff::fmt::rfc2822::parse(&text).ok());
        // The header has whole seconds, cut off, of some moment in between.
        let ahead = date.map(|date| {
            let date = date.timestamp().as_second();
            if date > after.as_second() {
                date - after.as_second()
            } else {
                (date + 1 - before.as_second()).min(0)
            }
        });
        Ok(Reply {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            server: header("server").or(header("via")).unwrap_or_default(),
            ahead,
            body: response
                .body_mut()
                .with_config()
                .limit(MAX_BODY)
                .read_to_vec()?,
        })
    }

    /// True if its media type is that of SOAP.
    pub fn is_xml(&self) -> bool {
        self.content_type
            .to_ascii_lowercase()
            .starts_with("text/xml")
    }

    /// The answer in a few words.
    pub fn summary(&self) -> String {
        let mut text = format!("HTTP {}", self.status);
        if !self.content_type.is_empty() {
            text += &format!(", {}", self.content_type);
        }
        if !self.server.is_empty() {
            text += &format!(", from {:?}", self.server);
        }
        text
    }
}

/// Host and port of an address, and whether it is TLS.
pub fn host_of(url: &str) -> anyhow::Result<(String, u16, bool)> {
    let uri: ureq::http::Uri = url.parse().with_context(|| format!("the address {url}"))?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => anyhow::bail!("the address {url} begins with neither http:// nor https://"),
    };
    let host = uri.host().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Ok((host, port, tls))
}
