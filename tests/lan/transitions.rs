//! What an order that is over refuses, and how orders are found (L1).

use serde_json::{Value, json};
use storebox_tests::sample::{cash, coffee, two_coffees};
use storebox_tests::{Shop, of};

/// Everything that can be asked of an order: what stands below its path, and the body.
fn actions() -> [(&'static str, Value); 5] {
    [
        ("", json!({ "addItems": [coffee(1)] })),
        ("/send-to-kitchen", json!({})),
        ("/close", cash(1_000)),
        ("/void", json!({ "reason": "again" })),
        ("/tenders", json!({ "type": "cash", "amount": 100 })),
    ]
}

#[tokio::test]
async fn l1_an_order_that_is_over_refuses_everything_with_its_state() {
    let mut shop = Shop::open("transitions").await;
    for over in [shop.closed_order().await, shop.voided_order().await] {
        for (below, body) in actions() {
            let path = of(&over, below);
            let answer = match below {
                "" => shop.till.patch(&path, body).await,
                _ => shop.till.post(&path, body).await,
            };
            answer.conflict_with_state("INVALID_STATE_TRANSITION", &over);
        }
        assert_eq!(shop.till.get(of(&over, "")).await.expect(200), over, "refusals change nothing");
    }
}

#[tokio::test]
async fn l1_an_order_that_went_to_the_kitchen_can_still_be_closed_or_voided() {
    let mut shop = Shop::open("transitions").await;
    let mut manager = shop.manager().await;
    let void = json!({ "reason": "guest left" });
    for (below, body, status) in [("/close", cash(770), "completed"), ("/void", void, "voided")] {
        let order = shop.order().await;
        shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.expect(200);
        assert_eq!(manager.post(of(&order, below), body).await.expect(200)["status"], status);
    }
}

#[tokio::test]
async fn l1_the_list_shows_open_orders_or_those_of_a_status() {
    let mut shop = Shop::open("transitions").await;
    let closed = shop.closed_order().await;
    let voided = shop.voided_order().await;
    let pending = shop.order().await;
    let order = shop.order().await;
    let sent = shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.expect(200);

    let mut open = shop.till.get("/pos/orders").await.expect(200);
    open.as_array_mut().unwrap().sort_by_key(|order| order["orderNumber"].to_string());
    assert_eq!(open, json!([pending, sent]));
    for (status, expected) in [("completed", closed), ("voided", voided), ("pending", pending), ("confirmed", sent)] {
        let listed = shop.till.get(format!("/pos/orders?status={status}")).await.expect(200);
        assert_eq!(listed, json!([expected]), "status={status}");
    }
    shop.till.get("/pos/orders?status=eaten").await.refused_field("status");
}

#[tokio::test]
async fn l1_the_list_goes_on_from_its_cursor_and_from_a_time() {
    let mut shop = Shop::open("transitions").await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        orders.push(shop.order().await);
    }
    let first = shop.till.get("/pos/orders?since=1970-01-01T00:00:00Z&limit=2").await;
    let cursor = first.header("x-cursor").expect("a cursor").to_owned();
    assert_eq!(first.expect(200), json!(orders[..2]));
    let rest = shop.till.get(format!("/pos/orders?since={cursor}")).await;
    let cursor = rest.header("x-cursor").expect("a cursor").to_owned();
    assert_eq!(rest.expect(200), json!(orders[2..]));
    assert_eq!(shop.till.get(format!("/pos/orders?since={cursor}")).await.expect(200), json!([]));

    // A closed order is a change like any other: whoever follows the list learns of it.
    let closed = shop.till.post(of(&orders[0], "/close"), cash(770)).await.expect(200);
    assert_eq!(shop.till.get(format!("/pos/orders?since={cursor}")).await.expect(200), json!([closed]));

    let at = orders[4]["updatedAt"].as_str().unwrap();
    let from_time = shop.till.get(format!("/pos/orders?since={at}")).await.expect(200);
    let numbers: Vec<_> = from_time.as_array().unwrap().iter().map(|order| &order["orderNumber"]).collect();
    assert!(numbers.contains(&&orders[4]["orderNumber"]), "the time itself is included: {numbers:?}");
    assert!(numbers.contains(&&closed["orderNumber"]), "later changes follow: {numbers:?}");
}

#[tokio::test]
async fn l1_an_unknown_order_is_404_everywhere() {
    let mut shop = Shop::open("transitions").await;
    for id in ["01890a5d-ac96-774b-bcce-b302099a8057", "never-seen"] {
        shop.till.get(format!("/pos/orders/{id}")).await.refused(404);
        for (below, body) in actions() {
            let path = format!("/pos/orders/{id}{below}");
            let answer = match below {
                "" => shop.till.patch(path, body).await,
                _ => shop.till.post(path, body).await,
            };
            answer.refused(404);
        }
    }
}

#[tokio::test]
async fn l1_order_numbers_count_up_without_gaps_whoever_orders() {
    let mut shop = Shop::open("transitions").await;
    let mut waiter = shop.terminal("Handheld", "handheld").await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(shop.order().await["orderNumber"].clone());
        shop.till.post("/pos/orders", json!({ "items": [{ "itemId": "x" }] })).await.refused(422);
        numbers.push(waiter.post("/pos/orders", two_coffees()).await.expect(201)["orderNumber"].clone());
    }
    assert_eq!(json!(numbers), json!(["A-0001", "A-0002", "A-0003", "A-0004", "A-0005", "A-0006"]));
}
