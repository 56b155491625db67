//! The kitchen: tickets from sending to serving, as its displays see them (L5).

use std::collections::BTreeSet;
use std::slice::from_ref;

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee};
use storebox_tests::{Answer, EventStream, FakeClock, Shop, Terminal, of};

/// Opens an order of coffees at a terminal and sends it; the order.
async fn sent_by(till: &mut Terminal, coffees: u32) -> Value {
    let order = json!({ "tableId": "table-5", "orderType": "dine_in", "items": [coffee(coffees)] });
    let order = till.post("/pos/orders", order).await.expect(201);
    till.post(of(&order, "/send-to-kitchen"), json!({})).await.expect(200)
}

async fn queue(display: &mut Terminal) -> Vec<Value> {
    list(display.get("/kds/queue?station=kitchen").await.expect(200))
}

fn list(body: Value) -> Vec<Value> {
    body.as_array().expect("a list").clone()
}

/// The tickets that changed since a cursor, page by page, and the next cursor.
async fn delta(display: &mut Terminal, cursor: &str) -> (Vec<Value>, String) {
    let mut tickets = Vec::new();
    let mut cursor = cursor.to_owned();
    loop {
        let page = display.get(format!("/kds/queue?station=kitchen&since={cursor}&limit=4")).await;
        cursor = page.header("x-cursor").expect("a cursor").to_owned();
        let more = page.header("x-more") == Some("true");
        tickets.extend(list(page.expect(200)));
        if !more {
            return (tickets, cursor);
        }
    }
}

async fn cursor(display: &mut Terminal) -> String {
    display.get("/kds/queue").await.header("x-cursor").expect("a cursor").to_owned()
}

/// The path of a ticket, or of something under it (`/start`).
fn at(ticket: &Value, below: &str) -> String {
    format!("/kds/tickets/{}{below}", ticket["id"].as_str().expect("a ticket has an id"))
}

async fn done(display: &mut Terminal, ticket: &Value, action: &str) -> Value {
    display.post(at(ticket, action), json!({})).await.expect(200)
}

/// A shop with a display and one ticket.
async fn with_ticket() -> (Shop, Terminal, Value, Value) {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let order = sent_by(&mut shop.till, 2).await;
    let tickets = queue(&mut display).await;
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    (shop, display, order, tickets[0].clone())
}

