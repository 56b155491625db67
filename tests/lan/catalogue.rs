//! The catalogue: loading it, reading it, and selling from it (L4, U7).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use storebox_tests::sample::cash;
use storebox_tests::{Shop, Terminal, of};

const LOAD: &str = "/api/local/catalogue";
const SYNC: &str = "/api/v1/menu/sync";

/// A small bar: beer with a barcode, a steak to choose for, soup by the store's own tax.
fn bar() -> Value {
    json!({
        "mode": "replace",
        "categories": [{ "id": "drinks", "name": "Drinks" }, { "id": "food", "name": "Food" }],
        "taxRules": [{ "id": "alcohol", "name": "Alcohol", "ratePpm": 200_000, "included": false }],
        "stations": [{ "id": "grill", "name": "Grill", "orangeAfterS": 600, "redAfterS": 900 }],
        "modifierGroups": [{
            "id": "cooked", "name": "Cooked how?", "min": 1, "max": 1,
            "modifiers": [{ "id": "rare", "name": "Rare" }, { "id": "flambé", "name": "Flambéed", "price": 300 }],
        }],
        "items": [
            { "id": "beer", "name": "Beer", "category": "drinks", "price": 500, "taxClass": "alcohol", "barcodes": ["4011200296908"] },
            { "id": "steak", "name": "Steak", "category": "food", "price": 2_000, "station": "grill", "modifierGroups": ["cooked"] },
            { "id": "soup", "name": "Soup", "category": "food", "price": 600 },
            { "id": "gone", "name": "Not any more", "price": 1, "active": false },
        ],
    })
}

/// Changes of the catalogue.
fn merge(changes: Value) -> Value {
    let mut body = changes;
    body["mode"] = json!("merge");
    body
}

/// The bar, open, and its owner.
async fn open_bar() -> (Shop, Terminal) {
    let shop = Shop::open("catalogue").await;
    let mut owner = shop.owner().await;
    owner.post(LOAD, bar()).await.must_be(200);
    (shop, owner)
}

