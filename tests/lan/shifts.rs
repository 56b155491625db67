//! Clocking in and out: everything is accepted, overlaps are flagged (L8).

use serde_json::{Value, json};
use storebox_tests::{STAFF_PIN, Shop};

/// An RFC 3339 time on a day long ago.
fn on_monday(hour: u32) -> String {
    format!("2026-01-05T{hour:02}:00:00.000Z")
}

fn flags(shifts: &Value) -> Vec<(bool, bool)> {
    let flag = |shift: &Value, name: &str| shift[name].as_bool().unwrap();
    shifts.as_array().unwrap().iter().map(|s| (flag(s, "flagged"), flag(s, "flaggedOverlap"))).collect()
}

#[tokio::test]
async fn l8_somebody_signed_in_clocks_in_and_out() {
    let shop = Shop::open("shifts").await;
    let mut anna = shop.staff("anna").await;
    let answer = anna.post("/api/shifts/clock-in", json!({ "notes": "early" })).key("in").await;
    anna.post("/api/shifts/clock-in", json!({ "notes": "early" })).key("in").await.replays(&answer);
    let began = answer.expect(201);
    assert_eq!((&began["clockOut"], &began["flagged"]), (&Value::Null, &json!(false)));
    assert_eq!(began["clockIn"]["by"], began["employeeId"]);
    assert_eq!(began["clockIn"]["deviceId"], shop.till.device_id.as_str());
    let ended = anna.post("/api/shifts/clock-out", json!({})).await.expect(200);
    assert_eq!((&ended["id"], &ended["version"]), (&began["id"], &json!(2)));
    assert_eq!((&ended["clockIn"], &ended["notes"]), (&began["clockIn"], &json!("early")));
    assert_eq!(anna.get("/api/shifts").await.expect(200), json!([ended]));
    let today = &ended["clockIn"]["at"].as_str().unwrap()[..10];
    assert_eq!(anna.get(format!("/api/shifts?day={today}")).await.expect(200), json!([ended]));
    assert_eq!(anna.get("/api/shifts?day=2026-01-05").await.expect(200), json!([]));
}

#[tokio::test]
async fn l8_clocking_in_twice_is_accepted_and_both_are_flagged() {
    let shop = Shop::open("shifts").await;
    let mut anna = shop.staff("anna").await;
    let at = |hour| json!({ "at": on_monday(hour) });
    anna.post("/api/shifts/clock-in", at(9)).await.must_be(201);
    let second = anna.post("/api/shifts/clock-in", at(13)).await.expect(201);
    assert_eq!(second["flaggedOverlap"], true);
    let both = anna.get("/api/shifts").await.expect(200);
    assert_eq!(flags(&both), [(true, true), (true, true)]);
    // The event that was missing comes late, from a till that was away.
    let late = anna.post("/api/shifts/clock-out", at(12)).await.expect(200);
    assert_eq!((&late["id"], &late["flagged"]), (&both[1]["id"], &json!(false)));
    assert_eq!(flags(&anna.get("/api/shifts?employee=anna").await.expect(200)), [(false, false), (false, false)]);
}

#[tokio::test]
async fn l8_clocking_out_without_in_is_accepted_and_flagged() {
    let mut shop = Shop::open("shifts").await;
    shop.staff("anna").await;
    // With the PIN, at a till where nobody is signed in.
    let who = |hour| json!({ "employee": "anna", "pin": STAFF_PIN, "at": on_monday(hour) });
    let out = shop.till.post("/api/shifts/clock-out", who(17)).await.expect(201);
    assert_eq!((&out["clockIn"], &out["flagged"], &out["flaggedOverlap"]), (&Value::Null, &json!(true), &json!(false)));
    let found = shop.till.post("/api/shifts/clock-in", who(9)).await.expect(200);
    assert_eq!((&found["id"], &found["flagged"]), (&out["id"], &json!(false)));
}

#[tokio::test]
async fn l8_two_tills_clock_one_person_in_at_once() {
    let shop = Shop::open("shifts").await;
    let anna = shop.staff("anna").await;
    let mut racers = Vec::new();
    for _ in 0..6 {
        let mut till = anna.twin();
        racers.push(tokio::spawn(async move { till.post("/api/shifts/clock-in", json!({})).await }));
    }
    for racer in racers {
        racer.await.unwrap().must_be(201);
    }
    let shifts = anna.twin().get("/api/shifts").await.expect(200);
    assert_eq!(flags(&shifts), [(true, true); 6]);
}

#[tokio::test]
async fn l8_only_managers_clock_others_and_see_them() {
    let mut shop = Shop::open("shifts").await;
    let mut anna = shop.staff("anna").await;
    let mut bert = shop.staff("bert").await;
    let mut manager = shop.manager().await;
    let for_anna = json!({ "employee": "anna", "at": on_monday(9) });
    bert.post("/api/shifts/clock-in", for_anna.clone()).await.refused(403);
    bert.post("/api/shifts/clock-in", json!({ "employee": "nobody" })).await.refused(403);
    shop.till.post("/api/shifts/clock-in", for_anna.clone()).await.refused(403);
    shop.till.post("/api/shifts/clock-in", json!({ "employee": "anna", "pin": "000001" })).await.refused(401);
    let mended = manager.post("/api/shifts/clock-in", for_anna).await.expect(201);
    assert_ne!(mended["clockIn"]["by"], mended["employeeId"]);
    anna.post("/api/shifts/clock-in", json!({})).await.must_be(201);

    assert_eq!(flags(&manager.get("/api/shifts").await.expect(200)), [(true, true), (true, true)]);
    assert_eq!(bert.get("/api/shifts").await.expect(200), json!([]));
    bert.get("/api/shifts?employee=anna").await.refused(403);
    shop.till.get("/api/shifts").await.refused(403);
    let of_anna = format!("/api/shifts?employee={}&limit=1", mended["employeeId"].as_str().unwrap());
    assert_eq!(manager.get(of_anna).await.expect(200).as_array().unwrap().len(), 1);
    let audit = shop.owner().await.get("/api/audit?limit=1000").await.expect(200);
    let noted = |entry: &Value| entry["what"] == "shift.clocked_in_for_another" && entry["about"] == "anna";
    assert!(audit.as_array().unwrap().iter().any(noted), "{audit}");
}

#[tokio::test]
async fn l8_bad_clock_events_are_refused_in_words() {
    let mut shop = Shop::open("shifts").await;
    let mut manager = shop.manager().await;
    for (member, value) in [
        ("at", json!("2999-01-01T00:00:00Z")),
        ("at", json!("nine o'clock")),
        ("notes", json!("x".repeat(1_001))),
        ("employee", json!("")),
        ("pin", json!("12")),
        ("wage", json!(7)),
    ] {
        manager.post("/api/shifts/clock-in", json!({ member: value })).await.refused_field(member);
    }
    manager.post("/api/shifts/clock-out", json!({ "employee": "nobody" })).await.refused(404);
    shop.till.post("/api/shifts/clock-in", json!({})).await.refused_field("employee");
    shop.till.post("/api/shifts/clock-in", json!({ "pin": STAFF_PIN })).await.refused_field("employee");
    for (query, field) in [("day=today", "day"), ("limit=501", "limit"), ("employee=", "employee"), ("week=3", "week")]
    {
        manager.get(format!("/api/shifts?{query}")).await.refused_field(field);
    }
    manager.get("/api/shifts?employee=nobody").await.refused(404);
}
