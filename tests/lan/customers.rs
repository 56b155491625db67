//! Who buys here (L10).

use serde_json::{Value, json};
use storebox_tests::{Shop, Terminal};

fn anna() -> Value {
    json!({
        "name": "Anna Example", "phone": "+1 (555) 01-00", "email": "anna@example.org",
        "notes": "no nuts", "loyaltyAccount": "L-17",
    })
}

fn of(customer: &Value) -> String {
    format!("/api/customers/{}", customer["id"].as_str().unwrap())
}

async fn names(till: &mut Terminal, query: &str) -> Vec<String> {
    let found = till.get(format!("/api/customers{query}")).await.expect(200);
    found.as_array().unwrap().iter().map(|customer| customer["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn l10_a_customer_is_entered_read_and_changed() {
    let mut shop = Shop::open("customers").await;
    let created = shop.till.post("/api/customers", anna()).key("a").await;
    shop.till.post("/api/customers", anna()).key("a").await.replays(&created);
    shop.till.post("/api/customers", json!({ "name": "Bert" })).key("a").await.conflict("IDEMPOTENCY_MISMATCH");
    let anna = created.expect(201);
    let path = of(&anna);
    let read = shop.till.get(&path).await;
    assert_eq!(read.header("etag"), Some("\"1\""), "{read}");
    assert_eq!(read.expect(200), anna);

    let changed = shop.till.patch(&path, json!({ "phone": null, "notes": "no milk", "version": 1 })).await.expect(200);
    assert_eq!((&changed["phone"], &changed["notes"]), (&Value::Null, &json!("no milk")));
    assert_eq!((&changed["email"], &changed["version"]), (&anna["email"], &json!(2)));
    let stale = shop.till.patch(&path, json!({ "name": "Anne" })).header("if-match", "\"1\"").await;
    assert_eq!(stale.refused(409).body["currentState"], changed);
    let same = shop.till.patch(&path, json!({ "notes": "no milk" })).await.expect(200);
    assert_eq!(same, changed, "nothing new, no new version");
    // A change that changed nothing is no making of anything when it is asked again.
    let bert = shop.till.post("/api/customers", json!({ "name": "Bert" })).await.expect(201);
    let nothing = shop.till.patch(of(&bert), json!({ "name": "Bert" })).key("nothing").await;
    nothing.must_be(200);
    shop.till.patch(of(&bert), json!({ "name": "Bert" })).key("nothing").await.replays(&nothing);
}

#[tokio::test]
async fn l10_a_terminal_may_name_a_customer_itself_but_only_once() {
    let mut shop = Shop::open("customers").await;
    let id = "0199c0de-0000-7000-8000-000000000001";
    let mint = json!({ "id": id, "name": "Anna" });
    assert_eq!(shop.till.post("/api/customers", mint.clone()).await.expect(201)["id"], id);
    let again = shop.till.post("/api/customers", mint).await;
    assert_eq!(again.conflict("DUPLICATE_ID").body["existingResource"]["id"], id);
}

#[tokio::test]
async fn l10_customers_are_found_by_what_is_known_of_them() {
    let mut shop = Shop::open("customers").await;
    let entered = shop.till.post("/api/customers", anna()).await.expect(201);
    shop.till.post("/api/customers", json!({ "name": "Bert Example", "phone": "555 777" })).await.must_be(201);
    for (search, expected) in [
        ("anna", vec!["Anna Example"]),
        ("exam", vec!["Anna Example", "Bert Example"]),
        ("ann%20exam", vec!["Anna Example"]),
        ("1555", vec!["Anna Example"]),
        ("%2B1%20555", vec!["Anna Example"]),
        ("555", vec!["Bert Example"]),
        ("l-17", vec!["Anna Example"]),
        ("ANNA@example.org", vec!["Anna Example"]),
        ("carol", vec![]),
        ("()", vec![]),
    ] {
        let mut found = names(&mut shop.till, &format!("?search={search}")).await;
        found.sort();
        assert_eq!(found, expected, "{search}");
    }
    shop.till.patch(of(&entered), json!({ "name": "Carol", "phone": null })).await.must_be(200);
    assert_eq!(names(&mut shop.till, "?search=anna%20e").await, Vec::<String>::new());
    assert_eq!(names(&mut shop.till, "?search=1555").await, Vec::<String>::new());
    assert_eq!(names(&mut shop.till, "?search=carol").await, ["Carol"]);
}

#[tokio::test]
async fn l10_customers_are_listed_page_by_page() {
    let mut shop = Shop::open("customers").await;
    for number in 0..5 {
        shop.till.post("/api/customers", json!({ "name": format!("Guest {number}") })).await.must_be(201);
    }
    let (mut path, mut listed) = ("/api/customers?limit=2".to_owned(), Vec::new());
    loop {
        let page = shop.till.get(&path).await;
        listed.extend(page.body.as_array().unwrap().iter().map(|guest| guest["name"].as_str().unwrap().to_owned()));
        if page.header("x-more") != Some("true") {
            break;
        }
        path = format!("/api/customers?limit=2&after={}", page.header("x-cursor").unwrap());
    }
    assert_eq!(listed, ["Guest 0", "Guest 1", "Guest 2", "Guest 3", "Guest 4"]);
}

#[tokio::test]
async fn l10_two_tills_change_one_customer_and_nothing_is_lost_unseen() {
    let mut shop = Shop::open("customers").await;
    let entered = shop.till.post("/api/customers", anna()).await.expect(201);
    let mut racers = Vec::new();
    for number in 0..6 {
        let (mut till, path) = (shop.till.twin(), of(&entered));
        let body = json!({ "version": 1, "notes": format!("note {number}") });
        racers.push(tokio::spawn(async move { till.patch(path, body).await.status }));
    }
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            200 => won += 1,
            status => assert_eq!(status, 409),
        }
    }
    assert_eq!(won, 1);
    // Who does not say what they saw changes their fields only.
    shop.till.patch(of(&entered), json!({ "phone": "555 999" })).await.must_be(200);
    let after = shop.till.patch(of(&entered), json!({ "email": "a@example.net" })).await.expect(200);
    assert_eq!((&after["phone"], &after["version"]), (&json!("555 999"), &json!(4)));
}

#[tokio::test]
async fn l10_bad_input_about_customers_is_refused_in_words() {
    let mut shop = Shop::open("customers").await;
    for (member, value) in [
        ("name", json!("")),
        ("name", Value::Null),
        ("phone", json!("call me")),
        ("phone", json!("5".repeat(40))),
        ("email", json!("anna")),
        ("email", json!("anna@exam ple.org")),
        ("notes", json!("x".repeat(1_001))),
        ("id", json!("anna")),
        ("age", json!(7)),
    ] {
        let mut body = anna();
        body[member] = value;
        shop.till.post("/api/customers", body).await.refused(422);
    }
    shop.till.get("/api/customers/anna").await.refused(404);
    shop.till.get("/api/customers/0199c0de-0000-7000-8000-000000000000").await.refused(404);
    shop.till.patch("/api/customers/0199c0de-0000-7000-8000-000000000000", json!({})).await.refused(404);
    for (query, field) in [("limit=0", "limit"), ("after=x", "after"), ("search=", "search"), ("page=2", "page")] {
        shop.till.get(format!("/api/customers?{query}")).await.refused_field(field);
    }
    let mut kiosk = shop.terminal("Kiosk 1", "kiosk").await;
    kiosk.get("/api/customers").await.refused(403);
    kiosk.post("/api/customers", anna()).await.refused(403);
}
