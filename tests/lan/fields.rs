//! What every order carries (L3), and the money in it.

use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee, two_coffees};
use storebox_tests::{Shop, of};

const ORDER: [&str; 30] = [
    "id",
    "clientId",
    "orderNumber",
    "storeId",
    "deviceId",
    "tableId",
    "orderType",
    "customerId",
    "notes",
    "status",
    "paymentStatus",
    "items",
    "subtotal",
    "tax",
    "total",
    "tenders",
    "paid",
    "due",
    "refunds",
    "refunded",
    "change",
    "voidReason",
    "version",
    "createdAt",
    "updatedAt",
    "closedAt",
    "syncStatus",
    "syncedAt",
    "syncError",
    "syncAttempts",
];
const LINE: [&str; 14] = [
    "lineId",
    "itemId",
    "name",
    "quantity",
    "unitPrice",
    "modifiers",
    "notes",
    "lineTotal",
    "openItem",
    "sent",
    "priceOverride",
    "listedPrice",
    "discount",
    "category",
];

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// RFC 3339 in UTC with milliseconds: `2025-11-21T14:35:00.000Z`.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T00:00:00.000Z"
    })
}

fn is_uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text == text.to_lowercase()
    })
}

#[tokio::test]
async fn l3_every_order_carries_all_its_members_and_nothing_else() {
    let mut shop = Shop::open("fields").await;
    let order = shop.till.post("/pos/orders", json!({ "items": [cake_with_cream(1)] })).await.expect(201);
    let closed = shop.till.post(of(&order, "/close"), cash(1_000)).await.expect(200);
    for order in [&order, &closed] {
        assert_eq!(members(order), sorted(&ORDER));
        assert_eq!(members(&order["items"][0]), sorted(&LINE));
        assert_eq!(members(&order["items"][0]["modifiers"][0]), ["modifierId", "name", "price"]);
        assert!(is_uuid(&order["id"]) && is_uuid(&order["items"][0]["lineId"]), "{order}");
        assert!(is_time(&order["createdAt"]) && is_time(&order["updatedAt"]), "{order}");
        assert_eq!(order["deviceId"], shop.till.device_id.as_str());
        assert_eq!(order["items"][0]["openItem"], true, "there is no catalogue that knows it");
    }
    assert_eq!(
        members(&closed["tenders"][0]),
        [
            "amount",
            "cardLastFour",
            "change",
            "points",
            "reference",
            "rounding",
            "signatureRequired",
            "status",
            "tenderId",
            "tendered",
            "tip",
            "type",
        ]
    );
    assert!(is_time(&closed["closedAt"]) && is_uuid(&closed["tenders"][0]["tenderId"]), "{closed}");
    for absent in ["clientId", "tableId", "customerId", "notes", "voidReason", "closedAt"] {
        assert_eq!(order[absent], Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn l3_every_order_carries_its_store_version_and_sync_state() {
    let mut shop = Shop::open("fields").await;
    let store = shop.till.get("/api/local/ping").await.text("storeId");
    let order = shop.order().await;
    assert_eq!(order["storeId"], store.as_str());
    assert_eq!((&order["version"], &order["syncStatus"]), (&json!(1), &json!("pending")));
    assert_eq!((&order["syncedAt"], &order["syncError"]), (&Value::Null, &Value::Null));
    assert_eq!(order["syncAttempts"], 0);

    let mut last = order.clone();
    for version in 2..6 {
        let next = shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.expect(200);
        assert_eq!(next["version"], version);
        assert!(next["updatedAt"].as_str() > last["updatedAt"].as_str(), "every change is later than the one before");
        assert_eq!(next["createdAt"], order["createdAt"]);
        last = next;
    }
    shop.running.restart().await;
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200), last, "all of it survives a kill");
}

#[tokio::test]
async fn l3_a_uuid_of_the_terminal_becomes_the_id() {
    let mut shop = Shop::open("fields").await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let mut body = two_coffees();
    body["id"] = json!(id);
    let order = shop.till.post("/pos/orders", body.clone()).key("first").await.expect(201);
    assert_eq!((&order["id"], &order["clientId"]), (&json!(id), &Value::Null));
    let again = shop.till.post("/pos/orders", body).key("second").await;
    again.conflict("DUPLICATE_ID");
    assert_eq!(again.body["existingResource"], order);
}

#[tokio::test]
async fn l3_any_other_id_is_kept_as_an_alias_that_works_in_paths() {
    let mut shop = Shop::open("fields").await;
    for alias in ["01HWABCD1234567890ABCDEFGH", "order_1732199999_x7", "Tisch 5/außen?"] {
        let mut body = two_coffees();
        body["id"] = json!(alias);
        let order = shop.till.post("/pos/orders", body.clone()).await.expect(201);
        assert_eq!(order["clientId"], alias);
        assert!(is_uuid(&order["id"]), "{order}");
        let escaped: String = alias.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(shop.till.get(format!("/pos/orders/{escaped}")).await.expect(200), order);
        let again = shop.till.post("/pos/orders", body).await;
        again.conflict("DUPLICATE_ID");
        assert_eq!(again.body["existingResource"], order);
        let closed = shop.till.post(format!("/pos/orders/{escaped}/close"), cash(770)).await.expect(200);
        assert_eq!(closed["id"], order["id"]);
    }
    let mut body = two_coffees();
    body["id"] = json!("x".repeat(129));
    shop.till.post("/pos/orders", body).await.refused_field("id");
}

#[tokio::test]
async fn l3_included_tax_and_a_currency_without_decimals() {
    let change = |config: storebox_tests::BoxConfig| {
        config.store("currency", "\"JPY\"").store("tax", "{ percent = 8.5, included = true }")
    };
    let mut shop = Shop::open_with("fields", change).await;
    let ping = shop.till.get("/api/local/ping").await.expect(200);
    assert_eq!((&ping["currency"], &ping["currencyExponent"]), (&json!("JPY"), &json!(0)));
    let order = shop.order().await;
    assert_eq!((&order["subtotal"], &order["total"]), (&json!(700), &json!(700)));
    assert_eq!(order["tax"], 55, "700 x 8.5 / 108.5 = 54.84");
}

#[tokio::test]
async fn l3_weighed_goods_round_half_up_to_the_minor_unit() {
    let mut shop = Shop::open("fields").await;
    let cheese = json!({ "itemId": "cheese", "name": "Cheese", "quantity": 0.125, "unitPrice": 1_996 });
    let order = shop.till.post("/pos/orders", json!({ "items": [cheese] })).await.expect(201);
    assert_eq!(order["items"][0]["quantity"], 0.125);
    assert_eq!(order["items"][0]["lineTotal"], 250, "0.125 x 19.96 = 2.495");
    assert_eq!(order["tax"], 25);
}
