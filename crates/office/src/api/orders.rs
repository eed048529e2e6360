//! `/api/orders/{service}/{key}`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Call, Problem, checks,
    document::{Members, patched, read_object, without_derived},
    encode,
    endpoint::Endpoint,
    json,
    order_answer::{DERIVED, OrderAnswer, no_such_order},
    query::Query,
};
#[cfg(feature = "description")]
use super::{
    description::{ETAG, Operation, example, order_body},
    order_answer::order_answer,
};
use crate::{
    access::{self, CLERKS, EVERYBODY, Principal, REFUNDERS},
    domain::{ChangeRefused, Order, OrderKey, OrderState, ServiceId, SetStatus},
    json::{FieldError, OrderJson},
    store::{CreateError, Platform, Precondition, RegisterError, Registered, StoredOrder},
};
#[cfg(feature = "description")]
use serde_json::json;

/// The media type of JSON merge patches (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

/// `GET /api/orders/{service}/{key}`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, values, _| {
            Box::pin(async move { get(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "getOrder", "An order, with its payments")
                .takes(["service", "key"])
                .answers(200, "The order.", order_answer(schemas))
                .header(200, "ETag", true, ETAG)
                .fails([404])
        },
    }
}

/// Answers an order with its status, the amounts paid and due, and its payments.
pub async fn get<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    match call.store.orders().get(service, key).await? {
        Some(stored) => describe(call, StatusCode::OK, &stored),
        None => Err(no_such_order()),
    }
}

/// `PUT /api/orders/{service}/{key}`.
pub const fn put_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "PUT",
        path: "orders/{service}/{key}",
        roles: &CLERKS,
        parameters: &["strict"],
        answer: |call, values, body| {
            Box::pin(async move { put(call, &values.service()?, &values.key()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            let body = order_body(schemas.request::<crate::json::OrderJson>(), example([]));
            Operation::new("orders", "putOrder", "Registers an order, or a new version of it")
                .describe("The same order again changes nothing. If the document has no status, a status that was set stays. `service_id` and `order_key` may be absent.")
                .takes(["service", "key", "If-Match", "If-None-Match", "strict"])
                .body(body)
                .answers(200, "The order, which existed before.", order_answer(schemas))
                .header(200, "ETag", true, ETAG)
                .answers(201, "The order, which is new.", order_answer(schemas))
                .header(201, "ETag", true, ETAG)
                .fails([404, 409, 412, 413, 422])
        },
    }
}

/// Registers an order, or a new version of it. The same order again changes nothing. A status that was set
/// stays unless the document has another one, so that sending the order again does not revive a cancelled order
/// by accident.
pub async fn put<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let is_strict = strict(call)?;
    let json = read_as_answered(call, service, key, body).await?;
    let is_silent = json.status.is_none();
    let warn = |state: &OrderState| {
        let order = state.order().filter(|_| is_silent)?;
        let status = order.set_status?.as_str();
        let how = if state.can_be_reopened() { REOPEN } else { "" };
        let detail =
            format!("stays {status}: it was set, and a PUT that leaves it out keeps it.{how}");
        Some(FieldError::new("status", detail))
    };
    let make = |state: &OrderState| {
        let json = keeping_status(json.clone(), state);
        accept(call, service, key, json, state, is_strict)
    };
    change_and_warn(call, service, key, make, warn).await
}

/// The instruction for taking back a status that was set.
const REOPEN: &str = r#" To reopen the order, send PATCH with {"status": null}."#;

/// Reads an order's document. The document may be an earlier answer of the API: then it has derived members,
/// and perhaps a status that nobody set.
async fn read_as_answered<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    body: &[u8],
) -> Result<OrderJson, Problem> {
    let document: Members = read_object(body)?;
    if !may_be_answer(&document) {
        return read_object(body);
    }
    let stored = call.store.orders().get(service, key).await?;
    as_answered(call, document, stored.as_ref())
}

/// True if a document has members that an answer of the API has.
pub(super) fn may_be_answer(document: &Members) -> bool {
    document.have_any(&DERIVED) || document.have_any(&["status"])
}

