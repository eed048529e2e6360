//! Pay links: addresses of orders that nobody can guess.

use jiff::{SignedDuration, Timestamp};
use mpay_ledger::domain::{OrderKey, ServiceId};

use super::keys::{PageKeys, Purpose};

/// The content of the address of an order's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayLink {
    /// The service of the order.
    pub service: ServiceId,
    /// The order's key.
    pub key: OrderKey,
    /// The time until which it is valid; for ever if `None`.
    pub until: Option<Timestamp>,
}

/// Between the parts, none of which can hold it.
const BETWEEN: char = '\n';

impl PayLink {
    /// The link of an order, good for ever.
    pub fn of(service: &ServiceId, key: &OrderKey) -> Self {
        Self {
            service: service.clone(),
            key: key.clone(),
            until: None,
        }
    }

    /// The part of the address that names it.
    pub fn token(&self, keys: &PageKeys) -> String {
        let mut content = format!("{}{BETWEEN}{}", self.service, self.key);
        if let Some(until) = self.until {
            content.push(BETWEEN);
            content.push_str(&until.as_second().to_string());
        }
        keys.seal(Purpose::PayLink, content.as_bytes())
    }

    /// The order that a token names; `None` if these keys did not make the token.
    pub fn read(keys: &PageKeys, token: &str) -> Option<Self> {
        let content = keys.open(Purpose::PayLink, token)?;
        let content = String::from_utf8(content).ok()?;
        let mut parts = content.split(BETWEEN);
        let service = ServiceId::parse(parts.next()?).ok()?;
        let key = OrderKey::parse(parts.next()?).ok()?;
        let until = match parts.next() {
            None => None,
            Some(seconds) => Some(Timestamp::from_second(seconds.parse().ok()?).ok()?),
        };
        Some(Self {
            service,
            key,
            until,
        })
    }

    /// True if it is no longer valid.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let end = self.until.map(|until| until + SignedDuration::from_secs(1));
        end.is_some_and(|end| now >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::keys::tests::keys, *};

    #[test]
    fn a_token_names_an_order_and_its_end() {
        let keys = keys("0123456789012345678901234567890123456789").unwrap();
        let service = ServiceId::parse("TAX").unwrap();
        let until: Timestamp = "2026-12-31T21:59:59Z".parse().unwrap();
        for key in ["1", "2026/11-ș 7", "АС-77", &"k".repeat(36)] {
            let key = OrderKey::parse(key).unwrap();
            let link = PayLink::of(&service, &key);
            assert_eq!(PayLink::read(&keys, &link.token(&keys)).unwrap(), link);
            assert!(!link.has_ended(Timestamp::MAX));
            let link = PayLink {
                until: Some(until),
                ..link
            };
            assert_eq!(PayLink::read(&keys, &link.token(&keys)).unwrap(), link);
            assert!(!link.has_ended(until));
            assert!(link.has_ended(until + SignedDuration::from_secs(1)));
        }
        let sealed = keys.seal(Purpose::PayLink, b"TAX");
        assert_eq!(PayLink::read(&keys, &sealed), None);
    }
}
