//! Requests that may be repeated: an `Idempotency-Key` names one order, however often it comes.

use mpay_log::entry_key;
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    Orders, Platform, Precondition, RegisterError, StoreError, keys,
    order_list::{OrderEntry, OrderList, OrderLists},
    orders::Change,
    record::{Key, over_the_log_and_the_secret, to_json},
};
use crate::{
    digest::sha256,
    domain::{Order, OrderKey, ServiceId},
    json::Event,
};

/// The number of keys that are tried until one is free. There are a hundred billion, so a key is seldom
/// taken.
const TRIES: u32 = 5;

over_the_log_and_the_secret! {
    /// Requests that may be repeated.
    pub struct Requests
}

/// List of the claims of a request.
fn claims(name: &str) -> String {
    format!("{}/{}", keys::REQUEST, keys::encode(name))
}

/// The content of a request, and the key that its order got: an entry of the request's list, of
/// which the lowest counts.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    /// Digest, under the store's secret, of the request's content, which names people.
    content: String,
    order_key: String,
}

/// The reason why a request made no order.
#[derive(Debug, thiserror::Error)]
pub enum CreateError<E> {
    /// The request's name was used for another content.
    #[error("the Idempotency-Key was used for another order")]
    OtherContent,
    /// The same request is being worked on by another call.
    #[error("the same request is being worked on; try again")]
    Busy,
    /// Its key was taken by another order before it could be registered.
    #[error("the order key was taken meanwhile; use another Idempotency-Key")]
    KeyLost,
    /// The order was not registered.
    #[error(transparent)]
    Register(#[from] RegisterError<E>),
}

impl<E> From<StoreError> for CreateError<E> {
    fn from(error: StoreError) -> Self {
        Self::Register(error.into())
    }
}

impl<P: Platform> Requests<'_, P> {
    /// Registers an order under a key that is generated, once for each `request`; gives its key.
    ///
    /// The request first claims a key, and then the order is registered under it: a call that repeats it
    /// after a failure finds the claim and goes on from there. `order` gives the order for a key, and
    /// `by` is the name of the principal who asks.
    ///
    /// # Errors
    /// [`CreateError`]; the same request then may be sent again.
    pub async fn create<E>(
        self,
        service: &ServiceId,
        by: &str,
        request: &str,
        content: &[u8],
        order: impl Fn(&OrderKey) -> Result<Order, E>,
    ) -> Result<OrderKey, CreateError<E>> {
        let content = &self.secrets.get().await?.digest("request", &[content]);
        let claim = self.claim(service, request, content, &order).await?;
        if claim.content != *content {
            return Err(CreateError::OtherContent);
        }
        let corrupt = |error: crate::domain::TextError| {
            Key::new(claims(request)).corrupt(format!("order_key: {error}"))
        };
        let key = OrderKey::parse(&claim.order_key).map_err(corrupt)?;
        let request = sha256(request.as_bytes());
        let registered = Orders::on(self.log, self.secrets)
            .append(service, &key, Precondition::None, |stored, place| {
                if stored.state.order().is_some() {
                    // It was registered before, whatever happened to it or to the configuration since.
                    return match stored.request.as_ref() == Some(&request) {
                        true => Ok(None),
                        // Another call has registered an order under the same key between claim and
                        // registration.
                        false => Err(RegisterError::PreconditionFailed),
                    };
                }
                let order = order(&key).map_err(RegisterError::Unfit)?;
                Ok(Some(Change {
                    event: Some(Event::of_order(None, &order, place, Some(by))),
                    entry: OrderEntry::Created {
                        request: request.clone(),
                        order: Box::new((&order).into()),
                    },
                    others: Vec::new(),
                }))
            })
            .await;
        match registered {
            Ok(_) => Ok(key),
            Err(RegisterError::KeyTaken(_) | RegisterError::PreconditionFailed) => {
                Err(CreateError::KeyLost)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The claim that counts for a request: the first of its list, or a new one.
    async fn claim<E>(
        self,
        service: &ServiceId,
        request: &str,
        content: &str,
        order: impl Fn(&OrderKey) -> Result<Order, E>,
    ) -> Result<Claim, CreateError<E>> {
        let list = claims(request);
        for _ in 0..TRIES {
            let seen = self.log.read_settled::<Claim>(&list).await?;
            if let Some(raw) = seen.unreadable.first() {
                // It may be the claim that counts, and a new claim would make another order.
                let reason = "a claim of this Idempotency-Key is damaged; look for its order before you \
                    send it under another key";
                let error = Key::new(entry_key(&list, raw.index)).corrupt(reason);
                return Err(error.into());
            }
            if let Some(first) = seen.entries.into_iter().next()
                && !mutated(Mutation::RepetitionDoneAgain)
            {
                return Ok(first.value);
            }
            let key = self.free_key(service).await?;
            // An invalid order claims nothing, so that it can be corrected and sent again.
            order(&key).map_err(RegisterError::Unfit)?;
            let claim = Claim {
                content: content.to_owned(),
                order_key: key.to_string(),
            };
            let slot = self.log.take(&list).await?;
            let entry = to_json(&claim)?;
            let filled = self.log.fill(&[(&slot, &entry)], Vec::new()).await?;
            if (slot.index() == 1 || mutated(Mutation::RepetitionDoneAgain)) && filled.all() {
                return Ok(claim);
            }
        }
        Err(CreateError::Busy)
    }

    async fn free_key<E>(self, service: &ServiceId) -> Result<OrderKey, CreateError<E>> {
        for _ in 0..TRIES {
            let key = OrderKey::generated(self.log.platform().random());
            let list = OrderList::of(service, &key);
            if OrderLists::on(self.log).is_empty(&list).await? {
                return Ok(key);
            }
        }
        Err(CreateError::Busy)
    }
}