fn one(item: &str) -> Value {
    json!({ "items": [{ "itemId": item, "quantity": 1 }] })
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|object| object["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn l4_only_an_admin_loads_a_catalogue() {
    let mut shop = Shop::open("catalogue").await;
    shop.till.post(LOAD, bar()).await.refused(403);
    shop.manager().await.post(LOAD, bar()).await.refused(403);
    assert_eq!(shop.till.get(SYNC).await.expect(200)["items"], json!([]));
    let loaded = shop.owner().await.post(LOAD, bar()).await.expect(200);
    assert_eq!((&loaded["created"], &loaded["revision"]), (&json!(9), &json!(9)), "{loaded}");
    let event = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
    let kinds: BTreeSet<&str> =
        event["events"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains("catalogue.changed"), "{kinds:?}");
}

#[tokio::test]
async fn l4_the_menu_is_fetched_whole_and_then_by_what_changed() {
    let (mut shop, mut owner) = open_bar().await;
    let answer = shop.till.get(SYNC).await;
    let tag = answer.header("etag").expect("a tag").to_owned();
    let whole = answer.expect(200);
    assert_eq!(ids(&whole["items"]).len(), 4);
    assert_eq!(ids(&whole["categories"]), ["drinks", "food"]);
    assert_eq!((&whole["more"], &whole["deleted"]), (&json!(false), &json!([])));
    assert_eq!(whole["modifierGroups"][0]["modifiers"][1]["price"], 300);
    assert_eq!(whole["stations"][0]["redAfterS"], 900);

    let cursor = whole["cursor"].as_str().unwrap().to_owned();
    let since = format!("{SYNC}?since={cursor}");
    assert_eq!(shop.till.get(&since).await.expect(200)["items"], json!([]));
    let unchanged = shop.till.get(SYNC).header("if-none-match", &tag).await;
    unchanged.must_be(304);
    assert!(unchanged.bytes.is_empty() && unchanged.header("etag") == Some(tag.as_str()), "{unchanged}");

    let change = json!({
        "items": [{ "id": "soup", "name": "Soup", "category": "food", "price": 650 }, { "id": "tea", "name": "Tea", "price": 300 }],
        "deleted": [{ "kind": "item", "id": "gone" }, { "kind": "item", "id": "never-was" }],
    });
    let loaded = owner.post(LOAD, merge(change)).await.expect(200);
    assert_eq!([&loaded["created"], &loaded["updated"], &loaded["deleted"]], [1, 1, 1], "{loaded}");
    let delta = shop.till.get(&since).header("if-none-match", &tag).await.expect(200);
    assert_eq!(ids(&delta["items"]), ["soup", "tea"]);
    assert_eq!(delta["categories"], json!([]));
    assert_eq!(delta["deleted"], json!([{ "kind": "item", "id": "gone" }]));
    assert_eq!(delta["cursor"], loaded["cursor"]);

    // What was kept is what is read after a power cut.
    let before = shop.till.get(SYNC).await.expect(200);
    shop.running.restart().await;
    assert_eq!(shop.till.get(SYNC).await.expect(200), before);
    assert_eq!(shop.till.get(&since).await.expect(200), delta);
}

#[tokio::test]
async fn l4_the_menu_comes_in_pieces_if_asked_for() {
    let (mut shop, mut owner) = open_bar().await;
    let (mut seen, mut path) = (Vec::new(), format!("{SYNC}?limit=4"));
    let mut rounds = 0;
    loop {
        let piece = shop.till.get(&path).await.expect(200);
        rounds += 1;
        for member in ["items", "categories", "modifierGroups", "taxRules", "stations"] {
            seen.extend(ids(&piece[member]).iter().map(|id| format!("{member}/{id}")));
        }
        assert_eq!(piece["deleted"], json!([]), "nobody who fetches everything has anything to delete");
        if piece["more"] == false {
            break;
        }
        if rounds == 1 {
            owner
                .post(LOAD, merge(json!({ "items": [{ "id": "tea", "name": "Tea", "price": 300 }] })))
                .await
                .must_be(200);
        }
        path = format!("{SYNC}?limit=4&since={}", piece["cursor"].as_str().unwrap());
    }
    let unique: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((unique.len(), seen.len()), (10, 10), "{seen:?}");
    assert_eq!(rounds, 3);
}

#[tokio::test]
async fn l4_a_cursor_that_leads_nowhere_says_so() {
    let (mut shop, _owner) = open_bar().await;
    shop.till.get(format!("{SYNC}?since=00000000-1")).await.refused(410);
    let cursor = shop.till.get(SYNC).await.expect(200)["cursor"].as_str().unwrap().to_owned();
    shop.till.get(format!("{SYNC}?since={cursor}ff")).await.refused(410);
    shop.till.get(format!("{SYNC}?since=yesterday")).await.refused_field("since");
    shop.till.get(format!("{SYNC}?limit=0")).await.refused_field("limit");
    shop.till.get(format!("{SYNC}?sinse=1")).await.refused(422);
    let long_ago = shop.till.get(format!("{SYNC}?since=2001-01-01T00:00:00Z")).await.expect(200);
    assert_eq!(ids(&long_ago["items"]).len(), 4);
    let in_future = shop.till.get(format!("{SYNC}?since=2999-01-01T00:00:00Z")).await.expect(200);
    assert_eq!(in_future["items"], json!([]));
}

#[tokio::test]
async fn l4_items_are_found_by_id_barcode_name_and_category() {
    let (mut shop, _owner) = open_bar().await;
    for id in ["beer", "4011200296908"] {
        let beer = shop.till.get(format!("/api/menu/items/{id}")).await.expect(200);
        assert_eq!((&beer["id"], &beer["currentPrice"]), (&json!("beer"), &json!(500)));
    }
    shop.till.get("/api/menu/items/unicorn").await.refused(404);
    let mut found = async |query: &str| shop.till.get(format!("/api/menu/items?{query}")).await.expect(200);
    assert_eq!(ids(&found("search=EE").await), ["beer"]);
    assert_eq!(ids(&found("search=40112").await), ["beer"]);
    assert_eq!(ids(&found("category=food").await), ["soup", "steak"]);
    assert_eq!(ids(&found("category=food&limit=1").await), ["soup"]);
    assert_eq!(ids(&found("category=nothing").await), Vec::<&str>::new());
    shop.till.get("/api/menu/items?limit=501").await.refused_field("limit");
}

#[tokio::test]
async fn l4_an_order_is_priced_from_the_catalogue() {
    let (mut shop, _owner) = open_bar().await;
    for path in ["/pos/orders", "/api/v1/orders/create"] {
        let order = shop.till.post(path, one("4011200296908")).await.expect(201);
        let item = &order["items"][0];
        assert_eq!((&item["itemId"], &item["name"], &item["unitPrice"]), (&json!("beer"), &json!("Beer"), &json!(500)));
        assert_eq!((&item["category"], &item["listedPrice"]), (&json!("drinks"), &json!(500)));
        assert_eq!((&item["openItem"], &item["priceOverride"]), (&json!(false), &json!(false)));
        assert_eq!((&order["tax"], &order["total"]), (&json!(100), &json!(600)), "alcohol is taxed at 20 %");
    }
    let soup = shop.till.post("/pos/orders", one("soup")).await.expect(201);
    assert_eq!(soup["tax"], 60, "the store's own tax of 10 %");
    let added = json!({ "addItems": [{ "itemId": "beer", "quantity": 2 }] });
    let more = shop.till.patch(of(&soup, ""), added).await.expect(200);
    assert_eq!((&more["subtotal"], &more["tax"]), (&json!(1_600), &json!(260)));
}

#[tokio::test]
async fn l4_modifiers_are_chosen_as_their_groups_demand() {
    let (mut shop, _owner) = open_bar().await;
    let steak = |modifiers: Value| json!({ "items": [{ "itemId": "steak", "quantity": 1, "modifiers": modifiers }] });
    let order = shop.till.post("/pos/orders", steak(json!([{ "modifierId": "flambé" }]))).await.expect(201);
    assert_eq!(order["subtotal"], 2_300);
    assert_eq!(order["items"][0]["modifiers"][0]["name"], "Flambéed");
    let none = shop.till.post("/pos/orders", steak(json!([]))).await;
    none.refused_field("items[0].modifiers").refused_field("Cooked how?");
    let both = json!([{ "modifierId": "rare" }, { "modifierId": "flambé" }]);
    shop.till.post("/pos/orders", steak(both)).await.refused_field("Cooked how?");
    let unknown = json!([{ "modifierId": "rare" }, { "modifierId": "blue" }]);
    shop.till.post("/pos/orders", steak(unknown)).await.refused_field("items[0].modifiers[1]");
    assert_eq!(shop.all_orders().await.len(), 1, "a refusal leaves nothing behind");
}

#[tokio::test]
async fn l4_open_items_and_what_is_not_sold() {
    let (mut shop, _owner) = open_bar().await;
    shop.till.post("/pos/orders", one("gone")).await.refused_field("items[0]");
    shop.till.post("/pos/orders", one("unicorn")).await.refused_field("unitPrice");
    let open = json!({ "items": [{ "itemId": "unicorn", "name": "Unicorn", "quantity": 1, "unitPrice": 900 }] });
    let order = shop.till.post("/pos/orders", open).await.expect(201);
    let item = &order["items"][0];
    assert_eq!((&item["openItem"], &item["listedPrice"]), (&json!(true), &Value::Null));
}

/// U7: a price that differs stands and is marked; a price that changes later changes no order.
#[tokio::test]
async fn u7_the_price_that_was_agreed_stands() {
    let (mut shop, mut owner) = open_bar().await;
    let order = shop.till.post("/pos/orders", one("beer")).key("first").await;
    let other = json!({ "items": [{ "itemId": "beer", "quantity": 1, "unitPrice": 450 }] });
    let overridden = shop.till.post("/pos/orders", other).await.expect(201);
    let item = &overridden["items"][0];
    assert_eq!((&item["unitPrice"], &item["listedPrice"]), (&json!(450), &json!(500)));
    assert_eq!(item["priceOverride"], true);

    let dearer = json!({ "items": [{ "id": "beer", "name": "Beer", "category": "drinks", "price": 700 }] });
    owner.post(LOAD, merge(dearer)).await.must_be(200);
    let again = shop.till.post("/pos/orders", one("beer")).key("first").await;
    again.replays(&order);
    let first = order.expect(201);
    assert_eq!(shop.till.get(of(&first, "")).await.expect(200), first);
    shop.till.post(of(&first, "/close"), cash(600)).await.must_be(200);
    let later = shop.till.post("/pos/orders", one("beer")).await.expect(201);
    assert_eq!(later["items"][0]["unitPrice"], 700);
}

/// U7: where the owner says so, only a manager sells at another price.
#[tokio::test]
async fn u7_another_price_can_be_left_to_managers() {
    let mut shop = Shop::open_with("catalogue", |config| config.store("price_override", "\"refuse\"")).await;
    shop.owner().await.post(LOAD, bar()).await.must_be(200);
    let other = json!({ "items": [{ "itemId": "beer", "quantity": 1, "unitPrice": 450 }] });
    let add = json!({ "addItems": other["items"] });
    shop.till.post("/pos/orders", other.clone()).await.refused(403);
    let order = shop.till.post("/pos/orders", one("beer")).await.expect(201);
    shop.till.patch(of(&order, ""), add.clone()).await.refused(403);
    let mut manager = shop.manager().await;
    assert_eq!(manager.post("/pos/orders", other).await.expect(201)["items"][0]["priceOverride"], true);
    manager.patch(of(&order, ""), add).await.must_be(200);
}

#[tokio::test]
async fn l4_a_promotion_holds_in_its_window() {
    let (mut shop, mut owner) = open_bar().await;
    let promotion = |id: &str, ppm: u32, from: &str, until: &str| {
        json!({
            "id": id, "name": id, "offer": { "percentOff": { "ppm": ppm } }, "categories": ["drinks"],
            "from": from, "until": until,
        })
    };
    let promotions = json!({ "promotions": [
        promotion("happy", 250_000, "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        promotion("over", 900_000, "2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z"),
        promotion("to-come", 900_000, "2999-01-01T00:00:00Z", "2999-02-01T00:00:00Z"),
    ] });
    owner.post(LOAD, merge(promotions)).await.must_be(200);
    let order = shop.till.post("/pos/orders", one("beer")).await.expect(201);
    let item = &order["items"][0];
    assert_eq!(item["discount"], json!({ "promotionId": "happy", "name": "happy", "amount": 125 }));
    assert_eq!((&item["unitPrice"], &item["lineTotal"], &order["total"]), (&json!(500), &json!(375), &json!(450)));
    let soup = shop.till.post("/pos/orders", one("soup")).await.expect(201);
    assert_eq!(soup["items"][0]["discount"], Value::Null);
}

/// L2: loading is repeated without harm, and a key names one load.
#[tokio::test]
async fn l4_a_load_is_replayed_as_it_was_answered() {
    let (_shop, mut owner) = open_bar().await;
    let tea = merge(json!({ "items": [{ "id": "tea", "name": "Tea", "price": 300 }] }));
    let first = owner.post(LOAD, tea.clone()).key("load-1").await;
    first.must_be(200);
    owner.post(LOAD, tea).key("load-1").await.replays(&first);
    let other = merge(json!({ "deleted": [{ "kind": "item", "id": "tea" }] }));
    owner.post(LOAD, other).key("load-1").await.conflict("IDEMPOTENCY_MISMATCH");
    owner.get("/api/menu/items/tea").await.must_be(200);
    let same = owner.post(LOAD, bar()).await.expect(200);
    assert_eq!((&same["unchanged"], &same["deleted"], &same["created"]), (&json!(9), &json!(1), &json!(0)), "{same}");
}

#[tokio::test]
async fn l4_a_catalogue_that_makes_no_sense_is_refused_whole() {
    let (mut shop, mut owner) = open_bar().await;
    let before = shop.till.get(SYNC).await.expect(200);
    for (changes, field) in [
        (json!({ "items": [{ "id": "a", "name": "A", "price": -1 }] }), "items[0].price"),
        (json!({ "items": [{ "id": "a", "name": "A" }] }), "price"),
        (json!({ "items": [{ "id": "a", "name": "A", "price": 1.5 }] }), "items[0].price"),
        (json!({ "items": [{ "id": "a", "name": "A", "price": 1, "colour": "red" }] }), "colour"),
        (json!({ "items": [{ "id": "a", "name": "A", "price": 1, "category": "lost" }] }), "lost"),
        (json!({ "items": [{ "id": "a", "name": "A", "price": 1, "barcodes": ["4011200296908"] }] }), "4011200296908"),
        (json!({ "deleted": [{ "kind": "category", "id": "drinks" }] }), "drinks"),
        (json!({ "taxRules": [{ "id": "t", "name": "T", "ratePpm": 1_000_001 }] }), "taxRules[0].ratePpm"),
        (json!({ "promotions": [{ "id": "p", "name": "P", "offer": { "gift": {} } }] }), "offer"),
    ] {
        owner.post(LOAD, merge(changes)).await.refused_field(field);
    }
    let mut both = bar();
    both["deleted"] = json!([{ "kind": "item", "id": "beer" }]);
    owner.post(LOAD, both).await.refused_field("deleted");
    owner.post(LOAD, json!({ "mode": "forget" })).await.refused_field("mode");
    assert_eq!(shop.till.get(SYNC).await.expect(200), before);
}

/// L4, L14: a catalogue is larger than an order may be; beyond its own bound it is refused in words.
#[tokio::test]
async fn l4_a_large_catalogue_is_taken_and_a_larger_one_refused() {
    let mut shop = Shop::open("catalogue").await;
    let mut owner = shop.owner().await;
    let many = |count: u32| {
        let items: Vec<Value> = (0..count)
            .map(|number| json!({ "id": format!("item-{number}"), "name": "x".repeat(100), "price": number }))
            .collect();
        json!({ "mode": "replace", "_idempotencyKey": format!("load-{count}"), "items": items })
    };
    let loaded = owner.post(LOAD, many(20_000)).await;
    assert_eq!(loaded.body["created"], 20_000, "{loaded}");
    owner.post(LOAD, many(20_000)).await.replays(&loaded);
    let whole = shop.till.get(SYNC).await.expect(200);
    assert_eq!(whole["items"].as_array().unwrap().len(), 20_000);
    owner.post(LOAD, many(20_001)).await.refused(422);
    let wrong = many(3_000).to_string().replace("\"price\":2999", "\"price\":\"2999\"");
    owner.post(LOAD, json!({})).body("application/json", wrong).await.refused_field("items[2999].price");
    let cut = many(3_000).to_string();
    owner.post(LOAD, json!({})).body("application/json", cut[..cut.len() - 1].to_owned()).await.refused(400);
    let list = format!("[\"replace\",[],{}]", "[],".repeat(100_000));
    owner.post(LOAD, json!({})).body("application/json", list).await.refused(422);
    owner.post(LOAD, json!({})).body("text/plain", many(3_000).to_string()).await.refused(415);
    owner.post(LOAD, json!({})).body("application/json", vec![b' '; 17 * 1024 * 1024]).await.refused(413);
    shop.till.post("/pos/orders", one("item-19999")).await.must_be(201);
}

/// Two terminals at once: whichever price an order got, it is a price the catalogue had, with its own words for it.
#[tokio::test]
async fn l4_orders_and_changes_of_the_menu_do_not_mix() {
    let (mut shop, mut owner) = open_bar().await;
    let changing = tokio::spawn(async move {
        for price in 1..=30 {
            let name = format!("Soup {price}");
            let soup = json!({ "items": [{ "id": "soup", "name": name, "price": price }] });
            owner.post(LOAD, merge(soup)).await.must_be(200);
        }
    });
    while !changing.is_finished() {
        let order = shop.till.post("/pos/orders", one("soup")).await.expect(201);
        let item = &order["items"][0];
        let (name, price) = (item["name"].as_str().unwrap(), item["unitPrice"].as_i64().unwrap());
        assert!((name, price) == ("Soup", 600) || name == format!("Soup {price}"), "{item}");
    }
    changing.await.unwrap();
    let last = shop.till.post("/pos/orders", one("soup")).await.expect(201);
    assert_eq!(last["items"][0]["unitPrice"], 30);
}

#[tokio::test]
async fn l4_a_sample_shop_is_seeded_once() {
    let with = |shop: &'static str| {
        Shop::open_with("catalogue", move |config| config.argument("--sample-shop").argument(shop))
    };
    let mut retail = with("retail").await;
    let found = retail.till.get("/api/menu/items?search=milk%20chocolate&limit=1").await.expect(200);
    let barcode = found[0]["barcodes"][0].as_str().unwrap().to_owned();
    let order = json!({ "items": [{ "itemId": barcode, "quantity": 3 }] });
    let order = retail.till.post("/pos/orders", order).await.expect(201);
    assert_eq!(order["items"][0]["discount"]["promotionId"], "three-for-two");

    // What was done to it stays.
    let mut owner = retail.owner().await;
    owner.post(LOAD, json!({ "mode": "replace" })).await.must_be(200);
    retail.running.restart().await;
    assert_eq!(retail.till.get(SYNC).await.expect(200)["items"], json!([]));

    let mut restaurant = with("restaurant").await;
    let menu = restaurant.till.get(SYNC).await.expect(200);
    assert!((110..=130).contains(&menu["items"].as_array().unwrap().len()));
    assert_eq!(menu["stations"].as_array().unwrap().len(), 5);
}
