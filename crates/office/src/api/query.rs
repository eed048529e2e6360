//! The query of an address: the part after `?`.

use std::{fmt::Display, ops::RangeInclusive};

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::{Call, Problem};
use crate::{
    domain::{OrderSummary, RecordedPayment, Review, time},
    store::{Cursor, NoCursor, Platform, Span},
};

/// The parameters of a query. Each occurs once at most, and is one that the endpoint has:
/// [`Endpoint::call`](super::Endpoint::call) refuses others.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters of a call.
    pub fn of<P>(call: &Call<'_, P>) -> Result<Self, Problem> {
        Self::parse(call.query)
    }

    /// Reads a query whose parameters must be among these names.
    pub fn read(query: &str, names: &[&str]) -> Result<Self, Problem> {
        let read = Self::parse(query)?;
        let is_known = |(name, _): &(String, String)| names.contains(&name.as_str());
        if read.0.iter().all(is_known) {
            return Ok(read);
        }
        let names = match names {
            [] => "It takes no parameters.".to_owned(),
            names => format!("Of parameters there are: {}.", names.join(", ")),
        };
        Err(Problem::new(StatusCode::BAD_REQUEST, names))
    }

    fn parse(query: &str) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_form(name)?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::field(&name, "is given twice"));
            }
            pairs.push((name, decode_form(value)?));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, read by `parse`; `None` if the parameter is absent.
    pub fn parsed<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        self.get(name)
            .map(|text| parse(text).map_err(|error| Problem::field(name, error)))
            .transpose()
    }

    /// The value of a parameter that is a whole number within `range`; `default` if it is absent.
    pub fn number(
        &self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Problem> {
        let number = self.parsed(name, |text| match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        })?;
        Ok(number.unwrap_or(default))
    }

    /// The meaning of a parameter that is one of a few words; `None` if it is absent.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        self.parsed(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("must be {}", words.join(" or "))
            })
        })
    }
}