#[tokio::test]
async fn l5_what_is_sent_becomes_a_ticket_with_all_a_cook_needs() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let order =
        json!({ "tableId": "table-5", "orderType": "dine_in", "notes": "birthday", "items": [cake_with_cream(2)] });
    let order = shop.till.post("/pos/orders", order).await.expect(201);
    assert_eq!(queue(&mut display).await, [] as [Value; 0], "not sent yet");
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.must_be(200);
    let ticket = queue(&mut display).await.remove(0);
    assert_eq!((&ticket["orderId"], &ticket["orderNumber"]), (&order["id"], &order["orderNumber"]));
    assert_eq!((&ticket["station"], &ticket["status"]), (&json!("kitchen"), &json!("QUEUED")));
    assert_eq!((&ticket["tableId"], &ticket["orderType"]), (&json!("table-5"), &json!("dine_in")));
    assert_eq!((&ticket["waiterName"], &ticket["slaState"]), (&json!("Till 1"), &json!("GREEN")));
    assert_eq!((&ticket["version"], &ticket["generation"]), (&json!(1), &json!(1)));
    assert_eq!((&ticket["notes"], &ticket["storeId"]), (&json!("birthday"), &order["storeId"]));
    assert_eq!(ticket["sentAt"], ticket["updatedAt"]);
    assert_eq!(
        (&ticket["startedAt"], &ticket["readyAt"], &ticket["servedAt"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let item = &ticket["items"][0];
    assert_eq!((&item["name"], &item["quantity"], &item["cancelled"]), (&json!("Cake"), &json!(2), &json!(0)));
    assert_eq!((&item["modifiers"], &item["notes"]), (&json!(["Cream"]), &json!("on the side")));
    assert_eq!(item["lineId"], order["items"][0]["lineId"]);
    let shown = display.get(at(&ticket, "")).await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(shown.expect(200), ticket);
}

#[tokio::test]
async fn l5_only_what_is_new_is_fired_again() {
    let (mut shop, mut display, order, first) = with_ticket().await;
    let line = &order["items"][0]["lineId"];
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.must_be(200);
    assert_eq!(queue(&mut display).await.len(), 1, "nothing was new");
    let more = json!({ "changeItems": [{ "lineId": line, "quantityDelta": 1 }], "addItems": [cake_with_cream(1)] });
    shop.till.patch(of(&order, ""), more).await.must_be(200);
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.must_be(200);
    let tickets = queue(&mut display).await;
    assert_eq!(tickets.len(), 2);
    assert_eq!(tickets[0], first, "oldest first, and as it was");
    let items: Vec<(&Value, &Value)> =
        tickets[1]["items"].as_array().unwrap().iter().map(|item| (&item["name"], &item["quantity"])).collect();
    assert_eq!(items, [(&json!("Coffee"), &json!(1)), (&json!("Cake"), &json!(1))]);
}

#[tokio::test]
async fn l5_a_ticket_names_the_employee_who_sent_it() {
    let shop = Shop::open("kitchen").await;
    let mut anna = shop.staff("anna").await;
    let mut display = shop.terminal("Grill", "kds").await;
    sent_by(&mut anna, 1).await;
    assert_eq!(queue(&mut display).await[0]["waiterName"], "anna");
}

/// S2 §11.1: a till takes an order while it is cut off and replays it; the order appears and the kitchen gets it once.
#[tokio::test]
async fn l5_a_till_that_was_cut_off_replays_and_the_kitchen_gets_one_ticket() {
    let shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let mut till = shop.terminal("Handheld", "handheld").await;
    let since = cursor(&mut display).await;
    let id = "0199c0de-0000-7000-8000-00000000abcd";
    let order = json!({ "id": id, "items": [coffee(1)] });
    let send = format!("/pos/orders/{id}/send-to-kitchen");
    for _ in 0..3 {
        till.hang_up();
        till.post("/pos/orders", order.clone()).key("held-back-1").await.must_be(201);
        till.post(&send, json!({})).key("held-back-2").await.must_be(200);
    }
    let (tickets, _) = delta(&mut display, &since).await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["orderId"], id);
}

/// S2 §11.2: a display has ten tickets, loses the network, marks three as ready, and replays; the others see it.
#[tokio::test]
async fn l5_tickets_marked_while_the_display_was_away_are_replayed_and_others_see_it() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let mut other = shop.terminal("Pass", "kds").await;
    for _ in 0..10 {
        sent_by(&mut shop.till, 1).await;
    }
    let cached = queue(&mut display).await;
    assert_eq!(cached.len(), 10);
    let since = cursor(&mut other).await;
    display.hang_up();
    // One of the three was marked by the other display meanwhile.
    done(&mut other, &cached[1], "/mark-ready").await;
    let mut answers: Vec<Answer> = Vec::new();
    for (number, ticket) in cached[..3].iter().enumerate() {
        let key = format!("held-back-{number}");
        answers.push(display.post(at(ticket, "/mark-ready"), json!({ "generation": 1 })).key(&key).await);
    }
    for answer in &answers {
        answer.must_be(200);
        assert_eq!(answer.body["status"], "READY");
    }
    // The network was lost once more before the answers came.
    for (number, ticket) in cached[..3].iter().enumerate() {
        let key = format!("held-back-{number}");
        let again = display.post(at(ticket, "/mark-ready"), json!({ "generation": 1 })).key(&key).await;
        again.replays(&answers[number]);
    }
    let (seen, since) = delta(&mut other, &since).await;
    let ready: BTreeSet<&str> = seen.iter().filter_map(|ticket| ticket["id"].as_str()).collect();
    assert_eq!(ready, cached[..3].iter().filter_map(|ticket| ticket["id"].as_str()).collect());
    assert!(seen.iter().all(|ticket| ticket["status"] == "READY" && ticket["version"] == 2), "{seen:?}");
    assert_eq!(delta(&mut other, &since).await.0, [] as [Value; 0], "each is told once");
}

#[tokio::test]
async fn l5_marking_ready_twice_is_answered_and_changes_nothing() {
    let (_shop, mut display, _, ticket) = with_ticket().await;
    let first = done(&mut display, &ticket, "/mark-ready").await;
    assert_eq!((&first["status"], &first["version"]), (&json!("READY"), &json!(2)));
    assert!(first["readyAt"].is_string());
    assert_eq!(done(&mut display, &ticket, "/mark-ready").await, first);
    assert_eq!(done(&mut display, &ticket, "/start").await, first, "it is further already");
}