/// Reads a document that may be an earlier answer about an order, by the order as it stands.
pub(super) fn as_answered<P: Platform>(
    call: &Call<'_, P>,
    document: Members,
    stored: Option<&StoredOrder>,
) -> Result<OrderJson, Problem> {
    let current = match stored {
        Some(stored) => serde_json::to_vec(&OrderAnswer::of(call, stored)?),
        None => Ok(b"{}".to_vec()),
    };
    let current: Map<String, Value> = read_object(&current.map_err(Problem::internal)?)?;
    let mut derived = DERIVED.to_vec();
    // The total follows from the lines, which may have changed. A total that differs from the present one is
    // the caller's own.
    let total = "total_amount_due";
    if document.get(total).as_ref() == current.get(total) {
        derived.push(total);
    }
    // A status that cannot be set was computed from payments and dates.
    let status = document.get("status");
    let status = status.as_ref().and_then(Value::as_str);
    // `Refunded` was computed as well if everything was refunded by card and no reference of a refund is given.
    let is_given_back = stored.is_some_and(|stored| stored.state.is_given_back())
        && document.get("refund_reference").is_none();
    let is_set = |status: &str| match SetStatus::parse(status) {
        Some(SetStatus::Refunded) => !is_given_back,
        status => status.is_some(),
    };
    if status.is_some_and(|status| !is_set(status)) {
        derived.push("status");
    }
    let document = without_derived(document, &derived, &current).map_err(Problem::fields)?;
    read_object(&serde_json::to_vec(&document).map_err(Problem::internal)?)
}

/// A document without a status receives the status that was set.
pub(super) fn keeping_status(mut json: OrderJson, state: &OrderState) -> OrderJson {
    if json.status.is_none() {
        let set = state.order().map(OrderJson::from).unwrap_or_default();
        json.status = set.status;
        json.refund_reference = json.refund_reference.or(set.refund_reference);
    }
    json
}

/// `POST /api/orders`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "orders",
        roles: &CLERKS,
        parameters: &["strict"],
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            let order = example([("service_id", "TAX")]);
            let body = order_body(schemas.request::<crate::json::OrderJson>(), order);
            Operation::new("orders", "createOrder", "Registers an order under a generated key")
                .describe("The key has twelve digits, of which the last is a check digit. A repetition of the request receives the same order; another document under the same `Idempotency-Key` is refused (422).")
                .takes(["Idempotency-Key", "strict"])
                .body(body)
                .answers(201, "The order.", order_answer(schemas))
                .header(201, "ETag", true, ETAG)
                .header(201, "Location", true, "The order's address.")
                .fails([404, 409, 413, 422])
        },
    }
}

/// Registers an order under a key that this provider chooses. Requests with the same `Idempotency-Key` register
/// it once.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    // A repetition is not judged again, but a malformed request is refused the first time and later.
    let is_strict = strict(call)?;
    // The key is valid per caller, since another caller may have chosen the same.
    let request = format!("{} {}", call.caller.name, idempotency_key(call.headers)?);
    let json: OrderJson = read_object(body)?;
    if json.order_key.is_some() {
        return Err(Problem::member(
            "order_key",
            "is chosen by this provider; leave it out, or choose one with PUT",
        ));
    }
    let service = match json.service_id.as_deref().map(ServiceId::parse) {
        Some(Ok(service)) if call.config.service(&service).is_some() => service,
        given => {
            let detail = match given {
                None => "is missing".to_owned(),
                Some(Err(error)) => error.to_string(),
                Some(Ok(_)) => {
                    "is not served here: the variables service_ids and services do not name it"
                        .to_owned()
                }
            };
            return Err(Problem::member("service_id", detail));
        }
    };
    // Differences in white space or in the order of members do not make another order.
    let content = serde_json::to_vec(&json).map_err(Problem::internal)?;
    let key = call
        .store
        .requests()
        .create(&service, &call.caller.name, &request, &content, |key| {
            let state = OrderState::default();
            let order = accept(call, &service, key, json.clone(), &state, is_strict)?;
            refunded_by_right(call.caller, &state, order)
        })
        .await
        .map_err(not_created)?;
    match call.store.orders().get(&service, &key).await? {
        Some(stored) => {
            let mut response = describe(call, StatusCode::CREATED, &stored)?;
            let address = format!("/api/orders/{}/{key}", encode(service.as_str()));
            let address = HeaderValue::from_str(&address).map_err(Problem::internal)?;
            response.headers_mut().insert(header::LOCATION, address);
            Ok(response)
        }
        None => Err(Problem::internal("a registered order is not there")),
    }
}

