//! `GET /api/orders/export`: orders as a table for spreadsheets, or as documents, one a line.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::{
    Call, Problem, file, order_table,
    query::Query,
    register::{FILTERS, Filter},
    sheet::SheetWriter,
};
use crate::{
    domain::time,
    json::OrderJson,
    store::{Platform, RegisteredOrder},
};

/// How often one call asks the register, which looks at a fixed part each time.
const PAGES: usize = 10;

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Ndjson,
}

/// Answers orders, the newest first, so that they can be imported as they are. Where there are
/// more, the header `Link` has the address to go on.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let names: Vec<_> = FILTERS.into_iter().chain(["format", "separator"]).collect();
    let query = Query::read(call.query, &names)?;
    let formats = [("csv", Format::Csv), ("ndjson", Format::Ndjson)];
    let format = query.word("format", &formats)?.unwrap_or(Format::Csv);
    let separator = separator(&query)?;
    let filter = Filter::read(&query)?;
    let limit = query.number("limit", 1000, 1..=2000)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut orders = Vec::new();
    let mut cursor = filter.cursor;
    let mut next = None;
    for _ in 0..PAGES {
        let page = filter.page(call, cursor, limit - orders.len()).await?;
        orders.extend(page.orders);
        next = page.next;
        if next.is_none() || orders.len() >= limit {
            break;
        }
        cursor = next;
    }
    let mut response = match format {
        Format::Csv => csv(call, separator, orders)?,
        Format::Ndjson => ndjson(orders)?,
    };
    if let Some(next) = next {
        let link = link("/api/orders/export", call.query, "cursor", next)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// What separates cells: a comma, or a semicolon for a spreadsheet that expects it.
pub(super) fn separator(query: &Query<'_>) -> Result<char, Problem> {
    let separators = [("comma", ','), ("semicolon", ';'), ("tab", '\t')];
    Ok(query.word("separator", &separators)?.unwrap_or(','))
}

/// The header that names where a listing goes on (RFC 8288).
pub(super) fn link(
    path: &str,
    query: &str,
    cursor: &str,
    next: u64,
) -> Result<HeaderValue, Problem> {
    let own = format!("{cursor}=");
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with(&own));
    let pairs: Vec<_> = others
        .map(str::to_owned)
        .chain([format!("{own}{next}")])
        .collect();
    let link = format!("<{path}?{}>; rel=\"next\"", pairs.join("&"));
    HeaderValue::from_str(&link).map_err(Problem::internal)
}

fn csv<P: Platform>(
    call: &Call<'_, P>,
    separator: char,
    orders: Vec<RegisteredOrder>,
) -> Result<Response<Bytes>, Problem> {
    let now = call.store.now();
    let mut sheet = SheetWriter::new(separator, &order_table::columns());
    for registered in orders {
        let state = &registered.order.state;
        let derived = [
            state.status(now).as_str().to_owned(),
            state.amount_paid().to_string(),
            state
                .amount_due()
                .map(|due| due.to_string())
                .unwrap_or_default(),
            time::format(registered.registered_at),
        ];
        if let Some(order) = state.order() {
            sheet.row(&order_table::cells(OrderJson::from(order), derived)?);
        }
    }
    sheet.into_response("orders.csv")
}

fn ndjson(orders: Vec<RegisteredOrder>) -> Result<Response<Bytes>, Problem> {
    let mut lines = Vec::new();
    for order in orders
        .iter()
        .filter_map(|registered| registered.order.state.order())
    {
        serde_json::to_writer(&mut lines, &OrderJson::from(order)).map_err(Problem::internal)?;
        lines.push(b'\n');
    }
    file("application/x-ndjson", "orders.ndjson", lines)
}
