//! `/api/card-customers/{customer}`: customers of the gateway's interface Wallet, and their saved cards.

use bytes::Bytes;
use cryptoprocessing::{
    Activate, CardId, Check, Delete, GetList, Group, Register, Remove, SavedCard, Secret, Update,
    WalletError,
};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    card_payments::{address, customer, desk, money, payer_ip},
    document::read_object,
    endpoint::{Endpoint, Values},
    json,
    query::Query,
};
use crate::{
    access::{CLERKS, EVERYBODY},
    cards::{Desk, Wallet, refused},
    domain::{ServiceId, time},
    store::Platform,
};

/// A customer's telephone and e-mail address, for the gateway.
#[derive(Deserialize, Default)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "CardCustomerRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Reached {
    /// Their telephone, with the country's code.
    phone: Option<String>,
    /// Their e-mail address.
    email: Option<String>,
}

/// The customer's way to the gateway's page for saving a card, and back.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "AddCardRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Adding {
    /// The address to which the customer returns at the end, whatever the outcome.
    return_url: String,
    /// The language of the gateway's pages: `ro`, `ru` or `en`.
    language: Option<String>,
    /// The customer's IP address, for the gateway.
    payer_ip: Option<String>,
}

/// The proof that the customer holds the card: an amount that their bank statement shows.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "description", schemars(rename = "ActivateCardRequest"))]
#[serde(deny_unknown_fields)]
pub(super) struct Activating {
    /// The small amount that the gateway holds on the card.
    amount: String,
}

/// A customer, or a card of theirs.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct CardCustomerAnswer<'a> {
    /// The customer.
    customer: &'a str,
    /// The card.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<&'a str>,
}

/// The page on which a customer saves a card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct AddCardAnswer {
    /// The gateway's page, to which to send the customer.
    redirect_url: String,
    /// The time until which the customer can save a card there.
    expires_at: String,
}

/// A saved card.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct SavedCardAnswer {
    /// The gateway's identifier of the card.
    id: String,
    /// The card's number, of which only a few digits are shown.
    masked_number: String,
    /// The holder's name, as the card shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
    /// True if payments can be made with the card.
    active: bool,
    /// True if the card can be charged while its holder is absent.
    without_code: bool,
    /// True if the card has expired.
    expired: bool,
}

/// The saved cards of a customer.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct SavedCardsAnswer {
    /// The cards, at most 20.
    cards: Vec<SavedCardAnswer>,
}

impl From<SavedCard> for SavedCardAnswer {
    fn from(card: SavedCard) -> Self {
        Self {
            id: card.id.as_str().to_owned(),
            masked_number: card.name,
            holder: card.holder,
            active: card.is_active,
            without_code: card.without_code,
            expired: card.is_expired,
        }
    }
}

/// The customer that a call names.
fn wallet<'a, P: Platform>(
    desk: &'a Desk<'a, P>,
    call: &Call<'_, P>,
    values: &Values,
) -> Result<Wallet<'a, P>, Problem> {
    let query = Query::of(call)?;
    let service = query.parsed("service_id", ServiceId::parse)?;
    let id = customer(values.text("customer"));
    let id = id.map_err(|error| Problem::field("customer", error))?;
    Wallet::new(desk, service.as_ref(), &id)
}

fn card(values: &Values) -> Result<CardId, Problem> {
    CardId::parse(values.text("card")).map_err(|error| Problem::field("card", error))
}

fn answer<P: Platform>(
    wallet: &Wallet<'_, P>,
    card: Option<&CardId>,
    status: StatusCode,
) -> Result<Response<Bytes>, Problem> {
    let answer = CardCustomerAnswer {
        customer: wallet.customer().id.as_str(),
        card: card.map(CardId::as_str),
    };
    json(status, &answer)
}

