//! The receivers of webhooks, each of which answers independently, or not at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    random::SECOND,
    world::{HostId, World},
};

/// Ids of the messages that receivers have taken, by the receiver's host.
pub type Told = BTreeMap<String, BTreeSet<String>>;

/// A receiver that is told of payments.
pub const ERP: &str = "erp.example.md";
/// A receiver that is told of everything.
pub const ARCHIVE: &str = "archive.example.md";

/// Receives a message that a host posts: slowly, or not at all, or with its answer lost.
///
/// # Errors
/// A text for people that says why there is no answer.
pub async fn receive(
    world: &Rc<World>,
    host: HostId,
    request: Request<Bytes>,
) -> Result<Response<()>, String> {
    let id = request.headers().get("webhook-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let id = id.to_owned();
    let receiver = request.uri().host().unwrap_or_default().to_owned();
    let peace = world.peace.get();
    let (refused, lost) = (world.random.happens(0.15), world.random.happens(0.1));
    let slow = world.random.happens(0.05);
    let time = world
        .random
        .scaled(2_000, if slow && !peace { 10 * SECOND } else { 200_000 });
    world.sleep(time).await;
    if refused && !peace {
        let status = match world.random.between(0, 40) {
            0 => 410,
            1..=9 => 429,
            10..=19 => 422,
            _ => 503,
        };
        let wait = world.random.between(0, 600);
        world.trace.note(world.now(), (20, host), || {
            format!("        {receiver} answers {status} to {id} from host {host}")
        });
        let mut answer = Response::builder().status(status);
        if status == 429 && wait > 60 {
            answer = answer.header("retry-after", wait);
        }
        return answer.body(()).map_err(|error| error.to_string());
    }
    let taken = format!("        {receiver} takes {id} from host {host}");
    world
        .told
        .borrow_mut()
        .entry(receiver)
        .or_default()
        .insert(id);
    world.trace.note(world.now(), (21, host), || taken);
    world.sleep(world.random.scaled(1_000, 50_000)).await;
    if lost && !peace {
        return Err("the connection broke".to_owned());
    }
    Ok(Response::new(()))
}
