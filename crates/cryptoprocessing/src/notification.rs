//! Notifications, which the gateway posts to the merchant after an event. They are not signed, come once,
//! late, twice, out of order or never, and anybody can send one: each is a reason to ask for the state,
//! and nothing else.

use jiff::civil::DateTime;

use crate::{
    state::ErrCode,
    value::{CardId, CustomerId, OrderId},
};

/// The most bytes that are read of a notification.
const MAX_BODY: usize = 64 << 10;

/// A notification: a payment or customer to ask the gateway about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its name, such as `EnginePaySuccess`. Bounded, of Latin letters, digits and `_`.
    pub name: String,
    /// `OrderId`: the payment it speaks of.
    pub order_id: Option<OrderId>,
    /// `VWUserLgn`: the customer it speaks of, at the Wallet.
    pub customer: Option<CustomerId>,
    /// Its claim. Do nothing because of it: it is for people who look for a cause.
    pub claim: Claim,
}

/// The claim of a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// `Success`.
    pub success: Option<bool>,
    /// `Amount`, in minor units.
    pub amount: Option<u64>,
    /// `NewAmount`: the amount that remains, in minor units.
    pub remaining: Option<u64>,
    /// `ErrCode`.
    pub code: Option<ErrCode>,
    /// `CardId`.
    pub card_id: Option<CardId>,
    /// `TransactionDate`, in an unknown time zone.
    pub at: Option<DateTime>,
}

impl Notification {
    /// Reads a form. `None` if it has no name of a notification, or more than 64 KB. If a field is
    /// repeated, the first one counts; a field that cannot be read is left out.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_BODY {
            return None;
        }
        let fields: Vec<_> = form_urlencoded::parse(body).collect();
        let get = |name: &str| {
            let found = fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        let amount = |name| {
            let text = get(name)?;
            let is_number = text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let name = get("Notification")?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_word) {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            order_id: get("OrderId").and_then(|id| OrderId::parse(id).ok()),
            customer: get("VWUserLgn").and_then(|id| CustomerId::parse(id).ok()),
            claim: Claim {
                success: get("Success").and_then(|flag| flag.to_ascii_lowercase().parse().ok()),
                amount: amount("Amount"),
                remaining: amount("NewAmount"),
                code: get("ErrCode").and_then(ErrCode::parse),
                card_id: get("CardId").and_then(|id| CardId::parse(id).ok()),
                at: get("TransactionDate").and_then(date),
            },
        })
    }
}

/// `dd.MM.yyyy HH:mm:ss` or `MM/dd/yyyy HH:mm:ss`: the sign between the numbers tells which.
fn date(text: &str) -> Option<DateTime> {
    let (day, time) = text.split_once(' ')?;
    let sign = if day.contains('/') { '/' } else { '.' };
    let [first, second, year] = numbers(day, sign)?;
    let [hour, minute, second_of_minute] = numbers(time.trim(), ':')?;
    let (day, month) = if sign == '/' {
        (second, first)
    } else {
        (first, second)
    };
    let small = |number: u16| i8::try_from(number).ok();
    DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second_of_minute)?,
        0,
    )
    .ok()
}

/// Three numbers with a sign between them.
fn numbers(text: &str, sign: char) -> Option<[u16; 3]> {
    let mut parts = text.split(sign).map(|part| {
        let is_number = part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse::<u16>().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_notification_is_read_without_case() {
        let body = b"Notification=EngineRefundSuccess&ORDERID=card01&success=True&Amount=1999\
            &NewAmount=0&ErrCode=none&TransactionDate=05.12.2026+23%3A59%3A01&VWUserLgn=ana&CardId=a-1&New=x";
        let read = Notification::read(body).unwrap();
        assert_eq!(read.name, "EngineRefundSuccess");
        assert_eq!(read.order_id.unwrap().as_str(), "card01");
        assert_eq!(read.customer.unwrap().as_str(), "ana");
        let claim = Claim {
            success: Some(true),
            amount: Some(1999),
            remaining: Some(0),
            code: ErrCode::parse("NONE"),
            card_id: CardId::parse("a-1").ok(),
            at: Some("2026-12-05T23:59:01".parse().unwrap()),
        };
        assert_eq!(read.claim, claim);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let read = Notification::read(
            b"Notification=X&OrderId=a%3Bb&Amount=1.5&NewAmount=-1&Success=maybe&ErrCode=a+b&TransactionDate=now",
        );
        let read = read.unwrap();
        assert_eq!(read.order_id, None);
        assert_eq!(read.claim, Claim::default());
        for body in [
            &b""[..],
            b"OrderId=card01",
            b"Notification=",
            b"Notification=a+b",
            b"{}",
        ] {
            assert_eq!(Notification::read(body), None);
        }
        let long = [&b"Notification=X&OrderId=card01&a="[..], &[b'a'; MAX_BODY]];
        assert_eq!(Notification::read(&long.concat()), None);
    }

    #[test]
    fn both_forms_of_a_date_are_read() {
        let at = |text: &str| date(text).map(|date| date.to_string());
        let expected = Some("2026-12-05T23:59:01".to_owned());
        assert_eq!(at("05.12.2026 23:59:01"), expected);
        assert_eq!(at("12/05/2026 23:59:01"), expected);
        assert_eq!(at("12/5/2026 23:59:01"), expected);
        for wrong in [
            "",
            "05.12.2026",
            "13/13/2026 00:00:00",
            "31.02.2026 00:00:00",
            "05-12-2026 00:00:00",
            "05.12.2026 24:00:00",
            "05.12.2026.1 00:00:00",
            "05/12.2026 00:00:00",
            "05.12.2026 00:00",
            "+5.12.2026 00:00:00",
        ] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,40}") {
            let _ = Notification::read(&bytes);
            let _ = date(&text);
        }
    }
}
