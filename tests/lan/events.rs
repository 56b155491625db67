//! The event log by polling (L16, L17).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storebox_tests::sample::{cash, coffee, two_coffees};
use storebox_tests::{Shop, Terminal, of};

async fn cursor(terminal: &mut Terminal) -> String {
    terminal.get("/api/sync/events").await.text("cursor")
}

/// Everything since `cursor`, page by page.
async fn all_since(terminal: &mut Terminal, cursor: &str) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), cursor.to_owned());
    loop {
        let page = terminal.get(format!("/api/sync/events?since={cursor}&limit=100")).await.expect(200);
        let found = page["events"].as_array().expect("events").clone();
        page["cursor"].as_str().expect("a cursor").clone_into(&mut cursor);
        if found.is_empty() {
            return events;
        }
        events.extend(found);
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().expect("a kind")).collect()
}

#[tokio::test]
async fn l17_every_change_of_an_order_is_an_event() {
    let mut shop = Shop::open("events").await;
    let before = shop.till.get("/api/sync/events").await.expect(200);
    assert_eq!(before["events"], json!([]), "without a cursor there is only the current one");
    let before = before["cursor"].as_str().unwrap().to_owned();

    let order = shop.order().await;
    shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.must_be(200);
    shop.till.post(of(&order, "/send-to-kitchen"), json!({})).await.must_be(200);
    let closed = shop.till.post(of(&order, "/close"), cash(5_000)).await.expect(200);
    let voided = shop.voided_order().await;
    let display = shop.terminal("Kitchen", "kds").await;

    let events = all_since(&mut shop.till, &before).await;
    assert_eq!(
        kinds(&events),
        [
            "order.created",
            "order.updated",
            "order.sent",
            "ticket.created",
            "order.closed",
            "order.created",
            "order.voided",
            "device.paired"
        ]
    );
    for (event, order) in [(&events[4], &closed), (&events[6], &voided)] {
        assert_eq!(event["entity"], json!({ "type": "order", "id": order["id"] }));
        assert_eq!(event["deviceId"], shop.till.device_id.as_str());
        assert_eq!(event["data"]["version"], order["version"]);
        assert_eq!(event["data"]["status"], order["status"]);
        assert_eq!(event["data"]["total"], order["total"]);
        assert_eq!(event["data"]["orderNumber"], order["orderNumber"]);
    }
    assert_eq!(events[7]["entity"], json!({ "type": "device", "id": display.device_id }));
    assert!(!events[7].to_string().contains(&display.token), "a token is nobody else's business");
    for pair in events.windows(2) {
        assert!(pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64(), "{pair:?}");
        assert!(pair[0]["at"].as_str() <= pair[1]["at"].as_str(), "{pair:?}");
    }
}

#[tokio::test]
async fn l16_every_event_carries_the_cursor_to_go_on_from() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    for _ in 0..5 {
        shop.order().await;
    }
    let events = all_since(&mut shop.till, &start).await;
    assert_eq!(events.len(), 5);
    for (at, event) in events.iter().enumerate() {
        let since = event["cursor"].as_str().unwrap();
        assert_eq!(all_since(&mut shop.till, since).await, events[at + 1..]);
    }
    let page = shop.till.get(format!("/api/sync/events?since={start}&limit=2")).await.expect(200);
    assert_eq!(page["events"], json!(events[..2]));
    assert_eq!(page["cursor"], events[1]["cursor"]);
    let earliest = shop.till.get("/api/sync/events?since=earliest&limit=500").await.expect(200);
    let earliest = earliest["events"].as_array().unwrap();
    assert!(earliest.ends_with(&events), "all that are kept, the newest last");
    assert!(kinds(earliest).contains(&"device.paired"));
}