/// The longest `Idempotency-Key`, in characters.
pub const IDEMPOTENCY_KEY_MAX: usize = 128;

/// The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header): a string in quotation marks.
/// Many clients send it without them.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let wrong = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail);
    let mut values = headers.get_all("idempotency-key").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(wrong(
            "Send one Idempotency-Key, such as a new UUID, and the same again if you repeat the request: then it is done once, however often it comes.",
        ));
    };
    let text = value.to_str().unwrap_or_default().trim();
    let name = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if name.is_empty() || name.len() > IDEMPOTENCY_KEY_MAX || !plain {
        return Err(wrong(
            "The Idempotency-Key must have 1 to 128 letters, digits or signs of ASCII, without spaces, quotation marks inside and backslashes.",
        ));
    }
    Ok(name)
}

fn not_created(error: CreateError<Problem>) -> Problem {
    match error {
        CreateError::OtherContent => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The Idempotency-Key was used for another order. Use a new one.",
        ),
        CreateError::Busy => Problem::new(
            StatusCode::CONFLICT,
            "A request with this Idempotency-Key is being worked on; try again.",
        )
        .retry_after(1),
        CreateError::KeyLost => Problem::new(
            StatusCode::CONFLICT,
            "The order key was taken meanwhile. Use a new Idempotency-Key.",
        ),
        CreateError::Register(error) => not_changed(error),
    }
}

/// `PATCH /api/orders/{service}/{key}`.
pub const fn patch_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "PATCH",
        path: "orders/{service}/{key}",
        roles: &CLERKS,
        parameters: &["strict"],
        answer: |call, values, body| {
            Box::pin(async move { patch(call, &values.service()?, &values.key()?, body).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "patchOrder", "Changes members of an order")
            .takes(["service", "key", "If-Match", "If-None-Match", "strict"])
            .body(json!({"application/merge-patch+json": {
                "schema": {"$ref": "#/components/schemas/OrderPatch"},
                "examples": {"status": {"summary": "The service was rendered", "value": {"status": "Completed"}}}
            }}))
            .answers(200, "The order.", order_answer(schemas))
            .header(200, "ETag", true, ETAG)
            .fails([404, 409, 412, 413, 415, 422])
        },
    }
}

/// Changes members of an order by a JSON merge patch.
pub async fn patch<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let media_type = call.headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case(MERGE_PATCH)) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("A change is sent as `Content-Type: {MERGE_PATCH}`."),
        ));
    }
    let is_strict = strict(call)?;
    let patch: Value = read_object(body)?;
    change(call, service, key, |state| {
        let mut json = OrderJson::from(existing(state, key)?);
        // The total follows from the lines, which the patch may change.
        json.total_amount_due = None;
        let mut json: OrderJson = patched(&json, &patch)?;
        if json.status.is_none() && patch.get("refund_reference").is_none() {
            // Taking back the refund also takes back its reference.
            json.refund_reference = None;
        }
        accept(call, service, key, json, state, is_strict)
    })
    .await
}

/// `DELETE /api/orders/{service}/{key}`.
pub const fn delete_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "DELETE",
        path: "orders/{service}/{key}",
        roles: &CLERKS,
        parameters: &[],
        answer: |call, values, _| {
            Box::pin(async move { delete(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "cancelOrder", "Cancels an order")
                .describe("A repetition changes nothing. The order stays readable.")
                .takes(["service", "key", "If-Match", "If-None-Match"])
                .answers(200, "The order.", order_answer(schemas))
                .header(200, "ETag", true, ETAG)
                .fails([404, 409, 412])
        },
    }
}

