//! Reports, the drawer and the end of the day (L12).

use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee};
use storebox_tests::{Shop, Terminal, of};

/// Sells coffees for cash, exactly.
async fn sell(till: &mut Terminal, coffees: u32) -> Value {
    let order = till.post("/pos/orders", json!({ "items": [coffee(coffees)] })).await.expect(201);
    till.post(of(&order, "/close"), cash(order["total"].as_i64().unwrap())).await.expect(200)
}

fn part<'v>(parts: &'v Value, key: &str) -> &'v Value {
    let parts = parts.as_array().expect("a list of totals");
    parts.iter().find(|part| part["key"] == key).unwrap_or_else(|| panic!("no {key} in {parts:?}"))
}

#[tokio::test]
async fn l12_the_day_report_counts_every_sale_by_everything() {
    let mut shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    sell(&mut shop.till, 2).await;
    let order = json!({ "orderType": "takeaway", "items": [coffee(1), cake_with_cream(2)] });
    let order = shop.till.post("/pos/orders", order).await.expect(201);
    shop.till.post(of(&order, "/close"), cash(2_000)).await.must_be(200);
    shop.voided_order().await;
    shop.order().await;

    let report = manager.get("/api/reports/day").await.expect(200);
    let totals = &report["totals"];
    assert_eq!((&totals["sales"], &totals["net"], &totals["tax"]), (&json!(2), &json!(1_990), &json!(199)), "{report}");
    assert_eq!((&totals["total"], &totals["paid"], &totals["quantity"]), (&json!(2_189), &json!(2_189), &json!(5)));
    assert_eq!((&totals["voids"], &totals["voided"]), (&json!(1), &json!(770)));
    assert_eq!(part(&report["orderTypes"], "takeaway")["total"], 1_419);
    assert_eq!(part(&report["tenders"], "cash")["paid"], 2_189, "change is already out of it");
    assert_eq!(part(&report["taxes"], "100000+")["tax"], 199);
    assert_eq!(part(&report["employees"], "")["sales"], 2);
    assert_eq!(
        report["hours"].as_array().unwrap().iter().map(|hour| hour["total"].as_i64().unwrap()).sum::<i64>(),
        2_189
    );
    assert_eq!((&report["running"]["openOrders"], &report["running"]["expectedCash"]), (&json!(1), &json!(2_189)));

    let items = manager.get("/api/reports/sales?by=item").await.expect(200);
    assert_eq!(part(&items, "coffee")["quantity"], 3);
    assert_eq!((&part(&items, "cake")["net"], &part(&items, "cake")["name"]), (&json!(940), &json!("Cake")));
    for by in ["day", "hour", "category", "tender", "employee", "order_type", "tax"] {
        let parts = manager.get(format!("/api/reports/sales?by={by}")).await.expect(200);
        let sum =
            |member: &str| parts.as_array().unwrap().iter().map(|part| part[member].as_i64().unwrap()).sum::<i64>();
        let (member, expected) = if by == "tender" { ("paid", 2_189) } else { ("total", 2_189) };
        assert_eq!(sum(member), expected, "by {by}: {parts}");
    }
}

#[tokio::test]
async fn l12_a_day_without_sales_is_empty_and_a_day_that_is_none_is_refused() {
    let shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    let report = manager.get("/api/reports/day?day=2020-02-29").await.expect(200);
    assert_eq!((&report["totals"]["sales"], &report["running"]), (&json!(0), &Value::Null));
    assert_eq!(manager.get("/api/reports/sales?by=item&from=2020-01-01&to=2020-01-31").await.expect(200), json!([]));
    for wrong in [
        "/api/reports/day?day=2020-02-30",
        "/api/reports/day?day=yesterday",
        "/api/reports/day?format=xml",
        "/api/reports/sales?by=weather",
        "/api/reports/sales?from=2020-02-01&to=2020-01-01",
        "/api/reports/sales?by=item&from=2020-01-01&to=2020-02-01",
        "/api/reports/sales?from=2019-01-01&to=2020-12-31",
        "/api/reports/day/closes?limit=0",
        "/api/reports/day/closes?after=-1",
    ] {
        manager.get(wrong).await.refused(422);
    }
    manager.get("/api/reports/day/closes/1").await.refused(404);
    manager.get("/api/reports/day/closes/first").await.refused(404);
}

