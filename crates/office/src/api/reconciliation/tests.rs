use std::time::Duration;

use serde_json::{Value, json};

use super::{super::testing::Api, *};
use jiff::SignedDuration;

use crate::{
    domain::Money,
    store::{
        Evidence, Ledger, StoredOrder,
        memory::Memory,
        testing::{record, register, secret},
    },
};

/// Records a payment with these lines, each with an amount and an account.
async fn pay(memory: &Memory, id: &str, currency: &str, lines: &[(&str, Option<&str>)]) {
    let amounts = lines
        .iter()
        .map(|(amount, _)| Money::parse(amount).unwrap());
    let payment: PaymentJson = serde_json::from_value(json!({
        "payment_id": id, "service_id": "TAX", "order_key": "1", "invoice_id": "I",
        "amount": amounts.sum::<Money>().to_string(), "currency": currency,
        "paid_at": "2026-05-01T12:00:00+03:00", "received_at": "2026-06-01T12:00:00+03:00",
        "lines": lines.iter().enumerate().map(|(position, (amount, account))| json!({
            "line_id": (position + 1).to_string(), "amount": amount, "bank_account": account
        })).collect::<Vec<_>>(),
        "evidence": id,
    }))
    .unwrap();
    let evidence = Evidence::new(&secret(), b"", id, b"", "accepted");
    let confirmation = payment.to_confirmation().unwrap();
    let store = Ledger::new(memory.clone());
    let recorded = store
        .payments()
        .record(
            &confirmation,
            &payment,
            &StoredOrder::default(),
            &evidence,
            None,
        )
        .await;
    recorded.unwrap();
}

async fn paid() -> Api {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    let (a, b) = (
        Some("MD80EX0900002374642125MD"),
        Some("MD21EX000000000001234567"),
    );
    pay(&api.memory, "P", "MDL", &[("1", a), ("2.50", b), ("4", a)]).await;
    pay(&api.memory, "Q", "EUR", &[("8", a)]).await;
    // A payment whose account is not known.
    pay(&api.memory, "R", "MDL", &[("16", None)]).await;
    api
}

