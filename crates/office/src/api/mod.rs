//! The order API: JSON for the institution's own system, for callers with a token.

mod archive;
mod card_customers;
mod card_payments;
mod checks;
#[cfg(feature = "description")]
pub mod description;
mod document;
pub mod endpoint;
mod erasures;
mod events;
mod evidence;
mod export;
mod history;
mod import;
mod manual;
mod merge_patch;
mod mpay_calls;
mod openapi;
mod order_answer;
mod order_table;
mod orders;
mod outbox;
mod pay_link;
mod payments;
mod query;
mod reconciliation;
mod refusals;
mod register;
mod repair;
mod review_answer;
mod reviews;
mod settlement;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod webhooks;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    App,
    access::Principal,
    config::Config,
    store::{BLOCK, Ledger, Platform},
};
pub use endpoint::Endpoint;
pub(crate) use mpay_door::Problem;
use mpay_door::http::json as json_text;
pub use openapi::openapi;
pub(crate) use order_answer::no_such_order;
#[cfg(feature = "description")]
pub use orders::IDEMPOTENCY_KEY_MAX;
pub(crate) use orders::put as take;
pub(crate) use query::decode;
pub(crate) use register::to_review;
#[cfg(feature = "description")]
pub use reviews::note as read_note;
pub(crate) use table::into_response as table_file;

/// A call of the API.
pub struct Call<'a, P> {
    /// The state that the instance keeps between requests.
    pub app: &'a App,
    /// The deployment's configuration.
    pub config: &'a Config,
    /// The store.
    pub store: &'a Ledger<P>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The query of the address, without its `?`.
    pub query: &'a str,
    /// The principal who calls.
    pub caller: &'a Principal,
    /// The work that the answer may take.
    pub effort: Effort,
}

/// Limits of the work of one answer, beyond reading the sums that are kept, and of its size. The next call
/// continues where this one stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Places of the journal that may be read to bring the kept sums forward.
    pub places: u64,
    /// Lines of payments in the answer.
    pub lines: usize,
}

impl Effort {
    /// For a program, which waits and asks again.
    pub const PROGRAM: Self = Self {
        places: 64 * BLOCK,
        lines: 5000,
    };
    /// For a page, which must appear at once and then reloads itself.
    pub const PAGE: Self = Self {
        places: BLOCK,
        lines: 100,
    };
    /// For secondary content of a page.
    pub const BESIDE: Self = Self {
        places: BLOCK / 2,
        ..Self::PAGE
    };
}

/// Every endpoint of the API. If several paths match, the first one counts. `Allow` lists methods in this
/// order.
pub fn endpoints<P: Platform>() -> [Endpoint<P>; 55] {
    [
        register::list_endpoint(),
        orders::post_endpoint(),
        import::post_endpoint(),
        export::get_endpoint(),
        orders::get_endpoint(),
        orders::put_endpoint(),
        orders::patch_endpoint(),
        orders::delete_endpoint(),
        order_answer::payments_endpoint(),
        history::get_endpoint(),
        pay_link::get_endpoint(),
        card_payments::begin_endpoint(),
        card_payments::of_order_endpoint(),
        card_payments::list_endpoint(),
        card_payments::check_endpoint(),
        card_payments::recheck_endpoint(),
        card_payments::get_endpoint(),
        card_payments::charge_endpoint(),
        card_payments::cancel_endpoint(),
        card_payments::refund_endpoint(),
        card_customers::get_endpoint(),
        card_customers::put_endpoint(),
        card_customers::delete_endpoint(),
        card_customers::cards_endpoint(),
        card_customers::add_endpoint(),
        card_customers::remove_endpoint(),
        card_customers::activate_endpoint(),
        payments::list_endpoint(),
        manual::list_endpoint(),
        manual::propose_endpoint(),
        payments::get_endpoint(),
        evidence::of_payment_endpoint(),
        manual::propose_void_endpoint(),
        manual::get_endpoint(),
        manual::withdraw_endpoint(),
        manual::approve_endpoint(),
        reviews::close_of_payment_endpoint(),
        refusals::list_endpoint(),
        refusals::get_endpoint(),
        evidence::of_refusal_endpoint(),
        mpay_calls::get_endpoint(),
        reviews::close_of_refusal_endpoint(),
        events::list_endpoint(),
        reconciliation::get_endpoint(),
        reconciliation::days_endpoint(),
        settlement::post_endpoint(),
        erasures::post_endpoint(),
        archive::list_endpoint(),
        archive::post_endpoint(),
        repair::post_endpoint(),
        outbox::get_endpoint(),
        outbox::deliver_endpoint(),
        outbox::resend_endpoint(),
        webhooks::list_endpoint(),
        webhooks::resume_endpoint(),
    ]
}

/// The columns that a table of orders may have.
pub fn order_columns() -> impl Iterator<Item = &'static str> {
    order_table::columns().into_iter().map(|(name, _)| name)
}

/// The most orders that one call of the import accepts.
pub use import::MAX_ROWS as MOST_IMPORTED;

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string()
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Result<Response<Bytes>, Problem> {
    let text = serde_json::to_vec(value).map_err(Problem::internal)?;
    Ok(json_text(status, text))
}

/// An answer that a browser saves as a file.
fn file(
    media_type: &'static str,
    name: &str,
    content: Vec<u8>,
) -> Result<Response<Bytes>, Problem> {
    let mut response = Response::new(Bytes::from(content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition.map_err(Problem::internal)?,
    );
    Ok(response)
}
