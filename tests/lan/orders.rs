//! Orders from opening to the end (L1).

use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee, two_coffees};
use storebox_tests::{Shop, of};

#[tokio::test]
async fn l1_an_order_is_opened_read_and_listed() {
    let mut shop = Shop::open("orders").await;
    let answer = shop.till.post("/pos/orders", two_coffees()).await;
    assert_eq!(answer.header("etag"), Some("\"1\""), "{answer}");
    let order = answer.expect(201);
    assert_eq!(order["subtotal"], 700);
    assert_eq!(order["tax"], 70);
    assert_eq!(order["total"], 770);
    assert_eq!(order["status"], "pending");
    assert_eq!(order["paymentStatus"], "unpaid");
    assert_eq!(order["orderNumber"], "A-0001");
    assert_eq!(order["items"][0]["lineTotal"], 700);

    let read = shop.till.get(of(&order, "")).await;
    assert_eq!(read.header("etag"), Some("\"1\""), "{read}");
    assert_eq!(read.expect(200), order);
    assert_eq!(shop.till.get("/pos/orders").await.expect(200), json!([order]));
}

#[tokio::test]
async fn l1_a_tab_is_opened_empty_and_filled_later() {
    let mut shop = Shop::open("orders").await;
    let tab = shop.till.post("/pos/orders", json!({ "tableId": "T5", "items": [] })).await.expect(201);
    assert_eq!(tab["total"], 0);
    shop.till.post(of(&tab, "/send-to-kitchen"), json!({})).await.refused(422);
    shop.till.post(of(&tab, "/close"), cash(0)).await.refused(422);
    let filled = shop.till.patch(of(&tab, ""), json!({ "addItems": [coffee(1)] })).await.expect(200);
    assert_eq!(filled["total"], 385);
}

#[tokio::test]
async fn l1_lines_are_added_changed_and_removed() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let line = order["items"][0]["lineId"].clone();

    let more = shop.till.patch(of(&order, ""), json!({ "addItems": [cake_with_cream(2)] })).await.expect(200);
    assert_eq!(more["items"].as_array().unwrap().len(), 2);
    assert_eq!(more["items"][1]["lineTotal"], 940, "two cakes at 4.20 with cream at 0.50");
    assert_eq!(more["items"][1]["modifiers"][0]["name"], "Cream");
    assert_eq!(more["items"][1]["notes"], "on the side");
    assert_eq!(more["version"], 2);

    let change = json!({ "changeItems": [{ "lineId": line, "quantityDelta": 1.5, "notes": "decaf" }] });
    let changed = shop.till.patch(of(&order, ""), change).await.expect(200);
    assert_eq!(changed["items"][0]["quantity"], 3.5);
    assert_eq!(changed["items"][0]["notes"], "decaf");
    assert_eq!(changed["items"][0]["lineTotal"], 1_225);

    let fewer = shop.till.patch(of(&order, ""), json!({ "removeItems": [line] })).await.expect(200);
    assert_eq!(fewer["items"].as_array().unwrap().len(), 1);
    assert_eq!(fewer["items"][0]["itemId"], "cake");
    assert_eq!(fewer["total"], 1_034);
    shop.till.patch(of(&order, ""), json!({ "removeItems": [line] })).await.refused_field("removeItems");
}

#[tokio::test]
async fn l1_a_line_that_comes_to_nothing_is_taken_off_but_never_goes_below() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let line = order["items"][0]["lineId"].clone();
    let by = |delta: i32| json!({ "changeItems": [{ "lineId": line, "quantityDelta": delta }] });
    shop.till.patch(of(&order, ""), by(-3)).await.refused_field("changeItems");
    let emptied = shop.till.patch(of(&order, ""), by(-2)).await.expect(200);
    assert_eq!(emptied["items"], json!([]));
    assert_eq!(emptied["total"], 0);
}

