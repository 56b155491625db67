//! Clients that are slow, silent, too many, or not speaking TLS (L14).

use std::time::{Duration, Instant};

use storebox_tests::sample::two_coffees;
use storebox_tests::{EventStream, Next, Raw, Shop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Reads until the other end hangs up; says how long that took and what came.
async fn until_closed(stream: &mut TcpStream, within: Duration) -> (Duration, Vec<u8>) {
    let started = Instant::now();
    let mut bytes = Vec::new();
    let read = timeout(within, stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "still connected after {within:?}");
    (started.elapsed(), bytes)
}

#[tokio::test]
async fn l14_a_client_that_stays_silent_is_dropped() {
    let mut shop = Shop::open("connections").await;
    let address = shop.running.door().address();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    // The first bytes of a TLS record of 512 bytes that never comes.
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    let (silent, half) = tokio::join!(
        until_closed(&mut silent, Duration::from_secs(20)),
        until_closed(&mut half, Duration::from_secs(20)),
    );
    assert!(silent.1.is_empty() && silent.0 > Duration::from_secs(3), "{silent:?}");
    assert!(half.0 > Duration::from_secs(3), "a slow radio has time: {half:?}");
    shop.till.get("/pos/orders").await.must_be(200);
}

/// A connection over which this was sent is ended by the box, in time and without harm to others.
async fn check_dropped(label: &str, sent: &str) {
    let mut shop = Shop::open("connections").await;
    let mut client = Raw::connect(shop.running.door()).await;
    client.write(sent).await;
    assert!(client.is_closed(Duration::from_secs(75)).await, "{label}: still connected");
    shop.till.get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l14_a_client_that_never_finishes_its_headers_is_dropped() {
    check_dropped("half a head", "GET /health/ HTTP/1.1\r\nhost: b").await;
}

#[tokio::test]
async fn l14_a_client_that_shakes_hands_and_says_nothing_is_dropped() {
    check_dropped("not a byte", "").await;
}

#[tokio::test]
async fn l14_a_client_that_begins_http_2_and_stops_is_dropped() {
    check_dropped("half a preface", "PRI * HTTP/2.0\r\n").await;
}

#[tokio::test]
async fn l14_a_client_that_asked_once_and_then_idles_is_dropped() {
    check_dropped("idle after a request", "GET /api/local/ping HTTP/1.1\r\nhost: box\r\n\r\n").await;
}

#[tokio::test]
async fn l14_a_client_that_takes_no_answer_is_dropped() {
    let mut shop = Shop::open("connections").await;
    let mut deaf = Raw::connect(shop.running.door()).await;
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: box\r\n\r\n";
    let one = shop.till.get("/openapi.json").await.bytes.len();
    // More than any socket buffers: the box gets stuck while it writes.
    let many = 64 * 1024 * 1024 / one;
    // It stops reading the requests as well, so this may not all go through either.
    let _ = timeout(Duration::from_secs(5), deaf.try_write(ask.repeat(many).as_bytes())).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut answers = 0;
    while deaf.answer(Duration::from_secs(2)).await.is_some() {
        answers += 1;
    }
    assert!(answers < many, "the box waited for it");
    assert!(deaf.is_closed(Duration::from_secs(2)).await, "it is still connected after {answers} of {many} answers");
    shop.till.get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l14_more_connections_than_the_box_takes_do_not_stop_the_tills() {
    let mut shop = Shop::open("connections").await;
    let address = shop.running.door().address();
    shop.till.get("/pos/orders").await.must_be(200);
    let mut flood = Vec::new();
    for _ in 0..600 {
        if let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            flood.push(stream);
        }
    }
    assert!(flood.len() >= 512, "the flood is one: {}", flood.len());
    for _ in 0..20 {
        shop.till.post("/pos/orders", two_coffees()).await.must_be(201);
    }
    // Silent connections are dropped after the handshake's time; then there is room again.
    let started = Instant::now();
    let mut newcomer = shop.till.twin();
    while newcomer.get("/pos/orders").send().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(25), "no room for a new connection");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(flood);
}

#[tokio::test]
async fn l14_a_display_that_never_reads_disturbs_nobody() {
    let mut shop = Shop::open("connections").await;
    let mut asleep = Raw::connect(shop.running.door()).await;
    let authorization = shop.till.authorization();
    asleep
        .write(&format!(
            "GET /api/sync/events HTTP/1.1\r\nhost: box\r\naccept: text/event-stream\r\nauthorization: \
             {authorization}\r\n\r\n"
        ))
        .await;
    let mut awake = EventStream::open(&shop.till, None).await;
    let mut last = String::new();
    for _ in 0..300 {
        let order = shop.order().await;
        let event = awake.next().await;
        assert_eq!(event.data["entity"]["id"], order["id"]);
        last = event.id;
    }
    assert_eq!(shop.till.get("/api/sync/events").await.text("cursor"), last);
    drop(asleep);
}

#[tokio::test]
async fn l22_plain_http_and_garbage_get_nothing() {
    let mut shop = Shop::open("connections").await;
    let address = shop.running.door().address();
    let garbage = [0xff; 2048];
    for bytes in [b"GET /health/ HTTP/1.1\r\nhost: box\r\n\r\n".as_slice(), &garbage] {
        let mut plain = TcpStream::connect(address).await.unwrap();
        // The box may hang up while this is being written.
        let _ = plain.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(15), plain.read_to_end(&mut answer)).await.expect("the box hangs up");
        assert!(!answer.windows(4).any(|window| window == b"HTTP"), "{answer:?}");
    }
    let mut raw = Raw::connect(shop.running.door()).await;
    raw.write("THIS IS NOT HTTP\r\n\r\n").await;
    let answer = raw.answer(Duration::from_secs(5)).await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    shop.till.get("/pos/orders").await.must_be(200);
}

#[tokio::test]
async fn l14_requests_sent_at_once_on_one_connection_are_answered_in_order() {
    let shop = Shop::open("connections").await;
    let mut raw = Raw::connect(shop.running.door()).await;
    let ping = "GET /api/local/ping HTTP/1.1\r\nhost: box\r\n\r\n";
    let lost = "GET /nowhere HTTP/1.1\r\nhost: box\r\n\r\n";
    raw.write(&format!("{ping}{lost}{ping}")).await;
    for expected in [200, 404, 200] {
        let answer = raw.answer(Duration::from_secs(5)).await.expect("an answer");
        // Whether an unknown path asks for a token first is the box's affair; the order is not.
        let fits = answer.status == expected || (expected == 404 && answer.status == 401);
        assert!(fits, "expected {expected}, got {} {}", answer.status, answer.body);
    }
}

#[tokio::test]
async fn l16_a_quiet_stream_shows_signs_of_life() {
    let mut shop = Shop::open("connections").await;
    let mut stream = EventStream::open(&shop.till, None).await;
    let started = Instant::now();
    while stream.comments == 0 {
        assert_eq!(stream.next_within(Duration::from_secs(1)).await, Next::Quiet);
        assert!(started.elapsed() < Duration::from_secs(25), "no sign of life");
    }
    let order = shop.order().await;
    assert_eq!(stream.next().await.data["entity"]["id"], order["id"]);
}