/// The parameters `cursor` and `limit`: the place where a list continues, and the most entries that it gives.
pub(super) async fn page<P: Platform>(
    call: &Call<'_, P>,
    query: &Query,
) -> Result<(u64, usize), Problem> {
    let limit = query.number("limit", 100, 1..=200)?;
    let from = cursor(call, query).await?.unwrap_or_default();
    Ok((from.place, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// The parameter `cursor`; `None` if it is absent. A cursor that this store has not issued is refused.
pub(super) async fn cursor<P: Platform>(
    call: &Call<'_, P>,
    query: &Query,
) -> Result<Option<Cursor>, Problem> {
    let cursor = query.parsed("cursor", str::parse::<Cursor>)?;
    match cursor {
        Some(cursor) if !call.store.cursors().has_issued(&cursor).await? => {
            Err(Problem::cursor_gone())
        }
        cursor => Ok(cursor),
    }
}

/// The parameter `cursor` of a list that goes backwards: the place below which it continues.
pub(super) async fn below<P: Platform>(
    call: &Call<'_, P>,
    query: &Query,
) -> Result<Option<u64>, Problem> {
    match cursor(call, query).await? {
        Some(cursor) if cursor.place == 0 => Err(Problem::field("cursor", NoCursor)),
        cursor => Ok(cursor.map(|cursor| cursor.place)),
    }
}

/// The end of a page in a list that grows.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Reached {
    /// The end of this page. Keep it, and pass it as `cursor` to read later entries.
    cursor: String,
    /// The same text as `cursor`, if there may be more entries already.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Reached {
    /// The end of a page that was read from the place `from` to the place `end`.
    pub async fn new<P: Platform>(
        call: &Call<'_, P>,
        from: u64,
        end: u64,
    ) -> Result<Self, Problem> {
        let cursor = next(call, end).await?;
        Ok(Self {
            next: (end > from).then(|| cursor.clone()),
            cursor,
        })
    }
}

/// The cursor that continues after a place, or below it.
pub(super) async fn next<P: Platform>(call: &Call<'_, P>, place: u64) -> Result<String, Problem> {
    Ok(call.store.cursors().at(place).await?.to_string())
}

/// The cursor that continues at a place; `None` if the list has ended.
pub(super) async fn next_if_any<P: Platform>(
    call: &Call<'_, P>,
    place: Option<u64>,
) -> Result<Option<String>, Problem> {
    match place {
        Some(place) => Ok(Some(next(call, place).await?)),
        None => Ok(None),
    }
}

/// A span of time from two parameters. Each is a date or a time; a date at the end is included. A span in which
/// there is no instant is refused: its answer would look like a complete one.
pub(super) fn span(query: &Query, from: &str, to: &str) -> Result<Span, Problem> {
    let span = Span {
        from: query.parsed(from, |text| time::parse_start(&with_plus(text)))?,
        to: query.parsed(to, |text| time::parse_end(&with_plus(text)))?,
    };
    match (span.from, span.to) {
        (Some(first), Some(end)) if end <= first => Err(not_after(to, from)),
        _ => Ok(span),
    }
}

/// The problem that a parameter is not later than the one that it must follow.
pub(super) fn not_after(end: &str, start: &str) -> Problem {
    Problem::field(end, format!("must be after {start}"))
}

/// A time whose offset may have a space for its plus, since many callers forget to write `%2B`. No time has a
/// space otherwise.
fn with_plus(time: &str) -> String {
    time.replace(' ', "+")
}

/// A name or a value of a query, decoded as forms encode it (WHATWG URL, section 5.1): a plus is a space.
fn decode_form(text: &str) -> Result<String, Problem> {
    decode(&text.replace('+', " "))
}

/// The parameter `review`: any open flag, or one with a certain reason.
#[derive(Clone, Copy)]
pub(super) enum OpenReview {
    Any,
    Of(Review),
}

impl OpenReview {
    /// Reads the parameter `review`.
    pub fn read(query: &Query) -> Result<Option<Self>, Problem> {
        query.parsed("review", |text| match text {
            "open" => Ok(Self::Any),
            text => Review::parse(text)
                .map(Self::Of)
                .ok_or("must be open, or the reason of a review"),
        })
    }

    /// True if one of the order's payments has such a flag.
    pub fn is_among(self, order: &OrderSummary) -> bool {
        match self {
            Self::Any => order.has_open_review(),
            Self::Of(review) => order.open_reviews_of(review) > 0,
        }
    }

    /// True if the payment has such a flag.
    pub fn is_of(self, payment: &RecordedPayment) -> bool {
        match self {
            Self::Any => !payment.review.is_empty(),
            Self::Of(review) => payment.review.contains(&review),
        }
    }
}

/// Decodes a percent-encoded segment of an address.
pub(crate) fn decode(segment: &str) -> Result<String, Problem> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The address is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use mpay_door::CURSOR_GONE;

    use super::{super::testing::Api, *};
    use crate::store::memory::Memory;

    #[test]
    fn queries_are_encoded_as_forms_are() {
        let read = |query| Query::read(query, &["a", "b c"]).map_err(|_| ());
        let query = read("a=x+y%2Bz%20&b+c=1&&").unwrap();
        assert_eq!(query.get("a"), Some("x y+z "));
        assert_eq!(query.get("b c"), Some("1"));
        assert!(read("a=1&%61=2").is_err(), "given twice");
        assert!(read("a=%FF").is_err());
        // An offset whose plus was not encoded.
        let query = Query::read("a=2026-06-01T00:00:00+03:00", &["a", "b"]).unwrap();
        let from = span(&query, "a", "b").ok().unwrap().from.unwrap();
        assert_eq!(from.to_string(), "2026-05-31T21:00:00Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_span_without_an_instant_is_refused_and_not_answered_as_empty() {
        let api = Api::new();
        let to = |query: &str| query.replace("FROM", "from").replace("TO", "to");
        for (list, from_to) in [
            ("payments?", "FROM={}&TO={}"),
            ("reconciliation?", "FROM={}&TO={}"),
            ("orders?", "registered_FROM={}&registered_TO={}"),
            ("orders/export?", "registered_FROM={}&registered_TO={}"),
            ("orders?", "due_FROM={}&due_TO={}"),
        ] {
            for (first, last, status) in [
                ("2026-11-30", "2026-11-01", 400),
                ("2026-11-30", "2026-11-30", 200),
                ("2026-11-30T12:00:00", "2026-11-30", 200),
                ("2026-11-30T12:00:00", "2026-11-30T11:59:59", 400),
                ("2026-11-30T12:00:00", "2026-11-30T12:00:01", 200),
            ] {
                let query = to(from_to).replacen("{}", first, 1).replacen("{}", last, 1);
                let answer = api.get(&format!("{list}{query}")).await;
                assert_eq!(answer.status, status, "{list}{query}: {}", answer.text);
                if status == 400 {
                    assert!(answer.text.contains("must be after"), "{}", answer.text);
                }
            }
        }
        let at = "2026-11-30T12:00:00";
        let answer = api.get(&format!("reconciliation?from={at}&to={at}")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        // A day is a day: that of an instant would be without an instant, too.
        let answer = api.get(&format!("reconciliation?date={at}")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains("must be a day"), "{}", answer.text);
    }

    const ORDER: &str =
        r#"{"reason": "R", "lines": [{"line_id": "1", "reason": "L", "amount_due": "1"}]}"#;

    /// Every list with a cursor.
    const LISTS: [(&str, &str); 9] = [
        ("GET", "events?cursor="),
        ("GET", "payments?cursor="),
        ("GET", "refusals?cursor="),
        ("GET", "reconciliation?date=2026-06-01&cursor="),
        ("GET", "orders?cursor="),
        ("GET", "orders/TAX/1/payments?cursor="),
        ("GET", "orders/TAX/1/history?cursor="),
        ("POST", "erasures?cursor="),
        ("POST", "repair?cursor="),
    ];

    async fn ask(api: &Api, method: &str, address: &str) -> (u16, Value) {
        let body = match address.starts_with("erasures") {
            true => r#"{"service_id": "TAX", "order_key": "1"}"#,
            false => "",
        };
        let answer = api.call(method, address, "", body).await;
        (answer.status, answer.json())
    }

    async fn register(api: &Api, keys: &[&str]) {
        for key in keys {
            let address = format!("orders/TAX/{key}");
            assert_eq!(api.call("PUT", &address, "", ORDER).await.status, 201);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cursor_of_another_store_or_beyond_the_end_is_gone() {
        let (api, mut other) = (Api::new(), Api::new());
        register(&api, &["1", "2", "3"]).await;
        other.memory = Memory::empty();
        other.memory.script_random([9; 64]);
        register(&other, &["1"]).await;
        let (_, page) = ask(&api, "GET", "events?cursor=0&limit=1").await;
        let own = page["next"].as_str().unwrap();
        let (generation, place) = own.split_once('-').unwrap();
        assert_eq!(place, "1", "{own}");
        let (_, theirs) = ask(&other, "GET", "events?cursor=0").await;
        let theirs = theirs["next"].as_str().unwrap();
        for (method, list) in LISTS {
            for cursor in ["1", own] {
                let address = format!("{list}{cursor}");
                assert_eq!(ask(&api, method, &address).await.0, 200, "{address}");
            }
            for cursor in [theirs, "99", &format!("{generation}-99")] {
                let address = format!("{list}{cursor}");
                let (status, problem) = ask(&api, method, &address).await;
                let kind = problem["type"].as_str();
                assert_eq!((status, kind), (410, Some(CURSOR_GONE)), "{address}");
            }
            for cursor in ["x", "-1", "01", "1x", "00c0ffee-"] {
                let address = format!("{list}{cursor}");
                assert_eq!(ask(&api, method, &address).await.0, 400, "{address}");
            }
        }
        assert_eq!(ask(&api, "GET", "orders?cursor=0").await.0, 400);
    }

    /// For a day that is closed up to the cursor, nothing reads the journal.
    #[tokio::test(start_paused = true)]
    async fn a_cursor_beyond_the_end_is_gone_on_a_closed_day_too() {
        let api = Api::new();
        register(&api, &["1", "2", "3"]).await;
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        for (cursor, status) in [("1", 200), ("3", 200), ("4", 410)] {
            let address = format!("reconciliation?date=2026-06-01&cursor={cursor}");
            let (got, answer) = ask(&api, "GET", &address).await;
            assert_eq!(got, status, "{cursor}: {answer}");
        }
    }
}