#[tokio::test]
async fn l1_the_header_is_changed_only_by_who_has_seen_it() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let path = of(&order, "");
    for header in [
        json!({ "tableId": "T1" }),
        json!({ "orderType": "takeaway" }),
        json!({ "customerId": "c-1" }),
        json!({ "notes": "birthday" }),
    ] {
        shop.till.patch(&path, header).await.refused(422);
    }

    let seen = shop.till.patch(&path, json!({ "version": 1, "tableId": "T1" })).await.expect(200);
    assert_eq!(seen["tableId"], "T1");
    let by_tag = shop.till.patch(&path, json!({ "orderType": "takeaway" })).header("if-match", "\"2\"").await;
    let by_tag = by_tag.expect(200);
    assert_eq!(by_tag["orderType"], "takeaway");
    let by_time = json!({ "updatedAt": by_tag["updatedAt"], "notes": "birthday", "customerId": "c-1" });
    let by_time = shop.till.patch(&path, by_time).await.expect(200);
    assert_eq!((&by_time["notes"], &by_time["customerId"]), (&json!("birthday"), &json!("c-1")));
    let cleared = shop.till.patch(&path, json!({ "version": 4, "notes": null })).await.expect(200);
    assert_eq!((&cleared["notes"], &cleared["tableId"]), (&Value::Null, &json!("T1")));
}

#[tokio::test]
async fn l1_a_stale_change_is_refused_with_the_order_as_it_is() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let path = of(&order, "");
    let current = shop.till.patch(&path, json!({ "version": 1, "tableId": "T1" })).await.expect(200);

    let stale = [
        json!({ "version": 1, "tableId": "T2" }),
        json!({ "version": 1, "addItems": [coffee(1)] }),
        json!({ "version": 3, "tableId": "T2" }),
        json!({ "updatedAt": order["updatedAt"], "tableId": "T2" }),
    ];
    for body in stale {
        shop.till.patch(&path, body).await.conflict_with_state("STALE_VERSION", &current);
    }
    let by_tag = shop.till.patch(&path, json!({ "tableId": "T2" })).header("if-match", "\"1\"").await;
    by_tag.conflict_with_state("STALE_VERSION", &current);
    for below in ["/send-to-kitchen", "/void"] {
        let answer = shop.till.post(of(&order, below), json!({ "version": 1 })).await;
        answer.conflict_with_state("STALE_VERSION", &current);
    }
    let close = json!({ "version": 1, "tenders": [{ "type": "cash", "amount": 1_000 }] });
    shop.till.post(of(&order, "/close"), close).await.conflict_with_state("STALE_VERSION", &current);
    assert_eq!(shop.till.get(path).await.expect(200), current, "a refusal changes nothing");
}

#[tokio::test]
async fn l1_two_terminals_work_on_one_order() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let path = of(&order, "");
    let mut waiter = shop.terminal("Anna's handheld", "handheld").await;

    // Lines from both are kept; of two header changes that saw the same version, one is told.
    shop.till.patch(&path, json!({ "addItems": [coffee(1)] })).await.expect(200);
    let both = waiter.patch(&path, json!({ "addItems": [cake_with_cream(1)] })).await.expect(200);
    assert_eq!(both["items"].as_array().unwrap().len(), 3);
    let won = shop.till.patch(&path, json!({ "version": 3, "tableId": "T1" })).await.expect(200);
    let lost = waiter.patch(&path, json!({ "version": 3, "tableId": "T2" })).await;
    lost.conflict_with_state("STALE_VERSION", &won);
    let after = waiter.patch(&path, json!({ "version": 4, "tableId": "T2" })).await.expect(200);
    assert_eq!(after["deviceId"], shop.till.device_id.as_str(), "the order stays the till's");
}

