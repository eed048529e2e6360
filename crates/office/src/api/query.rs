//! The part of an address after `?`.

use std::{fmt::Display, ops::RangeInclusive};

use http::StatusCode;

use super::{Problem, route::decode};
use crate::{
    domain::{OrderSummary, RecordedPayment, Review, time},
    store::Span,
};

/// Parameters, each known and given once at most.
pub(super) struct Query<'a>(Vec<(&'a str, String)>);

impl<'a> Query<'a> {
    /// Reads the parameters of a call, of which there are these.
    pub fn read(query: &'a str, names: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !names.contains(&name) {
                let names = match names {
                    [] => "It takes no parameters.".to_owned(),
                    names => format!("Of parameters there are: {}.", names.join(", ")),
                };
                return Err(Problem::new(StatusCode::BAD_REQUEST, names));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::field(name, "is given twice"));
            }
            // A plus stands for itself: times have it.
            pairs.push((name, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| *known == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, as `parse` reads it.
    pub fn parsed<T, E: Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        self.get(name)
            .map(|text| parse(text).map_err(|error| Problem::field(name, error)))
            .transpose()
    }

    /// A whole number within `range`.
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

    /// One of a few words.
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

/// `after` and `limit`: where a listing goes on, and how many entries it gives at most.
pub(super) fn page(query: &Query<'_>) -> Result<(u64, usize), Problem> {
    let after = query.number("after", 0, 0..=(1 << 53) - 1)?;
    let limit = query.number("limit", 100, 1..=200)?;
    Ok((after, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// A span of time by two parameters: dates, of which the last is part of the span, or times.
pub(super) fn span(query: &Query<'_>, from: &str, to: &str) -> Result<Span, Problem> {
    Ok(Span {
        from: query.parsed(from, time::parse_start)?,
        to: query.parsed(to, time::parse_end)?,
    })
}

/// Which reviews must be open: any, or one of a reason.
#[derive(Clone, Copy)]
pub(super) enum OpenReview {
    Any,
    Of(Review),
}

impl OpenReview {
    /// Reads the parameter `review`.
    pub fn read(query: &Query<'_>) -> Result<Option<Self>, Problem> {
        query.parsed("review", |text| match text {
            "open" => Ok(Self::Any),
            text => Review::parse(text)
                .map(Self::Of)
                .ok_or("must be open, or the reason of a review"),
        })
    }

    /// Whether one of an order's payments has such a review.
    pub fn is_among(self, order: &OrderSummary) -> bool {
        match self {
            Self::Any => order.has_open_review(),
            Self::Of(review) => order.open_reviews_of(review) > 0,
        }
    }

    /// Whether a payment has such a review.
    pub fn is_of(self, payment: &RecordedPayment) -> bool {
        match self {
            Self::Any => !payment.review.is_empty(),
            Self::Of(review) => payment.review.contains(&review),
        }
    }
}