#[tokio::test]
async fn l5_a_word_that_changed_nothing_is_replayed_as_it_was_answered() {
    let (_shop, mut display, _, ticket) = with_ticket().await;
    let first = display.post(at(&ticket, "/recall"), json!({})).key("nothing").await;
    first.must_be(200);
    assert_eq!(first.body, ticket, "it was never away");
    done(&mut display, &ticket, "/start").await;
    display.post(at(&ticket, "/recall"), json!({})).key("nothing").await.replays(&first);
    let other = display.post(at(&ticket, "/recall"), json!({ "generation": 1 })).key("nothing").await;
    other.conflict("IDEMPOTENCY_MISMATCH");
    assert_eq!(other.body["existingResource"]["id"], ticket["id"]);
}

#[tokio::test]
async fn l5_two_displays_race_and_the_ticket_moves_once() {
    let (mut shop, display, _, ticket) = with_ticket().await;
    let other = shop.terminal("Pass", "kds").await;
    let mut racers = Vec::new();
    for number in 0..12 {
        let mut racer = if number % 2 == 0 { display.twin() } else { other.twin() };
        let path = at(&ticket, "/mark-ready");
        racers.push(tokio::spawn(async move { racer.post(path, json!({})).await.expect(200) }));
    }
    for racer in racers {
        let answer = racer.await.unwrap();
        assert_eq!((&answer["status"], &answer["version"]), (&json!("READY"), &json!(2)));
    }
    let events = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
    let told = events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "ticket.ready").count();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn l5_a_recall_is_seen_in_the_delta_and_in_the_queue() {
    let (_shop, mut display, _, ticket) = with_ticket().await;
    let since = cursor(&mut display).await;
    let served = done(&mut display, &ticket, "/bump").await;
    assert_eq!(served["status"], "SERVED");
    assert_eq!(served["readyAt"], served["servedAt"], "a bump says that it was ready too");
    assert_eq!(queue(&mut display).await, [] as [Value; 0]);
    let (seen, since) = delta(&mut display, &since).await;
    assert_eq!(seen, [served], "what was served is in the delta");
    let recalled = done(&mut display, &ticket, "/recall").await;
    assert_eq!((&recalled["status"], &recalled["generation"]), (&json!("IN_PROGRESS"), &json!(2)));
    assert_eq!((&recalled["readyAt"], &recalled["servedAt"]), (&Value::Null, &Value::Null));
    assert_eq!(delta(&mut display, &since).await.0, from_ref(&recalled));
    assert_eq!(queue(&mut display).await, from_ref(&recalled));
    // What a display held back from before the recall does not reach the new generation.
    let late = display.post(at(&ticket, "/serve"), json!({ "generation": 1 })).await.expect(200);
    assert_eq!(late, recalled);
    let again = display.post(at(&ticket, "/serve"), json!({ "generation": 2 })).await.expect(200);
    assert_eq!(again["status"], "SERVED");
}

#[tokio::test]
async fn l5_the_queue_comes_in_pages_oldest_first() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let mut orders = Vec::new();
    for _ in 0..7 {
        orders.push(sent_by(&mut shop.till, 1).await["id"].clone());
    }
    for filter in ["station=kitchen&", ""] {
        let mut listed = Vec::new();
        let mut path = format!("/kds/queue?{filter}limit=3");
        let mut sizes = Vec::new();
        let last = loop {
            let page = display.get(&path).await;
            let cursor = page.header("x-cursor").unwrap().to_owned();
            let more = page.header("x-more") == Some("true");
            let tickets = list(page.expect(200));
            sizes.push(tickets.len());
            listed.extend(tickets.into_iter().map(|ticket| ticket["orderId"].clone()));
            if !more {
                break cursor;
            }
            path = format!("/kds/queue?{filter}limit=3&since={cursor}");
        };
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(listed, orders);
        assert_eq!(delta(&mut display, &last).await.0, [] as [Value; 0]);
    }
    assert_eq!(display.get("/kds/queue?station=bar").await.expect(200), json!([]));
    let earliest = display.get("/kds/queue?since=earliest").await.expect(200);
    assert_eq!(list(earliest).len(), 7);
}

