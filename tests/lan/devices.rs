//! The terminals: heartbeats, who is there, names, and who may come in no more (L15, L14).

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{EventStream, FakeClock, Next, Shop, Terminal};

async fn device(shop: &mut Shop, id: &str) -> Value {
    let devices = shop.till.get("/api/local/devices").await.expect(200);
    let found = devices.as_array().expect("a list").iter().find(|device| device["deviceId"] == id);
    found.unwrap_or_else(|| panic!("no device {id} in {devices}")).clone()
}

fn at(terminal: &Terminal) -> String {
    format!("/api/local/devices/{}", terminal.device_id)
}

#[tokio::test]
async fn l15_a_heartbeat_shows_among_the_devices() {
    let mut shop = Shop::open("devices").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let id = display.device_id.clone();
    let fresh = device(&mut shop, &id).await;
    assert_eq!((&fresh["name"], &fresh["kind"]), (&json!("Grill"), &json!("kds")));
    assert_eq!((&fresh["status"], &fresh["address"]), (&json!("online"), &json!("127.0.0.1")));
    assert_eq!((&fresh["pending"], &fresh["syncState"]), (&Value::Null, &json!("unknown")));
    let beat = json!({
        "pending": 3, "lastSyncAt": "2026-01-31T12:00:00.000Z", "signal": -61, "appVersion": "2.7.1", "battery": 80,
    });
    let answer = display.post("/api/local/ping", beat.clone()).await.expect(200);
    assert_eq!((&answer["service"], &answer["limits"]["heartbeatSeconds"]), (&json!("storebox"), &json!(5)));
    assert_eq!(answer["limits"]["backlog"], 100, "L14: a heartbeat tells the limits too");
    let seen = device(&mut shop, &id).await;
    for (member, value) in beat.as_object().unwrap() {
        assert_eq!(&seen[member], value, "{member}");
    }
    assert_eq!((&seen["status"], &seen["syncState"]), (&json!("online"), &json!("pending")));
    assert!(seen["lastSeenAt"].as_str() >= fresh["lastSeenAt"].as_str(), "{seen}");
    display.post("/api/local/ping", json!({ "pending": 0 })).await.must_be(200);
    assert_eq!(device(&mut shop, &id).await["syncState"], "synced");
    let plain = display.call(Method::POST, "/api/local/ping").await;
    plain.must_be(200);
}

#[tokio::test]
async fn l15_every_request_is_a_sign_of_life() {
    let mut shop = Shop::open("devices").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let id = display.device_id.clone();
    shop.running.restart().await;
    let quiet = device(&mut shop, &id).await;
    assert_eq!((&quiet["lastSeenAt"], &quiet["address"]), (&Value::Null, &Value::Null));
    assert_eq!(quiet["status"], "online", "it counts from the start of the box");
    display.get("/pos/orders").await.must_be(200);
    assert!(device(&mut shop, &id).await["lastSeenAt"].is_string());
}

#[tokio::test]
async fn l15_a_heartbeat_that_makes_no_sense_is_refused() {
    let shop = Shop::open("devices").await;
    let mut display = shop.terminal("Grill", "kds").await;
    for (beat, field) in [
        (json!({ "pending": -1 }), "pending"),
        (json!({ "battery": 101 }), "battery"),
        (json!({ "signal": 120 }), "signal"),
        (json!({ "signal": -128 }), "signal"),
        (json!({ "lastSyncAt": "soon" }), "lastSyncAt"),
        (json!({ "appVersion": "" }), "appVersion"),
        (json!({ "mood": "good" }), "mood"),
    ] {
        display.post("/api/local/ping", beat).await.refused_field(field);
    }
    let mut stranger = Terminal::newcomer(shop.running.door());
    stranger.post("/api/local/ping", json!({})).await.must_be(200);
    let mut mistaken = Terminal::newcomer(shop.running.door()).with_token("nobody's");
    mistaken.post("/api/local/ping", json!({})).await.refused(401);
    mistaken.get("/api/local/ping").await.must_be(200);
    mistaken.get("/api/local/devices").await.refused(401);
    let mut kiosk = shop.terminal("Kiosk", "kiosk").await;
    kiosk.get("/api/local/devices").await.refused(403);
}

#[tokio::test]
async fn l15_heartbeats_write_nothing() {
    let mut shop = Shop::open("devices").await;
    let before = shop.till.get("/metrics").await;
    let commits = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        text.lines().find(|line| line.starts_with("storebox_commits")).map(str::to_owned)
    };
    for _ in 0..20 {
        shop.till.post("/api/local/ping", json!({ "pending": 1 })).await.must_be(200);
    }
    let after = shop.till.get("/metrics").await;
    assert!(commits(&before.bytes).is_some());
    assert_eq!(commits(&before.bytes), commits(&after.bytes));
}

