//! The event log as a stream (L16).

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use storebox_tests::sample::coffee;
use storebox_tests::{EventStream, Next, Shop, of};

#[tokio::test]
async fn l16_a_stream_tells_what_happens_while_it_happens() {
    let mut shop = Shop::open("stream").await;
    let mut display = EventStream::open(&shop.till, None).await;
    let order = shop.order().await;
    let created = display.next().await;
    assert_eq!(created.kind, "order.created");
    assert_eq!(created.data["kind"], "order.created");
    assert_eq!(created.data["cursor"], created.id.as_str());
    assert_eq!(created.data["entity"]["id"], order["id"]);
    shop.till.patch(of(&order, ""), json!({ "addItems": [coffee(1)] })).await.must_be(200);
    assert_eq!(display.next().await.kind, "order.updated");

    let polled = shop.till.get("/api/sync/events?since=earliest").await.expect(200);
    let polled = polled["events"].as_array().unwrap();
    assert!(polled.contains(&created.data), "both ways tell the same");
}

#[tokio::test]
async fn l16_a_stream_resumes_where_it_was_cut() {
    let mut shop = Shop::open("stream").await;
    let mut display = EventStream::open(&shop.till, None).await;
    shop.order().await;
    let last = display.next().await;
    drop(display);
    let mut missed = Vec::new();
    for _ in 0..20 {
        missed.push(shop.order().await["id"].clone());
    }
    let mut display = EventStream::open(&shop.till, Some(&last.id)).await;
    missed.push(shop.order().await["id"].clone());
    for id in missed {
        assert_eq!(display.next().await.data["entity"]["id"], id, "each once, in order");
    }
    assert_eq!(display.next_within(Duration::from_millis(300)).await, Next::Quiet);
}

#[tokio::test]
async fn l16_a_stream_resumes_after_a_kill() {
    let mut shop = Shop::open("stream").await;
    let mut display = EventStream::open(&shop.till, None).await;
    shop.order().await;
    let last = display.next().await;
    let missed = shop.order().await;
    shop.running.restart().await;
    let rest = async { while matches!(display.next_within(Duration::from_secs(5)).await, Next::Event(_)) {} };
    rest.await;
    assert_eq!(display.next_within(Duration::from_secs(5)).await, Next::Ended);
    let mut display = EventStream::open(&shop.till, Some(&last.id)).await;
    assert_eq!(display.next().await.data["entity"]["id"], missed["id"]);
}

#[tokio::test]
async fn l16_a_stream_with_a_foreign_cursor_is_told_to_resync_and_goes_on() {
    let mut shop = Shop::open("stream").await;
    let mut other = Shop::open("stream").await;
    other.order().await;
    let foreign = other.till.get("/api/sync/events").await.text("cursor");
    let mut display = EventStream::open(&shop.till, Some(&foreign)).await;
    let resync = display.next().await;
    assert_eq!(resync.kind, "resync");
    let order = shop.order().await;
    let event = display.next().await;
    assert_eq!((event.kind.as_str(), &event.data["entity"]["id"]), ("order.created", &order["id"]));
}

#[tokio::test]
async fn l16_sixty_displays_all_see_every_event_in_order() {
    let mut shop = Shop::open("stream").await;
    let mut displays = Vec::new();
    for _ in 0..60 {
        displays.push(EventStream::open(&shop.till, None).await);
    }
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(shop.order().await["id"].clone());
    }
    for display in &mut displays {
        for id in &ids {
            assert_eq!(&display.next().await.data["entity"]["id"], id);
        }
    }
}

#[tokio::test]
async fn l16_a_stream_asks_for_a_token() {
    let shop = Shop::open("stream").await;
    let mut stranger = storebox_tests::Terminal::newcomer(shop.running.door());
    let answer = stranger.call(Method::GET, "/api/sync/events").header("accept", "text/event-stream").await;
    answer.refused(401);
}
