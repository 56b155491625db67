//! Stock: signed movements that sum, and what does not agree (L9).

use serde_json::{Value, json};
use storebox_tests::Shop;

fn received(item: &str, quantity: f64) -> Value {
    json!({ "item": item, "kind": "receive", "quantity": quantity })
}

#[tokio::test]
async fn l9_stock_is_the_sum_of_its_movements() {
    let mut shop = Shop::open("stock").await;
    let mut manager = shop.manager().await;
    let first = manager.post("/api/inventory/movements", received("coffee", 10.0)).await.expect(201);
    assert_eq!(first["changes"], json!([{ "itemId": "coffee", "delta": 10, "level": 10 }]));
    let waste = json!({ "item": "coffee", "kind": "waste", "quantity": 0.25, "note": "spilt" });
    manager.post("/api/inventory/movements", waste).await.must_be(201);
    let less = json!({ "item": "coffee", "kind": "correct", "quantity": -1.5 });
    let last = manager.post("/api/inventory/movements", less).await.expect(201);

    let level = shop.till.get("/api/inventory/coffee").await.expect(200);
    assert_eq!((&level["level"], &level["movements"]), (&json!(8.25), &json!(3)));
    assert_eq!((&level["lastMovementId"], &level["review"]), (&last["id"], &Value::Null));
    let movements = shop.till.get("/api/inventory/coffee/movements").await.expect(200);
    let sum: f64 = movements.as_array().unwrap().iter().map(|row| row["changes"][0]["delta"].as_f64().unwrap()).sum();
    assert!((sum - 8.25).abs() < f64::EPSILON, "{movements}");
    assert_eq!((&movements[0], &movements[2]), (&last, &first), "newest first");

    let page = shop.till.get("/api/inventory/coffee/movements?limit=2").await;
    assert_eq!((page.header("x-cursor"), page.header("x-more")), (Some("2"), Some("true")), "{page}");
    let rest = shop.till.get("/api/inventory/coffee/movements?before=2").await.expect(200);
    assert_eq!(rest, json!([first]));
}

#[tokio::test]
async fn l9_a_stock_take_that_finds_something_else_is_flagged_and_told() {
    let mut shop = Shop::open("stock").await;
    let mut manager = shop.manager().await;
    let count = |counted: f64| json!({ "item": "tea", "counted": counted, "lowAt": 3 });
    manager.post("/api/inventory/counts", count(12.0)).await.must_be(201);
    assert_eq!(
        shop.till.get("/api/inventory?review=true").await.expect(200),
        json!([]),
        "the first count contradicts nothing"
    );

    let taken = manager.post("/api/inventory/counts", count(9.5)).await.expect(201);
    assert_eq!((&taken["counted"], &taken["changes"][0]["delta"]), (&json!(9.5), &json!(-2.5)));
    let level = shop.till.get("/api/inventory/tea").await.expect(200);
    assert_eq!(
        (&level["level"], &level["review"], &level["difference"]),
        (&json!(9.5), &json!("discrepancy"), &json!(-2.5))
    );
    assert_eq!(level["baseline"], 2);
    let events = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
    let text = events.to_string();
    assert!(text.contains("inventory.discrepancy") && text.contains("inventory.counted"), "{text}");

    manager.post("/api/inventory/counts", count(2.0)).await.must_be(201);
    let low = shop.till.get("/api/inventory?low=true").await.expect(200);
    assert_eq!((&low[0]["itemId"], &low[0]["low"]), (&json!("tea"), &json!(true)));
    manager.post("/api/inventory/counts", count(2.0)).await.must_be(201);
    assert_eq!(shop.till.get("/api/inventory?review=true").await.expect(200), json!([]), "a count that agrees ends it");
}

#[tokio::test]
async fn l9_below_nothing_is_flagged_not_refused() {
    let mut shop = Shop::open("stock").await;
    let mut manager = shop.manager().await;
    let waste = json!({ "item": "milk", "kind": "waste", "quantity": 2 });
    manager.post("/api/inventory/movements", waste).await.must_be(201);
    let level = shop.till.get("/api/inventory/milk").await.expect(200);
    assert_eq!((&level["level"], &level["review"]), (&json!(-2), &json!("negative")));
}

