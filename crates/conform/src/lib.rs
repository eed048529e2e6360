//! The functional test behind `mpay conform`, that any provider, in any language and on any host, can be
//! put to.
//!
//! It plays MPay and some of MPay's enemies. Every check is one rule of the contract; it sends its
//! messages, and reports what was sent and received if the rule is broken. It looks at nothing but the
//! contract's own answers, so it works with any provider.
//!
//! [`run`] makes the checks and gives a [`Report`], which can be written for people
//! ([`Report::text`], [`Report::html`]) and for programs ([`Report::json`], [`Report::junit`]).
//!
//! ```no_run
//! use mpay_conform::{Identity, Options, OrdersGiven, configure_tls, run};
//!
//! # fn test(key: &str, certificate: &str, provider: &str, orders: String) -> anyhow::Result<()> {
//! let report = run(
//!     Options {
//!         url: "https://pay.example.md/mpay".to_owned(),
//!         service: "TAX".to_owned(),
//!         mpay: Identity::from_pem(key, certificate)?,
//!         provider: wsse::Certificate::from_pem(provider)?,
//!         tls: configure_tls(None, None, false)?,
//!         orders: OrdersGiven::File(orders),
//!         only: Vec::new(),
//!         skip: Vec::new(),
//!     },
//!     &mut |tested, left| eprintln!("{}: {left} left", tested.check.id),
//! )?;
//! println!("{}", report.text(false));
//! assert!(report.passed());
//! # Ok(())
//! # }
//! ```
//!
//! From the ground upwards, each knowing only those before it:
//!
//! | module | what |
//! | --- | --- |
//! | `names`, `text`, `tls` | namespaces; texts of strangers made safe to read; how HTTPS is spoken |
//! | `node`, `message` | an answer as a tree, not verified; signing and looking at signatures without `wsse`'s rules |
//! | `forge` | hostile messages, made of good ones |
//! | `verdict`, `exchange` | how a check ends; what was sent and received |
//! | `orders` | the orders that checks need |
//! | `session` | MPay's side while checks run |
//! | `reply` | answers of the provider, read |
//! | `check`, `areas` | a check, and all of them |
//! | `report` | what came out |

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod areas;
mod check;
mod exchange;
mod forge;
mod message;
mod names;
mod node;
#[allow(
    clippy::indexing_slicing,
    reason = "members are set in JSON objects that are made there"
)]
mod orders;
mod reply;
#[allow(
    clippy::indexing_slicing,
    reason = "members are set in JSON objects that are made there"
)]
mod report;
mod session;
mod text;
mod tls;
mod verdict;

use std::time::Instant;

use anyhow::{Context, bail};
use jiff::Timestamp;
use ureq::tls::TlsConfig;
use wsse::Certificate;

pub use areas::{AREAS, origin};
pub use check::{Check, Outcome, Severity, Tested};
pub use exchange::{Answer, Exchange};
pub use message::{Identity, Inspection, inspect, piece, sign_hmac, swap};
pub use orders::TEMPLATE;
pub use report::Report;
pub use tls::configure as configure_tls;

use orders::{OrderApi, Orders, OrdersFile};
use session::Session;
use verdict::Stop;

/// All checks, in the order in which they are made.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    AREAS.iter().flat_map(|(_, _, checks)| *checks)
}

/// The options of a run: the provider to test, and the identities to use.
#[derive(Debug)]
pub struct Options {
    /// The service's address.
    pub url: String,
    /// ServiceID; the one in the file with orders takes precedence.
    pub service: String,
    /// MPay's side.
    pub mpay: Identity,
    /// The certificate that the provider must sign with.
    pub provider: Certificate,
    /// The settings of HTTPS; see [`configure_tls`].
    pub tls: TlsConfig,
    /// The source of orders.
    pub orders: OrdersGiven,
    /// Ids and areas to test; all if empty.
    pub only: Vec<String>,
    /// Ids and areas to leave out.
    pub skip: Vec<String>,
}

/// The source of orders. The token is not shown by `Debug`.
pub enum OrdersGiven {
    /// There are none: checks that need one are skipped.
    None,
    /// The text of a file that names them.
    File(String),
    /// They are registered through this provider's own order API.
    Api {
        /// Its address, such as `https://pay.example.md/api`.
        url: String,
        /// A token for it.
        token: String,
    },
}

impl std::fmt::Debug for OrdersGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::File(text) => f.debug_tuple("File").field(text).finish(),
            Self::Api { url, .. } => f
                .debug_struct("Api")
                .field("url", url)
                .finish_non_exhaustive(),
        }
    }
}

