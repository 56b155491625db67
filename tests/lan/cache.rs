//! What is kept, and for how long (U14, B16).

use serde_json::json;
use storebox_tests::Shop;

#[tokio::test]
async fn u14_the_status_says_what_is_kept_and_for_how_long() {
    let mut shop = Shop::open("cache").await;
    shop.closed_order().await;
    shop.order().await;
    let status = shop.till.get("/api/local/cache/status").await.expect(200);
    assert_eq!((&status["ordersDays"], &status["customersDays"]), (&json!(400), &json!(30)), "{status}");
    assert_eq!((&status["autoCleanup"], &status["ordersRemoved"]), (&json!(true), &json!(0)));
    assert!(status["sizeBytes"].as_u64().is_some_and(|size| size > 0), "{status}");
    assert!(status["maxSizeBytes"].as_u64().is_some_and(|most| most <= 50_000_000_000), "{status}");
    assert!(status["waitingForCloud"].as_u64().is_some_and(|waiting| waiting >= 3), "{status}");
    let orders = status["entities"].as_array().unwrap().iter().find(|row| row["entity"] == "orders").unwrap();
    assert_eq!(orders["rows"], 2);
}

#[tokio::test]
async fn b16_retention_can_be_configured() {
    let retention = "[retention]\norders_days = 30\ncustomers_days = 9\nmax_size_gb = 1\nauto_cleanup = false\n";
    let mut shop = Shop::open_with("cache", |config| {
        let text = format!("{}{retention}", config.to_toml());
        config.verbatim(&text)
    })
    .await;
    let status = shop.till.get("/api/local/cache/status").await.expect(200);
    assert_eq!((&status["ordersDays"], &status["customersDays"]), (&json!(30), &json!(9)), "{status}");
    assert_eq!(status["autoCleanup"], false);
    assert!(status["maxSizeBytes"].as_u64().is_some_and(|most| most <= 1_000_000_000), "{status}");
}

#[tokio::test]
async fn u14_clearing_says_what_stays_and_why() {
    let mut shop = Shop::open("cache").await;
    let order = shop.closed_order().await;
    shop.till.post("/api/local/cache/clear", json!({})).await.refused(403);
    shop.manager().await.post("/api/local/cache/clear", json!({})).await.refused(403);
    let mut owner = shop.owner().await;
    let cleared = owner.post("/api/local/cache/clear", json!({})).await.expect(200);
    let orders = cleared["entities"].as_array().unwrap().iter().find(|row| row["entity"] == "orders").unwrap();
    assert_eq!((&orders["removed"], &orders["kept"]), (&json!(0), &json!(1)));
    assert!(orders["reason"].as_str().unwrap().contains("not acknowledged"), "{orders}");
    let one = owner.post("/api/local/cache/clear", json!({ "entity": "inventory" })).await.expect(200);
    assert_eq!(one["entities"].as_array().unwrap().len(), 1);
    owner.post("/api/local/cache/clear", json!({ "entity": "everything" })).await.refused(422);
    assert_eq!(shop.all_orders().await, [order], "nothing the cloud does not have is gone");
}

#[tokio::test]
async fn u14_refreshing_takes_the_cloud() {
    let mut shop = Shop::open("cache").await;
    shop.till.post("/api/local/cache/refresh", json!({})).await.refused(403);
    let refused = shop.manager().await.post("/api/local/cache/refresh", json!({})).await;
    assert_eq!(refused.refused(503).body["conflictType"], "CLOUD_REQUIRED");
}

#[tokio::test]
async fn u14_every_kind_is_shown_and_no_other() {
    let mut shop = Shop::open("cache").await;
    let order = shop.closed_order().await;
    let mut owner = shop.owner().await;
    owner.post("/api/inventory/counts", json!({ "item": "tea", "counted": 5 })).await.must_be(201);
    owner.post("/api/reports/day/close", json!({ "countedCash": 770 })).await.must_be(201);
    assert_eq!(owner.get("/api/local/cache/orders").await.expect(200), json!([order]));
    for entity in ["employees", "inventory", "movements", "day_closes"] {
        let rows = owner.get(format!("/api/local/cache/{entity}?limit=1")).await.expect(200);
        assert_eq!(rows.as_array().unwrap().len(), 1, "{entity}");
        assert!(rows[0].is_object(), "{entity}: {rows}");
    }
    assert_eq!(owner.get("/api/local/cache/customers").await.expect(200), json!([]));
    owner.get("/api/local/cache/secrets").await.refused(404);
    owner.get("/api/local/cache/orders?limit=0").await.refused(422);
    shop.till.get("/api/local/cache/employees").await.refused(403);
    let mut kiosk = shop.terminal("Kiosk", "kiosk").await;
    kiosk.get("/api/local/cache/orders").await.refused(403);
}

#[tokio::test]
async fn l22_reports_stock_and_cache_are_described() {
    let mut shop = Shop::open("cache").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    for (method, path) in [
        ("get", "/api/inventory"),
        ("get", "/api/inventory/{item}"),
        ("get", "/api/inventory/{item}/movements"),
        ("post", "/api/inventory/movements"),
        ("post", "/api/inventory/counts"),
        ("get", "/api/reports/day"),
        ("post", "/api/reports/day/close"),
        ("get", "/api/reports/day/closes"),
        ("get", "/api/reports/day/closes/{number}"),
        ("get", "/api/reports/sales"),
        ("post", "/api/reports/drawer/float"),
        ("post", "/api/reports/drawer/movement"),
        ("get", "/api/local/cache/status"),
        ("post", "/api/local/cache/refresh"),
        ("post", "/api/local/cache/clear"),
        ("get", "/api/local/cache/{entity}"),
    ] {
        assert!(document["paths"][path][method]["responses"].is_object(), "{method} {path} is not described");
    }
}