#[tokio::test]
async fn l12_reports_are_for_managers() {
    let mut shop = Shop::open("reports").await;
    let mut staff = shop.staff("mina").await;
    for path in ["/api/reports/day", "/api/reports/sales", "/api/reports/day/closes", "/api/reports/day/closes/1"] {
        shop.till.get(path).await.refused(403);
        staff.get(path).await.refused(403);
    }
    for (path, body) in [
        ("/api/reports/day/close", json!({ "countedCash": 0 })),
        ("/api/reports/drawer/float", json!({ "amount": 1 })),
        ("/api/reports/drawer/movement", json!({ "amount": 1, "reason": "change" })),
    ] {
        shop.till.post(path, body.clone()).await.refused(403);
        staff.post(path, body).await.refused(403);
    }
}

#[tokio::test]
async fn l12_the_end_of_the_day_holds_everything_since_the_last_one() {
    let mut shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    manager.post("/api/reports/drawer/float", json!({ "amount": 10_000 })).await.must_be(201);
    let paid_in = json!({ "amount": 500, "reason": "coins from the bank" });
    assert_eq!(manager.post("/api/reports/drawer/movement", paid_in).await.expect(201)["type"], "paid_in");
    let paid_out = json!({ "amount": -2_000, "reason": "window cleaner" });
    let paid_out = manager.post("/api/reports/drawer/movement", paid_out).await.expect(201);
    assert_eq!((&paid_out["type"], &paid_out["amount"]), (&json!("paid_out"), &json!(2_000)));
    sell(&mut shop.till, 2).await;

    let body = json!({ "countedCash": 9_250, "openingFloat": 5_000, "note": "20 short" });
    let first = manager.post("/api/reports/day/close", body.clone()).key("z-1").await;
    let close = first.clone().expect(201);
    assert_eq!((&close["number"], &close["totals"]["total"]), (&json!(1), &json!(770)), "{close}");
    assert_eq!((&close["expectedCash"], &close["difference"]), (&json!(9_270), &json!(-20)));
    assert_eq!((&close["nextFloat"], &close["grandTotal"]), (&json!(5_000), &json!(770)));
    assert_eq!(part(&close["tenders"], "cash")["paid"], 770);
    manager.post("/api/reports/day/close", body).key("z-1").await.replays(&first);
    let other = manager.post("/api/reports/day/close", json!({ "countedCash": 1 })).key("z-1").await;
    other.conflict("IDEMPOTENCY_MISMATCH");

    sell(&mut shop.till, 4).await;
    let report = manager.get("/api/reports/day").await.expect(200);
    assert_eq!(report["totals"]["total"], 2_310, "the day goes on");
    assert_eq!((&report["running"]["totals"]["total"], &report["running"]["nextNumber"]), (&json!(1_540), &json!(2)));
    let second = manager.post("/api/reports/day/close", json!({ "countedCash": 6_540 })).await.expect(201);
    assert_eq!(
        (&second["number"], &second["totals"]["total"], &second["difference"]),
        (&json!(2), &json!(1_540), &json!(0))
    );
    assert_eq!((&second["grandTotal"], &second["from"]), (&json!(2_310), &close["to"]));

    let listed = manager.get("/api/reports/day/closes?limit=1").await;
    assert_eq!((listed.header("x-cursor"), listed.header("x-more")), (Some("1"), Some("true")), "{listed}");
    assert_eq!(listed.expect(200), json!([close]), "the first one is as it was");
    assert_eq!(manager.get("/api/reports/day/closes?after=1").await.expect(200), json!([second]));
    assert_eq!(manager.get("/api/reports/day/closes/2").await.expect(200), second);
}

