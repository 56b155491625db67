//! Paying: in parts, with coins, cards, slips, gift cards and points, while the cloud is away (L1, L6, L7, U13).

use serde_json::{Value, json};
use storebox_tests::sample::{cash, coffee};
use storebox_tests::{BoxConfig, Shop, of};

/// A token no test shop's files may hold in clear.
const TOKEN: &str = "tok_visa_e6f1c0";

fn token(amount: i64, token: &str) -> Value {
    json!({ "type": "card_token", "amount": amount, "token": token, "cardLastFour": "4242" })
}

fn closing(tender: Value) -> Value {
    json!({ "tenders": [tender] })
}

fn small_limits(config: BoxConfig) -> BoxConfig {
    config
        .offline("payment_limit", "10.00")
        .offline("daily_card_limit", "20.00")
        .offline("total_queue_limit", "40.00")
        .offline("require_signature", "7.00")
}

#[tokio::test]
async fn l1_an_order_is_paid_in_parts_and_closed_with_the_rest() {
    let mut shop = Shop::open("payments").await;
    let order = shop.order().await;
    let path = of(&order, "/tenders");
    let part = json!({ "type": "terminal", "amount": 300, "slip": "0042", "tip": 50 });
    let part = shop.till.post(&path, part).key("part").await;
    let paid = part.body.clone();
    part.must_be(200);
    assert_eq!((&paid["paymentStatus"], &paid["paid"], &paid["due"]), (&json!("partial"), &json!(300), &json!(470)));
    assert_eq!((&paid["tenders"][0]["tendered"], &paid["tenders"][0]["tip"]), (&json!(350), &json!(50)));
    let again = json!({ "type": "terminal", "amount": 300, "slip": "0042", "tip": 50 });
    shop.till.post(&path, again).key("part").await.replays(&part);
    shop.till.post(of(&order, "/close"), json!({})).await.refused_field("tenders");
    let void = shop.till.post(of(&order, "/void"), json!({})).await;
    void.conflict_with_state("INVALID_STATE_TRANSITION", &paid);
    shop.till.post(&path, json!({ "type": "terminal", "amount": 471, "slip": "1" })).await.refused_field("amount");
    let whole = shop.till.post(&path, json!({ "type": "cash", "amount": 500 })).await.expect(200);
    assert_eq!((&whole["status"], &whole["paymentStatus"]), (&json!("pending"), &json!("paid")));
    assert_eq!(whole["tenders"][1]["change"], 30);
    shop.till.post(&path, json!({ "type": "cash", "amount": 5 })).await.refused_field("amount");
    let closed = shop.till.post(of(&order, "/close"), json!({})).await.expect(200);
    assert_eq!((&closed["status"], &closed["paid"], &closed["due"]), (&json!("completed"), &json!(770), &json!(0)));
}

#[tokio::test]
async fn l1_a_check_of_nothing_is_closed_without_payment() {
    let mut shop = Shop::open("payments").await;
    let free = json!({ "items": [{ "itemId": "water", "name": "Water", "quantity": 1, "unitPrice": 0 }] });
    let order = shop.till.post("/pos/orders", free).await.expect(201);
    let closed = shop.till.post(of(&order, "/close"), json!({ "tenders": [] })).await.expect(200);
    assert_eq!((&closed["status"], &closed["paymentStatus"]), (&json!("completed"), &json!("paid")));
}

#[tokio::test]
async fn l6_cash_is_rounded_to_the_smallest_coin() {
    let change = |config: BoxConfig| config.store("cash_rounding", "5").store("tax", "{ percent = 0 }");
    let mut shop = Shop::open_with("payments", change).await;
    let item = |price: i64| json!({ "items": [{ "itemId": "x", "name": "X", "quantity": 1, "unitPrice": price }] });
    for (price, handed, rounding, back) in [(772, 770, -2, 0), (773, 1_000, 2, 225)] {
        let order = shop.till.post("/pos/orders", item(price)).await.expect(201);
        shop.till.post(of(&order, "/close"), cash(handed + 1)).await.refused_field("smallest coin");
        let closed = shop.till.post(of(&order, "/close"), cash(handed)).await.expect(200);
        let tender = &closed["tenders"][0];
        assert_eq!((&tender["rounding"], &tender["change"]), (&json!(rounding), &json!(back)));
        assert_eq!((&tender["amount"], &closed["paid"]), (&json!(price), &json!(price)));
    }
}

