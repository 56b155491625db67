//! Who works here, who is signed in, and who may do what (L10, L13).

use std::fs;

use serde_json::{Value, json};
use storebox_tests::{BoxConfig, OWNER_PIN, Pairing, STAFF_PIN, Shop};

/// Refuses the box's own words about a session that ended.
fn session_expired(answer: &storebox_tests::Answer) {
    answer.refused(401);
    assert_eq!(answer.body["type"], "urn:storebox:problem:session-expired", "{answer}");
}

#[tokio::test]
async fn l10_the_first_owner_has_a_pin_of_one_use() {
    let mut shop = Shop::open("people").await;
    let file = shop.running.state("lan/owner-pin");
    let first = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(first.len() == 6 && first.bytes().all(|byte| byte.is_ascii_digit()), "{first}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // It is kept until it is changed, whatever happens in between.
    shop.running.restart().await;
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), first);

    let mut till = shop.till.twin();
    let session = till.sign_in("Owner", &first).await.unwrap();
    assert_eq!((&session.body["role"], &session.body["mustChangePin"]), (&json!("admin"), &json!(true)));
    till.post("/api/employees", anna()).await.refused(403);
    for weak in ["1111", "1234", first.as_str()] {
        till.post("/api/auth/pin", json!({ "oldPin": first, "newPin": weak })).await.refused_field("newPin");
    }
    till.post("/api/auth/pin", json!({ "oldPin": "000001", "newPin": OWNER_PIN })).await.refused(401);
    till.post("/api/auth/pin", json!({ "oldPin": first, "newPin": OWNER_PIN })).await.must_be(204);
    till.post("/api/employees", anna()).await.must_be(201);
    assert!(!file.exists(), "a PIN that opens nothing is not kept");
    shop.till.twin().sign_in("owner", &first).await.unwrap_err().refused(401);

    // Sessions end with the process; the PIN does not.
    shop.running.restart().await;
    session_expired(&till.get("/api/employees").await);
    assert!(!file.exists());
    shop.owner().await.get("/api/employees").await.must_be(200);
}

fn anna() -> Value {
    json!({ "login": "17", "name": "Anna", "role": "staff", "pin": STAFF_PIN })
}

#[tokio::test]
async fn l10_a_session_is_the_terminals_own_and_ends_when_told() {
    let mut shop = Shop::open("people").await;
    let mut manager = shop.manager().await;
    let session = manager.sign_in("manager", STAFF_PIN).await.unwrap().text("session");
    manager.get("/api/employees").await.must_be(200);
    let mut other = shop.terminal("Till 2", "pos").await;
    session_expired(&other.get("/api/employees").header("x-staff-session", &session).await);
    session_expired(&shop.till.get("/pos/orders").header("x-staff-session", "made-up").await);
    manager.post("/api/auth/sign-out", json!({})).await.must_be(204);
    session_expired(&manager.get("/api/employees").await);
    // Whoever has an old session can sign in all the same.
    manager.sign_in("manager", STAFF_PIN).await.unwrap();
}

#[tokio::test]
async fn l10_wrong_pins_lock_out_whoever_they_are_for() {
    let shop = Shop::open("people").await;
    shop.manager().await;
    let mut till = shop.till.twin();
    for name in ["manager", "nobody at all"] {
        let mut words = Vec::new();
        for _ in 0..4 {
            let refusal = till.sign_in(name, "000001").await.unwrap_err();
            refusal.refused(401);
            words.push(refusal.text("detail"));
        }
        words.dedup();
        assert_eq!(words, ["there is nobody of that name with that PIN"]);
        till.sign_in(name, "000001").await.unwrap_err().refused(429);
        let waiting = till.sign_in(name, STAFF_PIN).await.unwrap_err();
        let seconds: u32 = waiting.refused(429).header("retry-after").unwrap().parse().unwrap();
        assert!((25..=31).contains(&seconds), "{seconds}");
    }
    shop.owner().await;
}

#[tokio::test]
async fn l10_of_many_guesses_at_once_no_more_than_five_are_looked_at() {
    let shop = Shop::open("people").await;
    shop.manager().await;
    let mut racers = Vec::new();
    for guess in 0..12 {
        let mut till = shop.till.twin();
        racers.push(tokio::spawn(async move { till.sign_in("manager", &format!("1100{guess:02}")).await }));
    }
    let mut looked_at = 0;
    for racer in racers {
        looked_at += u32::from(racer.await.unwrap().unwrap_err().status == 401);
    }
    assert_eq!(looked_at, 4, "the fifth is told to wait");
}

