//! Requests that may be repeated: an `Idempotency-Key` names one order, however often it comes.

use serde::{Deserialize, Serialize};

use super::{Platform, Precondition, RegisterError, Store, StoreError, evidence::to_json, keys};
use crate::{
    digest::sha256,
    domain::{Order, OrderKey, ServiceId},
    json::OrderJson,
};

/// How many keys are tried until one is free. One of a hundred billion is taken seldom.
const TRIES: u32 = 5;

/// What a request asked for, and the key that its order got: an entry of the request's list, of
/// which the lowest counts.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    /// Digest under the store's secret of what was asked for, which names people. Earlier versions
    /// kept SHA-256.
    content: String,
    order_key: String,
}

/// Why a request made no order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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

impl<P: Platform> Store<P> {
    /// Registers an order under a key that is generated, once for each `request`; gives its key.
    ///
    /// First the request claims a key, then the order is registered under it: whoever comes again
    /// after a failure finds the claim, and goes on from there. `order` gives the order of a key.
    ///
    /// # Errors
    /// [`CreateError`]; the same request then may be sent again.
    pub async fn create<E>(
        &self,
        service: &ServiceId,
        request: &str,
        content: &[u8],
        order: impl Fn(&OrderKey) -> Result<Order, E>,
    ) -> Result<OrderKey, CreateError<E>> {
        let claim = self.claim(service, request, content, &order).await?;
        if claim.content != self.digest(content).await? && claim.content != sha256(content) {
            return Err(CreateError::OtherContent);
        }
        let corrupt = |error: crate::domain::TextError| StoreError::Corrupt {
            key: keys::request(request),
            reason: format!("order_key: {error}"),
        };
        let key = OrderKey::parse(&claim.order_key).map_err(corrupt)?;
        let registered = self
            .change(service, &key, Precondition::None, |state| {
                match state.order() {
                    // Registered before; it may have been amended since.
                    Some(known) => Ok(known.clone()),
                    None => order(&key),
                }
            })
            .await;
        match registered {
            Ok(_) => {}
            Err(RegisterError::KeyTaken(_)) => return Err(CreateError::KeyLost),
            Err(error) => return Err(error.into()),
        }
        // Between claim and registration somebody may have chosen the same key for an order.
        let wanted = order(&key).map_err(RegisterError::Unfit)?;
        let stored = self.order(service, &key).await?;
        let first = stored
            .as_ref()
            .and_then(|order| order.state.versions().first());
        // It may have been erased since, and amended after that.
        if first == Some(&wanted) || (first.is_some() && first == erased(&wanted).as_ref()) {
            Ok(key)
        } else {
            Err(CreateError::KeyLost)
        }
    }

    /// The claim that counts for a request: the one it has, or a new one.
    async fn claim<E>(
        &self,
        service: &ServiceId,
        request: &str,
        content: &[u8],
        order: impl Fn(&OrderKey) -> Result<Order, E>,
    ) -> Result<Claim, CreateError<E>> {
        let list = keys::request(request);
        let seen = self.read_all::<Claim>(&list).await?;
        let pending = seen.first_pending(self.now());
        if let Some(first) = seen.entries.into_iter().next() {
            return match pending {
                Some(pending) if pending < first.index => Err(CreateError::Busy),
                _ => Ok(first.value),
            };
        }
        let key = self.free_key(service).await?;
        // What is no order claims nothing, so that it can be mended and sent again.
        order(&key).map_err(RegisterError::Unfit)?;
        let claim = Claim {
            content: self.digest(content).await?,
            order_key: key.to_string(),
        };
        let slot = self.take(&list).await?;
        self.fill(&[(&slot, &to_json(&claim)?)], Vec::new()).await?;
        if slot.index == 1 {
            return Ok(claim);
        }
        let seen = self.read_all::<Claim>(&list).await?;
        let pending = seen.first_pending(self.now());
        match seen.entries.into_iter().next() {
            Some(first) if pending.is_none_or(|pending| pending > first.index) => Ok(first.value),
            _ => Err(CreateError::Busy),
        }
    }

    async fn digest(&self, content: &[u8]) -> Result<String, StoreError> {
        Ok(self.secret().await?.digest("request", &[content]))
    }

    async fn free_key<E>(&self, service: &ServiceId) -> Result<OrderKey, CreateError<E>> {
        for _ in 0..TRIES {
            let key = OrderKey::generated(self.platform.random());
            let listing = self
                .read_all::<serde::de::IgnoredAny>(&keys::order(service, &key))
                .await?;
            if listing.length == 0 {
                return Ok(key);
            }
        }
        Err(CreateError::Busy)
    }
}

/// An order as it is once its personal data is erased.
fn erased(order: &Order) -> Option<Order> {
    let mut json = OrderJson::from(order);
    json.erase_personal_data();
    json.to_order().ok()
}
