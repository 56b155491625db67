//! One request, one effect (L2).

use serde_json::{Value, json};
use storebox_tests::sample::{cash, coffee, two_coffees};
use storebox_tests::{Shop, of};

fn with_key(mut body: Value, key: &str) -> Value {
    body["_idempotencyKey"] = json!(key);
    body
}

#[tokio::test]
async fn l2_a_repeated_request_gets_the_first_answer_byte_for_byte() {
    let mut shop = Shop::open("idempotency").await;
    let first = shop.till.post("/pos/orders", two_coffees()).key("k-1").await;
    first.must_be(201);
    assert!(!first.is_replayed(), "{first}");
    for _ in 0..3 {
        shop.till.post("/pos/orders", two_coffees()).key("k-1").await.replays(&first);
    }
    assert_eq!(shop.all_orders().await.len(), 1);
}

#[tokio::test]
async fn l2_every_kind_of_write_is_replayed() {
    let mut shop = Shop::open("idempotency").await;
    let order = shop.order().await;
    let line = order["items"][0]["lineId"].clone();
    let patch = json!({ "version": 1, "tableId": "T1", "changeItems": [{ "lineId": line, "quantityDelta": 1 }] });
    let changed = shop.till.patch(of(&order, ""), patch.clone()).key("patch").await;
    let sent = shop.till.post(of(&order, "/send-to-kitchen"), json!({})).key("send").await;
    let closed = shop.till.post(of(&order, "/close"), cash(2_000)).key("close").await;
    let other = shop.order().await;
    let voided = shop.till.post(of(&other, "/void"), json!({ "reason": "x" })).key("void").await;
    for answer in [&changed, &sent, &closed, &voided] {
        answer.must_be(200);
    }
    let events = shop.till.get("/api/sync/events").await.text("cursor");
    shop.till.patch(of(&order, ""), patch).key("patch").await.replays(&changed);
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).key("send").await.replays(&sent);
    shop.till.post(of(&order, "/close"), cash(2_000)).key("close").await.replays(&closed);
    shop.till.post(of(&other, "/void"), json!({ "reason": "x" })).key("void").await.replays(&voided);
    let later = shop.till.get(format!("/api/sync/events?since={events}")).await.expect(200);
    assert_eq!(later["events"], json!([]), "a replay is no event");
}

#[tokio::test]
async fn l2_the_key_may_stand_in_the_body() {
    let mut shop = Shop::open("idempotency").await;
    let first = shop.till.post("/pos/orders", with_key(two_coffees(), "k-1")).await;
    first.must_be(201);
    assert!(first.body.get("_idempotencyKey").is_none(), "{first}");
    shop.till.post("/pos/orders", with_key(two_coffees(), "k-1")).await.replays(&first);
    shop.till.post("/pos/orders", two_coffees()).key("k-1").await.replays(&first);
    shop.till.post("/pos/orders", with_key(two_coffees(), "k-1")).key("k-1").await.replays(&first);

    let order = &first.body;
    let more = with_key(json!({ "addItems": [coffee(1)] }), "k-2");
    let changed = shop.till.patch(of(order, ""), more.clone()).await;
    changed.must_be(200);
    shop.till.patch(of(order, ""), more).await.replays(&changed);
    assert_eq!(shop.all_orders().await.len(), 1);
}

#[tokio::test]
async fn l2_two_different_keys_in_one_request_are_refused() {
    let mut shop = Shop::open("idempotency").await;
    shop.till.post("/pos/orders", with_key(two_coffees(), "k-1")).key("k-2").await.refused(422);
    assert_eq!(shop.all_orders().await, Vec::<Value>::new());
    shop.till.post("/pos/orders", two_coffees()).key("k-1").await.must_be(201);
    shop.till.post("/pos/orders", two_coffees()).key("k-2").await.must_be(201);
}

#[tokio::test]
async fn l2_the_key_is_taken_bare_or_quoted_up_to_255_characters() {
    let mut shop = Shop::open("idempotency").await;
    let bare = shop.till.post("/pos/orders", two_coffees()).key("8e03978e-40d5").await;
    shop.till.post("/pos/orders", two_coffees()).key("\"8e03978e-40d5\"").await.replays(&bare);
    let longest = "k".repeat(255);
    let first = shop.till.post("/pos/orders", two_coffees()).key(&longest).await;
    first.must_be(201);
    shop.till.post("/pos/orders", two_coffees()).key(&longest).await.replays(&first);
    for key in
        ["k".repeat(256), String::new(), "\"\"".to_owned(), "\"".to_owned(), "a\"b".to_owned(), "\"a\"b\"".to_owned()]
    {
        shop.till.post("/pos/orders", two_coffees()).key(&key).await.refused(422);
    }
    shop.till.post("/pos/orders", with_key(two_coffees(), &"k".repeat(256))).await.refused(422);
}

#[tokio::test]
async fn l2_another_body_under_the_same_key_is_a_mismatch_that_shows_the_order() {
    let mut shop = Shop::open("idempotency").await;
    let first = shop.till.post("/pos/orders", two_coffees()).key("k-1").await;
    let order = first.body.clone();
    for other in
        [json!({ "items": [coffee(3)] }), json!({ "orderType": "counter", "items": [coffee(2)], "tableId": "T1" })]
    {
        let answer = shop.till.post("/pos/orders", other).key("k-1").await;
        answer.conflict("IDEMPOTENCY_MISMATCH");
        assert_eq!(answer.body["existingResource"]["id"], order["id"], "{answer}");
    }
    shop.till.post("/pos/orders", two_coffees()).key("k-1").await.replays(&first);
    assert_eq!(shop.all_orders().await, [order]);
}

