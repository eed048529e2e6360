//! `GET /api/orders/export`: orders as a table for spreadsheets, or as JSON documents, one in each line.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use tables::Sheet;

#[cfg(feature = "description")]
use super::description::{FILE, LINK, Operation};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    file, order_table,
    query::{Query, next_if_any},
    register::Filter,
    table,
};
use crate::{
    access::EVERYBODY,
    domain::time,
    json::OrderJson,
    store::{Platform, RegisteredOrder},
};
#[cfg(feature = "description")]
use serde_json::json;

/// The most pages of the register that one call reads. Each page looks through a fixed part. The office's page of
/// a person reads as many, so its file has what it shows.
const PAGES: usize = 20;

/// The filters of the list, and the form of the file.
const PARAMETERS: [&str; 17] = [
    "cursor",
    "limit",
    "status",
    "review",
    "registered_from",
    "registered_to",
    "service_id",
    "alias",
    "customer_id",
    "customer_name",
    "person",
    "metadata",
    "amount_due",
    "due_from",
    "due_to",
    "format",
    "separator",
];

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Xlsx,
    Ndjson,
}

/// `GET /api/orders/export`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/export",
        roles: &EVERYBODY,
        parameters: &PARAMETERS,
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "orders",
                "exportOrders",
                "Orders, in the form that the import reads",
            )
            .takes([
                "export_format",
                "separator",
                "cursor",
                "export_limit",
                "status",
                "review",
                "registered_from",
                "registered_to",
                "service_id",
                "alias",
                "customer_id",
                "customer_name",
                "person",
                "metadata",
                "amount_due",
                "due_from",
                "due_to",
            ])
            .answers(
                200,
                "The orders. The schema is that of one line.",
                json!({
                    "text/csv": {"schema": {"type": "string"}},
                    (table::XLSX): {},
                    "application/x-ndjson": {"schema": schemas.request::<crate::json::OrderJson>()}
                }),
            )
            .header(200, "Content-Disposition", true, FILE)
            .header(200, "Link", false, LINK)
        },
    }
}

/// Answers orders, the newest first, in a form that can be imported unchanged. If there are more, the header
/// `Link` has the address of the next part.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let formats = [
        ("csv", Format::Csv),
        ("xlsx", Format::Xlsx),
        ("ndjson", Format::Ndjson),
    ];
    let format = query.word("format", &formats)?.unwrap_or(Format::Csv);
    let separator = table::separator(&query)?;
    let filter = Filter::read(call, &query).await?;
    let limit = query.number("limit", 1000, 1..=2000)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut orders = Vec::new();
    let mut cursor = filter.cursor;
    let (mut next, mut damaged) = (None, 0);
    for _ in 0..PAGES {
        let page = filter.page(call, cursor, limit - orders.len()).await?;
        orders.extend(page.orders);
        damaged += page.damaged;
        next = page.next;
        if next.is_none() || orders.len() >= limit {
            break;
        }
        cursor = next;
    }
    // A browser shows no header, so the name says that the file does not have all.
    let name = match filter.cursor.is_some() || next.is_some() || damaged > 0 {
        true => "orders-part",
        false => "orders",
    };
    let mut response = match format {
        Format::Csv => as_table(call, tables::Format::Csv(separator), name, orders)?,
        Format::Xlsx => as_table(call, tables::Format::Xlsx, name, orders)?,
        Format::Ndjson => ndjson(name, orders)?,
    };
    if let Some(next) = next_if_any(call, next).await? {
        let link = link("/api/orders/export", call.query, &next)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The header `Link` with the address of the next part (RFC 8288).
pub(super) fn link(path: &str, query: &str, next: &str) -> Result<HeaderValue, Problem> {
    let own = "cursor=";
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with(own));
    let pairs: Vec<_> = others
        .map(str::to_owned)
        .chain([format!("{own}{next}")])
        .collect();
    let link = format!("<{path}?{}>; rel=\"next\"", pairs.join("&"));
    HeaderValue::from_str(&link).map_err(Problem::internal)
}

fn as_table<P: Platform>(
    call: &Call<'_, P>,
    format: tables::Format,
    name: &str,
    orders: Vec<RegisteredOrder>,
) -> Result<Response<Bytes>, Problem> {
    let now = call.store.now();
    let mut sheet = Sheet::new(format, &order_table::columns());
    for registered in orders {
        let state = &registered.order.state;
        let derived = [
            state.amount_paid().to_string(),
            state
                .amount_due(now)
                .map(|due| due.to_string())
                .unwrap_or_default(),
            state
                .order()
                .zip(call.config.pages.as_ref())
                .map(|(order, pages)| pages.pay_url(&order.service_id, &order.order_key))
                .unwrap_or_default(),
            time::format(registered.registered_at),
        ];
        if let Some(order) = state.order() {
            sheet.row(&order_table::cells(
                OrderJson::from(order),
                state.status(now),
                derived,
            )?);
        }
    }
    table::into_response(sheet, format, name)
}

