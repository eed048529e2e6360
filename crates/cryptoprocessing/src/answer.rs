//! The answers: one XML element named like the command. Attributes may come in any order, be missing or
//! new; names and words are compared without case.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use crate::{
    state::{ErrCode, Group, State},
    value::{CardId, CustomerId, OrderId},
};

/// The most bytes of an answer.
pub const MAX_ANSWER: usize = 64 << 10;
/// The most children of an answer that are read.
const MAX_CHILDREN: usize = 100;

/// The outcome of a command that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// Done, with the content of the answer.
    Done(T),
    /// Definitely not done.
    Refused(ErrCode),
    /// Done or not done: only the payment's state will tell.
    Unknown(Unclear),
}

impl<T> Outcome<T> {
    /// Reads the content of a done outcome; it becomes unknown if the content cannot be read.
    pub(crate) fn then<U>(self, read: impl FnOnce(T) -> Result<U, Unclear>) -> Outcome<U> {
        match self {
            Self::Done(done) => read(done).map_or_else(Outcome::Unknown, Outcome::Done),
            Self::Refused(code) => Outcome::Refused(code),
            Self::Unknown(unclear) => Outcome::Unknown(unclear),
        }
    }
}

/// The gateway's answer to the question for a state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum StateAnswer {
    /// The state of the payment.
    Found(Found),
    /// The gateway refuses to tell: the terminal, its rights or the request is wrong.
    Refused(ErrCode),
    /// No answer to this question.
    Unknown(Unclear),
}

