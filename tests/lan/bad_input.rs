//! Requests that make no sense are refused in words, and change nothing (L14).

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::sample::{coffee, two_coffees};
use storebox_tests::{Shop, of};

fn order_with(member: &str, value: Value) -> Value {
    let mut order = two_coffees();
    order[member] = value;
    order
}

fn line_with(member: &str, value: Value) -> Value {
    let mut line = coffee(1);
    line[member] = value;
    json!({ "items": [line] })
}

fn line_without(member: &str) -> Value {
    let mut line = coffee(1);
    line.as_object_mut().unwrap().remove(member);
    json!({ "items": [line] })
}

#[tokio::test]
async fn l14_an_order_that_makes_no_sense_is_422_and_names_the_field() {
    let mut shop = Shop::open("bad-input").await;
    let modifier = |value: Value| line_with("modifiers", json!([value]));
    let cases = [
        (json!({}), "items"),
        (order_with("items", json!("two coffees")), "items"),
        (order_with("tip", json!(5)), "tip"),
        (order_with("tableID", json!("T1")), "tableID"),
        (order_with("orderType", json!("drive_in")), "orderType"),
        (order_with("tableId", json!(5)), "tableId"),
        (order_with("tableId", json!("")), "tableId"),
        (order_with("tableId", json!("x".repeat(129))), "tableId"),
        (order_with("notes", json!("x".repeat(1_001))), "notes"),
        (order_with("notes", json!("bell \u{7}")), "notes"),
        (order_with("customerId", json!("a\u{0}b")), "customerId"),
        (order_with("id", json!("")), "id"),
        (line_without("itemId"), "itemId"),
        (line_without("quantity"), "quantity"),
        (line_without("name"), "name"),
        (line_without("unitPrice"), "unitPrice"),
        (line_with("discount", json!(1)), "discount"),
        (line_with("quantity", json!(0)), "quantity"),
        (line_with("quantity", json!(-1)), "quantity"),
        (line_with("quantity", json!(0.0005)), "quantity"),
        (line_with("quantity", json!(1.2345)), "quantity"),
        (line_with("quantity", json!(100_000.001)), "quantity"),
        (line_with("quantity", json!(1e300)), "quantity"),
        (line_with("quantity", json!("2")), "quantity"),
        (line_with("unitPrice", json!(3.5)), "unitPrice"),
        (line_with("unitPrice", json!(1_000_000_000_001_i64)), "unitPrice"),
        (line_with("unitPrice", json!(18_446_744_073_709_551_615_u64)), "unitPrice"),
        (line_with("name", json!("new\u{1b}[2Jline")), "name"),
        (modifier(json!({ "price": 1 })), "name"),
        (modifier(json!({ "name": "Milk", "price": "1" })), "price"),
        (modifier(json!({ "name": "Milk", "price": 1, "colour": "white" })), "colour"),
    ];
    for (body, field) in cases {
        shop.till.post("/pos/orders", body).await.refused_field(field);
    }
    assert_eq!(shop.all_orders().await, Vec::<Value>::new());
}

#[tokio::test]
async fn l14_a_change_that_makes_no_sense_is_422_and_names_the_field() {
    let mut shop = Shop::open("bad-input").await;
    let order = shop.order().await;
    let line = order["items"][0]["lineId"].clone();
    let stranger = "01890a5d-ac96-774b-bcce-b302099a8057";
    let cases = [
        ("", json!({ "version": 0, "colour": "red" }), "colour"),
        ("", json!({ "version": "one", "tableId": "T" }), "version"),
        ("", json!({ "version": -1, "tableId": "T" }), "version"),
        ("", json!({ "updatedAt": "yesterday", "tableId": "T" }), "updatedAt"),
        ("", json!({ "addItems": [{ "itemId": "x", "name": "X", "unitPrice": 1, "quantity": -2 }] }), "quantity"),
        ("", json!({ "changeItems": [{ "quantityDelta": 1 }] }), "lineId"),
        ("", json!({ "changeItems": [{ "lineId": "first", "quantityDelta": 1 }] }), "lineId"),
        ("", json!({ "changeItems": [{ "lineId": stranger, "quantityDelta": 1 }] }), "changeItems"),
        ("", json!({ "changeItems": [{ "lineId": line, "quantityDelta": 0.0001 }] }), "quantityDelta"),
        ("", json!({ "changeItems": [{ "lineId": line, "quantityDelta": 99_999 }] }), "changeItems"),
        ("", json!({ "removeItems": [stranger] }), "removeItems"),
        ("", json!({ "removeItems": "all" }), "removeItems"),
        ("/close", json!({}), "tenders"),
        ("/close", json!({ "tenders": [{ "type": "card", "amount": 770 }] }), "token"),
        ("/close", json!({ "tenders": [{ "type": "cheque", "amount": 770 }] }), "type"),
        ("/close", json!({ "tenders": [{ "type": "cash", "amount": 770, "slip": "7" }] }), "slip"),
        ("/tenders", json!({ "type": "gift_card", "amount": 770 }), "number"),
        ("/tenders", json!({ "type": "terminal", "slip": "7", "amount": 771 }), "amount"),
        (
            "/tenders",
            json!({ "type": "card_token", "amount": 770, "token": "t", "cardLastFour": "12a4" }),
            "cardLastFour",
        ),
        ("/close", json!({ "tenders": [{ "type": "cash", "amount": -770 }] }), "amount"),
        ("/close", json!({ "tenders": [{ "type": "cash", "amount": 7.7 }] }), "amount"),
        ("/close", json!({ "tenders": [{ "type": "cash" }] }), "amount"),
        ("/close", json!({ "tenders": [{ "type": "cash", "amount": 770 }], "tip": 1 }), "tip"),
        ("/void", json!({ "because": "no" }), "because"),
        ("/void", json!({ "reason": "x".repeat(1_001) }), "reason"),
        ("/send-to-kitchen", json!({ "station": "grill" }), "station"),
    ];
    for (below, body, field) in cases {
        let path = of(&order, below);
        let answer = match below {
            "" => shop.till.patch(path, body).await,
            _ => shop.till.post(path, body).await,
        };
        answer.refused_field(field);
    }
    let tag = shop.till.patch(of(&order, ""), json!({ "tableId": "T" })).header("if-match", "one").await;
    tag.refused(422);
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200), order, "nothing was changed");
}