#[tokio::test]
async fn l10_employees_are_entered_changed_and_leave() {
    let mut shop = Shop::open("people").await;
    let mut owner = shop.owner().await;
    let created = owner.post("/api/employees", anna()).key("anna").await;
    owner.post("/api/employees", anna()).key("anna").await.replays(&created);
    let anna_is = created.expect(201);
    assert_eq!((&anna_is["login"], &anna_is["mustChangePin"]), (&json!("17"), &json!(true)));
    assert!(!anna_is.to_string().contains("argon2"), "{anna_is}");
    owner.post("/api/employees", anna()).await.conflict("DUPLICATE_ID");
    let mut upper = anna();
    upper["login"] = json!("OWNER");
    owner.post("/api/employees", upper).await.conflict("DUPLICATE_ID");

    let listed = shop.till.get("/api/employees").await.expect(200);
    assert_eq!(listed[1], json!({ "id": anna_is["id"], "name": "Anna", "role": "staff", "active": true }));

    let mut till = shop.till.twin();
    till.sign_in("17", STAFF_PIN).await.unwrap();
    let path = format!("/api/employees/{}", anna_is["id"].as_str().unwrap());
    let promoted = owner.patch(&path, json!({ "role": "manager", "version": 1 })).await.expect(200);
    assert_eq!((&promoted["role"], &promoted["version"]), (&json!("manager"), &json!(2)));
    session_expired(&till.get("/api/employees").await);
    owner.patch(&path, json!({ "name": "Anne" })).header("if-match", "\"1\"").await.refused(409);
    owner.patch(&path, json!({ "active": false })).await.must_be(200);
    shop.till.twin().sign_in("17", STAFF_PIN).await.unwrap_err().refused(401);
    assert_eq!(shop.till.get("/api/employees").await.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(owner.get("/api/employees").await.expect(200).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn l10_bad_input_about_employees_is_refused_in_words() {
    let shop = Shop::open("people").await;
    let mut owner = shop.owner().await;
    for (member, value) in [
        ("login", json!("")),
        ("login", json!("0199c0de-0000-7000-8000-000000000000")),
        ("name", json!("x".repeat(129))),
        ("role", json!("king")),
        ("pin", json!("12a4")),
        ("pin", json!("123")),
        ("pin", json!("123456789")),
        ("pin", json!("7777")),
        ("pin", json!(1234)),
        ("salary", json!(7)),
    ] {
        let mut body = anna();
        body[member] = value;
        owner.post("/api/employees", body).await.refused_field(member);
    }
    owner.patch("/api/employees/nobody", json!({ "active": false })).await.refused(404);
    owner.patch("/api/employees/0199c0de-0000-7000-8000-000000000000", json!({ "active": false })).await.refused(404);
    let everybody = owner.get("/api/employees").await.expect(200);
    let own = format!("/api/employees/{}", everybody[0]["id"].as_str().unwrap());
    owner.patch(&own, json!({ "active": false })).await.refused(409);
    owner.patch(&own, json!({ "role": "staff" })).await.refused(409);
    owner.get("/api/employees?limit=0").await.refused_field("limit");
    let mut kiosk = shop.terminal("Kiosk 1", "kiosk").await;
    kiosk.get("/api/employees").await.refused(403);
}

#[tokio::test]
async fn l10_what_takes_the_cloud_says_so_while_it_is_away() {
    let with_cloud = |config: BoxConfig| config.cloud("https://cloud.invalid");
    let shop = Shop::open_with("people", with_cloud).await;
    let mut owner = shop.owner().await;
    let refused = owner.post("/api/employees", anna()).await;
    refused.refused(503);
    assert_eq!(refused.body["conflictType"], "CLOUD_REQUIRED", "{refused}");
    // Credentials that are here go on working.
    shop.owner().await.get("/api/employees").await.must_be(200);

    let shop = Shop::open("people").await;
    let mut owner = shop.owner().await;
    let new = json!({ "login": "18", "name": "Bert", "role": "staff" });
    owner.post("/api/employees", new).await.must_be(201);
    let refused = shop.till.twin().sign_in("18", STAFF_PIN).await.unwrap_err();
    refused.refused(503);
    assert_eq!(refused.body["conflictType"], "CLOUD_REQUIRED", "{refused}");
}

#[tokio::test]
async fn l10_a_terminal_that_pairs_again_has_nobody_signed_in() {
    let shop = Shop::open("people").await;
    let mut manager = shop.manager().await;
    manager.get("/api/employees").await.must_be(200);
    let secret = shop.running.secret();
    let again = Pairing { name: "Till 1", kind: "pos", secret: &secret };
    let paired = shop.till.twin().pair_as(again).await.unwrap();
    assert_eq!(paired.device_id, shop.till.device_id);
    let mut manager = manager.with_token(&paired.token);
    session_expired(&manager.get("/api/employees").await);
}

#[tokio::test]
async fn l10_nothing_of_a_pin_is_kept_in_clear() {
    let mut shop = Shop::open("people").await;
    let mut owner = shop.owner().await;
    let mut new = anna();
    new["pin"] = json!("86420975");
    owner.post("/api/employees", new.clone()).key("with-a-pin").await.must_be(201);
    // A PIN is no part of what a key stands for: not even its hash is kept.
    new["pin"] = json!("97531086");
    assert!(owner.post("/api/employees", new).key("with-a-pin").await.is_replayed());
    shop.till.twin().sign_in("17", "86420975").await.unwrap();
    assert_eq!(shop.running.terminate().await.code, Some(0));
    for file in ["store.redb"] {
        let bytes = fs::read(shop.running.state(file)).unwrap();
        for pin in [OWNER_PIN, "86420975"] {
            assert!(!bytes.windows(pin.len()).any(|window| window == pin.as_bytes()), "{pin} is in {file}");
        }
    }
    assert!(!shop.running.log().contains("86420975"));
}