#[tokio::test]
async fn l6_a_stored_card_is_queued_without_its_token_and_signed_for_above_the_limit() {
    let mut shop = Shop::open_with("payments", small_limits).await;
    let order = shop.order().await;
    let closing = closing(token(770, TOKEN));
    let first = shop.till.post(of(&order, "/close"), closing.clone()).key("close").await;
    let closed = first.body.clone();
    first.must_be(200);
    assert_eq!((&closed["status"], &closed["paymentStatus"]), (&json!("completed"), &json!("paid")));
    let tender = &closed["tenders"][0];
    assert_eq!((&tender["status"], &tender["cardLastFour"]), (&json!("queued"), &json!("4242")));
    assert_eq!(tender["signatureRequired"], true);
    shop.till.post(of(&order, "/close"), closing.clone()).key("close").await.replays(&first);
    // A 409 is kept with its body, but not with the token in it.
    shop.till.post(of(&order, "/close"), closing).await.conflict("INVALID_STATE_TRANSITION");

    let queue = shop.till.get("/api/offline/payments/queue").await.expect(200);
    assert_eq!(queue.as_array().map(Vec::len), Some(1), "charged once: {queue}");
    let queued = &queue[0];
    for (member, value) in [
        ("id", &tender["reference"]),
        ("orderId", &order["id"]),
        ("tenderId", &tender["tenderId"]),
        ("amount", &json!(770)),
        ("paymentMethod", &json!("card_token")),
        ("cardLastFour", &json!("4242")),
        ("status", &json!("queued")),
        ("attempts", &json!(0)),
        ("processedAt", &Value::Null),
        ("processorResponse", &Value::Null),
        ("signatureRequired", &json!(true)),
        ("fallbackRequired", &json!(false)),
        ("fallbackHandled", &json!(false)),
    ] {
        assert_eq!(&queued[member], value, "{member}");
    }
    for (status, count) in [("queued", 1), ("completed", 0), ("declined", 0)] {
        let of_status = shop.till.get(format!("/api/offline/payments/queue?status={status}&limit=5")).await.expect(200);
        assert_eq!(of_status.as_array().map(Vec::len), Some(count), "{status}");
    }
    shop.till.get("/api/offline/payments/queue?status=lost").await.refused_field("status");
    shop.running.kill();
    let files = crate::card_data::everything_kept(&shop);
    assert!(
        !files.is_empty()
            && files.iter().all(|(path, bytes)| {
                let clear = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
                assert!(!clear, "{} holds the token", path.display());
                !clear
            })
    );
}

#[tokio::test]
async fn l6_a_limit_is_named_with_what_is_left() {
    let mut shop = Shop::open_with("payments", small_limits).await;
    let dear = shop.till.post("/pos/orders", json!({ "items": [coffee(3)] })).await.expect(201);
    let refused = shop.till.post(of(&dear, "/close"), closing(token(1_155, TOKEN))).await;
    refused.refused_field("tenders[0].amount").refused_field("payment_limit");
    assert_eq!(shop.till.get(of(&dear, "")).await.expect(200), dear, "a refusal changes nothing");
    for _ in 0..2 {
        let order = shop.order().await;
        shop.till.post(of(&order, "/close"), closing(token(770, TOKEN))).await.expect(200);
    }
    let order = shop.order().await;
    let refused = shop.till.post(of(&order, "/close"), closing(token(770, TOKEN))).await;
    refused.refused_field("daily_card_limit").refused_field("460 are left");
    let rest = json!({ "tenders": [token(460, TOKEN), { "type": "cash", "amount": 310 }] });
    shop.till.post(of(&order, "/close"), rest).await.expect(200);
    let mode = shop.till.get("/api/offline/mode").await.expect(200);
    assert_eq!((&mode["queuedTotal"], &mode["openPayments"]), (&json!(2_000), &json!(3)));
    assert_eq!(mode["limits"]["totalQueued"], 4_000);
}

#[tokio::test]
async fn l6_tills_that_close_at_the_same_moment_cannot_pass_a_limit_together() {
    let mut shop = Shop::open_with("payments", small_limits).await;
    for (same_card, limit, most) in [(true, "daily_card_limit", 2), (false, "total_queue_limit", 3)] {
        let mut racing = Vec::new();
        for number in 0..8 {
            let order = shop.order().await;
            let mut till = shop.till.twin();
            let card = if same_card { TOKEN.to_owned() } else { format!("tok_{number}") };
            let body = closing(token(770, &card));
            racing.push(tokio::spawn(async move { till.post(of(&order, "/close"), body).await }));
        }
        let mut taken = 0;
        for racer in racing {
            let answer = racer.await.unwrap();
            match answer.status {
                200 => taken += 1,
                _ => {
                    answer.refused_field(limit);
                }
            }
        }
        assert_eq!(taken, most, "{limit}");
    }
}

