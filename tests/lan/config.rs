//! What an admin may change while the box runs (B16).

use serde_json::{Value, json};
use storebox_tests::Shop;

const PATH: &str = "/api/local/config";

fn option(config: &Value, key: &str) -> Value {
    let options = config["options"].as_array().unwrap();
    options.iter().find(|option| option["key"] == key).unwrap_or_else(|| panic!("{key}: {config}")).clone()
}

#[tokio::test]
async fn b16_only_an_admin_sees_and_changes_the_configuration() {
    let mut shop = Shop::open("config").await;
    let mut manager = shop.manager().await;
    for terminal in [&mut shop.till, &mut manager] {
        terminal.get(PATH).await.refused(403);
        terminal.put(PATH, json!({ "set": {} })).await.refused(403);
    }
}

#[tokio::test]
async fn b16_every_option_says_what_it_is_what_it_may_be_and_who_said_so() {
    let shop = Shop::open("config").await;
    let config = shop.owner().await.get(PATH).await.expect(200);
    let (name, days) = (option(&config, "store.name"), option(&config, "retention.orders_days"));
    assert_eq!((&name["value"], &name["saidBy"]), (&json!("Test store"), &json!("file")), "{name}");
    assert_eq!((&days["value"], &days["default"], &days["saidBy"]), (&json!(400), &json!(400), &json!("default")));
    assert_eq!(days["range"], "7 to 36500");
    assert_eq!(option(&config, "cloud.url")["value"], Value::Null);
    assert_eq!(config["needsRestart"], false);
}

#[tokio::test]
async fn b16_a_change_holds_at_once_is_audited_and_outlives_a_restart() {
    let mut shop = Shop::open("config").await;
    let mut owner = shop.owner().await;
    let change = json!({ "set": {
        "store.name": "Corner store", "store.tax.percent": 20, "retention.orders_days": 30, "cloud.url": "https://cloud.example"
    } });
    let config = owner.put(PATH, change.clone()).await.expect(200);
    assert_eq!(option(&config, "store.name")["saidBy"], "admin");
    assert_eq!(config["needsRestart"], true, "the cloud is looked for from the next start on");
    assert_eq!(owner.put(PATH, change).await.expect(200), config, "twice is as once");

    for _ in 0..2 {
        assert_eq!(shop.till.get("/api/local/ping").await.expect(200)["name"], "Corner store");
        assert_eq!(shop.till.get("/api/local/cache/status").await.expect(200)["ordersDays"], 30);
        let order = json!({ "orderType": "takeaway", "items": [
            { "itemId": "tea", "name": "Tea", "quantity": 1, "unitPrice": 10.00 }
        ] });
        assert_eq!(shop.till.post("/pos/orders", order).await.expect(201)["tax"], 2.0);
        shop.running.restart().await;
    }
    let mut owner = shop.owner().await;
    let config = owner.get(PATH).await.expect(200);
    assert_eq!(config["needsRestart"], false, "it was started again since");
    let back = json!({ "set": { "store.name": null, "store.tax.percent": null } });
    let config = owner.put(PATH, back).await.expect(200);
    assert_eq!(option(&config, "store.name")["value"], "Test store");

    let audit = owner.get("/api/audit").await.expect(200);
    let changed: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["what"] == "config.changed")
        .map(|entry| {
            assert!(entry["employeeId"].is_string(), "{entry}");
            entry["about"].clone()
        })
        .collect();
    assert!(changed.contains(&json!("retention.orders_days = 30")), "{changed:?}");
    assert!(changed.contains(&json!("store.name = as before")), "{changed:?}");
    assert_eq!(changed.len(), 6, "{changed:?}");
}

#[tokio::test]
async fn b16_a_change_that_cannot_be_changes_nothing() {
    let mut shop = Shop::open("config").await;
    let mut owner = shop.owner().await;
    shop.order().await;
    let before = owner.get(PATH).await.expect(200);
    for (key, value, word) in [
        ("retention.orders_days", json!(6), "7 to 36500"),
        ("retention.orders_days", json!([1]), "7 to 36500"),
        ("store.timezone", json!("local time"), "IANA"),
        ("offline.payment_limit", json!(-1), "decimals"),
        ("cloud.url", json!("http://cloud.example"), "https://"),
        ("lan.listen", json!("0.0.0.0:1"), "no option"),
        ("store.state_dir", json!("/"), "no option"),
        ("store", json!({ "state_dir": "/" }), "no option"),
    ] {
        let answer = owner.put(PATH, json!({ "set": { "store.name": "Another", key: value } })).await;
        answer.refused_field(&format!("set.{key}"));
        assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains(word), "{answer}");
    }
    owner.put(PATH, json!({ "set": { "store.currency": "EUR" } })).await.refused_field("set.store.currency");
    owner.put(PATH, json!({ "name": "Another" })).await.refused(422);
    assert_eq!(owner.get(PATH).await.expect(200), before);
}