fn ndjson(name: &str, orders: Vec<RegisteredOrder>) -> Result<Response<Bytes>, Problem> {
    let mut lines = Vec::new();
    for order in orders
        .iter()
        .filter_map(|registered| registered.order.state.order())
    {
        serde_json::to_writer(&mut lines, &OrderJson::from(order)).map_err(Problem::internal)?;
        lines.push(b'\n');
    }
    file("application/x-ndjson", &format!("{name}.ndjson"), lines)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Api;
    use crate::store::testing::{record, register};

    #[tokio::test(start_paused = true)]
    async fn an_export_goes_on_where_its_link_says() {
        let api = Api::new();
        for key in 1..=5 {
            register(&api.memory, &key.to_string(), "5").await.unwrap();
        }
        let mut address = "orders/export?limit=2&cursor=6&format=ndjson&service_id=TAX".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = api.get(&address).await;
            assert_eq!(
                page.header("content-disposition"),
                "attachment; filename=\"orders-part.ndjson\""
            );
            for line in page.lines() {
                let order: serde_json::Value = serde_json::from_str(line).unwrap();
                seen.push(order["order_key"].as_str().unwrap().to_owned());
            }
            assert!(page.lines().len() <= 2);
            let Some(link) = page.header("link").strip_prefix("</api/") else {
                break;
            };
            let (next, rest) = link.split_once('>').unwrap();
            assert_eq!(rest, "; rel=\"next\"");
            assert_eq!(next.matches("cursor=").count(), 1, "{next}");
            assert!(
                next.contains("limit=2&format=ndjson&service_id=TAX&"),
                "{next}"
            );
            address = next.to_owned();
        }
        assert_eq!(seen, ["5", "4", "3", "2", "1"]);
        assert_eq!(api.get("orders/export?limit=5").await.lines().len(), 6);
        assert_eq!(api.get("orders/export?limit=2000").await.header("link"), "");
        for limit in [0, 2001] {
            assert_eq!(
                api.get(&format!("orders/export?limit={limit}"))
                    .await
                    .status,
                400
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_have_all_says_so_by_its_name() {
        let api = Api::new();
        for key in ["1", "2"] {
            register(&api.memory, key, "5").await.unwrap();
        }
        let name = async |query: &str| {
            let headers = api.head(&format!("orders/export?{query}")).await;
            let name = headers["content-disposition"].to_str().unwrap();
            name.to_owned()
        };
        for format in ["csv", "xlsx", "ndjson"] {
            for (query, file) in [
                ("", "orders"),
                ("&limit=1", "orders-part"),
                ("&cursor=2", "orders-part"),
            ] {
                let name = name(&format!("format={format}{query}")).await;
                assert_eq!(name, format!("attachment; filename=\"{file}.{format}\""));
            }
        }
        api.memory.overwrite("order/TAX/1/1", b"{".to_vec());
        assert!(name("format=csv").await.contains("orders-part.csv"));
        let list = api.get("orders").await.json();
        assert_eq!(list["damaged"], 1, "{list}");
        assert_eq!(list["orders"].as_array().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_is_found_where_an_erasure_finds_them() {
        let api = Api::new();
        let code = "2000000000006";
        let long = "x".repeat(255);
        let document = |more: serde_json::Value| {
            let mut document = serde_json::json!({
                "reason": "Taxă", "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "5"}]
            });
            let members = document.as_object_mut().unwrap();
            members.extend(more.as_object().unwrap().clone());
            document.to_string()
        };
        for (key, more) in [
            ("customer", serde_json::json!({"customer_id": code})),
            (
                "alias",
                serde_json::json!({"aliases": [{"value": code, "personal": true}]}),
            ),
            (
                "metadata",
                serde_json::json!({"metadata": {"who": {"value": code, "personal": true}}}),
            ),
            (
                "property",
                serde_json::json!({"properties": [{"name": "Cod", "display_name": "Cod", "value": code}]}),
            ),
            (
                "long",
                serde_json::json!({"metadata": {"who": {"value": long, "personal": true}}}),
            ),
            ("public", serde_json::json!({"metadata": {"who": code}})),
            ("nobody", serde_json::json!({})),
        ] {
            let address = format!("orders/TAX/{key}");
            let put = api.call("PUT", &address, "", document(more)).await;
            assert_eq!(put.status, 201, "{key}: {}", put.text);
        }
        let found = async |code: &str| {
            let found = api.get(&format!("orders?person={code}")).await.json();
            let orders = found["orders"].as_array().unwrap().iter();
            let mut keys: Vec<_> = orders
                .map(|order| order["order_key"].as_str().unwrap().to_owned())
                .collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(
            found(code).await,
            ["alias", "customer", "metadata", "property"]
        );
        assert_eq!(found(&long).await, ["long"]);
        let file = api.get(&format!("orders/export?person={code}")).await;
        assert_eq!(file.lines().len(), 5, "{}", file.text);
        assert_eq!(api.get("orders?person=").await.status, 400);
        let body = serde_json::json!({"customer_id": code}).to_string();
        let kept = api.call("POST", "erasures", "", body).await.json();
        assert_eq!(kept["kept"].as_array().unwrap().len(), 4, "{kept}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_of_orders_says_where_each_stands() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        record(&api.memory, "P", "1", "40").await.unwrap();
        let table = api.get("orders/export?separator=tab").await;
        assert_eq!(
            table.header("content-disposition"),
            "attachment; filename=\"orders.csv\""
        );
        let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let (head, row) = (cells(table.lines()[0]), cells(table.lines()[1]));
        let cell =
            |name: &str| row[head.iter().position(|column| column == name).unwrap()].as_str();
        assert_eq!(head.len(), row.len());
        for (name, value) in [
            ("order_key", "1"),
            ("amount_due", "100.00"),
            ("status", "PartiallyPaid"),
            ("amount_paid", "40.00"),
            ("order_amount_due", "60.00"),
            ("registered_at", "2026-06-01T12:00:00+03:00"),
        ] {
            assert_eq!(cell(name), value, "{name}");
        }
        for (separator, status) in [("semicolon", 200), ("comma", 200), ("pipe", 400)] {
            let answer = api
                .get(&format!("orders/export?separator={separator}"))
                .await;
            assert_eq!(answer.status, status);
        }
    }
}