#[tokio::test]
async fn l6_policy_decides_what_becomes_of_new_cards() {
    let new_card =
        || closing(json!({ "type": "card", "amount": 770, "encryptedBlob": "AQID", "cardLastFour": "4242" }));
    for (policy, words) in [("deny", "take another payment"), ("terminal", "type terminal")] {
        let policy = |config: BoxConfig| config.offline("card_policy", &format!("{policy:?}"));
        let mut shop = Shop::open_with("payments", policy).await;
        let order = shop.order().await;
        shop.till.post(of(&order, "/close"), new_card()).await.refused_field(words);
        let slip = closing(json!({ "type": "terminal", "amount": 770, "slip": "0042" }));
        let closed = shop.till.post(of(&order, "/close"), slip).await.expect(200);
        assert_eq!(closed["tenders"][0]["reference"], "0042");
    }
    let mut shop = Shop::open_with("payments", |config| config.offline("card_policy", "\"queue\"")).await;
    let order = shop.order().await;
    let closed = shop.till.post(of(&order, "/close"), new_card()).await.expect(200);
    assert_eq!(closed["tenders"][0]["status"], "queued");
    let unlimited = |config: BoxConfig| config.store("currency", "\"EUR\"");
    let mut shop = Shop::open_with("payments", unlimited).await;
    let order = shop.order().await;
    shop.till.post(of(&order, "/close"), closing(token(770, TOKEN))).await.refused_field("sets limits");
}

#[tokio::test]
async fn l6_what_takes_the_cloud_is_refused_and_never_queued() {
    let mut shop = Shop::open("payments").await;
    let order = shop.order().await;
    for kind in ["mobile_money", "prepaid_credit"] {
        let answer = shop.till.post(of(&order, "/close"), closing(json!({ "type": kind, "amount": 770 }))).await;
        answer.refused(503);
        assert_eq!(answer.body["conflictType"], "CLOUD_REQUIRED");
    }
    assert_eq!(shop.till.get("/api/offline/payments/queue").await.expect(200), json!([]));
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200), order);
    shop.till.post("/api/offline/payments/process", json!({})).await.refused(403);
    let mut manager = shop.manager().await;
    let answer = manager.post("/api/offline/payments/process", json!({})).await;
    answer.refused(503);
    assert_eq!(answer.body["conflictType"], "CLOUD_REQUIRED");
    assert_eq!(manager.get("/api/offline/payments/declined").await.expect(200), json!([]));
    shop.till.get("/api/offline/payments/declined").await.refused(403);
    let nobody = "/api/offline/payments/01890a5d-ac96-774b-bcce-b302099a8057/fallback";
    let write_off = json!({ "action": "write_off", "reason": "lost" });
    shop.till.post(nobody, write_off.clone()).await.refused(403);
    manager.post(nobody, write_off).await.refused(404);
    manager.post(nobody, json!({ "action": "other_tender", "reason": "x" })).await.refused_field("tender");
}

#[tokio::test]
async fn l6_a_manager_takes_a_payment_back_and_the_card_is_not_charged() {
    let mut shop = Shop::open_with("payments", small_limits).await;
    let mut manager = shop.manager().await;
    let order = shop.order().await;
    let paid = shop.till.post(of(&order, "/tenders"), token(770, TOKEN)).await.expect(200);
    let back = of(&order, &format!("/tenders/{}/void", paid["tenders"][0]["tenderId"].as_str().unwrap()));
    let why = json!({ "reason": "wrong card" });
    shop.till.post(&back, why.clone()).await.refused(403);
    manager.post(&back, json!({})).await.refused_field("reason");
    let unpaid = manager.post(&back, why.clone()).await.expect(200);
    assert_eq!((&unpaid["paymentStatus"], &unpaid["due"]), (&json!("unpaid"), &json!(770)));
    assert_eq!(unpaid["tenders"][0]["status"], "voided");
    assert_eq!(shop.till.get("/api/offline/payments/queue").await.expect(200), json!([]));
    assert_eq!(shop.till.get("/api/offline/mode").await.expect(200)["queuedTotal"], 0);
    let voided = shop.till.get("/api/offline/payments/queue?status=voided").await.expect(200);
    assert_eq!(voided[0]["tenderId"], paid["tenders"][0]["tenderId"]);
    let unknown = of(&order, "/tenders/01890a5d-ac96-774b-bcce-b302099a8057/void");
    manager.post(unknown, why).await.refused(404);
    shop.till.post(of(&order, "/void"), json!({})).await.expect(200);
}

