//! What guests make the staff do: orders, tabs, payments, complaints.

use serde_json::{Value, json};
use storebox_tests::of;

use super::hand::Hand;
use super::ledger::{int, list, text};
use super::menu::below;

/// The smallest coin.
pub const COIN: i64 = 5;
pub const GIFT_CARDS: [&str; 3] = ["G-100", "G-200", "G-300"];
/// What is on each of them.
pub const GIFT: i64 = 40_000;
/// Most that one card may be charged, and all of them together.
pub const CARD_LIMIT: i64 = 20_000;
pub const QUEUE_LIMIT: i64 = 150_000;

/// A till sells: new guests, tabs that go on, and checks that waiters bring.
pub async fn at_till(mut hand: Hand, mut boss: Hand, guests: u32) -> [Hand; 2] {
    let mut tabs: Vec<Value> = Vec::new();
    hand.clock("in").await;
    for _ in 0..guests {
        let order = open(&mut hand).await;
        if hand.chance(35) && tabs.len() < 4 {
            tabs.push(order);
        } else {
            settle(&mut hand, &mut boss, order).await;
        }
        if hand.chance(50) && !tabs.is_empty() {
            let index = below(&mut hand.random, tabs.len());
            tabs[index] = go_on(&mut hand, &tabs[index]).await;
        }
        if hand.chance(40) && !tabs.is_empty() {
            let index = below(&mut hand.random, tabs.len());
            let tab = tabs.swap_remove(index);
            settle(&mut hand, &mut boss, tab).await;
        }
        let brought = hand.night.asked_to_pay.lock().unwrap().pop();
        if let Some(order) = brought {
            settle(&mut hand, &mut boss, order).await;
        }
    }
    for tab in tabs {
        settle(&mut hand, &mut boss, tab).await;
    }
    [hand, boss]
}

/// A waiter with a handheld: opens tables, carries on with them, and brings the checks to the tills.
pub async fn at_tables(mut hand: Hand, guests: u32) -> [Hand; 1] {
    hand.clock("in").await;
    for table in 0..guests {
        let order = json!({ "orderType": "dine_in", "tableId": format!("T{table}"), "items": [] });
        let mut order = hand.order("/pos/orders", order).await;
        for _ in 0..=hand.random.below(2) {
            order = go_on(&mut hand, &order).await;
        }
        if list(&order, "items").is_empty() {
            let lines = hand.night.menu.lines(&mut hand.random);
            order = hand.change(&order, json!({ "addItems": lines })).await;
        }
        if hand.chance(20) {
            let moved = json!({ "version": current(&mut hand, &order).await, "tableId": format!("T{}", table + 100) });
            let answer = hand.patch(of(&order, ""), moved).await;
            // The kitchen may have been quicker: then the version is another.
            if answer.status == 409 {
                answer.conflict("STALE_VERSION");
            } else {
                order = answer.expect(200);
                hand.night.ledger().book(hand.who(), &order);
            }
        }
        hand.night.asked_to_pay.lock().unwrap().push(order);
    }
    [hand]
}

/// A guest at a kiosk chooses, pays with a card and waits for the food.
pub async fn at_kiosk(mut hand: Hand, guests: u32) -> [Hand; 1] {
    for guest in 0..guests {
        let kind = if hand.chance(50) { "takeaway" } else { "dine_in" };
        let lines = hand.night.menu.lines(&mut hand.random);
        let order = hand.order("/pos/orders", json!({ "orderType": kind, "items": lines })).await;
        if hand.chance(8) {
            hand.order(of(&order, "/void"), json!({})).await;
            hand.night.ledger().note("void unsent");
            continue;
        }
        let slip = format!("K{guest}");
        let tenders = json!([{ "type": "terminal", "amount": int(&order, "due"), "slip": slip }]);
        hand.order(of(&order, "/tenders"), tenders[0].clone()).await;
        hand.order(of(&order, "/send-to-kitchen"), json!({})).await;
        hand.order(of(&order, "/close"), json!({})).await;
    }
    [hand]
}

async fn current(hand: &mut Hand, order: &Value) -> Value {
    hand.get(&of(order, "")).await.expect(200)["version"].clone()
}

