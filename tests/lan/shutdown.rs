//! Stopping gracefully: what is under way is finished, what is open is closed (B2).

use std::time::Duration;

use storebox_tests::sample::two_coffees;
use storebox_tests::{EventStream, Link, Next, Raw, Shop, Trust};

#[tokio::test]
async fn b2_a_stop_finishes_what_is_under_way_and_closes_streams() {
    let mut shop = Shop::open("shutdown").await;
    let mut display = EventStream::open(&shop.till, None).await;
    let mut waiting = shop.till.twin();
    let since = shop.till.get("/api/sync/events").await.text("cursor");
    let poll = tokio::spawn(async move {
        let asked = waiting.get(format!("/api/sync/events?since={since}&wait=30")).send().await;
        asked.map(|answer| answer.status)
    });
    let body = two_coffees().to_string();
    let (first, second) = body.split_at(20);
    let mut slow = Raw::connect(shop.running.door()).await;
    slow.write(&format!(
        "POST /pos/orders HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nauthorization: {}\r\n\
         content-length: {}\r\n\r\n{first}",
        shop.till.authorization(),
        body.len()
    ))
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;

    shop.running.ask_to_end();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let late = Link::new(shop.running.door(), &Trust::Anyone).open().await;
    assert!(late.is_err(), "a new connection is taken while it stops");
    slow.write(second).await;
    let answer = slow.answer(Duration::from_secs(5)).await.expect("what is under way is finished");
    assert_eq!(answer.status, 201, "{}", answer.body);
    // The order may still be told on the stream before it ends.
    while matches!(display.next_within(Duration::from_secs(10)).await, Next::Event(_)) {}
    assert_eq!(display.next_within(Duration::from_secs(10)).await, Next::Ended);
    let polled = poll.await.unwrap();
    assert!(matches!(polled, Ok(200)), "a poll that waits is answered: {polled:?}");

    let stopped = shop.running.ended().await;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(!shop.running.state("lan/address").exists(), "it still says where it listens");
    shop.running.restart().await;
    assert_eq!(shop.all_orders().await.len(), 1);
}

#[tokio::test]
async fn b2_a_stop_with_nothing_under_way_is_quick() {
    let mut shop = Shop::open("shutdown").await;
    shop.order().await;
    let stopped = shop.running.terminate().await;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.took < Duration::from_secs(3), "idle connections do not hold it up: {:?}", stopped.took);
}

#[tokio::test]
async fn b2_a_client_that_never_finishes_does_not_hold_a_stop_up_for_ever() {
    let mut shop = Shop::open("shutdown").await;
    let mut stuck = Raw::connect(shop.running.door()).await;
    stuck
        .write(&format!(
            "POST /pos/orders HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nauthorization: {}\r\n\
             content-length: 50\r\n\r\n{{",
            shop.till.authorization()
        ))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopped = shop.running.terminate().await;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.took < Duration::from_secs(15), "{:?}", stopped.took);
}

#[tokio::test]
async fn b2_orders_acknowledged_during_a_stop_are_kept() {
    let mut shop = Shop::open("shutdown").await;
    let mut tills = Vec::new();
    for _ in 0..8 {
        let mut till = shop.till.twin();
        tills.push(tokio::spawn(async move {
            let mut told = Vec::new();
            while let Ok(answer) = till.post("/pos/orders", two_coffees()).send().await {
                match answer.status {
                    201 => told.push(answer.body["id"].clone()),
                    503 => break,
                    _ => panic!("{answer}"),
                }
            }
            told
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stopped = shop.running.terminate().await;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    shop.running.restart().await;
    let held: Vec<_> = shop.all_orders().await.into_iter().map(|order| order["id"].clone()).collect();
    for till in tills {
        for id in till.await.unwrap() {
            assert!(held.contains(&id), "{id} was acknowledged");
        }
    }
}
