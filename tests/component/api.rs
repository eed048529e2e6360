use mpay_office::access::{Principal, Role};
use serde_json::json;

use crate::harness::*;

#[test]
fn the_api_is_for_callers_with_a_token() {
    let provider = Provider::start();
    for headers in [
        &[][..],
        &[(
            "Authorization",
            "Bearer wrong-token-0123456789-0123456789-01234",
        )],
        &[("Authorization", TOKEN)],
        &[("Authorization", "Basic dGVzdA==")],
        &[("Authorization", "Bearer ")],
    ] {
        let answer = provider.api_with("GET", "payments", None, headers);
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let lower = format!("bearer {TOKEN}");
    assert_eq!(
        provider
            .api_with("GET", "payments", None, &[("Authorization", &lower)])
            .status,
        200
    );
}

#[test]
fn without_a_principal_the_api_is_closed() {
    let provider = Provider::start_with(&[("access", "")], None);
    for headers in [
        &[][..],
        &[("Authorization", "Bearer ")],
        &[("Authorization", "Bearer x")],
    ] {
        let answer = provider.api_with("GET", "payments", None, headers);
        assert_eq!(answer.status, 401);
        assert!(
            answer.body["detail"]
                .as_str()
                .unwrap()
                .contains("the variable access is not set")
        );
    }
}

#[test]
fn several_tokens_serve_their_exchange() {
    let new = "another-token-0123456789-0123456789";
    let tester = Principal::new("tester", Role::Manager).unwrap();
    let access = [tester.entry(TOKEN), tester.entry(new)].join(";");
    let provider = Provider::start_with(&[("access", &access)], None);
    for token in [TOKEN, new] {
        let authorization = format!("Bearer {token}");
        let answer = provider.api_with(
            "GET",
            "payments",
            None,
            &[("Authorization", &authorization)],
        );
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn a_token_to_read_with_changes_nothing() {
    let reader = "read-only-token-0123456789-0123456789";
    let read = Principal::new("Curtea de Conturi", Role::Read).unwrap();
    let access = format!("{};\n{}\n", managers(&[TOKEN]), read.entry(reader));
    let provider = Provider::start_with(&[("access", &access)], None);
    provider.register("1", order("10"));
    let authorization = format!("Bearer {reader}");
    let call = |method: &str, path: &str| {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Idempotency-Key", "a"),
        ];
        let body = order("20");
        let body = (!matches!(method, "GET" | "HEAD")).then_some(&body);
        provider.api_with(method, path, body, &headers).status
    };
    for path in ["orders/TAX/1", "payments", "refusals", "events"] {
        assert_eq!(call("GET", path), 200, "{path}");
        assert_eq!(call("HEAD", path), 200, "{path}");
    }
    for (method, path) in [
        ("PUT", "orders/TAX/1"),
        ("PATCH", "orders/TAX/1"),
        ("DELETE", "orders/TAX/1"),
        ("POST", "orders"),
        ("POST", "orders/import"),
        ("POST", "payments/manual"),
        ("POST", "erasures"),
    ] {
        assert_eq!(call(method, path), 403, "{method} {path}");
    }
    assert_eq!(provider.order("1")["amount_due"], "10.00");
}

#[test]
fn an_order_is_created_read_and_amended() {
    let provider = Provider::start();
    let path = "orders/TAX/2026%2F01%20A";
    assert_eq!(provider.api("GET", path, None).status, 404);
    let created = provider.api("PUT", path, Some(&order("10")));
    assert_eq!(created.status, 201);
    assert_eq!(created.body["order_key"], "2026/01 A");
    assert_eq!(created.body["status"], "Active");
    assert_eq!(created.body["total_amount_due"], "10.00");
    assert_eq!(created.body["amount_due"], "10.00");
    let again = provider.api("PUT", path, Some(&order("10.00")));
    assert_eq!(
        (again.status, &again.headers["etag"]),
        (200, &created.headers["etag"])
    );
    let amended = provider.api("PUT", path, Some(&order("12")));
    assert_eq!(amended.status, 200);
    assert_ne!(amended.headers["etag"], created.headers["etag"]);
    let read = provider.api("GET", path, None);
    assert_eq!(read.body, amended.body);
    assert_eq!(read.body["amount_due"], "12.00");
}

#[test]
fn no_update_is_lost_with_if_match() {
    let provider = Provider::start();
    let authorization = format!("Bearer {TOKEN}");
    let put = |amount: &str, header: (&str, &str)| {
        provider.api_with(
            "PUT",
            "orders/TAX/1",
            Some(&order(amount)),
            &[("Authorization", &authorization), header],
        )
    };
    assert_eq!(
        put("10", ("If-Match", "\"1\"")).status,
        412,
        "there is none yet"
    );
    let created = put("10", ("If-None-Match", "*"));
    assert_eq!(created.status, 201);
    assert_eq!(put("11", ("If-None-Match", "*")).status, 412);
    let etag = created.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(put("12", ("If-Match", &etag)).status, 200);
    assert_eq!(put("13", ("If-Match", &etag)).status, 412);
    assert_eq!(put("13", ("If-Match", "W/x")).status, 412);
    assert_eq!(provider.order("1")["amount_due"], "12.00");
}

#[test]
fn wrong_members_are_named_all_at_once() {
    let provider = Provider::start();
    let answer = provider.api(
        "PUT",
        "orders/TAX/1",
        Some(&json!({
            "order_key": "2", "reason": "r".repeat(51), "currency": "lei", "due_date": "soon",
            "lines": [{"line_id": "", "reason": "x", "amount_due": "1.234"}]
        })),
    );
    assert_eq!(answer.status, 422);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let fields: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "order_key",
            "currency",
            "reason",
            "due_date",
            "lines[0].line_id",
            "lines[0].amount_due"
        ]
    );
    assert_eq!(provider.api("GET", "orders/TAX/1", None).status, 404);
}