/// Cancels an order. A cancelled order stays cancelled.
pub async fn delete<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    change(call, service, key, |state| {
        Ok(existing(state, key)?.cancelled())
    })
    .await
}

/// Changes an order, and answers its new state.
async fn change<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    change: impl Fn(&OrderState) -> Result<Order, Problem>,
) -> Result<Response<Bytes>, Problem> {
    change_and_warn(call, service, key, change, |_| None).await
}

/// Changes an order, and answers its new state with a warning about it, if there is one.
async fn change_and_warn<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    change: impl Fn(&OrderState) -> Result<Order, Problem>,
    warn: impl Fn(&OrderState) -> Option<FieldError>,
) -> Result<Response<Bytes>, Problem> {
    if call.config.service(service).is_none() {
        return Err(not_served());
    }
    let precondition = precondition(call.headers)?;
    let registered = call
        .store
        .orders()
        .change(
            service,
            key,
            precondition,
            Some(&call.caller.name),
            |state| change(state).and_then(|order| refunded_by_right(call.caller, state, order)),
        )
        .await
        .map_err(not_changed)?;
    let status = match registered {
        Registered::Created => StatusCode::CREATED,
        Registered::Amended | Registered::Unchanged => StatusCode::OK,
    };
    match call.store.orders().get(service, key).await? {
        Some(stored) => describe_with(call, status, &stored, warn(&stored.state)),
        None => Err(Problem::internal("a registered order is not there")),
    }
}

/// Refuses a change that declares a refund, or takes that back, by a caller whose role may not.
pub(super) fn refunded_by_right(
    caller: &Principal,
    state: &OrderState,
    next: Order,
) -> Result<Order, Problem> {
    let refund = |status: Option<SetStatus>| {
        status.filter(|status| matches!(status, SetStatus::Refunding | SetStatus::Refunded))
    };
    let before = state.order().and_then(|order| order.set_status);
    if refund(before) != refund(next.set_status) {
        access::permit(caller, &REFUNDERS)?;
    }
    Ok(next)
}

fn existing<'a>(state: &'a OrderState, key: &OrderKey) -> Result<&'a Order, Problem> {
    state
        .order()
        .filter(|order| order.order_key == *key)
        .ok_or_else(no_such_order)
}

fn not_served() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "The service is not served here: the variables service_ids and services do not name it.",
    )
}

/// The problem for an order that was not registered or changed.
pub(super) fn not_changed(error: RegisterError<Problem>) -> Problem {
    match error {
        RegisterError::Unfit(problem) => problem,
        RegisterError::Refused(refused) => {
            let can_be_reopened = matches!(
                refused,
                ChangeRefused::Settled {
                    can_be_reopened: true,
                    ..
                }
            );
            let how = if can_be_reopened { REOPEN } else { "" };
            Problem::new(
                StatusCode::CONFLICT,
                format!("The order is not changed: {refused}.{how}"),
            )
        }
        RegisterError::KeyTaken(_) => Problem::new(
            StatusCode::CONFLICT,
            format!("{error}: payers would confuse the two. Choose another key."),
        ),
        RegisterError::PreconditionFailed => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "The order is not as If-Match or If-None-Match says. Read it again.",
        ),
        RegisterError::Busy => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another call is changing this order; try again.",
        )
        .retry_after(1),
        RegisterError::Store(error) => error.into(),
    }
}

