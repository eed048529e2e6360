//! `/api/archive`: MPay's signed messages about orders closed long ago, which `mpay archive` moves out of the
//! store.

use bytes::Bytes;
use http::{Response, StatusCode};
use mpay_door::log::log;
use serde::{Deserialize, Serialize};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    document::read_object,
    endpoint::Endpoint,
    json,
    query::{Query, cursor, next_if_any},
};
use crate::{
    access::{EVERYBODY, MANAGERS},
    domain::{PaymentId, Text, time},
    store::{Archived, Copied, Platform},
};

/// The most payments that one call moves.
const MOST: usize = 256;

/// A page of payments whose signed messages may be moved out.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct MovablePayments {
    /// The payments, in the order of their recording.
    payments: Vec<MovablePayment>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A payment whose signed message may be moved out.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
struct MovablePayment {
    payment_id: String,
    index: u64,
    recorded_at: String,
    /// True if the message was moved before, and a part of it is still in the store. No copy is needed to move
    /// it again.
    left: bool,
}

/// `GET /api/archive`.
pub const fn list_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "archive",
        roles: &EVERYBODY,
        parameters: &["before", "cursor"],
        answer: |call, _, _| Box::pin(list(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "listArchivable", "Payments whose signed messages may be moved into an archive")
            .describe("Payments that were recorded before a time, whose order is closed without an open review, and whose signed message is in the store. A call looks at several hundred events: pass `next` as `cursor` until it is absent.")
            .takes(["before", "cursor"])
            .answers(200, "A page.", as_json(schemas.answer::<MovablePayments>()))
        },
    }
}

async fn list<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let from = cursor(call, &query).await?.unwrap_or_default();
    let before = query.parsed("before", time::parse_start)?;
    let before = before.ok_or_else(|| Problem::field("before", "is missing"))?;
    let page = call.store.archives().movable(from.place, before).await?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let payments = page.payments.into_iter().map(|payment| MovablePayment {
        payment_id: payment.payment_id,
        index: payment.index,
        recorded_at: time::format(payment.recorded_at),
        left: payment.is_left,
    });
    let answer = MovablePayments {
        payments: payments.collect(),
        next: next_if_any(call, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

/// The messages that have copies in an archive, and may leave the store.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct MoveRequest {
    /// The name of the file with the copies. A request for a message that was moved answers this name.
    archive: String,
    /// The payments, at most 256.
    payments: Vec<CopiedPayment>,
}

/// A payment whose messages the file contains.
#[derive(Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct CopiedPayment {
    payment_id: String,
    index: u64,
    /// SHA-256 of the file's `request.xml`, in hexadecimal.
    request_sha256: String,
    /// SHA-256 of the file's `answer.xml`, in hexadecimal; absent if there is none.
    #[serde(default)]
    answer_sha256: Option<String>,
}

/// The outcome of moving messages out.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct MoveAnswer {
    /// Number of payments whose messages are no longer in the store.
    moved: usize,
    /// The payments whose messages stay in the store.
    kept: Vec<KeptMessage>,
}

/// A payment whose messages stay in the store.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
struct KeptMessage {
    payment_id: String,
    index: u64,
    /// The reason why they stay.
    reason: String,
}

/// `POST /api/archive`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "archive",
        roles: &MANAGERS,
        parameters: &[],
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "moveIntoArchive", "Removes signed messages from the store after they were copied")
            .describe("A message is removed only if its SHA-256 is that of the message in the store, and only if its order is closed. Nothing else of the payment changes. `mpay archive` makes this call after it has written the copies and read them back. It cannot be undone. The hashes are no secret, so this call trusts that its caller has the copies: only a manager may make it.")
            .body(as_json(schemas.request::<MoveRequest>()))
            .answers(200, "The outcome for each payment.", as_json(schemas.answer::<MoveAnswer>()))
            .fails([413, 422])
        },
    }
}