/// A new order, or a tab that is empty yet.
async fn open(hand: &mut Hand) -> Value {
    let mut order = match hand.random.below(3) {
        0 => json!({ "orderType": "counter" }),
        1 => json!({ "orderType": "takeaway" }),
        _ => json!({ "orderType": "dine_in", "tableId": format!("table-{}", hand.random.below(20)) }),
    };
    let is_tab = hand.chance(25);
    order["items"] = if is_tab { json!([]) } else { json!(hand.night.menu.lines(&mut hand.random)) };
    let order = hand.order("/pos/orders", order).await;
    if is_tab {
        hand.night.ledger().note("tab");
        return go_on(hand, &order).await;
    }
    if hand.chance(65) { hand.order(of(&order, "/send-to-kitchen"), json!({})).await } else { order }
}

/// The guests order more, which mostly goes to the kitchen at once.
async fn go_on(hand: &mut Hand, order: &Value) -> Value {
    let lines = hand.night.menu.lines(&mut hand.random);
    let order = hand.change(order, json!({ "addItems": lines })).await;
    if hand.chance(75) { hand.order(of(&order, "/send-to-kitchen"), json!({})).await } else { order }
}

/// The guests leave: they pay, or do not; and some come back to complain.
async fn settle(hand: &mut Hand, boss: &mut Hand, order: Value) {
    let order = if hand.chance(22) { take_off(hand, boss, order).await } else { order };
    if list(&order, "items").is_empty() || hand.chance(9) {
        void(hand, boss, &order).await;
        return;
    }
    let order = pay(hand, boss, order).await;
    assert_eq!((&order["status"], &order["paymentStatus"]), (&json!("completed"), &json!("paid")), "{order}");
    if hand.chance(20) {
        complain(boss, &order).await;
    }
}

/// One less of something: what the kitchen knows of takes the manager.
async fn take_off(hand: &mut Hand, boss: &mut Hand, order: Value) -> Value {
    let lines = list(&order, "items");
    let line = &lines[below(&mut hand.random, lines.len())];
    let one = line["quantity"].as_f64().unwrap().min(1.0);
    let change = json!({ "changeItems": [{ "lineId": line["lineId"], "quantityDelta": -one }] });
    // Some of a line may have been sent, though not all of it; a till finds out.
    let answer = hand.patch(of(&order, ""), change.clone()).await;
    if answer.status == 403 {
        let mut change = change;
        change["reason"] = json!("the guest changed their mind");
        hand.night.ledger().note("sent line taken off");
        return boss.change(&order, change).await;
    }
    let after = answer.expect(200);
    hand.night.ledger().book(hand.who(), &after);
    hand.night.ledger().note("unsent line taken off");
    after
}

async fn void(hand: &mut Hand, boss: &mut Hand, order: &Value) {
    let answer = hand.post(of(order, "/void"), json!({})).await;
    if answer.status == 403 {
        boss.order(of(order, "/void"), json!({ "reason": "guest left" })).await;
        boss.night.ledger().note("void sent");
        return;
    }
    hand.night.ledger().book(hand.who(), &answer.expect(200));
    hand.night.ledger().note("void unsent");
}

/// Pays, perhaps in parts.
async fn pay(hand: &mut Hand, boss: &mut Hand, mut order: Value) -> Value {
    while hand.chance(30) && int(&order, "due") > 500 {
        let part = COIN * (hand.between(100, int(&order, "due") - 50) / COIN);
        let tender = tender(hand, part, false);
        order = hand.order(of(&order, "/tenders"), tender).await;
        hand.night.ledger().note("part payment");
        if hand.chance(25) {
            let tenders = list(&order, "tenders");
            let path = format!("/tenders/{}/void", text(tenders.last().unwrap(), "tenderId"));
            order = boss.order(of(&order, &path), json!({ "reason": "wrong card" })).await;
            hand.night.ledger().note("payment taken back");
        }
    }
    let due = int(&order, "due");
    let mut tenders = Vec::new();
    let mut rest = due;
    if hand.chance(20) && due > 300 {
        // Split between friends in one closing.
        let part = COIN * (due / 3 / COIN);
        tenders.push(tender(hand, part, false));
        rest -= part;
        hand.night.ledger().note("split");
    }
    if rest > 0 {
        tenders.push(tender(hand, rest, true));
    }
    hand.order(of(&order, "/close"), json!({ "tenders": tenders })).await
}

