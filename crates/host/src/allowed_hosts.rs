//! The hosts that a manifest lets a component reach.

use http::Uri;

/// The places to which the component may send HTTP requests, and the databases that it may connect
/// to: `allowed_outbound_hosts` in Spin's syntax, `scheme://host[:port]`.
///
/// The scheme is `http`, `https`, `postgres` or `*`; the host a name, an address, `*.domain` for the names
/// below a domain, or `*`; the port a number, a range `8000..9000` without its end, or `*`, and
/// that of the scheme if left out. Spin's networks (`10.0.0.0/8`), its `self` and its other schemes
/// are not served.
///
/// ```
/// use mpay_host::AllowedHosts;
///
/// let allowed = AllowedHosts::parse(["https://erp.example"]).unwrap();
/// assert!(allowed.allows(&"https://erp.example/hook".parse().unwrap()));
/// assert!(!allowed.allows(&"http://erp.example/hook".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    /// `None` is any.
    scheme: Option<Scheme>,
    host: Host,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Postgres,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// With the dot in front.
    Below(String),
    Exactly(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// From the first up to, and without, the second.
    Range(u16, u16),
    Exactly(u16),
}

impl AllowedHosts {
    /// Reads the entries of a manifest, whose variables have been filled in. The error is a
    /// sentence.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        entries
            .into_iter()
            .map(|entry| {
                AllowedHost::parse(entry.trim()).map_err(|reason| format!("{entry:?} {reason}"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// True if a request may go to this address.
    pub fn allows(&self, uri: &Uri) -> bool {
        let Some(scheme @ (Scheme::Http | Scheme::Https)) =
            uri.scheme_str().and_then(Scheme::parse)
        else {
            return false;
        };
        let Some(host) = uri.host() else {
            return false;
        };
        let port = uri.port_u16().unwrap_or(scheme.port());
        self.allow(scheme, host, port)
    }

    /// True if a database may be connected to at this host.
    pub fn allows_database(&self, host: &str, port: u16) -> bool {
        self.allow(Scheme::Postgres, host, port)
    }

    fn allow(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let mut allowed = self.0.iter();
        allowed.any(|allowed| allowed.allows(scheme, &host, port))
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, String> {
        let (scheme_text, rest) = entry
            .split_once("://")
            .ok_or("is not of the form scheme://host[:port]")?;
        let scheme = match scheme_text {
            "*" => None,
            text => Some(
                Scheme::parse(text).ok_or("has another scheme than http, https, postgres or *")?,
            ),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(
                "has a path or names a network; only a host and a port can be named".into(),
            );
        }
        // The colons of an IPv6 address are within brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        Ok(Self {
            scheme,
            host: Host::parse(host)?,
            port: match (port, scheme) {
                (Some(port), _) => Port::parse(port)?,
                (None, Some(scheme)) => Port::Exactly(scheme.port()),
                (None, None) => return Err("needs a port, since it names no scheme".into()),
            },
        })
    }

    fn allows(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        let host_allowed = match &self.host {
            Host::Any => true,
            Host::Below(domain) => host.ends_with(domain.as_str()),
            Host::Exactly(name) => host == name,
        };
        let port_allowed = match self.port {
            Port::Any => true,
            Port::Range(first, end) => (first..end).contains(&port),
            Port::Exactly(number) => port == number,
        };
        self.scheme.is_none_or(|allowed| allowed == scheme) && host_allowed && port_allowed
    }
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "postgres" => Some(Self::Postgres),
            _ => None,
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Postgres => 5432,
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, String> {
        let host = text.to_ascii_lowercase();
        match host.as_str() {
            "" => Err("names no host".into()),
            "*" => Ok(Self::Any),
            "self" | "self.alt" => Err("names the application itself, which is not served".into()),
            _ => match host.strip_prefix("*.") {
                Some(domain) if !domain.contains('*') && !domain.is_empty() => {
                    Ok(Self::Below(format!(".{domain}")))
                }
                None if !host.contains(['*', '{', '}', '@', ' ']) => Ok(Self::Exactly(host)),
                _ => Err("has a host that is neither a name, an address, *.domain nor *".into()),
            },
        }
    }
}

impl Port {
    fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse::<u16>()
                .map_err(|_| format!("has a port that is no number: {text:?}"))
        };
        match text.split_once("..") {
            _ if text == "*" => Ok(Self::Any),
            Some((first, end)) => Ok(Self::Range(number(first)?, number(end)?)),
            None => Ok(Self::Exactly(number(text)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, allowed: &[&str], refused: &[&str]) {
        let hosts = AllowedHosts::parse([entry]).unwrap();
        for (uris, expected) in [(allowed, true), (refused, false)] {
            for uri in uris {
                assert_eq!(
                    hosts.allows(&uri.parse().unwrap()),
                    expected,
                    "{entry} {uri}"
                );
            }
        }
    }

    #[test]
    fn a_host_is_allowed_with_its_scheme_and_port_alone() {
        check(
            "https://Erp.example",
            &["https://erp.example/a?b", "https://ERP.EXAMPLE:443"],
            &[
                "http://erp.example/",
                "https://erp.example:8443/",
                "https://erp.example.evil/",
                "https://sub.erp.example/",
                "https://erp.example@evil/",
                "erp.example:443",
                "/hook",
            ],
        );
        check(
            "http://127.0.0.1:8080/",
            &["http://127.0.0.1:8080/x"],
            &["http://127.0.0.1/"],
        );
        check(
            "http://[::1]:8080",
            &["http://[::1]:8080/"],
            &["http://[::2]:8080/"],
        );
    }

    #[test]
    fn wildcards_and_ranges_widen_one_part_each() {
        check(
            "https://*.example.md:*",
            &["https://a.example.md/", "https://b.a.example.md:1/"],
            &[
                "https://example.md/",
                "https://badexample.md/",
                "http://a.example.md/",
            ],
        );
        check(
            "*://localhost:8000..8002",
            &["http://localhost:8000/", "https://localhost:8001/"],
            &[
                "http://localhost:8002/",
                "http://localhost/",
                "ftp://localhost:8000/",
            ],
        );
        check("*://*:*", &["http://a/", "https://b:1/"], &["gopher://a/"]);
    }

    #[test]
    fn a_database_is_not_a_host_of_http() {
        let hosts = AllowedHosts::parse(["postgres://db.example", "https://erp.example"]).unwrap();
        assert!(hosts.allows_database("DB.example", 5432));
        assert!(!hosts.allows_database("db.example", 443));
        assert!(!hosts.allows_database("erp.example", 443));
        for uri in ["postgres://db.example:5432/", "http://db.example:5432/"] {
            assert!(!hosts.allows(&uri.parse().unwrap()), "{uri}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "*",
            "erp.example",
            "https://",
            "https://:443",
            "ftp://a",
            "https://a/path",
            "https://a:port",
            "https://a:70000",
            "https://a*",
            "https://a.*.b",
            "https://user@a",
            "https://self",
            "https://10.0.0.0/8",
            "*://a",
            "https://{a,b}",
        ] {
            AllowedHosts::parse([bad]).expect_err(bad);
        }
    }
}