/// `PUT /api/card-customers/{customer}`.
pub const fn put_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "PUT",
        path: "card-customers/{customer}",
        roles: &CLERKS,
        parameters: &["service_id"],
        answer: |call, values, body| Box::pin(put(call, values, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-customers", "putCardCustomer", "Creates a customer who can save cards at the gateway")
            .describe("If the customer exists, changes their telephone and e-mail address. This provider stores nothing about them. A repetition changes nothing.")
            .takes(["customer", "terminal_of"])
            .optional_body(as_json(schemas.request::<Reached>()))
            .answers(200, "The customer, who existed before.", as_json(schemas.answer::<CardCustomerAnswer<'_>>()))
            .answers(201, "The customer, who is new.", as_json(schemas.answer::<CardCustomerAnswer<'_>>()))
            .fails([404, 409, 413, 422])
        },
    }
}

async fn put<P: Platform>(
    call: &Call<'_, P>,
    values: &Values,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let desk = desk(call)?;
    let wallet = wallet(&desk, call, values)?;
    let reached: Reached = match body {
        b"" => Reached::default(),
        body => read_object(body)?,
    };
    let phone = reached.phone.as_deref().map(telephone).transpose()?;
    let email = reached.email.as_deref().map(address_of_email).transpose()?;
    let customer = wallet.customer().clone();
    let register = Register {
        customer: customer.clone(),
        phone: phone.clone(),
        email: email.clone(),
    };
    match wallet.ask(&register).await? {
        Ok(()) => answer(&wallet, None, StatusCode::CREATED),
        Err(code) if code.group() == Group::Wallet(WalletError::CustomerExists) => {
            let update = Update {
                customer,
                phone,
                email,
            };
            match wallet.ask(&update).await? {
                Ok(()) => answer(&wallet, None, StatusCode::OK),
                // The customer exists, but this password is not theirs.
                Err(other) if other.group() == Group::Wallet(WalletError::NoCustomer) => {
                    Err(refused(&code))
                }
                Err(code) => Err(refused(&code)),
            }
        }
        Err(code) => Err(refused(&code)),
    }
}

/// A telephone number as the gateway accepts it: digits only.
fn telephone(text: &str) -> Result<Secret, Problem> {
    let is_between = |c: &char| matches!(c, '+' | ' ' | '-' | '(' | ')');
    let digits: String = text.chars().filter(|c| !is_between(c)).collect();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match is_number && (6..=15).contains(&digits.len()) {
        true => Ok(Secret::new(digits)),
        false => {
            let detail =
                "must be a telephone number with the country's code, such as +373 22 000000";
            Err(Problem::member("phone", detail))
        }
    }
}

fn address_of_email(text: &str) -> Result<Secret, Problem> {
    let divides = |c: char| matches!(c, ';' | '%' | '+' | '&') || c.is_control() || c == ' ';
    match text.contains('@') && text.len() <= 100 && !text.contains(divides) {
        true => Ok(Secret::new(text)),
        false => {
            let detail = "must be an address of 100 characters at most, without ; % + & and spaces, which the gateway does not take";
            Err(Problem::member("email", detail))
        }
    }
}

/// `GET /api/card-customers/{customer}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "card-customers/{customer}",
        roles: &EVERYBODY,
        parameters: &["service_id"],
        answer: |call, values, _| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let customer = wallet.customer().clone();
                wallet
                    .ask(&Check { customer })
                    .await?
                    .map_err(|code| refused(&code))?;
                answer(&wallet, None, StatusCode::OK)
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-customers",
                "getCardCustomer",
                "Asks if the gateway has a customer",
            )
            .takes(["customer", "terminal_of"])
            .answers(
                200,
                "The customer exists.",
                as_json(schemas.answer::<CardCustomerAnswer<'_>>()),
            )
            .fails([404, 422])
        },
    }
}

/// `DELETE /api/card-customers/{customer}`.
pub const fn delete_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "DELETE",
        path: "card-customers/{customer}",
        roles: &CLERKS,
        parameters: &["service_id"],
        answer: |call, values, _| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let customer = wallet.customer().id.clone();
                wallet
                    .ask(&Delete { customer })
                    .await?
                    .map_err(|code| refused(&code))?;
                answer(&wallet, None, StatusCode::OK)
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-customers",
                "deleteCardCustomer",
                "Deletes a customer at the gateway, with all their cards",
            )
            .takes(["customer", "terminal_of"])
            .answers(
                200,
                "The customer is deleted.",
                as_json(schemas.answer::<CardCustomerAnswer<'_>>()),
            )
            .fails([404, 409, 422])
        },
    }
}

