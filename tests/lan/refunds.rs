//! Giving money back, voiding what the kitchen knows of, and the books (L11, L12).

use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee};
use storebox_tests::{Shop, of};

fn sum(lines: &Value) -> i64 {
    lines.as_array().expect("lines").iter().map(|line| line["amount"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn l11_parts_are_given_back_by_a_manager_until_nothing_is_left() {
    let mut shop = Shop::open("refunds").await;
    let mut manager = shop.manager().await;
    let body = json!({ "items": [coffee(3), cake_with_cream(1)] });
    let order = shop.till.post("/pos/orders", body).await.expect(201);
    let refund = |body: Value| {
        let mut all = json!({ "type": "cash", "reason": "cold" });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        all
    };
    let path = of(&order, "/refund");
    let early = manager.post(&path, refund(json!({}))).await;
    early.conflict_with_state("INVALID_STATE_TRANSITION", &order);
    // 10.50 and 4.70, with 10 % tax 16.72.
    let closed = shop.till.post(of(&order, "/close"), cash(2_000)).await.expect(200);
    assert_eq!((&closed["total"], &closed["tax"]), (&json!(1_672), &json!(152)));
    shop.till.post(&path, refund(json!({}))).await.refused(403);
    manager.post(&path, json!({ "type": "cash" })).await.refused_field("reason");
    manager.post(&path, refund(json!({ "amount": 1_673 }))).await.refused_field("amount");

    let line = closed["items"][0]["lineId"].clone();
    let one = json!({ "items": [{ "lineId": line, "quantity": 1 }], "restock": true });
    let first = manager.post(&path, refund(one.clone())).key("one").await;
    first.must_be(200);
    let back = &first.body["refunds"][0];
    assert_eq!((&back["amount"], &back["tax"], &back["restock"]), (&json!(385), &json!(35), &json!(true)));
    assert_eq!((&first.body["status"], &first.body["paymentStatus"]), (&json!("completed"), &json!("paid")));
    manager.post(&path, refund(one)).key("one").await.replays(&first);
    let too_many = json!({ "items": [{ "lineId": line, "quantity": 2.001 }] });
    manager.post(&path, refund(too_many)).await.refused_field("items[0]");
    manager.post(&path, refund(json!({ "amount": 100 }))).await.expect(200);
    let all = manager.post(&path, refund(json!({}))).await.expect(200);
    assert_eq!((&all["paymentStatus"], &all["refunded"]), (&json!("refunded"), &json!(1_672)));
    let tax: i64 = all["refunds"].as_array().unwrap().iter().map(|refund| refund["tax"].as_i64().unwrap()).sum();
    assert_eq!(tax, 152, "the parts' tax adds up to the order's");
    manager.post(&path, refund(json!({}))).await.refused_field("amount");
    let journal = shop.till.get(of(&order, "/journal")).await.expect(200);
    assert_eq!(sum(&journal["lines"]), 0);
}

#[tokio::test]
async fn l11_two_managers_at_once_cannot_give_back_more_than_was_paid() {
    let mut shop = Shop::open("refunds").await;
    let closed = shop.closed_order().await;
    let manager = shop.manager().await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let (mut manager, path) = (manager.twin(), of(&closed, "/refund"));
        let body = json!({ "type": "cash", "amount": 300, "reason": "cold" });
        racing.push(tokio::spawn(async move { manager.post(path, body).await.status }));
    }
    let mut given = 0;
    for racer in racing {
        given += i32::from(racer.await.unwrap() == 200);
    }
    assert_eq!(given, 2, "770 hold 300 twice");
    assert_eq!(shop.till.get(of(&closed, "")).await.expect(200)["refunded"], 600);
}

#[tokio::test]
async fn l11_a_refund_to_a_card_takes_its_terminal_or_the_cloud() {
    let mut shop = Shop::open("refunds").await;
    let mut manager = shop.manager().await;
    let closed = shop.closed_order().await;
    let path = of(&closed, "/refund");
    for kind in ["card", "card_token", "mobile_money"] {
        let answer = manager.post(&path, json!({ "type": kind, "reason": "cold" })).await;
        answer.refused(503);
        assert_eq!(answer.body["conflictType"], "CLOUD_REQUIRED");
    }
    manager.post(&path, json!({ "type": "terminal", "reason": "cold" })).await.refused_field("slip");
    manager.post(&path, json!({ "type": "gift_card", "reason": "cold" })).await.refused_field("tenderId");
    let back = manager.post(&path, json!({ "type": "terminal", "slip": "0099", "reason": "cold" })).await.expect(200);
    assert_eq!(back["refunds"][0]["reference"], "0099");
}

#[tokio::test]
async fn l11_what_the_kitchen_knows_of_is_taken_off_by_a_manager_with_a_reason() {
    let mut shop = Shop::open("refunds").await;
    let mut manager = shop.manager().await;
    let order = shop.order().await;
    let line = order["items"][0]["lineId"].clone();
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.expect(200);
    let fewer = json!({ "changeItems": [{ "lineId": line, "quantityDelta": -1 }] });
    shop.till.patch(of(&order, ""), fewer.clone()).await.refused(403);
    manager.patch(of(&order, ""), fewer.clone()).await.refused_field("reason");
    let mut why = fewer;
    why["reason"] = json!("spilled");
    assert_eq!(manager.patch(of(&order, ""), why).await.expect(200)["items"][0]["quantity"], 1.0);
    shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.expect(200);
    shop.till.post(of(&order, "/void"), json!({ "reason": "guest left" })).await.refused(403);
    manager.post(of(&order, "/void"), json!({})).await.refused_field("reason");
    let voided = manager.post(of(&order, "/void"), json!({ "reason": "guest left" })).await.expect(200);
    assert_eq!(voided["status"], "voided");
}

#[tokio::test]
async fn l12_the_journal_of_a_closed_order_balances() {
    let mut shop = Shop::open("refunds").await;
    let order = shop.order().await;
    assert_eq!(shop.till.get(of(&order, "/journal")).await.expect(200)["lines"], json!([]));
    let tenders = json!({ "tenders": [
        { "type": "terminal", "amount": 400, "tip": 60, "slip": "1" },
        { "type": "cash", "amount": 1_000 },
    ]});
    shop.till.post(of(&order, "/close"), tenders).await.expect(200);
    let journal = shop.till.get(of(&order, "/journal")).await.expect(200);
    let lines = json!([
        { "account": "sale", "type": null, "amount": -700 },
        { "account": "tax", "type": null, "amount": -70 },
        { "account": "tip", "type": null, "amount": -60 },
        { "account": "tender", "type": "terminal", "amount": 460 },
        { "account": "tender", "type": "cash", "amount": 370 },
    ]);
    assert_eq!(journal["lines"], lines);
    assert_eq!(sum(&journal["lines"]), 0);
}