#[tokio::test]
async fn l9_a_movement_sent_again_moves_nothing() {
    let mut shop = Shop::open("stock").await;
    let mut manager = shop.manager().await;
    let first = manager.post("/api/inventory/movements", received("rice", 5.0)).key("m-1").await;
    first.must_be(201);
    manager.post("/api/inventory/movements", received("rice", 5.0)).key("m-1").await.replays(&first);
    manager.post("/api/inventory/movements", received("rice", 6.0)).key("m-1").await.conflict("IDEMPOTENCY_MISMATCH");
    assert_eq!(shop.till.get("/api/inventory/rice").await.expect(200)["level"], 5);
}

#[tokio::test]
async fn l9_two_terminals_at_once_lose_no_movement() {
    let shop = Shop::open("stock").await;
    let mut moving = tokio::task::JoinSet::new();
    for number in 0..4 {
        let mut manager = shop.manager().await;
        moving.spawn(async move {
            for quantity in 1..=10 {
                let kind = if (quantity + number) % 2 == 0 { "receive" } else { "waste" };
                let body = json!({ "item": "salt", "kind": kind, "quantity": quantity });
                manager.post("/api/inventory/movements", body).await.must_be(201);
            }
        });
    }
    moving.join_all().await;
    let mut till = shop.till.twin();
    let level = till.get("/api/inventory/salt").await.expect(200);
    // Each quantity was received twice and thrown away twice.
    assert_eq!((&level["level"], &level["movements"]), (&json!(0), &json!(40)));
    let movements = till.get("/api/inventory/salt/movements?limit=500").await.expect(200);
    let rows = movements.as_array().unwrap();
    let levels: Vec<f64> = rows.iter().rev().map(|row| row["changes"][0]["level"].as_f64().unwrap()).collect();
    let mut sum = 0.0;
    for (row, level) in rows.iter().rev().zip(levels) {
        sum += row["changes"][0]["delta"].as_f64().unwrap();
        assert!((sum - level).abs() < 1e-9, "{row}");
    }
}

#[tokio::test]
async fn l9_items_are_listed_page_by_page() {
    let mut shop = Shop::open("stock").await;
    let mut manager = shop.manager().await;
    for item in ["a", "b/b", "c ü"] {
        manager.post("/api/inventory/movements", received(item, 1.0)).await.must_be(201);
    }
    let mut seen = Vec::new();
    let mut path = "/api/inventory?limit=1".to_owned();
    loop {
        let page = shop.till.get(path).await;
        page.must_be(200);
        seen.extend(page.body.as_array().unwrap().iter().map(|row| row["itemId"].clone()));
        if page.header("x-more") != Some("true") {
            break;
        }
        path = format!("/api/inventory?limit=1&after={}", page.header("x-cursor").unwrap());
    }
    assert_eq!(json!(seen), json!(["a", "b/b", "c ü"]));
    assert_eq!(shop.till.get("/api/inventory?since=2090-01-01T00:00:00Z").await.expect(200), json!([]));
    shop.till.get("/api/inventory/b%2Fb").await.must_be(200);
}

#[tokio::test]
async fn l9_stock_is_counted_by_managers_and_nonsense_is_refused() {
    let mut shop = Shop::open("stock").await;
    shop.till.post("/api/inventory/movements", received("coffee", 1.0)).await.refused(403);
    shop.till.post("/api/inventory/counts", json!({ "item": "coffee", "counted": 1 })).await.refused(403);
    let mut manager = shop.manager().await;
    for body in [
        json!({ "item": "coffee", "kind": "receive", "quantity": 0 }),
        json!({ "item": "coffee", "kind": "waste", "quantity": -1 }),
        json!({ "item": "coffee", "kind": "correct", "quantity": 0 }),
        json!({ "item": "coffee", "kind": "sale", "quantity": 1 }),
        json!({ "item": "coffee", "kind": "receive", "quantity": 0.0001 }),
        json!({ "item": "coffee", "kind": "receive", "quantity": 100_001 }),
        json!({ "item": "", "kind": "receive", "quantity": 1 }),
        json!({ "kind": "receive", "quantity": 1 }),
    ] {
        manager.post("/api/inventory/movements", body).await.refused(422);
    }
    for body in [json!({ "item": "coffee", "counted": -1 }), json!({ "item": "coffee" }), json!({ "counted": 1 })] {
        manager.post("/api/inventory/counts", body).await.refused(422);
    }
    for path in ["/api/inventory?limit=0", "/api/inventory?low=perhaps", "/api/inventory?since=yesterday"] {
        shop.till.get(path).await.refused(422);
    }
    shop.till.get("/api/inventory/coffee").await.refused(404);
    shop.till.get("/api/inventory/coffee/movements").await.refused(404);
}
