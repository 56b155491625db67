//! A disk that is full: refused in words, reads go on, and writes again once there is space (L14, B3).
//!
//! The state lies on a small memory disk that only the box sees; the tests reach it through the process's root.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storebox_tests::sample::{coffee, two_coffees};
use storebox_tests::{Answer, EventStream, Shop, Terminal, of};

const MIB: u64 = 1024 * 1024;

/// Writes zeros until the disk takes no more.
fn fill(path: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the filler can be made");
    for size in [1024 * 1024, 4096] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// Fails unless it is the refusal of a full disk.
#[track_caller]
fn is_full(answer: &Answer) {
    answer.refused(507);
    let text = answer.text("detail").to_lowercase();
    assert!(text.contains("disk") || text.contains("space") || text.contains("full"), "{answer}");
}

/// Everything that only reads still answers.
async fn reads_go_on(shop: &mut Shop, order: &Value) {
    assert_eq!(shop.till.get(of(order, "")).await.expect(200), *order);
    shop.till.get("/pos/orders").await.must_be(200);
    shop.till.get("/api/sync/events?since=earliest").await.must_be(200);
    shop.till.get("/").await.must_be(200);
    shop.till.get("/metrics").await.must_be(200);
    let health = Terminal::newcomer(shop.running.door()).get("/health/").await;
    assert!(matches!(health.status, 200 | 503), "{health}");
    assert_ne!(health.body["status"], "healthy", "a full disk is no health: {health}");
}

/// The first answer that is no refusal of a full disk, within ten seconds.
async fn first_taken(till: &mut Terminal, key: &str) -> Answer {
    let started = Instant::now();
    loop {
        let answer = till.post("/pos/orders", two_coffees()).key(key).await;
        if !matches!(answer.status, 503 | 507) {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "still full: {answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn l14_somebody_fills_the_disk_and_empties_it_again() {
    let mut shop = Shop::open_with("disk", |config| config.small_disk(48 * MIB)).await;
    let before = shop.order().await;
    let mut display = EventStream::open(&shop.till, None).await;
    let filler = shop.running.state("filler");
    fill(&filler);

    // The measure of free space may be a moment old.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for _ in 0..3 {
        is_full(&shop.till.post("/pos/orders", two_coffees()).key("while-full").await);
        is_full(&shop.till.post(of(&before, "/void"), json!({})).await);
    }
    reads_go_on(&mut shop, &before).await;

    fs::remove_file(&filler).unwrap();
    let taken = first_taken(&mut shop.till, "while-full").await.expect(201);
    assert_eq!(display.next().await.data["entity"]["id"], taken["id"], "streams went on through it");
    assert_eq!(shop.all_orders().await, [before, taken], "what was refused was not half done");
}

#[tokio::test]
async fn l14_the_store_itself_fills_the_disk() {
    let mut shop = Shop::open_with("disk", |config| config.small_disk(40 * MIB)).await;
    let mut line = coffee(1);
    line["notes"] = json!("x".repeat(1_000));
    let large = json!({ "items": vec![line; 200] });
    let mut taken = Vec::new();
    let refusal = loop {
        let answer = shop.till.post("/pos/orders", large.clone()).await;
        match answer.status {
            201 => taken.push(answer.body),
            _ => break answer,
        }
        assert!(taken.len() < 1_000, "200 MB fit on a disk of 40");
    };
    is_full(&refusal);
    assert!(taken.len() > 10, "{}", taken.len());
    reads_go_on(&mut shop, &taken[0]).await;
    // More than the cache holds is read from the disk, from the first to the last.
    for order in &taken {
        assert_eq!(shop.till.get(of(order, "")).await.expect(200), *order);
    }

    let grown = Command::new("nsenter")
        .args(["--target", &shop.running.pid().to_string(), "--mount", "mount", "-o", "remount,size=120m"])
        .arg(shop.running.config().state_dir())
        .status()
        .expect("nsenter is installed");
    assert!(grown.success());
    taken.push(first_taken(&mut shop.till, "after").await.expect(201));
    for order in &taken {
        assert_eq!(shop.till.get(of(order, "")).await.expect(200), *order, "nothing acknowledged is lost");
    }
}

#[tokio::test]
async fn l14_space_that_comes_and_goes_while_tills_write_loses_nothing() {
    let mut shop = Shop::open_with("disk", |config| config.small_disk(48 * MIB)).await;
    let filler = shop.running.state("filler");
    let mut tills = Vec::new();
    for lane in 0..4 {
        let mut till = shop.till.twin();
        tills.push(tokio::spawn(async move {
            let (mut told, mut refused) = (Vec::new(), 0);
            for number in 0..150 {
                let answer = till.post("/pos/orders", two_coffees()).key(&format!("{lane}-{number}")).await;
                match answer.status {
                    201 => told.push(answer.body),
                    503 | 507 => refused += 1,
                    _ => panic!("{answer}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (told, refused)
        }));
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Straight to the last byte, under the box's hands: it meets a full disk in the middle of a commit.
        let filled = filler.clone();
        tokio::task::spawn_blocking(move || fill(&filled)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        File::create(&filler).expect("the filler can be emptied");
    }
    let (mut told, mut refused) = (Vec::new(), 0);
    for till in tills {
        let (some, no) = till.await.unwrap();
        told.extend(some);
        refused += no;
    }
    assert!(refused > 0, "the disk was never full");
    first_taken(&mut shop.till, "after").await.must_be(201);
    let held = shop.all_orders().await;
    assert_eq!(held.len(), told.len() + 1, "told of, and the one after");
    for order in told {
        assert!(held.contains(&order), "{order} was acknowledged");
    }
}