#[tokio::test]
async fn l1_of_many_changes_at_one_version_exactly_one_wins() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let path = of(&order, "");
    let mut racers = Vec::new();
    for number in 0..8 {
        let (mut terminal, path) = (shop.till.twin(), path.clone());
        let body = json!({ "version": 1, "tableId": format!("T{number}") });
        racers.push(tokio::spawn(async move { terminal.patch(path, body).await }));
    }
    let mut won = 0;
    for racer in racers {
        let answer = racer.await.unwrap();
        match answer.status {
            200 => won += 1,
            _ => {
                answer.conflict("STALE_VERSION");
            }
        }
    }
    assert_eq!(won, 1);
    assert_eq!(shop.till.get(path).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn l1_sending_to_the_kitchen_confirms_and_sending_again_changes_nothing() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    assert_eq!(order["items"][0]["sent"], false);
    let path = of(&order, "/send-to-kitchen");
    let sent = shop.till.call(hyper::Method::POST, &path).await.expect(200);
    assert_eq!(sent["status"], "confirmed");
    assert_eq!(sent["items"][0]["sent"], true);
    assert_eq!(sent["version"], 2);
    assert_eq!(shop.till.post(&path, json!({})).await.expect(200), sent, "nothing new to send");

    let more = shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.expect(200);
    assert_eq!((&more["items"][0]["sent"], &more["items"][1]["sent"]), (&json!(true), &json!(false)));
    let again = shop.till.post(&path, json!({ "version": 3 })).await.expect(200);
    assert_eq!(again["items"][1]["sent"], true);
}

#[tokio::test]
async fn l1_closing_with_cash_computes_the_change() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let path = of(&order, "/close");
    shop.till.post(&path, cash(769)).await.refused(422);
    let closed = shop.till.post(&path, cash(1_000)).await.expect(200);
    assert_eq!(closed["status"], "completed");
    assert_eq!(closed["paymentStatus"], "paid");
    assert_eq!((&closed["paid"], &closed["change"]), (&json!(770), &json!(230)));
    let tender = &closed["tenders"][0];
    assert_eq!((&tender["type"], &tender["amount"]), (&json!("cash"), &json!(770)));
    assert_eq!((&tender["tendered"], &tender["change"]), (&json!(1_000), &json!(230)));
    assert_eq!(closed["closedAt"], closed["updatedAt"]);
}

#[tokio::test]
async fn l1_two_guests_pay_one_order_in_parts() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let split = json!({ "tenders": [{ "type": "cash", "amount": 400 }, { "type": "cash", "amount": 500 }] });
    let closed = shop.till.post(of(&order, "/close"), split).await.expect(200);
    assert_eq!(closed["tenders"].as_array().unwrap().len(), 2);
    assert_eq!((&closed["paid"], &closed["change"]), (&json!(770), &json!(130)));
    let sum: i64 = closed["tenders"].as_array().unwrap().iter().map(|tender| tender["amount"].as_i64().unwrap()).sum();
    assert_eq!(sum, 770);
}

#[tokio::test]
async fn l1_voiding_keeps_the_reason() {
    let mut shop = Shop::open("orders").await;
    let order = shop.order().await;
    let voided = shop.till.post(of(&order, "/void"), json!({ "reason": "guest left" })).await.expect(200);
    assert_eq!((&voided["status"], &voided["voidReason"]), (&json!("voided"), &json!("guest left")));
    assert_eq!(voided["paymentStatus"], "unpaid");
    assert_eq!(voided["total"], 770, "what was ordered stays visible");
}

#[tokio::test]
async fn l1_a_kiosk_sees_and_touches_its_own_orders_only() {
    let mut shop = Shop::open("orders").await;
    let tills = shop.order().await;
    let mut kiosk = shop.terminal("Kiosk 1", "kiosk").await;
    let mut other = shop.terminal("Kiosk 2", "kiosk").await;
    let own = kiosk.post("/pos/orders", two_coffees()).await.expect(201);

    for (terminal, order) in [(&mut kiosk, &tills), (&mut other, &own)] {
        terminal.get(of(order, "")).await.refused(403);
        terminal.patch(of(order, ""), json!({ "addItems": [coffee(1)] })).await.refused(403);
        terminal.post(of(order, "/send-to-kitchen"), json!({})).await.refused(403);
        terminal.post(of(order, "/close"), cash(1_000)).await.refused(403);
        terminal.post(of(order, "/void"), json!({})).await.refused(403);
        assert_eq!(shop.till.get(of(order, "")).await.expect(200), *order, "nothing was changed");
    }
    assert_eq!(kiosk.get("/pos/orders").await.expect(200), json!([own]), "others' orders are not shown");
    kiosk.post(of(&own, "/close"), cash(770)).await.expect(200);
}
