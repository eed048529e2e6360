//! The addresses of callers, by the word of the host and of the proxies that are believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::config::Reader;

/// The variable with the networks of proxies that are believed about whom they call for.
pub const TRUSTED_PROXIES: &str = "trusted_proxies";

/// The variable with the networks from which calls are taken.
pub const ALLOWED_ADDRESSES: &str = "allowed_addresses";

/// The variable with the header that says that a client's certificate was verified.
pub const CLIENT_CERTIFICATE_HEADER: &str = "client_certificate_header";

/// The header in which the host says who called.
const PEER: &str = "spin-client-addr";

/// The header in which a proxy says for whom it calls.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Networks, each by an address and the length of its prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks such as `10.0.0.0/8`, and single addresses.
    ///
    /// # Errors
    /// The number of the first that is none.
    pub fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, usize> {
        let networks = texts.enumerate().map(|(place, text)| {
            let network = text.parse::<IpNet>();
            let network = network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            // The address of a caller is never an IPv4 address in the form of IPv6.
            let network = network.ok().filter(|network| match network {
                IpNet::V6(network) => network.addr().to_ipv4_mapped().is_none(),
                IpNet::V4(_) => true,
            });
            network.ok_or(place + 1)
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if an address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The address that connected to the host. A caller's own header of that name comes before the host's.
pub fn peer(headers: &HeaderMap) -> Option<IpAddr> {
    address(headers.get_all(PEER).iter().next_back()?.to_str().ok()?)
}

/// The caller: the address that connected, or if that is one of these proxies, the one for which it says that it calls.
/// `None` where nobody says it in a way that can be read.
pub fn caller(headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    let mut caller = peer(headers)?;
    // Each proxy adds the address of its caller at the end; anybody can have written the ones before.
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    while proxies.contain(caller) {
        let Some(hop) = hops.next() else {
            break;
        };
        caller = address(std::str::from_utf8(hop).ok()?)?;
    }
    Some(caller)
}

/// The caller as far as it is known: the address that connected, where a proxy says nothing that can be read.
pub fn known(headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    caller(headers, proxies).or_else(|| peer(headers))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<SocketAddr>().map(|socket| socket.ip());
    let address = address.or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>());
    address.ok().map(|address| address.to_canonical())
}

/// A header that a proxy sets once it has verified a client's certificate, and the value that it then has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl CertificateHeader {
    /// Reads `NAME: VALUE`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let value = value.trim();
        let value = (!value.is_empty()).then_some(value)?;
        Some(Self {
            name: name.trim().parse().ok()?,
            value: value.parse().ok()?,
        })
    }
}

/// The gate that lets callers in, before anything of a message is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// The proxies that are believed about whom they call for.
    pub proxies: Networks,
    /// The networks whose calls are taken; everybody's if there is none.
    pub allowed: Networks,
    /// The finding about a client certificate that a proxy must pass on.
    pub certificate: Option<CertificateHeader>,
}

/// The reason why a call is not taken, as the verdict of its line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// The address is none of the allowed ones, or not known.
    #[error("forbidden-address")]
    Address,
    /// No trusted proxy says that it has verified a certificate.
    #[error("forbidden-certificate")]
    Certificate,
}

impl Reader<'_> {
    fn networks(&mut self, variable: &'static str) -> Networks {
        let listed = Networks::parse(self.listed(variable));
        let is_set = self.variables.get(variable).is_some();
        match listed {
            // A comma alone would open what somebody wanted to shut.
            Ok(networks) if is_set && networks.is_empty() => {
                self.error(variable, "has no address; empty it to allow all");
                networks
            }
            Ok(networks) => networks,
            Err(place) => {
                let form = "must be an address or a network such as 192.0.2.0/24";
                self.error(variable, format!("entry {place} {form}"));
                Networks::default()
            }
        }
    }

    /// The variable [`TRUSTED_PROXIES`].
    pub fn trusted_proxies(&mut self) -> Networks {
        let proxies = self.networks(TRUSTED_PROXIES);
        if proxies.0.iter().any(|network| network.prefix_len() == 0) {
            self.error(TRUSTED_PROXIES, "must not be everybody");
            return Networks::default();
        }
        proxies
    }

    /// The variables that say who may call.
    pub fn gate(&mut self) -> Gate {
        let proxies = self.trusted_proxies();
        let allowed = self.networks(ALLOWED_ADDRESSES);
        let text = self.variables.get(CLIENT_CERTIFICATE_HEADER);
        let certificate = text.and_then(CertificateHeader::parse);
        if text.is_some() && certificate.is_none() {
            let form = "must be a name and a value, such as X-Client-Verify: SUCCESS";
            self.error(CLIENT_CERTIFICATE_HEADER, form);
        }
        if certificate.is_some() && proxies.is_empty() && !self.is_wrong(&[TRUSTED_PROXIES]) {
            let reason = "needs trusted_proxies: anybody else could set the header";
            self.error(CLIENT_CERTIFICATE_HEADER, reason);
        }
        Gate {
            proxies,
            allowed,
            certificate,
        }
    }
}