#[test]
fn a_time_that_mpay_cannot_be_told_is_refused_and_a_date_shown_as_that_day() {
    let provider = Provider::start();
    for member in ["due_date", "issued_at"] {
        for time in [
            "0000-01-01T00:00:00+14:00",
            "0000-06-01",
            "9999-12-31T12:00:00Z",
        ] {
            let mut order = order("10");
            order[member] = time.into();
            let refused = provider.api("PUT", "orders/TAX/1", Some(&order));
            let named = &refused.body["errors"][0]["field"];
            assert_eq!((refused.status, named), (422, &json!(member)), "{time}");
        }
    }
    let mut order = order("10");
    order["issued_at"] = "2026-11-01".into();
    order["due_date"] = "2099-12-31".into();
    provider.register("1", order);
    let order = provider.order("1");
    assert_eq!(order["issued_at"], "2026-11-01");
    assert_eq!(order["due_date"], "2099-12-31");
    let listed = provider.api("GET", "orders", None);
    assert_eq!(listed.body["orders"].as_array().unwrap().len(), 1);
}

#[test]
fn accounts_and_currencies_are_checked_and_numbers_of_the_state_doubted() {
    let provider = Provider::start();
    let mut order = order("10");
    order["currency"] = "HRK".into();
    order["customer_id"] = "2000000000003".into();
    order["lines"][0]["destination_account"] = json!({
        "bank_account": "MD24AG000225100013104186", "bank_code": "AGRNMD2X",
        "bank_fiscal_code": "100", "beneficiary_name": "Primăria"
    });
    let put = |order: &serde_json::Value, query: &str| {
        let answer = provider.api("PUT", &format!("orders/TAX/1{query}"), Some(order));
        let named = |list: &str| -> Vec<String> {
            let list = answer.body[list].as_array().cloned().unwrap_or_default();
            list.iter()
                .map(|e| e["field"].as_str().unwrap().to_owned())
                .collect()
        };
        (answer.status, named("errors"), named("warnings"))
    };
    let account = |member: &str| format!("lines[0].destination_account.{member}");
    let doubtful = vec!["customer_id".to_owned(), account("bank_fiscal_code")];
    assert_eq!(
        put(&order, ""),
        (
            422,
            vec![account("bank_account"), "currency".into()],
            vec![]
        )
    );
    assert_eq!(put(&order, "?strict=true").1.len(), 4);
    assert_eq!(put(&order, "?strict=yes").0, 400);

    order["currency"] = "EUR".into();
    order["lines"][0]["destination_account"]["bank_account"] =
        "md24 ag00 0225 1000 1310 4168".into();
    assert_eq!(put(&order, "?strict=true"), (422, doubtful.clone(), vec![]));
    assert_eq!(provider.api("GET", "orders/TAX/1", None).status, 404);
    assert_eq!(put(&order, ""), (201, vec![], doubtful));
    assert_eq!(
        provider.order("1")["lines"][0]["destination_account"]["bank_account"],
        "MD24AG000225100013104168"
    );
}