#[tokio::test]
async fn l5_a_display_that_names_a_time_sees_what_changed_since() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    for _ in 0..3 {
        sent_by(&mut shop.till, 1).await;
    }
    let tickets = queue(&mut display).await;
    let served = done(&mut display, &tickets[1], "/serve").await;
    let since = |time: &Value| format!("/kds/queue?station=kitchen&since={}", time.as_str().unwrap());
    let changed = list(display.get(since(&served["updatedAt"])).await.expect(200));
    assert!(changed.contains(&served), "the time itself counts: {changed:?}");
    // A display's first question, as S2 has it.
    let all = list(display.get("/kds/queue?station=kitchen&since=2025-11-21T00:00:00Z").await.expect(200));
    assert_eq!(all.len(), 3, "{all:?}");
    // More than one answer holds: what is open matters most.
    let few = display.get("/kds/queue?station=kitchen&since=2025-11-21T00:00:00Z&limit=2").await;
    assert_eq!(few.header("x-more"), Some("false"));
    let few = list(few.expect(200));
    assert!(few.len() == 2 && few.iter().all(|ticket| ticket["status"] == "QUEUED"), "{few:?}");
}

#[tokio::test]
async fn l5_a_cursor_of_another_box_is_410_with_where_to_go_on() {
    let (_shop, mut display, _, ticket) = with_ticket().await;
    let gone = display.get("/kds/queue?since=00000000-1").await;
    gone.refused(410);
    assert_eq!(gone.body["conflictType"], "CURSOR_EXPIRED");
    let started = done(&mut display, &ticket, "/start").await;
    assert_eq!(delta(&mut display, &gone.text("cursor")).await.0, [started]);
}

#[tokio::test]
async fn l5_the_order_follows_its_tickets_and_never_goes_back() {
    let (mut shop, mut display, order, first) = with_ticket().await;
    shop.till.patch(of(&order, ""), json!({ "addItems": [cake_with_cream(1)] })).await.must_be(200);
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.must_be(200);
    let second = queue(&mut display).await.remove(1);
    let mut status = async || shop.till.get(of(&order, "")).await.expect(200)["status"].clone();
    done(&mut display, &first, "/start").await;
    assert_eq!(status().await, "preparing");
    done(&mut display, &first, "/mark-ready").await;
    assert_eq!(status().await, "preparing", "the cake is missing");
    done(&mut display, &second, "/mark-ready").await;
    assert_eq!(status().await, "ready");
    done(&mut display, &second, "/recall").await;
    assert_eq!(status().await, "ready", "an order never goes back");
    shop.till.post(of(&order, "/close"), cash(5_000)).await.must_be(200);
    let closed = shop.till.get(of(&order, "")).await.expect(200);
    let served = done(&mut display, &second, "/serve").await;
    assert_eq!(served["status"], "SERVED", "what is paid is still brought out");
    assert_eq!(shop.till.get(of(&order, "")).await.expect(200), closed, "and stays closed");
    let events = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
    let told = events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "order.progressed").count();
    assert_eq!(told, 2, "preparing and ready, once each");
}

#[tokio::test]
async fn l5_what_is_voided_is_taken_off_the_rail() {
    let (shop, mut display, order, ticket) = with_ticket().await;
    let since = cursor(&mut display).await;
    let mut manager = shop.manager().await;
    manager.post(of(&order, "/void"), json!({ "reason": "guest left" })).await.must_be(200);
    assert_eq!(queue(&mut display).await, [] as [Value; 0]);
    let (seen, _) = delta(&mut display, &since).await;
    assert_eq!((&seen[0]["id"], &seen[0]["status"]), (&ticket["id"], &json!("VOIDED")));
    for action in ["/start", "/mark-ready", "/serve", "/bump", "/recall"] {
        let refused = display.post(at(&ticket, action), json!({})).await;
        refused.conflict_with_state("INVALID_STATE_TRANSITION", &seen[0]);
    }
}

#[tokio::test]
async fn l5_what_is_taken_off_the_order_shows_on_its_ticket() {
    let (shop, mut display, order, ticket) = with_ticket().await;
    let line = &order["items"][0]["lineId"];
    let mut manager = shop.manager().await;
    let fewer =
        json!({ "changeItems": [{ "lineId": line, "quantityDelta": -1, "notes": "decaf" }], "reason": "one less" });
    manager.patch(of(&order, ""), fewer).await.must_be(200);
    let changed = queue(&mut display).await.remove(0);
    assert_eq!((&changed["id"], &changed["version"]), (&ticket["id"], &json!(2)));
    let item = &changed["items"][0];
    assert_eq!((&item["quantity"], &item["cancelled"], &item["notes"]), (&json!(2), &json!(1), &json!("decaf")));
    let moved = json!({ "version": 3, "tableId": "table-6" });
    manager.patch(of(&order, ""), moved).await.must_be(200);
    assert_eq!(queue(&mut display).await[0]["tableId"], "table-6", "the guests moved");
    manager.patch(of(&order, ""), json!({ "removeItems": [line], "reason": "none" })).await.must_be(200);
    assert_eq!(queue(&mut display).await, [] as [Value; 0]);
    assert_eq!(display.get(at(&ticket, "")).await.expect(200)["status"], "VOIDED");
}

