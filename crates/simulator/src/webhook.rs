//! The institution's system, which the webhook tells of payments.

use std::{collections::BTreeSet, rc::Rc};

use bytes::Bytes;
use http::{Request, StatusCode};

use crate::{
    random::SECOND,
    world::{HostId, World},
};

/// What the receiver knows.
#[derive(Debug, Default)]
pub struct Receiver {
    /// PaymentIDs that it has been told of, and has said so.
    pub told: BTreeSet<String>,
}

/// Receives a message that a host posts: slowly, or not at all, or its answer is lost.
///
/// # Errors
/// A text for people.
pub async fn receive(
    world: &Rc<World>,
    host: HostId,
    request: Request<Bytes>,
) -> Result<StatusCode, String> {
    let id = request.headers().get("webhook-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let id = id.to_owned();
    let peace = world.peace.get();
    let (refused, lost) = (world.random.happens(0.15), world.random.happens(0.1));
    let slow = world.random.happens(0.05);
    let time = world
        .random
        .scaled(2_000, if slow && !peace { 10 * SECOND } else { 200_000 });
    world.sleep(time).await;
    if refused && !peace {
        world.trace.note(world.now(), (20, host), || {
            format!("        the webhook does not take {id} from host {host}")
        });
        return Ok(StatusCode::SERVICE_UNAVAILABLE);
    }
    world.receiver.borrow_mut().told.insert(id.clone());
    world.trace.note(world.now(), (21, host), || {
        format!("        the webhook takes {id} from host {host}")
    });
    world.sleep(world.random.scaled(1_000, 50_000)).await;
    if lost && !peace {
        return Err("the connection broke".to_owned());
    }
    Ok(StatusCode::OK)
}