#[tokio::test]
async fn l14_totals_that_cannot_be_counted_are_refused() {
    let mut shop = Shop::open("bad-input").await;
    let dear = json!({ "itemId": "x", "name": "X", "quantity": 100_000, "unitPrice": 1_000_000_000_000_i64 });
    // One line is 1e17 minor units, a hundred of them 1e19: more than a 64-bit count holds.
    let lines = vec![dear.clone(); 100];
    shop.till.post("/pos/orders", json!({ "items": lines })).await.refused(422);
    let order = shop.till.post("/pos/orders", json!({ "items": [dear] })).await.expect(201);
    shop.till.patch(of(&order, ""), json!({ "addItems": lines })).await.refused(422);
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200), order);
    let much = json!({ "tenders": vec![json!({ "type": "cash", "amount": i64::MAX }); 2] });
    shop.till.post(of(&order, "/close"), much).await.refused(422);
}

#[tokio::test]
async fn l14_an_order_has_bounds_and_what_fits_them_is_taken() {
    let mut shop = Shop::open("bad-input").await;
    let full = shop.till.post("/pos/orders", json!({ "items": vec![coffee(1); 500] })).await.expect(201);
    assert_eq!(full["items"].as_array().unwrap().len(), 500);
    shop.till.post("/pos/orders", json!({ "items": vec![coffee(1); 501] })).await.refused(422);
    shop.till.patch(of(&full, ""), json!({ "addItems": [coffee(1)] })).await.refused(422);
    let modifiers = vec![json!({ "name": "Milk", "price": 10 }); 51];
    shop.till.post("/pos/orders", line_with("modifiers", json!(modifiers))).await.refused(422);
    let tenders = json!({ "tenders": vec![json!({ "type": "cash", "amount": 10_000 }); 51] });
    shop.till.post(of(&full, "/close"), tenders).await.refused(422);
    let umlauts = "ü".repeat(128);
    assert_eq!(
        shop.till.post("/pos/orders", order_with("tableId", json!(umlauts))).await.expect(201)["tableId"],
        umlauts.as_str(),
        "bounds count characters"
    );
}

#[tokio::test]
async fn l14_what_is_no_json_is_400() {
    let mut shop = Shop::open("bad-input").await;
    let deep = "[".repeat(100_000);
    for body in ["{", "{\"items\":[}", "nonsense", "{\"items\":[]} and more", "\u{feff}{}", "{\"a\":1e999999}", &deep] {
        let answer = shop.till.call(Method::POST, "/pos/orders").body("application/json", body.to_owned()).await;
        answer.refused(400);
    }
    let latin = b"{\"notes\":\"caf\xe9\",\"items\":[]}".to_vec();
    shop.till.call(Method::POST, "/pos/orders").body("application/json", latin).await.refused(400);
    for body in ["[]", "null", "7", "\"order\""] {
        let answer = shop.till.call(Method::POST, "/pos/orders").body("application/json", body).await;
        answer.refused(422);
    }
}

#[tokio::test]
async fn l14_another_content_type_is_415() {
    let mut shop = Shop::open("bad-input").await;
    let body = two_coffees().to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"] {
        shop.till.call(Method::POST, "/pos/orders").body(kind, body.clone()).await.refused(415);
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        shop.till.call(Method::POST, "/pos/orders").body(kind, body.clone()).await.must_be(201);
    }
}

#[tokio::test]
async fn l14_unknown_paths_are_404_and_wrong_methods_405() {
    let mut shop = Shop::open("bad-input").await;
    let order = shop.order().await;
    for path in ["/pos", "/pos/order", "/api", "/index.php", "/pos/orders/x/y/z", "/../etc/passwd"] {
        shop.till.get(path).await.refused(404);
    }
    for (method, path) in [
        (Method::DELETE, "/pos/orders".to_owned()),
        (Method::PUT, of(&order, "")),
        (Method::DELETE, of(&order, "")),
        (Method::GET, of(&order, "/close")),
        (Method::PATCH, of(&order, "/void")),
        (Method::POST, "/health/".to_owned()),
        (Method::POST, "/api/sync/events".to_owned()),
        (Method::DELETE, "/api/local/ping".to_owned()),
        (Method::GET, "/api/local/pair".to_owned()),
    ] {
        shop.till.call(method, path).await.refused(405);
    }
}

#[tokio::test]
async fn l14_query_parameters_that_make_no_sense_are_422() {
    let mut shop = Shop::open("bad-input").await;
    for (query, field) in [
        ("/pos/orders?limit=0", "limit"),
        ("/pos/orders?limit=501", "limit"),
        ("/pos/orders?limit=many", "limit"),
        ("/pos/orders?colour=red", "colour"),
        ("/api/sync/events?wait=31", "wait"),
        ("/api/sync/events?wait=-1", "wait"),
        ("/api/sync/events?limit=0", "limit"),
    ] {
        shop.till.get(query).await.refused_field(field);
    }
}
