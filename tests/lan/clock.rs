//! A clock that jumps.

use serde_json::{Value, json};
use storebox_tests::sample::coffee;
use storebox_tests::{FakeClock, Shop, of};

const JUMPS: [&str; 9] = ["+0", "+2h", "-30d", "+1d", "-1y", "+0", "+40d", "-5s", "+1h"];

#[tokio::test]
async fn b11_the_clock_jumps_and_nothing_goes_back() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("clock", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    let mut orders = vec![shop.order().await];
    for jump in JUMPS {
        clock.set(jump);
        let new = shop.order().await;
        assert!(new["createdAt"].as_str() >= orders.last().unwrap()["createdAt"].as_str(), "after {jump}");
        orders.push(new);
        for order in &mut orders {
            let path = of(order, "");
            let after = shop.till.patch(path, json!({ "addItems": [coffee(1)] })).await.expect(200);
            assert!(after["updatedAt"].as_str() > order["updatedAt"].as_str(), "after {jump}: {after}");
            *order = after;
        }
        if jump == "-1y" {
            shop.running.restart().await;
        }
    }
    let events = shop.till.get("/api/sync/events?since=earliest&limit=500").await.expect(200);
    let events = events["events"].as_array().unwrap();
    assert!(events.len() > 60, "{}", events.len());
    for pair in events.windows(2) {
        assert!(pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64(), "{pair:?}");
        assert!(pair[0]["at"].as_str() <= pair[1]["at"].as_str(), "{pair:?}");
    }
}

#[tokio::test]
async fn b11_a_list_since_a_time_misses_nothing_when_the_clock_jumps_back() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("clock", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    clock.set("+10d");
    let seen = shop.order().await;
    clock.set("-10d");
    let later = shop.order().await;
    let since = seen["updatedAt"].as_str().unwrap();
    let listed = shop.till.get(format!("/pos/orders?since={since}")).await.expect(200);
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|order| &order["id"]).collect();
    assert!(ids.contains(&&later["id"]), "{later} is not among those since {since}");
}

#[tokio::test]
async fn b11_a_box_that_wakes_in_1970_serves_and_keeps_its_order() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("clock", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    let before = shop.order().await;
    clock.set("@1970-01-01 00:00:10");
    shop.running.restart().await;
    let after = shop.order().await;
    assert!(after["createdAt"].as_str() >= before["createdAt"].as_str(), "{after}");
    assert_eq!(shop.all_orders().await.len(), 2);
    let newcomer = shop.terminal("Paired in 1970", "pos").await;
    newcomer.believing_the_key().await.get("/pos/orders").await.must_be(200);
}