#[tokio::test(start_paused = true)]
async fn totals_are_by_account_and_currency() {
    let api = paid().await;
    let day = api.get("reconciliation?date=2026-06-01").await.json();
    let (a, b) = ("MD80EX0900002374642125MD", "MD21EX000000000001234567");
    let of = |account: &str, currency: &str, amount: &str, lines: u32| json!({"bank_account": account, "currency": currency, "channel": "mpay", "amount": amount, "lines": lines});
    let totals = [
        json!({"currency": "MDL", "channel": "mpay", "amount": "16.00", "lines": 1}),
        of(b, "MDL", "2.50", 1),
        of(a, "EUR", "8.00", 1),
        of(a, "MDL", "5.00", 2),
    ];
    assert_eq!(day["totals"], json!(totals));
    assert_eq!(day["lines"][1]["index"], 2);
    assert_eq!(day["lines"][1]["invoice_id"], "I");
    assert_eq!(day["lines"][1]["recorded_at"], "2026-06-01T12:00:00+03:00");
    assert_eq!(day["lines"][1]["line_id"], "2");
    assert_eq!(
        (&day["from"], &day["to"]),
        (
            &json!("2026-06-01T00:00:00+03:00"),
            &json!("2026-06-02T00:00:00+03:00")
        )
    );

    let table = api.get("reconciliation?date=2026-06-01&format=csv").await;
    assert_eq!(
        table.header("content-disposition"),
        "attachment; filename=\"payments-2026-06-01-not-closed.csv\""
    );
    assert_eq!(
        table.lines()[..3],
        [
            "index,recorded_at,paid_at,service_id,order_key,payment_id,invoice_id,line_id,amount,currency,bank_account,review,channel,kind",
            &format!(
                "2,2026-06-01T12:00:00+03:00,2026-05-01T12:00:00+03:00,TAX,1,P,I,1,1,MDL,{a},under-paid amended,mpay,payment"
            ),
            &format!(
                "2,2026-06-01T12:00:00+03:00,2026-05-01T12:00:00+03:00,TAX,1,P,I,2,2.50,MDL,{b},under-paid amended,mpay,payment"
            ),
        ]
    );
    let table = api.get("reconciliation?from=2026-06-01&to=2026-06-02&format=csv&part=totals&separator=semicolon").await;
    assert_eq!(
        table.header("content-disposition"),
        "attachment; filename=\"payments-2026-06-01-2026-06-02-totals-not-closed.csv\""
    );
    assert_eq!(
        table.lines()[..3],
        [
            "bank_account;currency;channel;amount;lines",
            ";MDL;mpay;16,00;1",
            &format!("{b};MDL;mpay;2,50;1")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_day_is_closed_once_it_is_over() {
    let api = paid().await;
    let closed = async || api.get("reconciliation?date=2026-06-01").await.json()["closed"].clone();
    // The day begins at noon, so half of it is left.
    tokio::time::sleep(Duration::from_secs(12 * 3600 - 1)).await;
    assert_eq!(closed().await, false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    record(&api.memory, "S", "1", "1").await.unwrap();
    assert_eq!(closed().await, true);
    for (query, name) in [
        ("date=2026-06-01", "payments-2026-06-01"),
        ("date=2026-06-01&part=totals", "payments-2026-06-01-totals"),
        (
            "from=2026-05-31&to=2026-06-01",
            "payments-2026-05-31-2026-06-01",
        ),
    ] {
        let table = api.get(&format!("reconciliation?format=csv&{query}")).await;
        let name = format!("attachment; filename=\"{name}.csv\"");
        assert_eq!(table.header("content-disposition"), name);
    }
    let table = api.get("reconciliation?date=2026-06-01&format=csv").await;
    assert!(!table.text.contains(",S,"), "it is of the next day");
    let part = api
        .get("reconciliation?date=2026-06-01&cursor=1")
        .await
        .json();
    assert_eq!(part["closed"], true);
    // The totals are those of the whole day, on every page of the lines.
    assert_eq!(part["totals_complete"], true);
    let of_day = api.get("reconciliation?date=2026-06-01").await.json();
    assert_eq!(part["totals"], of_day["totals"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_more_than_one_answer_holds_goes_on_at_its_link() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    let lines = vec![("1", Some("MD80EX0900002374642125MD")); 13];
    for id in 0..401 {
        pay(&api.memory, &id.to_string(), "MDL", &lines).await;
    }
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let first = api.get("reconciliation?date=2026-06-01").await.json();
    let count = |answer: &Value| answer["lines"].as_array().unwrap().len();
    // Two pages of 200 payments each fill the answer.
    assert_eq!((count(&first), &first["closed"]), (400 * 13, &json!(true)));
    // The totals are those of the day.
    assert_eq!(first["totals_complete"], true);
    assert_eq!(first["totals"][0]["amount"], "5213.00");
    let table = api
        .get("reconciliation?date=2026-06-01&format=csv&cursor=0")
        .await;
    let next = format!(
        "/api/reconciliation?date=2026-06-01&format=csv&cursor={}",
        first["next"].as_str().unwrap()
    );
    assert_eq!(table.header("link"), format!("<{next}>; rel=\"next\""));
    assert!(table.header("content-disposition").contains("-part"));
    let rest = api
        .get(&format!(
            "reconciliation?date=2026-06-01&cursor={}",
            first["next"].as_str().unwrap()
        ))
        .await
        .json();
    assert_eq!((count(&rest), rest.get("next")), (13, None));
    assert_eq!(rest["lines"][0]["payment_id"], "400");
}

#[tokio::test(start_paused = true)]
async fn a_question_for_no_day_is_refused() {
    let api = Api::new();
    for query in [
        "",
        "from=2026-06-01",
        "to=2026-06-01",
        "date=2026-06-01&from=2026-06-01",
        "date=2026-06-01&from=2026-06-01&to=2026-06-01",
        "date=june",
        "date=2026-06-01&part=x",
        "date=2026-06-01&format=xml",
        "date=2026-06-01&separator=x",
        "date=2026-06-01&cursor=x",
    ] {
        assert_eq!(
            api.get(&format!("reconciliation?{query}")).await.status,
            400,
            "{query}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_days_are_added_up_once_they_are_closed_and_then_no_more() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    let account = Some("MD80EX0900002374642125MD");
    pay(
        &api.memory,
        "P",
        "MDL",
        &[("10.00", account), ("5.50", None)],
    )
    .await;
    pay(&api.memory, "Q", "EUR", &[("7.00", None)]).await;
    let days = async || {
        let answer = api.get("reconciliation/days").await.json();
        answer["days"].as_array().unwrap().clone()
    };
    assert!(days().await.iter().all(|day| day["date"] != "2026-06-01"));
    tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
    let told = days().await;
    assert_eq!(told.len(), 28);
    let day = told.iter().find(|day| day["date"] == "2026-06-01").unwrap();
    let totals = json!([
        {"currency": "EUR", "amount": "7.00", "lines": 1},
        {"currency": "MDL", "amount": "15.50", "lines": 2}
    ]);
    assert_eq!(day["totals"], totals);
    assert_eq!(
        told.last().unwrap(),
        &json!({"date": "2026-06-02", "totals": []})
    );
    // Stored totals are not computed again.
    let note = "note/paid-on-2026-06-01";
    let kept = String::from_utf8(api.memory.value(note).unwrap()).unwrap();
    let changed = kept.replace("\"10.00\"", "\"90.00\"");
    assert_ne!(changed, kept);
    api.memory.overwrite(note, changed.into_bytes());
    let told = days().await;
    let day = told.iter().find(|day| day["date"] == "2026-06-01").unwrap();
    assert_eq!(day["totals"][1]["amount"], "95.50");
    assert_eq!(api.get("reconciliation/days?x=1").await.status, 400);
}

/// Adds `count` registrations to the journal.
async fn register_many(memory: &Memory, count: u64) {
    use mpay_ledger::Platform as _;
    let last = memory.increment("journal", count).await.unwrap();
    let at = memory.now();
    for place in last - count + 1..=last {
        let event = json!({
            "type": "order.registered", "service_id": "TAX", "order_key": place.to_string(),
            "version": 1, "currency": "MDL"
        });
        let entry = json!({"v": 1, "at": at.to_string(), "entry": event});
        // The type is the first member, as in real entries.
        memory.overwrite(&format!("journal/{place}"), entry.to_string().into_bytes());
    }
}

const TOTALS: &str = "reconciliation?date=2026-06-01&part=totals";

#[tokio::test(start_paused = true)]
async fn a_large_day_is_added_up_by_several_calls_and_then_costs_what_a_small_one_does() {
    let mut costs = Vec::new();
    for (size, calls) in [(1000, 1), (40_000, 3)] {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        pay(&api.memory, "P", "MDL", &[("10.00", None)]).await;
        register_many(&api.memory, size).await;
        pay(&api.memory, "Q", "MDL", &[("5.00", None)]).await;
        api.memory.take_calls();
        for call in 1..=calls {
            let day = api.get(TOTALS).await.json();
            let is_last = call == calls;
            assert_eq!(day["totals_complete"], is_last, "{size}, {call}");
            let amount = if is_last { "15.00" } else { "10.00" };
            assert_eq!(day["totals"][0]["amount"], amount, "{size}, {call}");
            assert_eq!((&day["lines"], day.get("next")), (&json!([]), None));
            // 64 blocks, and the calls that find the day.
            let asked = api.memory.take_calls().len();
            assert!(asked < 64 * 4 + 20, "{size}, {call}: {asked}");
        }
        // Its lines continue on further pages, each with the totals of the whole day.
        let first = api.get("reconciliation?date=2026-06-01").await.json();
        assert_eq!(first["totals"][0]["amount"], "15.00", "{size}");
        assert_eq!(first["totals_complete"], true, "{size}");
        let mut next = first["next"].as_str().map(str::to_owned);
        let mut lines = first["lines"].as_array().unwrap().len();
        while let Some(cursor) = next {
            let address = format!("reconciliation?date=2026-06-01&cursor={cursor}");
            let part = api.get(&address).await.json();
            lines += part["lines"].as_array().unwrap().len();
            next = part["next"].as_str().map(str::to_owned);
        }
        assert_eq!(lines, 2, "{size}");
        api.memory.take_calls();
        pay(&api.memory, "R", "MDL", &[("1.00", None)]).await;
        api.memory.take_calls();
        let day = api.get(TOTALS).await.json();
        assert_eq!(day["totals"][0]["amount"], "16.00", "{size}");
        costs.push(api.memory.take_calls().len());
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test(start_paused = true)]
async fn several_days_that_are_too_large_together_are_added_up_each_for_itself() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    for day in 0..3 {
        register_many(&api.memory, 9000).await;
        pay(&api.memory, &format!("P-{day}"), "MDL", &[("10.00", None)]).await;
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    }
    let span = "reconciliation?from=2026-06-01&to=2026-06-03";
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = api.get(span).await.json();
        let amount = answer["totals"][0]["amount"].as_str().unwrap().to_owned();
        seen.push((amount, answer["totals_complete"].as_bool().unwrap()));
    }
    let whole = ("30.00".to_owned(), true);
    let (first, last) = (seen.first().unwrap(), seen.last().unwrap());
    assert!(!first.1 && first.0 != "30.00", "{seen:?}");
    assert_eq!(*last, whole, "{seen:?}");
    // A span that does not consist of whole days is not stored, and never counts as complete.
    let odd = "reconciliation?from=2026-06-01T00:00:01%2B03:00&to=2026-06-03";
    for _ in 0..2 {
        assert_eq!(api.get(odd).await.json()["totals_complete"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_may_be_money_and_is_not_passed_by() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    for id in ["P", "Q", "R"] {
        pay(&api.memory, id, "MDL", &[("10.00", None)]).await;
    }
    let entry = api.memory.value("journal/3").unwrap();
    for damage in [
        &b"{"[..],
        br#"{"v":9,"at":"2026-06-01T09:00:00Z","entry":{}}"#,
    ] {
        api.memory.overwrite("journal/3", damage.to_vec());
        for address in [TOTALS, "reconciliation?date=2026-06-01"] {
            let day = api.get(address).await.json();
            assert_eq!(day["totals_complete"], false, "{address}");
            assert_eq!(day["unreadable"], 1, "{address}");
            assert_eq!(day["totals"][0]["amount"], "20.00", "{address}");
        }
    }
    api.memory.overwrite("journal/3", entry);
    let day = api.get(TOTALS).await.json();
    assert_eq!(day["totals"][0]["amount"], "30.00");
    assert_eq!(
        (&day["totals_complete"], day.get("unreadable")),
        (&json!(true), None)
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_store_had_lost_is_added_up_once_it_is_mended() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    for id in ["P", "Q", "R"] {
        pay(&api.memory, id, "MDL", &[("10.00", None)]).await;
    }
    api.memory.remove("journal/3");
    // In the end a reader takes the lost place for one that nobody has filled.
    let mut before = api.get(TOTALS).await.json();
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        before = api.get(TOTALS).await.json();
    }
    assert_eq!(before["totals"][0]["amount"], "20.00");
    let repaired = api.call("POST", "repair", "", "").await.json();
    assert_eq!(repaired["repaired"], json!(["Q"]));
    let after = api.get(TOTALS).await.json();
    assert_eq!(after["totals"][0]["amount"], "30.00");
    assert_eq!(after["totals_complete"], true);
}

#[tokio::test(start_paused = true)]
async fn the_sums_of_a_day_are_those_of_its_lines_whatever_clocks_said() {
    for ahead in [&[1][..], &[1, 3, 5], &[6], &[0, 2], &[]] {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        let hours = SignedDuration::from_hours(13);
        for (n, id) in ["A", "B", "C", "D", "E", "F", "G"].into_iter().enumerate() {
            // On some hosts the clock says that it is tomorrow already. They record a payment, or only register
            // an order.
            if ahead.is_empty() && n == 3 {
                api.memory.step_clock(hours);
                register(&api.memory, "2", "100").await.unwrap();
                api.memory.step_clock(-hours);
            }
            let is_ahead = ahead.contains(&n);
            if is_ahead {
                api.memory.step_clock(hours);
            }
            pay(&api.memory, id, "MDL", &[(&format!("{}", 1 << n), None)]).await;
            if is_ahead {
                api.memory.step_clock(-hours);
            }
            api.get(TOTALS).await;
        }
        tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
        let mut all = Vec::new();
        for date in ["2026-06-01", "2026-06-02"] {
            let lines = api.get(&format!("reconciliation?date={date}")).await.json();
            let amounts = lines["lines"].as_array().unwrap().iter();
            let amounts: Vec<_> = amounts
                .map(|line| Money::parse(line["amount"].as_str().unwrap()).unwrap())
                .collect();
            let sums = api
                .get(&format!("reconciliation?date={date}&part=totals"))
                .await
                .json();
            assert_eq!(
                (&sums["closed"], &sums["totals_complete"]),
                (&json!(true), &json!(true))
            );
            let total = amounts.iter().copied().sum::<Money>().to_string();
            if !amounts.is_empty() {
                assert_eq!(sums["totals"][0]["amount"], total, "{date}");
            }
            all.extend(amounts);
        }
        assert_eq!(all.into_iter().sum::<Money>().to_string(), "127.00");
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_adds_up_so_much_and_the_next_goes_on() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    for day in 0..3 {
        register_many(&api.memory, 9000).await;
        pay(&api.memory, &format!("P-{day}"), "MDL", &[("1.00", None)]).await;
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    }
    let told = async || {
        let answer = api.get("reconciliation/days").await.json();
        let days = answer["days"].as_array().unwrap().clone();
        days.iter().filter(|day| day["totals"].is_array()).count()
    };
    // A day is closed before it is added up, which costs the same again.
    let mut counts = vec![told().await];
    while counts.len() < 6 && counts.last() != Some(&28) {
        api.memory.take_calls();
        counts.push(told().await);
        let asked = api.memory.take_calls().len();
        assert!(asked < 64 * 4 + 20 * 28, "{counts:?}: {asked}");
    }
    assert!(counts.is_sorted() && counts[0] < 3, "{counts:?}");
    assert_eq!(counts.last(), Some(&28), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_is_added_up_by_service_and_what_was_kept_before_is_added_up_anew() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    pay(
        &api.memory,
        "P",
        "MDL",
        &[("10.00", Some("MD24AG000225100013104168"))],
    )
    .await;
    pay(&api.memory, "Q", "MDL", &[("5.00", None)]).await;
    let services = json!([
        {"service_id": "TAX", "currency": "MDL", "amount": "15.00", "lines": 2}
    ]);
    for address in [TOTALS, "reconciliation?date=2026-06-01"] {
        let day = api.get(address).await.json();
        assert_eq!(day["services"], services, "{address}");
        assert_eq!(day["totals"].as_array().unwrap().len(), 2, "{address}");
    }
    // The totals by service also cover two days.
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    pay(&api.memory, "R", "MDL", &[("1.00", None)]).await;
    let both = "reconciliation?from=2026-06-01&to=2026-06-02&part=totals";
    let days = api.get(both).await.json();
    assert_eq!(days["services"][0]["amount"], "16.00");
    let note = "note/paid-on-2026-06-01";
    let kept = api.memory.value(note).unwrap();
    let mut kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept["value"]["services"], services);
    kept["value"].as_object_mut().unwrap().remove("services");
    kept["value"]["totals"][0]["amount"] = json!("90.00");
    api.memory.overwrite(note, kept.to_string().into_bytes());
    let day = api.get(TOTALS).await.json();
    assert_eq!(day["services"], services);
    assert_eq!(day["totals"][0]["amount"], "5.00");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_does_not_keep_the_rest_of_a_large_day_from_being_added_up() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    for id in ["P", "Q"] {
        pay(&api.memory, id, "MDL", &[("10.00", None)]).await;
    }
    register_many(&api.memory, 20_000).await;
    pay(&api.memory, "R", "MDL", &[("10.00", None)]).await;
    let entry = api.memory.value("journal/3").unwrap();
    api.memory.overwrite("journal/3", b"{".to_vec());
    for hours in [0, 48] {
        tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
        for _ in 0..3 {
            api.get(TOTALS).await;
        }
        api.memory.take_calls();
        let day = api.get(TOTALS).await.json();
        assert_eq!(day["totals"][0]["amount"], "20.00", "{day}");
        assert_eq!(day["unreadable"], 1, "{day}");
        assert_eq!(day["totals_complete"], false, "{day}");
        assert_eq!(day.get("totals_more"), None, "{day}");
        let asked = api.memory.take_calls().len();
        assert!(asked < 40, "what was added up is not read again: {asked}");
    }
    // It does not make callers repeat the call for the last days for ever either.
    let mut days = Value::Null;
    for _ in 0..9 {
        days = api.get("reconciliation/days").await.json();
    }
    assert_eq!(days.get("more"), None, "{days}");
    let of_day = days["days"].as_array().unwrap().iter();
    let mut of_day = of_day.filter(|day| day["date"] == "2026-06-01");
    assert_eq!(of_day.next().unwrap().get("totals"), None, "{days}");
    // The entry may become legible without a repair, for example in a later version.
    api.memory.overwrite("journal/3", entry);
    for _ in 0..4 {
        api.get(TOTALS).await;
    }
    let day = api.get(TOTALS).await.json();
    assert_eq!(day["totals"][0]["amount"], "30.00", "{day}");
    assert_eq!(day["totals_complete"], true, "{day}");
}

#[tokio::test(start_paused = true)]
async fn what_a_wrong_clock_put_after_the_day_does_not_keep_the_rest_from_being_added_up() {
    let api = Api::new();
    register(&api.memory, "1", "100").await.unwrap();
    let hours = SignedDuration::from_hours(13);
    api.memory.step_clock(hours);
    pay(&api.memory, "P", "MDL", &[("10.00", None)]).await;
    api.memory.step_clock(-hours);
    pay(&api.memory, "Q", "MDL", &[("5.00", None)]).await;
    register_many(&api.memory, 20_000).await;
    pay(&api.memory, "R", "MDL", &[("2.00", None)]).await;
    let mut amounts = Vec::new();
    for _ in 0..3 {
        let day = api.get(TOTALS).await.json();
        let is_more = day.get("totals_more").is_some();
        assert_eq!(is_more, day["totals_complete"] == false, "{day}");
        amounts.push(day["totals"][0]["amount"].clone());
    }
    assert_eq!(amounts, ["5.00", "7.00", "7.00"]);
    // Once the day is closed, an entry belongs to the day whose range has its place.
    tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
    let mut sums = Vec::new();
    for date in ["2026-06-01", "2026-06-02"] {
        let address = format!("reconciliation?date={date}&part=totals");
        for _ in 0..5 {
            api.get(&address).await;
        }
        let day = api.get(&address).await.json();
        assert_eq!(day["totals_complete"], true, "{day}");
        let amount = day["totals"][0]["amount"].as_str().unwrap_or("0.00");
        sums.push(Money::parse_sum(amount).unwrap());
    }
    assert_eq!(sums.into_iter().sum::<Money>().to_string(), "17.00");
}