async fn post<P: Platform>(call: &Call<'_, P>, body: &[u8]) -> Result<Response<Bytes>, Problem> {
    let request: MoveRequest = read_object(body)?;
    let archive = Text::<255>::parse(&request.archive);
    let archive = archive.map_err(|error| Problem::member("archive", error))?;
    if request.payments.len() > MOST {
        return Err(Problem::member("payments", "are more than 256"));
    }
    let mut copies = Vec::with_capacity(request.payments.len());
    for (position, payment) in request.payments.into_iter().enumerate() {
        let id = PaymentId::parse(&payment.payment_id)
            .map_err(|error| Problem::member(format!("payments[{position}].payment_id"), error))?;
        copies.push(Copied {
            payment_id: id,
            index: payment.index,
            request_sha256: payment.request_sha256,
            answer_sha256: payment.answer_sha256,
        });
    }
    let mark = Archived::new(archive.as_str(), &call.caller.name);
    let results = call.store.archives().moved(&mark, &copies).await?;
    let mut answer = MoveAnswer {
        moved: 0,
        kept: Vec::new(),
    };
    for (copy, result) in copies.into_iter().zip(results) {
        match result {
            Ok(()) => answer.moved += 1,
            Err(stays) => answer.kept.push(KeptMessage {
                payment_id: copy.payment_id.to_string(),
                index: copy.index,
                reason: stays.to_string(),
            }),
        }
    }
    // Each message has a record of the principal who moved it.
    log!(
        info: "{} messages left the store for the archive {}; {} stayed.",
        answer.moved, mark.archive, answer.kept.len()
    );
    json(StatusCode::OK, &answer)
}

#[cfg(test)]
mod tests {
    use mpay_door::log;
    use serde_json::json;

    use super::{super::testing::Api, *};
    use crate::{
        access::{Principal, Role, permit},
        digest::sha256,
        store::{memory::Memory, testing},
    };

    thread_local! {
        static LINES: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
    }

    async fn moved(api: &Api) -> serde_json::Value {
        let found = api.get("archive?before=2100-01-01").await.json();
        let payment = &found["payments"][0];
        let body = json!({"archive": "2026-06.zip", "payments": [{
            "payment_id": payment["payment_id"], "index": payment["index"],
            "request_sha256": sha256(b"<message/>"), "answer_sha256": sha256(b"<answer/>"),
        }]});
        let body = body.to_string();
        let answer = api.call("POST", "archive", "application/json", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Everybody may read `meta.json`, which has the hashes of messages. So the role must protect this call.
    #[test]
    fn nobody_but_a_manager_takes_messages_out_of_the_store() {
        for role in Role::ALL {
            let caller = Principal::new("tester", role).unwrap();
            let may = permit(&caller, post_endpoint::<Memory>().roles).is_ok();
            assert_eq!(may, role == Role::Manager, "{role:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_leaves_the_store_is_logged_and_after_an_erasure_nobody_promises_the_copy() {
        log::catch(|line| {
            LINES.with_borrow_mut(|lines| lines.push(line.message().unwrap_or_default().to_owned()))
        });
        let api = Api::new();
        let order = json!({"service_id": "TAX", "order_key": "1", "reason": "Taxă",
            "customer_type": "Person", "customer_id": "2004001234567",
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "10"}]});
        let put = api
            .call("PUT", "orders/TAX/1", "application/json", order.to_string())
            .await;
        assert_eq!(put.status, 201, "{}", put.text);
        testing::record(&api.memory, "P-1", "1", "10")
            .await
            .unwrap();
        assert_eq!(moved(&api).await, json!({"moved": 1, "kept": []}));
        let lines = LINES.take();
        let expected = "1 messages left the store for the archive 2026-06.zip; 0 stayed.";
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");

        let gone = api.get("payments/P-1/evidence").await;
        assert_eq!(gone.status, 410);
        assert!(gone.text.contains("2026-06.zip") && !gone.text.contains("unless"));
        let person = json!({"service_id": "TAX", "order_key": "1"}).to_string();
        let erased = api
            .call("POST", "erasures", "application/json", person)
            .await;
        assert_eq!(
            erased.json()["erased"][0]["order_key"],
            "1",
            "{}",
            erased.text
        );
        let gone = api.get("payments/P-1/evidence").await;
        assert_eq!(gone.status, 410);
        assert!(
            gone.text.contains("unless it was taken out since"),
            "{}",
            gone.text
        );
    }
}