/// A payment of so much; cash that pays the rest is handed over in notes.
fn tender(hand: &mut Hand, amount: i64, rest: bool) -> Value {
    match hand.random.below(10) {
        0..=1 => {
            let card = GIFT_CARDS[below(&mut hand.random, GIFT_CARDS.len())];
            let mut ledger = hand.night.ledger();
            // Put aside before it is spent: another till may want it too.
            let left = GIFT - ledger.put_aside(card, 0);
            if amount <= left {
                ledger.put_aside(card, amount);
                ledger.note("gift card");
                return json!({ "type": "gift_card", "amount": amount, "number": card });
            }
        }
        2..=3 => {
            let card = format!("tok_{}", hand.random.below(12));
            let mut ledger = hand.night.ledger();
            let fits =
                ledger.put_aside(&card, 0) + amount <= CARD_LIMIT && ledger.put_aside("", 0) + amount <= QUEUE_LIMIT;
            if amount <= CARD_LIMIT / 2 && fits {
                ledger.put_aside(&card, amount);
                ledger.put_aside("", amount);
                ledger.note("stored card");
                return json!({ "type": "card_token", "amount": amount, "token": card, "cardLastFour": "4242" });
            }
        }
        4..=6 => {
            let tip = if hand.chance(40) { hand.between(0, 500) } else { 0 };
            let slip = format!("S{}", hand.random.below(1_000_000));
            return json!({ "type": "terminal", "amount": amount, "tip": tip, "slip": slip });
        }
        _ => {}
    }
    if !rest {
        return json!({ "type": "cash", "amount": amount });
    }
    let rounded = (COIN * ((amount + COIN / 2) / COIN)).max(COIN);
    let tip = if hand.chance(25) { COIN * hand.between(1, 60) } else { 0 };
    let handed = if hand.chance(50) { rounded + tip } else { (rounded + tip + 999) / 1_000 * 1_000 };
    json!({ "type": "cash", "amount": handed, "tip": tip })
}

/// The manager gives something back.
async fn complain(boss: &mut Hand, order: &Value) {
    let path = of(order, "/refund");
    let gift =
        list(order, "tenders").iter().find(|tender| tender["type"] == "gift_card" && tender["status"] != "voided");
    let mut refund = match boss.random.below(4) {
        0 => json!({ "type": "terminal", "slip": "R1" }),
        1 if gift.is_some() => json!({ "type": "gift_card", "tenderId": gift.unwrap()["tenderId"], "amount": 1 }),
        _ => json!({ "type": "cash" }),
    };
    refund["reason"] = json!("cold");
    match boss.random.below(3) {
        _ if refund["type"] == "gift_card" => refund["amount"] = gift.unwrap()["amount"].clone(),
        0 => refund["restock"] = json!(boss.chance(50)),
        1 => refund["amount"] = json!(boss.between(1, int(order, "paid"))),
        _ => {
            let lines = list(order, "items");
            let line = &lines[below(&mut boss.random, lines.len())];
            // Half of it, or one of two.
            let quantity = match line["quantity"].as_f64().unwrap() {
                more if more > 1.0 => 1.0,
                whole if whole == 1.0 && boss.chance(50) => 0.5,
                part => part,
            };
            refund["items"] = json!([{ "lineId": line["lineId"], "quantity": quantity }]);
            refund["restock"] = json!(true);
        }
    }
    let after = boss.order(&path, refund).await;
    boss.night.ledger().note("refund");
    if int(&after, "refunded") < int(&after, "paid") && boss.chance(60) {
        // Everything that is left.
        let all = json!({ "type": "cash", "reason": "very cold", "restock": boss.chance(50) });
        boss.order(&path, all).await;
        boss.night.ledger().note("refund in full");
    }
}

/// The manager closes what is left over.
pub async fn settle_at_last(boss: &mut Hand, order: Value) {
    let mut manager = boss.twin();
    settle(boss, &mut manager, order).await;
    boss.sent.append(&mut manager.sent);
}