#[tokio::test]
async fn l15_a_device_gets_another_name_from_an_admin_only() {
    let mut shop = Shop::open("devices").await;
    let mut display = shop.terminal("Grill", "kds").await;
    let path = at(&display);
    let new = json!({ "name": "Cold station" });
    shop.till.patch(&path, new.clone()).await.refused(403);
    shop.manager().await.patch(&path, new.clone()).await.refused(403);
    let mut owner = shop.owner().await;
    let mut stream = EventStream::open(&shop.till, None).await;
    display.post("/api/local/ping", json!({ "pending": 2 })).await.must_be(200);
    let renamed = owner.patch(&path, new.clone()).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["pending"]), (&json!("Cold station"), &json!(2)));
    let event = stream.next().await;
    assert_eq!(event.kind, "device.renamed");
    assert_eq!(event.data["entity"], json!({ "type": "device", "id": display.device_id }));
    assert_eq!(event.data["data"]["name"], "Cold station");
    owner.patch(&path, new).await.must_be(200);
    assert_eq!(stream.next_within(Duration::from_millis(300)).await, Next::Quiet, "it was so already");
    display.get("/pos/orders").await.must_be(200);
    shop.running.restart().await;
    let id = display.device_id.clone();
    assert_eq!(device(&mut shop, &id).await["name"], "Cold station");

    let mut owner = shop.owner().await;
    owner.patch(&path, json!({ "name": "" })).await.refused_field("name");
    owner.patch(&path, json!({})).await.refused_field("name");
    for unknown in ["x", "0199c0de-0000-7000-8000-000000000000"] {
        owner.patch(format!("/api/local/devices/{unknown}"), json!({ "name": "X" })).await.refused(404);
        owner.call(Method::DELETE, format!("/api/local/devices/{unknown}")).await.refused(404);
    }
}

#[tokio::test]
async fn l15_a_revoked_device_is_out_at_once_and_stays_out() {
    let mut shop = Shop::open("devices").await;
    let mut stolen = shop.terminal("Handheld 7", "handheld").await;
    let path = at(&stolen);
    shop.till.call(Method::DELETE, &path).await.refused(403);
    let mut owner = shop.owner().await;
    let mut its = EventStream::open(&stolen, None).await;
    let mut ours = EventStream::open(&shop.till, None).await;
    let mut waiting = stolen.twin();
    let waiting = tokio::spawn(async move { waiting.get("/api/sync/events?wait=30").await });
    owner.call(Method::DELETE, &path).await.must_be(204);

    let refused = stolen.get("/pos/orders").await;
    refused.refused(401);
    assert!(refused.text("detail").contains("revoked"), "{refused}");
    stolen.post("/api/local/ping", json!({})).await.refused(401);
    let ended = loop {
        match its.next_within(Duration::from_secs(10)).await {
            Next::Event(_) => {}
            other => break other,
        }
    };
    assert_eq!(ended, Next::Ended, "its stream goes with its token");
    let waited = waiting.await.unwrap();
    assert!(matches!(waited.status, 200 | 401), "a poll does not wait on: {waited}");
    let event = ours.next().await;
    assert_eq!(event.kind, "device.revoked");
    assert_eq!(event.data["entity"]["id"], stolen.device_id.as_str());
    assert_eq!(event.data["deviceId"], owner.device_id.as_str(), "who did it");
    owner.call(Method::DELETE, &path).await.refused(404);
    let audited = owner.get("/api/audit?limit=1000").await.expect(200);
    let entry = audited.as_array().unwrap().iter().find(|entry| entry["what"] == "device.revoked").expect("audited");
    assert_eq!((&entry["about"], &entry["role"]), (&json!(stolen.device_id), &json!("admin")));

    shop.running.restart().await;
    stolen.get("/pos/orders").await.refused(401);
    let devices = shop.till.get("/api/local/devices").await.expect(200);
    assert_eq!(devices.as_array().unwrap().len(), 1, "{devices}");
    let again = shop.terminal("Handheld 7", "handheld").await;
    assert_ne!(again.device_id, stolen.device_id);
}

/// The box's monotonic clock is turned too: minutes of silence pass in a moment.
#[tokio::test]
async fn l15_a_silent_device_is_weak_then_offline_and_back_and_each_is_told_once() {
    let clock = FakeClock::new();
    let silence = |config| clock.drive(config).env("DONT_FAKE_MONOTONIC", "0");
    let mut shop = Shop::open_with("devices", silence).await;
    shop.till = shop.till.believing_the_key().await;
    let mut display = shop.terminal("Grill", "kds").await.believing_the_key().await;
    let id = display.device_id.clone();
    let mut seen = Vec::new();
    for (later, status) in [("+130s", "weak"), ("+310s", "offline")] {
        clock.set(later);
        // For the box they were idle for so long.
        shop.till.hang_up();
        display.hang_up();
        assert_eq!(device(&mut shop, &id).await["status"], status, "after {later}");
        seen.push(told(&mut shop, &id, seen.len() + 1).await);
    }
    display.post("/api/local/ping", json!({})).await.must_be(200);
    assert_eq!(device(&mut shop, &id).await["status"], "online");
    seen.push(told(&mut shop, &id, seen.len() + 1).await);
    assert_eq!(seen, ["device.weak", "device.offline", "device.online"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(told(&mut shop, &id, 3).await, "device.online", "and nothing more");
}

/// The last of the events about a device's presence, when there are so many.
async fn told(shop: &mut Shop, id: &str, count: usize) -> String {
    for _ in 0..600 {
        let events = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
        let about = |event: &&Value| event["entity"]["id"] == id && event["kind"] != "device.paired";
        let told: Vec<&Value> = events["events"].as_array().unwrap().iter().filter(about).collect();
        assert!(told.len() <= count, "{told:?}");
        if told.len() == count {
            return told[count - 1]["kind"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no event told of device {id} for a minute");
}

#[tokio::test]
async fn l22_the_devices_paths_are_described() {
    let mut shop = Shop::open("devices").await;
    let document = shop.till.get("/openapi.json").await.expect(200);
    assert!(document["paths"]["/api/local/devices"]["get"]["responses"]["200"].is_object());
    let one = &document["paths"]["/api/local/devices/{id}"];
    assert!(one["patch"]["responses"]["200"].is_object() && one["delete"]["responses"]["204"].is_object(), "{one}");
    assert!(document["paths"]["/api/local/ping"]["post"]["requestBody"].is_object());
}