/// The order that a document describes, if it may be registered. Otherwise all mistakes are named at once.
pub(super) fn accept<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
    mut json: OrderJson,
    before: &OrderState,
    is_strict: bool,
) -> Result<Order, Problem> {
    let defaults = call.config.service(service).ok_or_else(not_served)?;
    let mut errors = Vec::new();
    same(
        &mut errors,
        "service_id",
        &mut json.service_id,
        service.as_str(),
    );
    same(&mut errors, "order_key", &mut json.order_key, key.as_str());
    let default = |text: &Option<_>| text.as_ref().map(Into::into);
    json.reason = json.reason.or_else(|| default(&defaults.reason));
    for line in &mut json.lines {
        let reason = line.reason.take();
        line.reason = reason.or_else(|| default(&defaults.line_reason));
    }
    if json
        .amounts
        .iter()
        .any(|amount| amount.working_days.is_some())
    {
        let before = before.order().map(OrderJson::from);
        errors.extend(match &call.config.working_days {
            Some(days) => json.count_working_days(days, before.as_ref()),
            None => vec![FieldError::new(
                "amounts",
                "have working_days, which cannot be counted: the variable extra_holidays or extra_working_days is wrong",
            )],
        });
    }
    let order = json.to_order();
    if let Err(wrong) = &order {
        errors.extend(wrong.iter().cloned());
    }
    errors.extend(checks::errors(&json, defaults));
    if is_strict {
        errors.extend(checks::warnings(&json));
    }
    order
        .ok()
        .filter(|_| errors.is_empty())
        .ok_or_else(|| Problem::fields(errors))
}

/// `?strict=true`: warnings become errors.
fn strict<P>(call: &Call<'_, P>) -> Result<bool, Problem> {
    let query = Query::of(call)?;
    let strict = query.word("strict", &[("true", true), ("false", false)])?;
    Ok(strict == Some(true))
}

fn describe<P: Platform>(
    call: &Call<'_, P>,
    status: StatusCode,
    stored: &StoredOrder,
) -> Result<Response<Bytes>, Problem> {
    describe_with(call, status, stored, None)
}