#[tokio::test]
async fn l5_a_ticket_turns_orange_and_red_while_it_waits() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("kitchen", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    let mut display = shop.till.twin();
    sent_by(&mut shop.till, 1).await;
    for (later, sla) in [("+9m", "GREEN"), ("+11m", "ORANGE"), ("+16m", "RED")] {
        clock.set(later);
        assert_eq!(queue(&mut display).await[0]["slaState"], sla, "after {later}");
    }
    let stations = display.get("/kds/stations").await.expect(200);
    assert_eq!((&stations[0]["red"], &stations[0]["green"]), (&json!(1), &json!(0)));
    let ticket = queue(&mut display).await.remove(0);
    done(&mut display, &ticket, "/mark-ready").await;
    clock.set("+2h");
    assert_eq!(queue(&mut display).await[0]["slaState"], "RED", "its clock has stopped");
}

/// L2, L5: a display that was away for long is answered as it was the first time.
#[tokio::test]
async fn l5_a_repeated_write_says_how_late_the_ticket_was_then() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("kitchen", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    let mut display = shop.till.twin();
    sent_by(&mut shop.till, 1).await;
    let ticket = queue(&mut display).await.remove(0);
    clock.set("+11m");
    let started = display.post(at(&ticket, "/start"), json!({})).key("start").await;
    assert_eq!((started.status, &started.body["slaState"]), (200, &json!("ORANGE")), "{started}");
    clock.set("+16m");
    display.post(at(&ticket, "/start"), json!({})).key("start").await.replays(&started);
    assert_eq!(queue(&mut display).await[0]["slaState"], "RED");
}

#[tokio::test]
async fn l5_stations_say_what_they_have_before_them() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    assert_eq!(display.get("/kds/stations").await.expect(200), json!([]));
    for _ in 0..4 {
        sent_by(&mut shop.till, 1).await;
    }
    let tickets = queue(&mut display).await;
    done(&mut display, &tickets[1], "/start").await;
    done(&mut display, &tickets[2], "/mark-ready").await;
    done(&mut display, &tickets[3], "/serve").await;
    let stations = display.get("/kds/stations").await.expect(200);
    let expected = json!([{
        "station": "kitchen", "open": 3, "queued": 1, "inProgress": 1, "ready": 1,
        "green": 3, "orange": 0, "red": 0, "oldestSentAt": tickets[0]["sentAt"],
    }]);
    assert_eq!(stations, expected);
}

/// L5, L12: kitchen times are counted as they happen.
#[tokio::test]
async fn l5_statistics_tell_how_long_the_kitchen_takes() {
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("kitchen", |config| clock.drive(config)).await;
    shop.till = shop.till.believing_the_key().await;
    let mut display = shop.till.twin();
    // Of a day that no other test's midnight can touch.
    clock.set("@2027-03-05 12:00:00");
    for _ in 0..3 {
        sent_by(&mut shop.till, 1).await;
    }
    let tickets = queue(&mut display).await;
    clock.set("@2027-03-05 12:05:08");
    done(&mut display, &tickets[0], "/mark-ready").await;
    clock.set("@2027-03-05 13:00:08");
    done(&mut display, &tickets[0], "/serve").await;
    done(&mut display, &tickets[1], "/serve").await;
    done(&mut display, &tickets[1], "/recall").await;
    done(&mut display, &tickets[1], "/serve").await;

    let measured = display.get("/kds/statistics?station=kitchen").await.expect(200);
    assert_eq!((&measured["day"], measured["stations"].as_array().unwrap().len()), (&json!("2027-03-05"), 1));
    let station = &measured["stations"][0];
    assert_eq!((&station["station"], &station["recalls"]), (&json!("kitchen"), &json!(1)));
    let preparation = &station["preparation"];
    assert_eq!(preparation["tickets"], 2, "each counts once: {preparation}");
    assert_eq!((&preparation["medianSeconds"], &preparation["p90Seconds"]), (&json!(300), &json!(3_600)));
    let mean = preparation["meanSeconds"].as_f64().unwrap();
    assert!((1_945.0..1_960.0).contains(&mean), "{preparation}");
    assert_eq!(station["serving"]["tickets"], 2);
    let hours: Vec<(&Value, &Value)> =
        station["hours"].as_array().unwrap().iter().map(|hour| (&hour["hour"], &hour["tickets"])).collect();
    assert_eq!(hours, [(&json!(12), &json!(1)), (&json!(13), &json!(1))]);

    let other = display.get("/kds/statistics?day=2027-03-04").await.expect(200);
    assert_eq!(other, json!({ "day": "2027-03-04", "stations": [] }));
    assert_eq!(display.get("/kds/statistics?station=bar").await.expect(200)["stations"], json!([]));
    display.get("/kds/statistics?day=soon").await.refused_field("day");
}