#[test]
fn documents_of_another_shape_are_named_too() {
    let provider = Provider::start();
    let put = |text: &str| {
        let authorization = format!("Bearer {TOKEN}");
        let mut response = provider.http(
            "PUT",
            "api/orders/TAX/1",
            &[("Authorization", &authorization)],
            text.as_bytes(),
        );
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    };
    for (text, status, named) in [
        ("", 400, "no document in JSON"),
        ("{", 400, "no document in JSON"),
        ("[]", 400, "no document in JSON"),
        ("{} {}", 400, "where more follows"),
        (r#"{"reasn": "x"}"#, 422, "reasn"),
        (
            r#"{"lines": [{"amount_due": 12.5}]}"#,
            422,
            "lines[0].amount_due",
        ),
        (r#"{"reason": {"en": "x"}}"#, 422, "reason"),
        ("{}", 422, "reason"),
    ] {
        let (found, body) = put(text);
        assert!(
            found == status && body.contains(named),
            "{text}: {found} {body}"
        );
    }
    assert_eq!(
        put(&format!("{{\"reason\": \"{}\"}}", "x".repeat(1_000_000))).0,
        413
    );
}

#[test]
fn services_that_are_not_served_have_no_orders() {
    let provider = Provider::start();
    assert_eq!(
        provider
            .api("PUT", "orders/OTHER/1", Some(&order("10")))
            .status,
        404
    );
    assert_eq!(
        provider
            .api(
                "PUT",
                &format!("orders/TAX/{}", "k".repeat(37)),
                Some(&order("10"))
            )
            .status,
        400
    );
}

#[test]
fn keys_that_payers_would_confuse_are_refused() {
    let provider = Provider::start();
    provider.register("AB-1", order("10"));
    for key in ["ab-1", "A%20B-1"] {
        let answer = provider.api("PUT", &format!("orders/TAX/{key}"), Some(&order("10")));
        assert_eq!(answer.status, 409);
        assert!(
            answer.body["detail"].as_str().unwrap().contains("AB-1"),
            "{answer:?}"
        );
    }
}

#[test]
fn without_a_default_account_every_line_needs_its_own() {
    let empty = [
        "bank_account",
        "bank_code",
        "bank_fiscal_code",
        "beneficiary_name",
    ]
    .map(|name| (name, ""));
    let provider = Provider::start_with(&empty, None);
    let answer = provider.api("PUT", "orders/TAX/1", Some(&order("10")));
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.body["errors"][0]["field"],
        "lines[0].destination_account"
    );
}

#[test]
fn the_ledger_is_read_in_pages() {
    let provider = Provider::start();
    for n in 0..5 {
        provider.register(&n.to_string(), order("10"));
        provider
            .mpay()
            .confirm(&confirmation(&n.to_string(), &format!("P{n}"), "10"))
            .unwrap();
    }
    let mut after = "0".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = provider
            .api("GET", &format!("payments?cursor={after}&limit=2"), None)
            .body;
        let payments = page["payments"].as_array().unwrap();
        assert!(payments.len() <= 2);
        ids.extend(
            payments
                .iter()
                .map(|p| p["payment_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = next.to_owned();
    }
    assert_eq!(ids, ["P0", "P1", "P2", "P3", "P4"]);
    for query in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=-1",
        "before=1",
        "cursor=99999999999999999999",
    ] {
        assert_eq!(
            provider
                .api("GET", &format!("payments?{query}"), None)
                .status,
            400,
            "{query}"
        );
    }
}