#[tokio::test]
async fn l2_the_same_body_written_differently_is_the_same_request() {
    let mut shop = Shop::open("idempotency").await;
    let one =
        r#"{"orderType":"counter","items":[{"itemId":"coffee","name":"Caf\u00e9","quantity":2,"unitPrice":350}]}"#;
    let two = "{ \"items\": [ {\"unitPrice\": 350, \"quantity\": 2, \"name\": \"Café\", \"itemId\": \"coffee\"} ],\n
        \"orderType\": \"counter\" }";
    let first = shop.till.call(hyper::Method::POST, "/pos/orders").body("application/json", one).key("k").await;
    first.must_be(201);
    let again = shop.till.call(hyper::Method::POST, "/pos/orders").body("application/json", two).key("k").await;
    again.replays(&first);
}

#[tokio::test]
async fn l2_the_same_key_on_another_route_or_order_is_another_request() {
    let mut shop = Shop::open("idempotency").await;
    let first = shop.till.post("/pos/orders", two_coffees()).key("k").await.expect(201);
    let second = shop.order().await;
    for order in [&first, &second] {
        let answer = shop.till.patch(of(order, ""), json!({ "addItems": [coffee(1)] })).key("k").await;
        assert!(!answer.is_replayed(), "{answer}");
        assert_eq!(answer.expect(200)["version"], 2);
        let answer = shop.till.post(of(order, "/send-to-kitchen"), json!({})).key("k").await;
        assert!(!answer.is_replayed(), "{answer}");
        assert_eq!(answer.expect(200)["status"], "confirmed");
    }
}

#[tokio::test]
async fn l2_a_replay_gives_the_original_answer_whatever_happened_since() {
    let mut shop = Shop::open("idempotency").await;
    let created = shop.till.post("/pos/orders", two_coffees()).key("create").await;
    let order = created.body.clone();
    let changed = shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(5)] })).key("change").await;
    shop.till.post(of(&order, "/close"), cash(9_999)).key("close").await.must_be(200);

    shop.till.post("/pos/orders", two_coffees()).key("create").await.replays(&created);
    shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(5)] })).key("change").await.replays(&changed);
    shop.running.restart().await;
    shop.till.post("/pos/orders", two_coffees()).key("create").await.replays(&created);
    shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(5)] })).key("change").await.replays(&changed);
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200)["status"], "completed");
}

#[tokio::test]
async fn l2_another_device_gets_the_same_replay() {
    let mut shop = Shop::open("idempotency").await;
    let first = shop.till.post("/pos/orders", two_coffees()).key("k").await;
    let mut other = shop.terminal("Till 2", "pos").await;
    other.post("/pos/orders", two_coffees()).key("k").await.replays(&first);
    assert_eq!(first.text("deviceId"), shop.till.device_id);
}

#[tokio::test]
async fn l2_a_request_that_made_no_sense_does_not_use_its_key_up() {
    let mut shop = Shop::open("idempotency").await;
    let wrong = json!({ "items": [{ "itemId": "coffee", "name": "Coffee", "quantity": -1, "unitPrice": 350 }] });
    shop.till.post("/pos/orders", wrong).key("k").await.refused(422);
    let order = shop.till.post("/pos/orders", two_coffees()).key("k").await.expect(201);
    shop.till.post(of(&order, "/close"), cash(1)).key("pay").await.refused(422);
    shop.till.post(of(&order, "/close"), cash(770)).key("pay").await.must_be(200);
}

#[tokio::test]
async fn l2_a_conflict_uses_its_key_up_and_is_replayed() {
    let mut shop = Shop::open("idempotency").await;
    let closed = shop.closed_order().await;
    let refused = shop.till.post(of(&closed, "/void"), json!({})).key("k").await;
    refused.conflict_with_state("INVALID_STATE_TRANSITION", &closed);
    shop.till.post(of(&closed, "/void"), json!({})).key("k").await.replays(&refused);

    let order = shop.order().await;
    let current = shop.till.patch(of(&order, ""), json!({ "version": 1, "tableId": "T1" })).await.expect(200);
    let stale = json!({ "version": 1, "tableId": "T2" });
    let refused = shop.till.patch(of(&order, ""), stale.clone()).key("k").await;
    refused.conflict_with_state("STALE_VERSION", &current);
    shop.till.patch(of(&order, ""), json!({ "version": 2, "tableId": "T3" })).await.must_be(200);
    shop.till.patch(of(&order, ""), stale.clone()).key("k").await.replays(&refused);
    shop.running.restart().await;
    shop.till.patch(of(&order, ""), stale).key("k").await.replays(&refused);
}

#[tokio::test]
async fn l2_one_key_from_eight_connections_at_once_opens_one_order() {
    let mut shop = Shop::open("idempotency").await;
    for round in 0..10 {
        let key = format!("round-{round}");
        let mut racers = Vec::new();
        for _ in 0..8 {
            let (mut terminal, key) = (shop.till.twin(), key.clone());
            racers.push(tokio::spawn(async move { terminal.post("/pos/orders", two_coffees()).key(&key).await }));
        }
        let mut answers = Vec::new();
        for racer in racers {
            answers.push(racer.await.unwrap());
        }
        let fresh = answers.iter().filter(|answer| !answer.is_replayed()).count();
        assert_eq!(fresh, 1, "one of them is the first");
        for answer in &answers {
            assert_eq!((answer.status, &answer.bytes), (201, &answers[0].bytes), "{answer}");
        }
    }
    assert_eq!(shop.all_orders().await.len(), 10);
}