#[tokio::test]
async fn l16_events_are_in_the_order_of_the_commits() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    let mut tills = Vec::new();
    for _ in 0..8 {
        let mut till = shop.till.twin();
        tills.push(tokio::spawn(async move {
            for _ in 0..10 {
                let order = till.post("/pos/orders", two_coffees()).await.expect(201);
                till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.must_be(200);
                till.post(of(&order, "/close"), cash(9_000)).await.must_be(200);
            }
        }));
    }
    // A reader that follows while they write misses nothing and sees nothing twice.
    let mut reader = shop.till.twin();
    let (mut seen, mut since) = (Vec::new(), start.clone());
    while seen.len() < 240 {
        let page = reader.get(format!("/api/sync/events?since={since}&wait=10")).await.expect(200);
        assert_ne!(page["events"], json!([]), "the writers are still at it: {} seen", seen.len());
        page["cursor"].as_str().unwrap().clone_into(&mut since);
        seen.extend(page["events"].as_array().unwrap().clone());
    }
    for till in tills {
        till.await.unwrap();
    }
    assert_eq!(seen, all_since(&mut shop.till, &start).await);

    let mut versions = HashMap::new();
    let mut numbers = Vec::new();
    for event in &seen {
        let version = versions.entry(event["entity"]["id"].to_string()).or_insert(0);
        *version += 1;
        assert_eq!(event["data"]["version"], *version, "{event}");
        if event["kind"] == "order.created" {
            numbers.push(event["data"]["orderNumber"].as_str().unwrap().to_owned());
        }
    }
    assert!(numbers.is_sorted() && numbers.len() == 80, "numbers are given in the order of the commits: {numbers:?}");
}

#[tokio::test]
async fn l16_a_waiting_poll_is_answered_as_soon_as_something_happens() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    let mut waiting = shop.till.twin();
    let path = format!("/api/sync/events?since={start}&wait=20");
    let poll = tokio::spawn(async move { (waiting.get(path).await, Instant::now()) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!poll.is_finished(), "nothing happened yet");
    let sold = Instant::now();
    let order = shop.order().await;
    let (answer, answered) = poll.await.unwrap();
    assert!(answered - sold < Duration::from_secs(2), "{:?}", answered - sold);
    assert_eq!(answer.expect(200)["events"][0]["entity"]["id"], order["id"]);
}

#[tokio::test]
async fn l16_a_poll_waits_no_longer_than_asked_and_keeps_its_cursor() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    let started = Instant::now();
    let quiet = shop.till.get(format!("/api/sync/events?since={start}&wait=1")).await.expect(200);
    let took = started.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&took), "{took:?}");
    assert_eq!(quiet, json!({ "events": [], "cursor": start }));
    let started = Instant::now();
    shop.till.get(format!("/api/sync/events?since={start}")).await.must_be(200);
    assert!(started.elapsed() < Duration::from_millis(900), "without `wait` it does not wait");
}

#[tokio::test]
async fn l16_events_and_cursors_survive_a_kill() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    shop.order().await;
    shop.order().await;
    let before = all_since(&mut shop.till, &start).await;
    shop.running.restart().await;
    assert_eq!(all_since(&mut shop.till, &start).await[..2], before);
    let order = shop.order().await;
    let after = all_since(&mut shop.till, &start).await;
    let last = after.last().unwrap();
    assert_eq!(last["entity"]["id"], order["id"]);
    assert!(last["seq"].as_u64() > before[1]["seq"].as_u64(), "numbers are never given twice");
}

#[tokio::test]
async fn l16_a_cursor_of_another_box_is_410_with_one_to_go_on_from() {
    let mut shop = Shop::open("events").await;
    let mut other = Shop::open("events").await;
    other.order().await;
    let foreign = cursor(&mut other.till).await;
    let here = cursor(&mut shop.till).await;
    let answer = shop.till.get(format!("/api/sync/events?since={foreign}")).await;
    answer.refused(410);
    assert_eq!(answer.body["conflictType"], "CURSOR_EXPIRED", "{answer}");
    assert_eq!(answer.body["cursor"], here.as_str(), "{answer}");
    shop.till.get(format!("/pos/orders?since={foreign}")).await.refused(410);
}

#[tokio::test]
async fn l17_changed_settings_are_told() {
    let mut shop = Shop::open("events").await;
    let start = cursor(&mut shop.till).await;
    shop.running.terminate().await;
    shop.running.reconfigure(|config| config.store("name", "\"Corner store\""));
    shop.running.restart().await;
    let events = all_since(&mut shop.till, &start).await;
    let told = events.iter().find(|event| event["kind"] == "settings.changed").expect("an event");
    assert!(told["data"].to_string().contains("Corner store"), "{told}");
    assert_eq!(shop.till.get("/api/local/ping").await.text("name"), "Corner store");
    shop.running.restart().await;
    let later = all_since(&mut shop.till, told["cursor"].as_str().unwrap()).await;
    assert!(!kinds(&later).contains(&"settings.changed"), "unchanged settings are no news: {later:?}");
}