/// The reason for which an answer does not answer the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unclear {
    /// A status other than 200.
    #[error("the gateway answered with the status {0}")]
    Status(u16),
    /// More than [`MAX_ANSWER`] bytes.
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
    /// No XML document, or not in UTF-8.
    #[error("the answer is no XML")]
    NotXml,
    /// A document type, which could declare anything.
    #[error("the answer declares a document type")]
    DocumentType,
    /// An answer to another command.
    #[error("the answer is not {0}")]
    OtherCommand(&'static str),
    /// An attribute that is there twice.
    #[error("the answer names {0} twice")]
    Twice(&'static str),
    /// An answer about another payment.
    #[error("the answer is about another OrderId")]
    OtherOrder,
    /// An answer about another customer.
    #[error("the answer is about another VWUserLgn")]
    OtherCustomer,
    /// A session for another amount than the one asked for.
    #[error("the session is for another amount")]
    OtherAmount,
    /// A required attribute is missing.
    #[error("the answer lacks {0}")]
    Lacks(&'static str),
    /// An attribute that cannot be read.
    #[error("the answer has a {0} that cannot be read")]
    Unreadable(&'static str),
    /// Success and an error, or a failure with a state in which money has moved.
    #[error("the answer contradicts itself")]
    Contradiction,
    /// A code that leaves open what was done.
    #[error("the gateway answered {0}")]
    Code(ErrCode),
}

/// The gateway's knowledge of a payment. `Debug` shows no more than its state.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The meaning of its state, with the amount.
    pub state: State,
    /// The state as the gateway wrote it, or the code that stood for it.
    pub written: String,
    /// The code with which the last attempt or command failed.
    pub code: Option<ErrCode>,
    /// True if another terminal took it over.
    pub forwarded: bool,
    /// `RRN`: the bank's reference of the last operation.
    pub rrn: Option<String>,
    /// `PANMask`: the number of the card, without the digits in the middle.
    pub card: Option<String>,
    /// `CardId`: the saved card, at the Wallet.
    pub card_id: Option<CardId>,
    /// `VWUserLgn`: the customer, at the Wallet.
    pub customer: Option<CustomerId>,
    /// The other things that the gateway told, as `AddInfo` with key and value.
    pub info: Vec<(String, String)>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("state", &self.state)
            .field("written", &self.written)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// A card that a customer of the Wallet saved.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedCard {
    /// `CardId`.
    pub id: CardId,
    /// `CardName`: the number without the digits in the middle.
    pub name: String,
    /// `CardHolder`, as it stands on the card. `Debug` does not show it.
    pub holder: Option<String>,
    /// `Status`: whether it can be paid with.
    pub is_active: bool,
    /// `NoCVV`: whether it can be paid with while its holder is absent.
    pub without_code: bool,
    /// `Expired`.
    pub is_expired: bool,
}

impl std::fmt::Debug for SavedCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SavedCard")
            .field("id", &self.id)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// An element: its name and attributes, as they are written.
#[derive(Debug, Default)]
pub(crate) struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn read(tag: &BytesStart<'_>) -> Result<Self, Unclear> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| Unclear::NotXml)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|_| Unclear::NotXml)?.into_owned();
            attributes.push((attribute.key.into_inner().to_owned(), value));
        }
        let name = tag.name().into_inner().to_owned();
        Ok(Self { name, attributes })
    }

    /// The value of an attribute; `None` if it is missing or empty.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Unclear> {
        let is_it = |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        let mut found = self.attributes.iter().filter(is_it);
        let value = found.next().map(|(_, value)| value.trim());
        match found.next() {
            Some(_) => Err(Unclear::Twice(name)),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// An amount in minor units: digits alone.
    pub fn amount(&self, name: &'static str) -> Result<Option<u64>, Unclear> {
        let Some(text) = self.get(name)? else {
            return Ok(None);
        };
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        let amount = is_number.then(|| text.parse().ok()).flatten();
        amount.map(Some).ok_or(Unclear::Unreadable(name))
    }

    /// A flag, as .NET and XML write them.
    fn flag(&self, name: &'static str) -> Result<Option<bool>, Unclear> {
        let Some(text) = self.get(name)? else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(Unclear::Unreadable(name)),
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A well-formed answer: its element and the children of that.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    root: Tag,
    children: Vec<Tag>,
}

impl Answer {
    fn read(status: u16, body: &[u8]) -> Result<Self, Unclear> {
        if status != 200 {
            return Err(Unclear::Status(status));
        }
        if body.len() > MAX_ANSWER {
            return Err(Unclear::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| Unclear::NotXml)?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}').trim());
        let mut answer = Self::default();
        let mut depth = 0_usize;
        let mut has_root = false;
        loop {
            match reader.read_event().map_err(|_| Unclear::NotXml)? {
                event @ (Event::Start(_) | Event::Empty(_)) => {
                    let (tag, opens) = match &event {
                        Event::Start(tag) => (tag, true),
                        Event::Empty(tag) => (tag, false),
                        _ => return Err(Unclear::NotXml),
                    };
                    let tag = Tag::read(tag)?;
                    match depth {
                        0 if has_root => return Err(Unclear::NotXml),
                        0 => {
                            has_root = true;
                            answer.root = tag;
                        }
                        1 if answer.children.len() < MAX_CHILDREN => answer.children.push(tag),
                        _ => {}
                    }
                    depth += usize::from(opens);
                }
                // The reader checks that ends match their beginnings.
                Event::End(_) => depth = depth.saturating_sub(1),
                Event::DocType(_) => return Err(Unclear::DocumentType),
                Event::Text(text) if depth == 0 && !text.trim().is_empty() => {
                    return Err(Unclear::NotXml);
                }
                Event::CData(_) | Event::GeneralRef(_) if depth == 0 => {
                    return Err(Unclear::NotXml);
                }
                Event::Eof if depth == 0 && has_root => return Ok(answer),
                Event::Eof => return Err(Unclear::NotXml),
                _ => {}
            }
        }
    }

    /// Reads an answer to this command, about this payment or customer or about none.
    fn to(expected: &Expected<'_>, status: u16, body: &[u8]) -> Result<Self, Unclear> {
        let answer = Self::read(status, body)?;
        if !answer.root.is(expected.command) {
            return Err(Unclear::OtherCommand(expected.command));
        }
        if let (Some(order), Some(written)) = (expected.order, answer.root.get("OrderId")?)
            && !order.is(written)
        {
            return Err(Unclear::OtherOrder);
        }
        if let (Some(customer), Some(written)) = (expected.customer, answer.root.get("VWUserLgn")?)
            && !customer.as_str().eq_ignore_ascii_case(written)
        {
            return Err(Unclear::OtherCustomer);
        }
        Ok(answer)
    }

    /// True if the gateway says that it did what was asked, `None` if it does not say; and the code of
    /// its error.
    fn verdict(&self) -> Result<(Option<bool>, Option<ErrCode>), Unclear> {
        let code = match self.root.get("ErrCode")? {
            None => None,
            Some(text) => Some(ErrCode::parse(text).ok_or(Unclear::Unreadable("ErrCode"))?),
        };
        Ok((self.root.flag("Success")?, code))
    }

    /// Requires the name of the payment, if the command is about one.
    fn names_order(&self, expected: &Expected<'_>) -> Result<(), Unclear> {
        match expected.order {
            Some(_) if self.root.get("OrderId")?.is_none() => Err(Unclear::Lacks("OrderId")),
            _ => Ok(()),
        }
    }

    /// The value of an attribute, or else of the `AddInfo` of the same name.
    fn told(&self, name: &'static str) -> Result<Option<String>, Unclear> {
        if let Some(value) = self.root.get(name)? {
            return Ok(Some(value.to_owned()));
        }
        let info = self.info();
        let found = info.into_iter().find(|(k, _)| k.eq_ignore_ascii_case(name));
        Ok(found.map(|(_, value)| value))
    }

    /// The pairs of `AddInfo`. A pair that cannot be read is left out, since it decides nothing.
    fn info(&self) -> Vec<(String, String)> {
        let pair = |tag: &Tag| {
            let key = tag.get("Key").ok()??.to_owned();
            Some((key, tag.get("Value").ok()??.to_owned()))
        };
        let children = self.children.iter().filter(|tag| tag.is("AddInfo"));
        children.filter_map(pair).collect()
    }

    /// The saved cards.
    pub fn cards(&self) -> Result<Vec<SavedCard>, Unclear> {
        let card = |tag: &Tag| {
            let id = tag.get("CardId")?.ok_or(Unclear::Lacks("CardId"))?;
            let status = tag.get("Status")?.unwrap_or_default();
            Ok(SavedCard {
                id: CardId::parse(id).map_err(|_| Unclear::Unreadable("CardId"))?,
                name: without_card_number(tag.get("CardName")?.unwrap_or_default()),
                holder: tag.get("CardHolder")?.map(without_card_number),
                is_active: status.eq_ignore_ascii_case("IsActive"),
                without_code: tag.flag("NoCVV")?.unwrap_or_default(),
                is_expired: tag.flag("Expired")?.unwrap_or_default(),
            })
        };
        let children = self.children.iter().filter(|tag| tag.is("Item"));
        children.map(card).collect()
    }

    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Unclear> {
        self.root.get(name)
    }

    pub fn amount(&self, name: &'static str) -> Result<Option<u64>, Unclear> {
        self.root.amount(name)
    }
}

/// The expected subject of an answer.
pub(crate) struct Expected<'a> {
    /// The name of the element.
    pub command: &'static str,
    pub order: Option<&'a OrderId>,
    pub customer: Option<&'a CustomerId>,
}

/// Reads the answer to a command that changes something.
pub(crate) fn outcome(expected: &Expected<'_>, status: u16, body: &[u8]) -> Outcome<Answer> {
    let read = || {
        let answer = Answer::to(expected, status, body)?;
        let (success, code) = answer.verdict()?;
        Ok(match (success.ok_or(Unclear::Lacks("Success"))?, code) {
            (true, Some(code)) if code.as_str() != "NONE" => {
                Outcome::Unknown(Unclear::Contradiction)
            }
            (true, _) => {
                answer.names_order(expected)?;
                Outcome::Done(answer)
            }
            (false, None) => Outcome::Unknown(Unclear::Lacks("ErrCode")),
            (false, Some(code)) if code.group() == Group::Unknown => {
                Outcome::Unknown(Unclear::Code(code))
            }
            (false, Some(code)) => Outcome::Refused(code),
        })
    };
    read().unwrap_or_else(Outcome::Unknown)
}

/// Reads the answer to the question for a state. `Success` says only that the state was found.
pub(crate) fn state(expected: &Expected<'_>, status: u16, body: &[u8]) -> StateAnswer {
    let read = || {
        let answer = Answer::to(expected, status, body)?;
        let (success, code) = answer.verdict()?;
        let written = match answer.get("State")? {
            Some(state) => Some(state),
            None => answer.get("Status")?,
        };
        let (state, written) = match (success, &code) {
            (Some(false), None) => return Err(Unclear::Lacks("ErrCode")),
            (Some(false), Some(code)) => match of_failure(code, written)? {
                Some(state) => (state, written.unwrap_or(code.as_str())),
                None => return Ok(StateAnswer::Refused(code.clone())),
            },
            (None, Some(_)) => return Err(Unclear::Lacks("Success")),
            (Some(true) | None, _) => {
                answer.names_order(expected)?;
                let written = written.ok_or(Unclear::Lacks("State"))?;
                // The amount of a state that has none decides nothing.
                let amount = match State::of(written, Some(0)) {
                    Some(State::Held { .. } | State::Paid { .. }) => answer.amount("Amount")?,
                    // The amount may be missing or unreadable.
                    Some(State::ChargedBack { .. }) => answer.amount("Amount").ok().flatten(),
                    _ => None,
                };
                let state = State::of(written, amount).ok_or(Unclear::Lacks("Amount"))?;
                (state, written)
            }
        };
        Ok(StateAnswer::Found(Found {
            state,
            written: without_card_number(&bounded(written)),
            code: code.filter(|code| code.as_str() != "NONE"),
            forwarded: answer.root.flag("Forwarded").ok().flatten() == Some(true),
            rrn: answer.told("RRN")?.as_deref().map(without_card_number),
            card: answer.told("PANMask")?.as_deref().map(without_card_number),
            card_id: answer
                .told("CardId")?
                .and_then(|id| CardId::parse(&id).ok()),
            customer: answer
                .told("VWUserLgn")?
                .and_then(|id| CustomerId::parse(&id).ok()),
            info: answer
                .info()
                .into_iter()
                .map(|(key, value)| (bounded(&key), without_card_number(&bounded(&value))))
                .collect(),
        }))
    };
    read().unwrap_or_else(StateAnswer::Unknown)
}

/// The state if the gateway says that it found none, by the code and by the state that it wrote all the
/// same; `None` if it refuses to tell. In no such state has money moved: only a success is believed for
/// that.
fn of_failure(code: &ErrCode, written: Option<&str>) -> Result<Option<State>, Unclear> {
    match (code.as_str(), code.group()) {
        ("NONE", _) => return Ok(Some(State::Pending)),
        (_, Group::Configuration) => return Ok(None),
        (_, Group::Unknown) => return Err(Unclear::Code(code.clone())),
        _ => {}
    }
    match written.map(|written| State::of(written, Some(0))) {
        Some(Some(state @ (State::Open | State::Pending | State::Failed))) => {
            return Ok(Some(state));
        }
        Some(_) => return Err(Unclear::Contradiction),
        None => {}
    }
    Ok(match (code.as_str(), code.group()) {
        ("ORDER_NOT_FOUND", _) => Some(State::Open),
        ("ORDER_TIME_OUT", _) | (_, Group::PayersCard) => Some(State::Failed),
        _ => None,
    })
}

/// The most characters of a word that the gateway wrote for people.
const MAX_WORD: usize = 200;

fn bounded(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_WORD)
        .collect()
}