#[tokio::test]
async fn l5_a_power_cut_loses_no_ticket() {
    let (mut shop, mut display, _, ticket) = with_ticket().await;
    let since = cursor(&mut display).await;
    let started = display.post(at(&ticket, "/start"), json!({})).key("before").await;
    shop.running.restart().await;
    display.post(at(&ticket, "/start"), json!({})).key("before").await.replays(&started);
    assert_eq!(queue(&mut display).await, from_ref(&started.body));
    assert_eq!(delta(&mut display, &since).await.0, [started.body]);
}

/// L5, L17: every step of a ticket is an event.
#[tokio::test]
async fn l5_displays_hear_of_every_step() {
    let mut shop = Shop::open("kitchen").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let mut stream = EventStream::open(&display, None).await;
    sent_by(&mut shop.till, 1).await;
    let ticket = queue(&mut display).await.remove(0);
    for action in ["/start", "/mark-ready", "/serve", "/recall"] {
        done(&mut display, &ticket, action).await;
    }
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|last| last != "ticket.recalled") {
        let event = stream.next().await;
        if event.kind.starts_with("ticket.") {
            assert_eq!(event.data["entity"], json!({ "type": "ticket", "id": ticket["id"] }));
            kinds.push(event.kind);
        }
    }
    assert_eq!(kinds, ["ticket.created", "ticket.started", "ticket.ready", "ticket.served", "ticket.recalled"]);
}

#[tokio::test]
async fn l5_bad_requests_are_told_what_is_wrong() {
    let (shop, mut display, _, ticket) = with_ticket().await;
    for path in ["/kds/queue?limit=0", "/kds/queue?limit=501"] {
        display.get(path).await.refused_field("limit");
    }
    display.get("/kds/queue?since=yesterday").await.refused_field("since");
    display.get("/kds/queue?since=").await.refused_field("since");
    display.get("/kds/queue?station=").await.refused(422);
    display.get("/kds/queue?colour=red").await.refused_field("colour");
    for id in ["x", "0199c0de-0000-7000-8000-000000000000"] {
        display.get(format!("/kds/tickets/{id}")).await.refused(404);
        display.post(format!("/kds/tickets/{id}/start"), json!({})).await.refused(404);
    }
    display.post(at(&ticket, "/start"), json!({ "generation": 0 })).await.refused_field("generation");
    display.post(at(&ticket, "/start"), json!({ "generation": "first" })).await.refused_field("generation");
    display.post(at(&ticket, "/start"), json!({ "colour": "red" })).await.refused_field("colour");
    display.post(at(&ticket, "/burn"), json!({})).await.refused(404);
    display.call(Method::DELETE, at(&ticket, "")).await.refused(405);
    let mut kiosk = shop.terminal("Kiosk", "kiosk").await;
    for path in ["/kds/queue", "/kds/stations", "/kds/statistics", at(&ticket, "").as_str()] {
        kiosk.get(path).await.refused(403);
    }
    kiosk.post(at(&ticket, "/serve"), json!({})).await.refused(403);
    let mut stranger = Terminal::newcomer(shop.running.door());
    stranger.get("/kds/queue").await.refused(401);
    assert_eq!(queue(&mut display).await, [ticket], "nothing was changed");
}

#[tokio::test]
async fn l22_the_kitchens_paths_are_described() {
    let mut shop = Shop::open("kitchen").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    let ticket =
        ["start", "mark-ready", "serve", "bump", "recall"].map(|action| format!("/kds/tickets/{{id}}/{action}"));
    let described = |path: &str, method: &str| document["paths"][path][method]["responses"]["200"].is_object();
    assert!(ticket.iter().all(|path| described(path, "post")));
    for path in ["/kds/queue", "/kds/tickets/{id}", "/kds/stations", "/kds/statistics"] {
        assert!(described(path, "get"), "{path}");
    }
}