impl Gate {
    /// Checks that a call is taken.
    ///
    /// # Errors
    /// [`Shut`]: the reason for which it is not taken.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Shut> {
        let is_allowed = |caller: IpAddr| self.allowed.contain(caller);
        if !self.allowed.is_empty() && !caller(headers, &self.proxies).is_some_and(is_allowed) {
            return Err(Shut::Address);
        }
        let Some(certificate) = &self.certificate else {
            return Ok(());
        };
        // Anybody else could set the header, and two of them are one too many.
        let is_proxy = peer(headers).is_some_and(|peer| self.proxies.contain(peer));
        let mut values = headers.get_all(&certificate.name).iter();
        let is_verified = values.next() == Some(&certificate.value) && values.next().is_none();
        match is_proxy && is_verified {
            true => Ok(()),
            false => Err(Shut::Certificate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        let texts = text.split(' ').filter(|text| !text.is_empty());
        Networks::parse(texts).unwrap()
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_networks_and_addresses_are_read() {
        let read = |text: &'static str| Networks::parse(text.split(','));
        for wrong in [
            "x",
            "10.0.0.0/33",
            "10.0.0",
            "",
            "10.0.0.0/8/8",
            "a.md",
            "::/129",
            "::ffff:192.0.2.0/120",
            "::ffff:192.0.2.7",
        ] {
            assert_eq!(read(wrong), Err(1), "{wrong}");
        }
        assert_eq!(read("10.0.0.0/8,192.0.2.7,x"), Err(3));
        let some = networks("10.0.0.0/8 192.0.2.7 2001:db8::/32");
        for (address, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(some.contain(address.parse().unwrap()), is_in, "{address}");
        }
    }

    #[test]
    fn what_a_proxy_says_is_believed_from_the_right_and_nobody_elses_word() {
        const PEER: &str = "spin-client-addr";
        const FOR: &str = "x-forwarded-for";
        let proxies = networks("10.0.0.0/8 ::1");
        for (pairs, expected) in [
            (vec![(PEER, "192.0.2.1:9")], Some("192.0.2.1")),
            (vec![(PEER, "[::ffff:192.0.2.1]:9")], Some("192.0.2.1")),
            // A stranger who claims to be another.
            (
                vec![(PEER, "192.0.2.1:9"), (FOR, "198.51.100.7")],
                Some("192.0.2.1"),
            ),
            (
                vec![(PEER, "198.51.100.7:9"), (PEER, "192.0.2.1:9")],
                Some("192.0.2.1"),
            ),
            (
                vec![(PEER, "10.0.0.1:9"), (FOR, "192.0.2.1")],
                Some("192.0.2.1"),
            ),
            (
                vec![(PEER, "[::1]:9"), (FOR, "198.51.100.7, 192.0.2.1:77")],
                Some("192.0.2.1"),
            ),
            (
                vec![
                    (PEER, "10.0.0.1:9"),
                    (FOR, "198.51.100.7"),
                    (FOR, "192.0.2.1 , 10.0.0.2"),
                ],
                Some("192.0.2.1"),
            ),
            (
                vec![(PEER, "10.0.0.1:9"), (FOR, "[2001:db8::1]:9")],
                Some("2001:db8::1"),
            ),
            (vec![(PEER, "10.0.0.1:9")], Some("10.0.0.1")),
            (
                vec![(PEER, "10.0.0.1:9"), (FOR, "10.0.0.2")],
                Some("10.0.0.2"),
            ),
            (vec![(PEER, "10.0.0.1:9"), (FOR, "unknown")], None),
            (vec![(PEER, "10.0.0.1:9"), (FOR, "192.0.2.1,")], None),
            (vec![(PEER, "nobody")], None),
            (vec![(FOR, "192.0.2.1")], None),
        ] {
            let found = caller(&headers(&pairs), &proxies);
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(found, expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_gate_is_shut_to_all_but_those_that_it_names() {
        const PEER: &str = "spin-client-addr";
        let open = Gate::default();
        assert_eq!(open.admit(&headers(&[])), Ok(()));
        let gate = Gate {
            proxies: networks("10.0.0.1"),
            allowed: networks("192.0.2.0/24"),
            certificate: CertificateHeader::parse(" X-Client-Verify :  SUCCESS "),
        };
        assert!(gate.certificate.is_some());
        let proxy = (PEER, "10.0.0.1:9");
        let mpay = ("x-forwarded-for", "192.0.2.9");
        let verified = ("x-client-verify", "SUCCESS");
        for (pairs, expected) in [
            (vec![proxy, mpay, verified], Ok(())),
            (vec![mpay, verified], Err(Shut::Address)),
            (vec![proxy, verified], Err(Shut::Address)),
            (
                vec![proxy, ("x-forwarded-for", "198.51.100.7"), verified],
                Err(Shut::Address),
            ),
            (vec![proxy, mpay], Err(Shut::Certificate)),
            (
                vec![proxy, mpay, ("x-client-verify", "NONE")],
                Err(Shut::Certificate),
            ),
            (
                vec![proxy, mpay, verified, ("x-client-verify", "FAILED")],
                Err(Shut::Certificate),
            ),
            // A caller that goes past the proxy sets the header too.
            (
                vec![(PEER, "192.0.2.9:9"), verified],
                Err(Shut::Certificate),
            ),
        ] {
            assert_eq!(gate.admit(&headers(&pairs)), expected, "{pairs:?}");
        }
        for wrong in ["", "X-Client-Verify", "X-Client-Verify:", "a b: c", ": c"] {
            assert_eq!(CertificateHeader::parse(wrong), None, "{wrong}");
        }
    }
}