/// A masked card number unchanged, and an unmasked one masked: no number of a card is kept here, whatever
/// the gateway sends.
fn without_card_number(text: &str) -> String {
    let text = bounded(text);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_number = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    let run = text.split(|c| !is_number(c)).any(|run| {
        let digits = run.chars().filter(char::is_ascii_digit).count();
        digits >= 13
    });
    if !run {
        return text;
    }
    let mut seen = 0;
    let hide = |c: char| {
        if !c.is_ascii_digit() {
            return c;
        }
        seen += 1;
        if seen <= 6 || seen > digits.saturating_sub(4) {
            c
        } else {
            '*'
        }
    };
    text.chars().map(hide).collect()
}

/// An answer in the form in which it may be kept: every text that may be the number of a card has only
/// its first six and last four digits. The gateway masks numbers itself; this is for one that does not.
pub fn without_card_numbers(answer: &[u8]) -> String {
    const SHORTEST: usize = 13;
    const LONGEST: usize = 19;
    let text = String::from_utf8_lossy(answer);
    let is_part = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    let mut kept = String::with_capacity(text.len());
    let mut rest = &*text;
    while !rest.is_empty() {
        let end = rest.find(is_part).unwrap_or(rest.len());
        let (between, from) = rest.split_at(end);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let is_number = (SHORTEST..=LONGEST).contains(&digits)
            && !word
                .chars()
                .any(|c| c.is_alphanumeric() && !c.is_ascii_digit());
        kept.push_str(between);
        match is_number {
            true => kept.push_str(&without_card_number(word)),
            false => kept.push_str(word),
        }
        rest = after;
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order() -> OrderId {
        OrderId::parse("card01").unwrap()
    }

    fn ask(answer: &str) -> StateAnswer {
        let order = order();
        let expected = Expected {
            command: "GetState",
            order: Some(&order),
            customer: None,
        };
        state(&expected, 200, answer.as_bytes())
    }

    #[test]
    fn an_answer_is_kept_as_it_came_but_for_numbers_of_cards() {
        let order = "card01234567890123456789012345678901";
        let kept = without_card_numbers(
            format!(
                r#"<GetState OrderId="{order}" RRN="123456789012" Amount="10000" PAN="4111111111111111" A="4111 1111-1111 1111"/>"#
            )
            .as_bytes(),
        );
        assert_eq!(
            kept,
            format!(
                r#"<GetState OrderId="{order}" RRN="123456789012" Amount="10000" PAN="411111******1111" A="4111 11**-**** 1111"/>"#
            )
        );
        assert_eq!(
            without_card_numbers(b"\xff4111111111111111"),
            "\u{FFFD}411111******1111"
        );
        assert_eq!(without_card_numbers(b""), "");
    }

    proptest! {
        #[test]
        fn numbers_of_cards_are_hidden_and_order_numbers_are_not(
            number in "[0-9]{13,19}",
            order in "card[0-9a-f]{32}"
        ) {
            let of = |number: &str| format!("<A OrderId=\"{order}\" N='{number}'/>");
            let hidden = format!(
                "{}{}{}",
                &number[..6],
                "*".repeat(number.len() - 10),
                &number[number.len() - 4..]
            );
            prop_assert_eq!(without_card_numbers(of(&number).as_bytes()), of(&hidden));
        }
    }

    fn found(answer: &str) -> Found {
        match ask(answer) {
            StateAnswer::Found(found) => found,
            other => panic!("{answer}: {other:?}"),
        }
    }

    fn unclear(answer: &str) -> Unclear {
        match ask(answer) {
            StateAnswer::Unknown(unclear) => unclear,
            other => panic!("{answer}: {other:?}"),
        }
    }

    fn charge(answer: &str) -> Outcome<Option<u64>> {
        let order = order();
        let expected = Expected {
            command: "Charge",
            order: Some(&order),
            customer: None,
        };
        outcome(&expected, 200, answer.as_bytes()).then(|answer| answer.amount("Amount"))
    }

    #[test]
    fn an_answer_is_read_however_it_is_written() {
        for answer in [
            r#"<GetState Success="True" OrderId="card01" State="Charged" Amount="1999"/>"#,
            r#"<getstate amount='1999' status='CHARGED' orderid='CARD01' success='true' New="x"></getstate>"#,
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a -->\n<GETSTATE SUCCESS=\"1\"\n ORDERID = \"card01\" STATE=\"charged\" AMOUNT=\" 1999 \"/>\n",
            r#"<GetState OrderId="card01" State="Charged" Amount="&#x31;999"><AddInfo Key="A" Value="B"><C/>text</AddInfo></GetState>"#,
            r#"<GetState Success="True" ErrCode="NONE" OrderId="card01" State="Charged" Status="Error" Amount="1999"/>"#,
        ] {
            assert_eq!(found(answer).state, State::Paid { remaining: 1999 });
        }
    }

    #[test]
    fn success_of_a_question_is_no_payment() {
        for (state, meaning) in [
            ("Rejected", State::Failed),
            ("New", State::Open),
            ("Authorized", State::Held { amount: 5 }),
            ("Forwarded", State::Unknown),
        ] {
            let answer = format!(
                r#"<GetState Success="True" OrderId="card01" State="{state}" Amount="5"/>"#
            );
            assert_eq!(found(&answer).state, meaning);
        }
    }

    #[test]
    fn what_the_gateway_tells_beside_the_state_is_kept() {
        let found = found(
            r#"<GetState Success="True" OrderId="card01" State="Refunded" Amount="x" Forwarded="True" RRN="0001">
                 <AddInfo Key="PANMask" Value="411111xxxxxx1111"/><AddInfo Key="CardId" Value="a-1"/>
                 <AddInfo Key="VWUserLgn" Value="ana"/><AddInfo Key="only"/></GetState>"#,
        );
        assert_eq!(found.state, State::Refunded);
        assert!(found.forwarded);
        assert_eq!(found.rrn.as_deref(), Some("0001"));
        assert_eq!(found.card.as_deref(), Some("411111xxxxxx1111"));
        assert_eq!(found.card_id.unwrap().as_str(), "a-1");
        assert_eq!(found.customer.unwrap().as_str(), "ana");
        assert_eq!(found.info.len(), 3);
    }

    #[test]
    fn a_state_that_was_not_found_goes_by_its_code() {
        let code = |code: &str| {
            format!(r#"<GetState Success="False" OrderId="card01" ErrCode="{code}"/>"#)
        };
        for (written, state) in [
            ("NONE", State::Pending),
            ("ORDER_NOT_FOUND", State::Open),
            ("order_time_out", State::Failed),
            ("AMOUNT_EXCEED", State::Failed),
            ("ISSUER_BLOCKED_CARD", State::Failed),
        ] {
            assert_eq!(found(&code(written)).state, state, "{written}");
        }
        for refused in ["ACCESS_DENIED", "WRONG_PARAMS", "SOMETHING_NEW"] {
            let answer = ask(&code(refused));
            let refused = ErrCode::parse(refused).unwrap();
            assert_eq!(answer, StateAnswer::Refused(refused));
        }
        for unknown in ["INTERNAL_ERROR", "ISSUER_TIMEOUT"] {
            let expected = Unclear::Code(ErrCode::parse(unknown).unwrap());
            assert_eq!(unclear(&code(unknown)), expected);
        }
    }

    #[test]
    fn a_state_of_money_is_not_believed_of_a_failure() {
        let answer = |state: &str, code: &str| {
            format!(
                r#"<GetState Success="False" OrderId="card01" State="{state}" Amount="5" ErrCode="{code}"/>"#
            )
        };
        assert_eq!(
            found(&answer("Rejected", "PROCESSING_ERROR")).state,
            State::Failed
        );
        assert_eq!(found(&answer("Charged", "NONE")).state, State::Pending);
        for state in ["Charged", "Authorized", "Refunded", "Voided", "Whatever"] {
            let answer = answer(state, "PROCESSING_ERROR");
            assert_eq!(unclear(&answer), Unclear::Contradiction);
        }
    }

    #[test]
    fn what_is_no_answer_to_this_is_unclear() {
        for (answer, why) in [
            ("", Unclear::NotXml),
            ("Charged", Unclear::NotXml),
            ("{}", Unclear::NotXml),
            (
                r#"<GetState Success="True" State="Charged""#,
                Unclear::NotXml,
            ),
            (
                r#"<GetState State="New" OrderId="card01">"#,
                Unclear::NotXml,
            ),
            (
                r#"<GetState State="New" OrderId="card01"></Other>"#,
                Unclear::NotXml,
            ),
            (
                r#"<GetState State="New" OrderId="card01"/>x"#,
                Unclear::NotXml,
            ),
            (
                r#"<GetState State="New" OrderId="card01"/><GetState/>"#,
                Unclear::NotXml,
            ),
            (
                r#"<GetState State="&x;" OrderId="card01"/>"#,
                Unclear::NotXml,
            ),
            (
                r#"<!DOCTYPE a [<!ENTITY x "Charged">]><GetState State="&x;"/>"#,
                Unclear::DocumentType,
            ),
            (
                "<html><body>502</body></html>",
                Unclear::OtherCommand("GetState"),
            ),
            (
                r#"<Charge Success="True" OrderId="card01" State="Charged" Amount="5"/>"#,
                Unclear::OtherCommand("GetState"),
            ),
            (
                r#"<GetState Success="True" OrderId="card02" State="Charged" Amount="5"/>"#,
                Unclear::OtherOrder,
            ),
            (
                r#"<GetState Success="False" OrderId="card02" ErrCode="ORDER_NOT_FOUND"/>"#,
                Unclear::OtherOrder,
            ),
            (
                r#"<GetState Success="True" State="Charged" Amount="5"/>"#,
                Unclear::Lacks("OrderId"),
            ),
            (
                r#"<GetState Success="True" OrderId="card01" Amount="5"/>"#,
                Unclear::Lacks("State"),
            ),
            (
                r#"<GetState Success="True" OrderId="card01" State="Charged"/>"#,
                Unclear::Lacks("Amount"),
            ),
            (r#"<GetState Success="False"/>"#, Unclear::Lacks("ErrCode")),
            (
                r#"<GetState State="Error" ErrCode="X"/>"#,
                Unclear::Lacks("Success"),
            ),
            (
                r#"<GetState Success="True" OrderId="card01" State="New" state="Charged" Amount="5"/>"#,
                Unclear::Twice("State"),
            ),
            (
                r#"<GetState Success="perhaps" OrderId="card01" State="New"/>"#,
                Unclear::Unreadable("Success"),
            ),
        ] {
            assert_eq!(unclear(answer), why, "{answer}");
        }
        for amount in ["19.99", "-5", "+5", "1e3", "5 MDL", "18446744073709551616"] {
            let answer = format!(
                r#"<GetState Success="True" OrderId="card01" State="Charged" Amount="{amount}"/>"#
            );
            assert_eq!(unclear(&answer), Unclear::Unreadable("Amount"));
        }
    }

    #[test]
    fn only_a_whole_answer_of_status_200_is_read() {
        let order = order();
        let expected = Expected {
            command: "GetState",
            order: Some(&order),
            customer: None,
        };
        let answer = r#"<GetState Success="True" OrderId="card01" State="Charged" Amount="5"/>"#;
        for status in [201, 204, 301, 403, 500, 502] {
            let answer = state(&expected, status, answer.as_bytes());
            assert_eq!(answer, StateAnswer::Unknown(Unclear::Status(status)));
        }
        let padded = |length| format!("{answer}{}", " ".repeat(length - answer.len()));
        let read = |length| state(&expected, 200, padded(length).as_bytes());
        assert!(matches!(read(MAX_ANSWER), StateAnswer::Found(_)));
        assert_eq!(
            read(MAX_ANSWER + 1),
            StateAnswer::Unknown(Unclear::TooLarge)
        );
        let latin = [answer.as_bytes(), b"<!-- \xE3 -->"].concat();
        assert_eq!(
            state(&expected, 200, &latin),
            StateAnswer::Unknown(Unclear::NotXml)
        );
    }

    #[test]
    fn a_command_is_done_refused_or_unknown() {
        let code = |code| ErrCode::parse(code).unwrap();
        for (answer, outcome) in [
            (
                r#"<Charge Success="True" OrderId="card01" Amount="10000"/>"#,
                Outcome::Done(Some(10000)),
            ),
            (
                r#"<Charge Success="True" OrderId="card01"/>"#,
                Outcome::Done(None),
            ),
            (
                r#"<Charge Success="False" OrderId="card01" ErrCode="ILLEGAL_ORDER_STATE"/>"#,
                Outcome::Refused(code("ILLEGAL_ORDER_STATE")),
            ),
            (
                r#"<Charge Success="False" ErrCode="ACCESS_DENIED"/>"#,
                Outcome::Refused(code("ACCESS_DENIED")),
            ),
            (
                r#"<Charge Success="False" ErrCode="PROCESSING_TIME_OUT"/>"#,
                Outcome::Unknown(Unclear::Code(code("PROCESSING_TIME_OUT"))),
            ),
            (
                r#"<Charge Success="False"/>"#,
                Outcome::Unknown(Unclear::Lacks("ErrCode")),
            ),
            (
                r#"<Charge OrderId="card01" Amount="5"/>"#,
                Outcome::Unknown(Unclear::Lacks("Success")),
            ),
            (
                r#"<Charge Success="True" Amount="5"/>"#,
                Outcome::Unknown(Unclear::Lacks("OrderId")),
            ),
            (
                r#"<Charge Success="True" OrderId="card01" ErrCode="AMOUNT_ERROR"/>"#,
                Outcome::Unknown(Unclear::Contradiction),
            ),
            (
                r#"<Charge Success="True" OrderId="card01" Amount="5.00"/>"#,
                Outcome::Unknown(Unclear::Unreadable("Amount")),
            ),
            (
                r#"<Refund Success="True" OrderId="card01" Amount="5"/>"#,
                Outcome::Unknown(Unclear::OtherCommand("Charge")),
            ),
            (
                r#"<Charge Success="True" OrderId="card02" Amount="5"/>"#,
                Outcome::Unknown(Unclear::OtherOrder),
            ),
        ] {
            assert_eq!(charge(answer), outcome, "{answer}");
        }
    }

    #[test]
    fn no_number_of_a_card_is_kept() {
        for (sent, kept) in [
            ("411111xxxxxx1111", "411111xxxxxx1111"),
            ("411111******1111", "411111******1111"),
            ("4111111111111111", "411111******1111"),
            ("4111 1111 1111 1111", "4111 11** **** 1111"),
            ("card 4111-1111-1111-1111.", "card 4111-11**-****-1111."),
            ("003770024290", "003770024290"),
        ] {
            assert_eq!(without_card_number(sent), kept);
        }
        let found = found(
            r#"<GetState OrderId="card01" State="New" PANMask="4111111111111111">
                 <AddInfo Key="Pan" Value="4111111111111111"/></GetState>"#,
        );
        assert_eq!(found.card.as_deref(), Some("411111******1111"));
        assert_eq!(
            found.info,
            [("Pan".to_owned(), "411111******1111".to_owned())]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let order = order();
            let expected = Expected { command: "GetState", order: Some(&order), customer: None };
            let answer = state(&expected, 200, &bytes);
            prop_assert!(!matches!(answer, StateAnswer::Found(_)));
        }

        #[test]
        fn no_change_of_one_byte_makes_more_of_an_answer(at in 0_usize..72, byte in any::<u8>()) {
            let answer = br#"<GetState Success="True" OrderId="card01" State="Rejected" Amount="50"/>"#;
            let mut changed = answer.to_vec();
            changed[at] = byte;
            let order = order();
            let expected = Expected { command: "GetState", order: Some(&order), customer: None };
            if let StateAnswer::Found(found) = state(&expected, 200, &changed) {
                prop_assert!(matches!(found.state, State::Failed | State::Unknown));
            }
        }
    }
}