#[tokio::test]
async fn l7_gift_cards_and_points_are_spent_from_what_the_box_knows() {
    let mut shop = Shop::open("payments").await;
    let mut owner = shop.owner().await;
    let accounts = json!({ "accounts": [
        { "kind": "gift_card", "number": "G-1", "balance": 1_000 },
        { "kind": "loyalty", "number": "L-7", "balance": 200 },
    ]});
    shop.till.post("/api/local/accounts", accounts.clone()).await.refused(403);
    owner.post("/api/local/accounts", accounts).await.must_be(204);
    let gift = |amount: i64| json!({ "type": "gift_card", "amount": amount, "number": "G-1" });

    let order = shop.order().await;
    let points = json!({ "type": "loyalty", "amount": 200, "account": "L-7", "points": 40 });
    let both = json!({ "tenders": [points, gift(570)] });
    let closed = shop.till.post(of(&order, "/close"), both).await.expect(200);
    assert_eq!((&closed["tenders"][0]["points"], &closed["tenders"][1]["reference"]), (&json!(40), &json!("G-1")));
    let account = shop.till.get("/api/local/accounts/gift_card/G-1").await.expect(200);
    assert_eq!(
        (&account["balance"], &account["held"], &account["available"]),
        (&json!(1_000), &json!(570), &json!(430))
    );

    let second = shop.order().await;
    let refused = shop.till.post(of(&second, "/tenders"), gift(431)).await;
    refused.refused_field("amount").refused_field("430 minor units are left");
    let stranger = json!({ "type": "gift_card", "amount": 1, "number": "G-2" });
    shop.till.post(of(&second, "/tenders"), stranger).await.refused_field("number");
    shop.till.get("/api/local/accounts/gift_card/G-2").await.refused(404);

    // Eight tills at once cannot spend the card twice.
    let mut racing = Vec::new();
    for _ in 0..8 {
        let order = shop.order().await;
        let (mut till, body) = (shop.till.twin(), gift(100));
        racing.push(tokio::spawn(async move { till.post(of(&order, "/tenders"), body).await.status }));
    }
    let mut taken = 0;
    for racer in racing {
        taken += i32::from(racer.await.unwrap() == 200);
    }
    assert_eq!(taken, 4);

    let mut manager = shop.manager().await;
    let refund = json!({ "type": "gift_card", "reason": "cold", "amount": 570 });
    manager.post(of(&closed, "/refund"), refund).await.expect(200);
    let account = shop.till.get("/api/local/accounts/gift_card/G-1").await.expect(200);
    assert_eq!(account["available"], 600, "430 less 4 times 100, and 570 given back");
}

#[tokio::test]
async fn u13_a_manager_keeps_the_box_from_the_cloud_for_a_while() {
    let mut shop = Shop::open("payments").await;
    let before = shop.till.get("/api/offline/mode").await.expect(200);
    assert_eq!((&before["mode"], &before["forced"]), (&json!("local_only"), &json!(false)));
    let path = "/api/offline/mode/force";
    shop.till.post(path, json!({ "forced": true })).await.refused(403);
    let mut manager = shop.manager().await;
    manager.post(path, json!({ "forced": true, "minutes": 0 })).await.refused_field("minutes");
    manager.post(path, json!({ "forced": true, "minutes": 1_441 })).await.refused_field("minutes");
    let cursor = shop.till.get("/api/sync/events").await.text("cursor");
    manager.post(path, json!({ "forced": true })).await.must_be(204);
    let forced = shop.till.get("/api/offline/mode").await.expect(200);
    assert_eq!((&forced["mode"], &forced["forced"]), (&json!("offline"), &json!(true)));
    assert!(forced["forcedUntil"].as_str() > forced["since"].as_str(), "{forced}");
    manager.post(path, json!({ "forced": false })).await.must_be(204);
    assert_eq!(shop.till.get("/api/offline/mode").await.expect(200), before);
    let events = shop.till.get(format!("/api/sync/events?since={cursor}")).await.expect(200);
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["connectivity.forced", "connectivity.released"]);
}

#[tokio::test]
async fn l13_the_drawer_is_opened_without_a_sale_by_a_manager() {
    let mut shop = Shop::open("payments").await;
    let path = "/api/local/drawer/open";
    shop.till.post(path, json!({ "reason": "change" })).await.refused(403);
    let mut manager = shop.manager().await;
    manager.post(path, json!({})).await.refused_field("reason");
    let cursor = shop.till.get("/api/sync/events").await.text("cursor");
    manager.post(path, json!({ "reason": "change" })).key("drawer").await.must_be(204);
    assert!(manager.post(path, json!({ "reason": "change" })).key("drawer").await.is_replayed());
    manager.post(path, json!({ "reason": "another" })).key("drawer").await.refused(409);
    let events = shop.till.get(format!("/api/sync/events?since={cursor}")).await.expect(200);
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events["events"][0]["kind"], "drawer.opened", "{events}");
}