#[tokio::test]
async fn l12_what_makes_no_sense_in_the_drawer_is_refused() {
    let shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    for (path, body) in [
        ("/api/reports/day/close", json!({})),
        ("/api/reports/day/close", json!({ "countedCash": -1 })),
        ("/api/reports/day/close", json!({ "countedCash": 1, "openingFloat": 2 })),
        ("/api/reports/day/close", json!({ "countedCash": 1, "note": "" })),
        ("/api/reports/drawer/float", json!({ "amount": -1 })),
        ("/api/reports/drawer/movement", json!({ "amount": 0, "reason": "x" })),
        ("/api/reports/drawer/movement", json!({ "amount": 5 })),
        ("/api/reports/drawer/movement", json!({ "amount": 1.5, "reason": "x" })),
    ] {
        manager.post(path, body).await.refused(422);
    }
    assert_eq!(manager.get("/api/reports/day/closes").await.expect(200), json!([]));
}

#[tokio::test]
async fn l12_tills_that_sell_at_once_lose_no_cent_and_days_get_no_gap() {
    const TILLS: u32 = 6;
    const SALES: u32 = 15;
    let shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    let mut selling = tokio::task::JoinSet::new();
    for till in 1..=TILLS {
        let mut till_there = shop.terminal(&format!("Till {till}"), "pos").await;
        selling.spawn(async move {
            let mut total = 0;
            for sale in 1..=SALES {
                total += sell(&mut till_there, sale % 4 + till).await["total"].as_i64().unwrap();
            }
            total
        });
    }
    let mut closed = 0;
    for number in 1..=5 {
        let close = manager.post("/api/reports/day/close", json!({ "countedCash": 0 })).await.expect(201);
        assert_eq!(close["number"], number);
        closed += close["totals"]["total"].as_i64().unwrap();
    }
    let sold: i64 = selling.join_all().await.into_iter().sum();
    let last = manager.post("/api/reports/day/close", json!({ "countedCash": 0 })).await.expect(201);
    assert_eq!(closed + last["totals"]["total"].as_i64().unwrap(), sold, "ends of days hold every sale once");
    let report = manager.get("/api/reports/day").await.expect(200);
    assert_eq!(report["totals"]["total"], sold);
    assert_eq!(report["totals"]["sales"], TILLS * SALES);
    let items = manager.get("/api/reports/sales?by=item").await.expect(200);
    assert_eq!(part(&items, "coffee")["total"], sold);
}

#[tokio::test]
async fn l12_tables_for_spreadsheets_hold_no_formula() {
    let mut shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    let item = json!({ "itemId": "=cmd()", "name": "@SUM(1,2) \"x\"", "quantity": 1, "unitPrice": 1_234 });
    let order = shop.till.post("/pos/orders", json!({ "items": [item] })).await.expect(201);
    shop.till.post(of(&order, "/close"), cash(1_357)).await.must_be(200);

    let sales = manager.get("/api/reports/sales?by=item&format=csv").await;
    sales.must_be(200);
    assert_eq!(sales.header("content-type"), Some("text/csv; charset=utf-8"), "{sales}");
    let text = String::from_utf8(sales.bytes.to_vec()).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("item,name,sales,quantity,gross,"), "{text}");
    assert!(lines[1].starts_with("'=cmd(),\"'@SUM(1,2) \"\"x\"\"\",1,1,12.34,0.00,12.34,1.23,13.57,"), "{text}");
    let day = manager.get("/api/reports/day?format=csv").await;
    let text = String::from_utf8(day.bytes.to_vec()).unwrap();
    assert!(text.contains("\r\ntender,cash,,0,0,0.00,"), "{text}");
}

#[tokio::test]
async fn l12_totals_and_ends_of_days_survive_a_kill() {
    let mut shop = Shop::open("reports").await;
    let mut manager = shop.manager().await;
    sell(&mut shop.till, 2).await;
    let close = manager.post("/api/reports/day/close", json!({ "countedCash": 770 })).await.expect(201);
    sell(&mut shop.till, 1).await;
    shop.running.kill();
    shop.running.restart().await;
    let mut manager = shop.manager().await;
    assert_eq!(manager.get("/api/reports/day/closes").await.expect(200), json!([close]));
    let report = manager.get("/api/reports/day").await.expect(200);
    assert_eq!((&report["totals"]["total"], &report["running"]["totals"]["total"]), (&json!(1_155), &json!(385)));
}
