//! What one device may ask of the box, and what the box tells it about that (L14).

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;
use storebox_tests::sample::two_coffees;
use storebox_tests::{Raw, Shop};

#[tokio::test]
async fn l14_ping_and_pairing_tell_a_terminal_its_limits() {
    let mut shop = Shop::open("limits").await;
    let ping = shop.till.get("/api/local/ping").await.expect(200);
    assert_eq!(ping["limits"]["backlog"], 100);
    assert_eq!(ping["limits"]["concurrentReplays"], 5);
    assert_eq!(ping["limits"]["bodyBytes"], 262_144);
    assert_eq!(shop.till.paired["limits"], ping["limits"]);
}

#[tokio::test]
async fn l14_a_device_that_asks_too_much_is_told_when_to_come_back() {
    let mut shop = Shop::open_with("limits", |config| config.rate(2, 10)).await;
    let mut calm = shop.terminal("Calm till", "pos").await;
    let mut refused = None;
    for _ in 0..12 {
        let answer = shop.till.post("/pos/orders", two_coffees()).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a burst of ten is not twelve");
    refused.refused(429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds), "at two a second it need not wait {seconds} s");

    calm.get("/pos/orders").await.must_be(200);
    let taken = calm.get("/pos/orders?since=1970-01-01T00:00:00Z").await.expect(200);
    assert!((10..=11).contains(&taken.as_array().unwrap().len()), "a refused order is not taken");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    shop.till.post("/pos/orders", two_coffees()).await.must_be(201);
}

#[tokio::test]
async fn l14_new_connections_do_not_give_a_device_more() {
    let mut shop = Shop::open_with("limits", |config| config.rate(1, 10)).await;
    let mut statuses = Vec::new();
    for _ in 0..15 {
        shop.till.hang_up();
        statuses.push(shop.till.get("/pos/orders").await.status);
    }
    assert!(statuses[..10].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn l14_a_whole_backlog_may_be_replayed_at_the_default_rate() {
    let mut shop = Shop::open_with("limits", |config| config.rate(50, 200)).await;
    let mut replays = Vec::new();
    for lane in 0..5 {
        let mut terminal = shop.till.twin();
        replays.push(tokio::spawn(async move {
            for number in 0..20 {
                let key = format!("backlog-{lane}-{number}");
                terminal.post("/pos/orders", two_coffees()).key(&key).await.must_be(201);
            }
        }));
    }
    for replay in replays {
        replay.await.unwrap();
    }
    assert_eq!(shop.all_orders().await.len(), 100);
}

#[tokio::test]
async fn l14_a_body_may_have_256_kib_and_not_a_byte_more() {
    let mut shop = Shop::open("limits").await;
    let padded = |length: usize| {
        let order = two_coffees().to_string();
        format!("{}{order}", " ".repeat(length - order.len()))
    };
    let fits = shop.till.call(Method::POST, "/pos/orders").body("application/json", padded(262_144)).await;
    fits.must_be(201);
    // Whether the refusal reaches a till that is still sending must not depend on luck.
    for _ in 0..20 {
        let over = shop.till.call(Method::POST, "/pos/orders").body("application/json", padded(262_145)).await;
        over.refused(413);
        shop.till.get("/pos/orders").await.must_be(200);
    }
}

#[tokio::test]
async fn l14_a_body_of_ten_megabytes_is_refused_and_its_sender_told() {
    let mut shop = Shop::open("limits").await;
    let large = vec![b' '; 10 * 1024 * 1024];
    let refused = shop.till.call(Method::POST, "/pos/orders").body("application/json", large).await;
    refused.refused(413);
    shop.till.get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l14_a_body_without_end_is_cut_off() {
    let mut shop = Shop::open("limits").await;
    let mut endless = Raw::connect(shop.running.door()).await;
    let authorization = shop.till.authorization();
    endless
        .write(&format!(
            "POST /pos/orders HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nauthorization: \
             {authorization}\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
        .await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let mut taken = 0;
    while endless.try_write(chunk.as_bytes()).await.is_ok() {
        taken += 1;
        assert!(taken < 1_024, "64 MiB are taken and there is no end to it");
    }
    shop.till.get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l14_a_body_that_never_comes_is_408_and_no_order() {
    let mut shop = Shop::open("limits").await;
    let mut slow = Raw::connect(shop.running.door()).await;
    let authorization = shop.till.authorization();
    slow.write(&format!(
        "POST /pos/orders HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nauthorization: \
         {authorization}\r\ncontent-length: 100\r\n\r\n{{\"items\":["
    ))
    .await;
    let started = Instant::now();
    let answer = slow.answer(Duration::from_secs(25)).await.expect("the box gives up and says so");
    assert_eq!(answer.status, 408, "{}", answer.body);
    assert!(started.elapsed() > Duration::from_secs(5), "a slow radio has time");
    assert!(slow.is_closed(Duration::from_secs(5)).await, "what is left of the body is not read as a request");
    assert_eq!(shop.till.get("/pos/orders").await.expect(200), json!([]));
}

#[tokio::test]
async fn l14_half_a_body_and_a_hang_up_is_no_order() {
    let mut shop = Shop::open("limits").await;
    let whole = two_coffees().to_string();
    let head = format!(
        "POST /pos/orders HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nauthorization: {}\r\n\
         content-length: {}\r\n\r\n",
        shop.till.authorization(),
        whole.len()
    );
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        let mut half = Raw::connect(shop.running.door()).await;
        half.write(&format!("{head}{}", &whole[..cut])).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shop.till.get("/pos/orders").await.expect(200), json!([]));
}
