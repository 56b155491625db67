//! The kitchen's displays.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::hand::Hand;
use super::ledger::text;
use super::menu::below;

/// A display works off its stations until all guests are gone and nothing is left.
pub async fn at_display(mut hand: Hand, stations: &'static [&'static str]) -> [Hand; 1] {
    loop {
        let gone = hand.night.guests_gone.load(Ordering::Acquire);
        let mut left = 0;
        for station in stations {
            let tickets = hand.get(&format!("/kds/queue?station={station}&limit=500")).await.expect(200);
            for ticket in tickets.as_array().unwrap() {
                left += 1;
                work_on(&mut hand, ticket).await;
            }
        }
        if gone && left == 0 {
            return [hand];
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One step of a ticket, or all at once.
async fn work_on(hand: &mut Hand, ticket: &Value) {
    let steps: &[&str] = match ticket["status"].as_str().unwrap() {
        "QUEUED" => &["start", "mark-ready", "bump"],
        "IN_PROGRESS" => &["mark-ready", "bump"],
        "READY" => &["serve"],
        other => panic!("a ticket in the queue is {other}"),
    };
    let step = steps[below(&mut hand.random, steps.len())];
    let Some(after) = act(hand, ticket, step).await else { return };
    if after["status"] == "SERVED" && hand.chance(5) && act(hand, &after, "recall").await.is_some() {
        *hand.night.ledger().recalls.entry(text(ticket, "station")).or_default() += 1;
    }
}

/// What became of it; nothing if the order was voided meanwhile.
async fn act(hand: &mut Hand, ticket: &Value, action: &str) -> Option<Value> {
    let path = format!("/kds/tickets/{}/{action}", text(ticket, "id"));
    let answer = hand.post(path, json!({ "generation": ticket["generation"] })).await;
    if answer.status == 409 {
        answer.conflict("INVALID_STATE_TRANSITION");
        assert_eq!(answer.body["currentState"]["status"], "VOIDED", "{answer}");
        return None;
    }
    let after = answer.expect(200);
    hand.night.ledger().ticket(&after);
    Some(after)
}