fn describe_with<P: Platform>(
    call: &Call<'_, P>,
    status: StatusCode,
    stored: &StoredOrder,
    warning: Option<FieldError>,
) -> Result<Response<Bytes>, Problem> {
    let mut answer = OrderAnswer::of(call, stored)?;
    answer.warnings.extend(warning);
    let mut response = json(status, &answer)?;
    let etag =
        HeaderValue::from_str(&format!("\"{}\"", stored.version)).map_err(Problem::internal)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// A member that the path gives as well: it must be equal, or absent.
fn same(
    errors: &mut Vec<FieldError>,
    field: &'static str,
    member: &mut Option<String>,
    path: &str,
) {
    if member.as_ref().is_some_and(|member| member.trim() != path) {
        errors.push(FieldError::new(
            field,
            "differs from the address; make them the same, or leave it out",
        ));
    }
    *member = Some(path.to_owned());
}

/// The versions of an order that a list of entity tags names (RFC 9110, section 8.8.3). Any other tag, a weak
/// one included, names no version.
fn versions(etags: &str) -> impl Iterator<Item = u64> {
    etags.split(',').filter_map(|etag| {
        let etag = etag.trim().strip_prefix('"')?.strip_suffix('"')?;
        etag.parse().ok()
    })
}

fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("").trim())
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::None),
        (None, Some("*")) => Ok(Precondition::Absent),
        (Some("*"), None) => Ok(Precondition::Present),
        (Some(etags), None) => Ok(Precondition::Versions(versions(etags).collect())),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Send If-Match with the order's ETag, or If-None-Match: *, or neither.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        access::Role,
        api::testing::Api,
        store::testing::{record, register},
    };

    #[test]
    fn conditions_are_read_as_http_writes_them() {
        let read = |name, value: &str| {
            let headers = [(name, HeaderValue::from_str(value).unwrap())];
            precondition(&HeaderMap::from_iter(headers)).unwrap()
        };
        assert_eq!(read(header::IF_MATCH, "*"), Precondition::Present);
        assert_eq!(read(header::IF_NONE_MATCH, " * "), Precondition::Absent);
        assert_eq!(
            read(header::IF_MATCH, r#""1", W/"2","x", "30""#),
            Precondition::Versions(vec![1, 30])
        );
        // The tag names no version: the condition fails, but it is no mistake.
        assert_eq!(
            read(header::IF_MATCH, "1"),
            Precondition::Versions(Vec::new())
        );
    }

    const ORDER: &str = r#"{"reason": "R", "issued_at": "2026-06-01", "due_date": "2099-12-31",
        "lines": [{"line_id": "1", "reason": "L", "amount_due": "10"}]}"#;

    async fn put(api: &Api, document: &Value) -> (u16, Value) {
        let text = document.to_string();
        let answer = api.call("PUT", "orders/TAX/1", "", text).await;
        (answer.status, answer.json())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_answered_is_taken_back_with_a_change() {
        let api = Api::new();
        assert_eq!(api.call("PUT", "orders/TAX/1", "", ORDER).await.status, 201);
        let mut order = api.get("orders/TAX/1").await.json();
        assert_eq!(order["status"], "Active");
        let (status, same) = put(&api, &order).await;
        assert_eq!((status, &same), (200, &order));

        order["lines"][0]["amount_due"] = "12.50".into();
        let (status, changed) = put(&api, &order).await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!(changed["total_amount_due"], "12.50");
        assert_eq!(changed["amount_due"], "12.50");

        // Derived members cannot be set by hand.
        let mut wrong = changed.clone();
        wrong["amount_paid"] = "12.50".into();
        wrong["status"] = "Paid".into();
        wrong["total_amount_due"] = "1.00".into();
        let (status, problem) = put(&api, &wrong).await;
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<_> = errors.iter().map(|error| &error["field"]).collect();
        assert_eq!(status, 422);
        assert_eq!(named, ["amount_paid", "status"], "{problem}");
        // A member that occurs twice is found even beside a derived one.
        let twice = changed.to_string().replacen('{', r#"{"reason": "X","#, 1);
        let answer = api.call("PUT", "orders/TAX/1", "", twice).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["field"]),
            (422, &json!("reason"))
        );
        let mut wrong = changed;
        wrong["total_amount_due"] = "1.00".into();
        let (status, problem) = put(&api, &wrong).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!("total_amount_due"))
        );
    }

    /// By each of the three ways to change an order, in both directions.
    #[tokio::test(start_paused = true)]
    async fn a_clerk_neither_says_that_money_is_given_back_nor_takes_it_back() {
        let api = Api::new();
        register(&api.memory, "1", "10").await.unwrap();
        record(&api.memory, "P", "1", "10").await.unwrap();
        let (clerk, program) = (api.in_role(Role::Clerk), api.in_role(Role::Program));
        let patch = async |api: &Api, patch: &str| {
            let answer = api.call("PATCH", "orders/TAX/1", MERGE_PATCH, patch).await;
            answer.status
        };
        let import = async |api: &Api, status: &str| {
            let row = json!({
                "service_id": "TAX", "order_key": "1", "reason": "Taxă", "status": status,
                "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "10"}]
            });
            let media_type = "application/x-ndjson";
            let answer = api.call("POST", "orders/import", media_type, row.to_string());
            answer.await.json()["result"].clone()
        };
        let refunding = r#"{"status": "Refunding"}"#;
        assert_eq!(patch(&clerk, refunding).await, 403);
        assert_eq!(import(&clerk, "Refunding").await, "error");
        let mut order = api.get("orders/TAX/1").await.json();
        assert_eq!(order["status"], "Paid");
        order["status"] = "Refunding".into();
        assert_eq!(put(&clerk, &order).await.0, 403);

        assert_eq!(patch(&program, refunding).await, 200);
        assert_eq!(patch(&clerk, r#"{"status": null}"#).await, 403);
        assert_eq!(import(&clerk, "Completed").await, "error");
        // A clerk may make changes that do not concern refunds.
        assert_eq!(patch(&clerk, refunding).await, 200);
        assert_eq!(patch(&program, r#"{"status": null}"#).await, 200);
        assert_eq!(import(&clerk, "Completed").await, "amended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_was_set_comes_back_as_it_is() {
        let api = Api::new();
        api.call("PUT", "orders/TAX/1", "", ORDER).await;
        api.call("DELETE", "orders/TAX/1", "", "").await;
        let order = api.get("orders/TAX/1").await.json();
        assert_eq!(order["status"], "Cancelled");
        let (status, same) = put(&api, &order).await;
        assert_eq!((status, &same["status"]), (200, &order["status"]));
    }
}