/// `GET /api/card-customers/{customer}/cards`.
pub const fn cards_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "card-customers/{customer}/cards",
        roles: &EVERYBODY,
        parameters: &["service_id"],
        answer: |call, values, _| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let customer = wallet.customer().clone();
                let cards = wallet
                    .ask(&GetList { customer })
                    .await?
                    .map_err(|code| refused(&code))?;
                let cards = cards.into_iter().map(SavedCardAnswer::from).collect();
                json(StatusCode::OK, &SavedCardsAnswer { cards })
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-customers",
                "listSavedCards",
                "The cards that a customer saved at the gateway",
            )
            .takes(["customer", "terminal_of"])
            .answers(
                200,
                "The cards.",
                as_json(schemas.answer::<SavedCardsAnswer>()),
            )
            .fails([404, 409, 422])
        },
    }
}

/// `POST /api/card-customers/{customer}/cards`.
pub const fn add_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-customers/{customer}/cards",
        roles: &CLERKS,
        parameters: &["service_id"],
        answer: |call, values, body| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let adding: Adding = read_object(body)?;
                address(&adding.return_url, desk.cards.plain)?;
                if adding.return_url.contains([';', '%', '+', '&']) {
                    let detail =
                        "must not have ; % + or &, which the gateway would read as another address";
                    return Err(Problem::member("return_url", detail));
                }
                let (language, ip) = (adding.language.as_deref(), adding.payer_ip.as_deref());
                payer_ip(ip)?;
                let now = call.store.now();
                let redirect_url = wallet.add(&adding.return_url, language, ip).await?;
                let minutes = i64::from(desk.cards.session_minutes);
                let expires_at = now.saturating_add(jiff::SignedDuration::from_mins(minutes));
                let expires_at = time::format(expires_at.unwrap_or(now));
                json(
                    StatusCode::CREATED,
                    &AddCardAnswer {
                        redirect_url,
                        expires_at,
                    },
                )
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-customers", "addSavedCard", "Begins saving a card of a customer at the gateway")
                .describe("Send the customer to `redirect_url`, where they enter the card. Then read the list of cards.")
                .takes(["customer", "terminal_of"])
                .body(as_json(schemas.request::<Adding>()))
                .answers(201, "The page for entering the card.", as_json(schemas.answer::<AddCardAnswer>()))
                .fails([404, 409, 413, 422])
        },
    }
}

/// `DELETE /api/card-customers/{customer}/cards/{card}`.
pub const fn remove_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "DELETE",
        path: "card-customers/{customer}/cards/{card}",
        roles: &CLERKS,
        parameters: &["service_id"],
        answer: |call, values, _| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let remove = Remove {
                    customer: wallet.customer().clone(),
                    card: card(values)?,
                };
                wallet.ask(&remove).await?.map_err(|code| refused(&code))?;
                answer(&wallet, Some(&remove.card), StatusCode::OK)
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "card-customers",
                "removeSavedCard",
                "Deletes a saved card at the gateway",
            )
            .takes(["customer", "card", "terminal_of"])
            .answers(
                200,
                "The card is deleted.",
                as_json(schemas.answer::<CardCustomerAnswer<'_>>()),
            )
            .fails([404, 409, 422])
        },
    }
}

/// `POST /api/card-customers/{customer}/cards/{card}/activate`.
pub const fn activate_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "card-customers/{customer}/cards/{card}/activate",
        roles: &CLERKS,
        parameters: &["service_id"],
        answer: |call, values, body| {
            Box::pin(async move {
                let desk = desk(call)?;
                let wallet = wallet(&desk, call, values)?;
                let activating: Activating = read_object(body)?;
                let amount = money(Some(&activating.amount))?.filter(|amount| !amount.is_zero());
                let amount = amount
                    .ok_or_else(|| Problem::member("amount", "must be more than zero"))?
                    .hundredths();
                let activate = Activate {
                    customer: wallet.customer().clone(),
                    card: card(values)?,
                    amount: u64::try_from(amount).map_err(Problem::internal)?,
                };
                wallet
                    .ask(&activate)
                    .await?
                    .map_err(|code| refused(&code))?;
                answer(&wallet, Some(&activate.card), StatusCode::OK)
            })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("card-customers", "activateSavedCard", "Proves that a saved card is the customer's")
                .describe("The gateway holds a small amount on the card, and the customer reads it in the card's statement. Send that amount.")
                .takes(["customer", "card", "terminal_of"])
                .body(as_json(schemas.request::<Activating>()))
                .answers(200, "The card. Payments can be made with it.", as_json(schemas.answer::<CardCustomerAnswer<'_>>()))
                .fails([404, 409, 413, 422])
        },
    }
}