/// Makes the checks, and tells each one as it is made, with how many are left.
///
/// # Errors
/// If nothing could be tested: the provider is not reached, the file with orders is wrong, orders
/// cannot be registered, or a name in `only` or `skip` is no check's.
pub fn run(options: Options, progress: &mut dyn FnMut(&Tested, usize)) -> anyhow::Result<Report> {
    let chosen = choose(&options.only, &options.skip)?;
    let mut service = options.service;
    let orders = match options.orders {
        OrdersGiven::None => Orders::none(),
        OrdersGiven::File(text) => {
            let file = OrdersFile::parse(&text).context("the file of --orders")?;
            service = file.service().map_or(service, str::to_owned);
            Orders::of_file(file)
        }
        OrdersGiven::Api { url, token } => {
            Orders::of_api(OrderApi::new(&url, &service, &token, options.tls.clone()))
        }
    };
    let started = Timestamp::now();
    let clock = Instant::now();
    let mut session = Session::new(
        options.url,
        service,
        options.mpay,
        options.provider,
        orders,
        options.tls,
    );
    reach(&mut session)?;
    // Where the API does not take the first order it takes none.
    session
        .orders
        .try_api()
        .context("orders cannot be registered; --orders FILE names orders that are there")?;
    let all = chosen.len();
    let tested = chosen
        .into_iter()
        .enumerate()
        .map(|(made, check)| {
            let tested = test(check, &mut session);
            progress(&tested, all - made - 1);
            tested
        })
        .collect();
    Ok(Report {
        url: session.url,
        service: session.service,
        mpay: session.mpay.certificate().clone(),
        provider: session.provider,
        started,
        duration: clock.elapsed(),
        tested,
    })
}

fn test(check: &Check, session: &mut Session) -> Tested {
    let clock = Instant::now();
    let (outcome, reason) = match (check.run)(session) {
        Ok(()) => (Outcome::Passed, String::new()),
        Err(Stop::Failed(reason)) => (Outcome::Failed, reason),
        Err(Stop::Skipped(reason)) => (Outcome::Skipped, reason),
    };
    Tested {
        check: *check,
        outcome,
        reason,
        exchanges: session.take_exchanges(),
        duration: clock.elapsed(),
    }
}

/// Checks that somebody answers at the address; otherwise there is nothing to test.
fn reach(session: &mut Session) -> anyhow::Result<()> {
    let url = session.url.clone();
    let reached = session.request("is somebody there", "GET", &url, &[], "");
    session.take_exchanges();
    match reached {
        Err(Stop::Failed(reason)) => {
            bail!("cannot reach {url}: {}", text::visible(&reason))
        }
        _ => Ok(()),
    }
}

fn choose(only: &[String], skip: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    let names = |check: &Check, name: &str| check.id == name || check.area() == name;
    for name in only.iter().chain(skip) {
        if !checks().any(|check| names(check, name)) {
            bail!("{name:?} is neither a check nor an area; --list names them all");
        }
    }
    let listed = |check: &Check, list: &[String]| list.iter().any(|name| names(check, name));
    Ok(checks()
        .filter(|check| only.is_empty() || listed(check, only))
        .filter(|check| !listed(check, skip))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_in_its_area_and_a_rule() {
        let mut ids = BTreeSet::new();
        for (area, _, checks) in AREAS {
            for check in checks {
                assert!(ids.insert(check.id), "{} is there twice", check.id);
                assert_eq!(check.area(), area, "{}", check.id);
                assert!(
                    !check.title.ends_with('.') && check.rule.len() > 10,
                    "{}",
                    check.id
                );
                let plain =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
                assert!(check.id.chars().all(plain), "{}", check.id);
            }
        }
        assert!(ids.len() >= 60, "{}", ids.len());
    }

    #[test]
    fn secrets_are_not_shown() {
        let api = OrdersGiven::Api {
            url: "http://here/api".into(),
            token: "secret".into(),
        };
        assert!(!format!("{api:?}").contains("secret"));
        let key = include_str!("../../wsse/tests/data/mpay.key.pem");
        let mpay = Identity::from_pem(key, include_str!("../../wsse/tests/data/mpay.pem"));
        let shown = format!("{:?}", mpay.unwrap());
        assert!(
            shown.contains("mpay.example") && shown.contains(".. }"),
            "{shown}"
        );
        assert!(!shown.contains("key: Rsa"), "{shown}");
    }

    #[test]
    fn checks_are_chosen_by_id_and_area() {
        let ids = |only: &[&str], skip: &[&str]| {
            let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            choose(&names(only), &names(skip)).map(|chosen| chosen.len())
        };
        let all = checks().count();
        let wsdl = checks().filter(|check| check.area() == "wsdl").count();
        assert_eq!(ids(&[], &[]).unwrap(), all);
        assert_eq!(ids(&["wsdl", "fault.members"], &[]).unwrap(), wsdl + 1);
        assert_eq!(ids(&["wsdl"], &["wsdl.members"]).unwrap(), wsdl - 1);
        assert_eq!(ids(&[], &["wsdl"]).unwrap(), all - wsdl);
        assert!(ids(&["wsdl.nothing"], &[]).is_err());
    }
}
