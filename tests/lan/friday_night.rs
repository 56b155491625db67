//! A whole evening of a restaurant, with everything that goes wrong in one, and books that balance afterwards.

mod books;
mod guests;
mod hand;
mod kitchen;
mod ledger;
mod menu;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::{Answer, FakeClock, Random, STAFF_PIN, Shop, Terminal, size};
use tokio::task::JoinSet;

use guests::{CARD_LIMIT, COIN, GIFT, GIFT_CARDS, QUEUE_LIMIT};
use hand::{Hand, Night};
use menu::Menu;

const FLOAT: i64 = 20_000;
/// What a terminal may hold back, and how many of it it sends at once.
const BACKLOG: usize = 100;
const AT_ONCE: usize = 5;
/// Requests of the backlog that the box had answered before the till died.
const ACKNOWLEDGED: usize = 20;
const STAFF: [&str; 6] = ["anna", "bert", "carla", "dave", "emil", "boss"];

/// L1, L2, L5, L6, L9, L12: many terminals at once, a till that dies, a box that is killed; every amount is counted
/// twice, by the box and from what it answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_l5_l6_l9_l12_a_friday_night_balances_to_the_minor_unit() {
    let mut random = Random::from_environment();
    let guests = size("STOREBOX_FRIDAY_GUESTS", 36);
    let clock = FakeClock::new();
    let mut shop = Shop::open_with("friday", |config| {
        clock.drive(config).argument("--sample-shop").argument("restaurant").store("cash_rounding", &COIN.to_string())
    })
    .await;
    let mut others = Vec::new();
    for (name, kind) in [
        ("Till 2", "pos"),
        ("Till 3", "pos"),
        ("Till 4", "pos"),
        ("Handheld", "handheld"),
        ("Kiosk 1", "kiosk"),
        ("Kiosk 2", "kiosk"),
        ("Kitchen", "kds"),
        ("Cold kitchen", "kds"),
        ("Bar", "kds"),
    ] {
        others.push(shop.terminal(name, kind).await);
    }
    clock.set(&friday_evening(0));
    let mut owner = shop.owner().await;
    let night = prepare(&mut owner).await;
    let mut terminals = others.into_iter();
    let mut next = move || terminals.next().unwrap();
    let (till_2, till_3, till_4) = (next(), next(), next());

    let mut boss = Hand::of(&night, shop.till.twin(), "boss", random.fork()).await;
    begin(&mut boss).await;
    let mut evening: JoinSet<Vec<Hand>> = JoinSet::new();
    for (till, login) in [(shop.till.twin(), "anna"), (till_2, "bert"), (till_3, "carla")] {
        let manager = Hand::of(&night, till.twin(), "boss", random.fork()).await;
        let hand = Hand::of(&night, till, login, random.fork()).await;
        evening.spawn(async move { guests::at_till(hand, manager, guests).await.into() });
    }
    let manager = Hand::of(&night, till_4.twin(), "boss", random.fork()).await;
    let hand = Hand::of(&night, till_4, "dave", random.fork()).await;
    evening.spawn(dying_till(hand, manager, guests / 4));
    let waiter = Hand::of(&night, next(), "emil", random.fork()).await;
    evening.spawn(async move { guests::at_tables(waiter, guests).await.into() });
    for _ in 0..2 {
        let hand = Hand::free(&night, next(), random.fork());
        evening.spawn(async move { guests::at_kiosk(hand, guests / 2).await.into() });
    }
    let mut cooking: JoinSet<[Hand; 1]> = JoinSet::new();
    for stations in [&["grill", "oven"][..], &["cold", "pastry"], &["bar", "kitchen"]] {
        cooking.spawn(kitchen::at_display(Hand::free(&night, next(), random.fork()), stations));
    }

    night.busy_until(guests * 18).await;
    shop.running.kill();
    // The box was away for an hour; meanwhile the happy hour ended.
    clock.set(&friday_evening(1));
    shop.running.restart().await;
    night.ledger().note("killed");

    let mut hands: Vec<Hand> = Vec::new();
    while let Some(done) = evening.join_next().await {
        hands.extend(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    // Checks that came when the tills had stopped looking for some.
    let rest: Vec<Value> = std::mem::take(&mut *night.asked_to_pay.lock().unwrap());
    for order in rest {
        guests::settle_at_last(&mut boss, order).await;
    }
    night.guests_gone.store(true, Ordering::Release);
    while let Some(done) = cooking.join_next().await {
        hands.extend(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    for login in STAFF.into_iter().filter(|login| *login != "boss") {
        hands.iter_mut().find(|hand| hand.login() == Some(login)).expect("they were there").clock("out").await;
    }
    boss.clock("out").await;
    eprintln!("{} writes were answered", night.answered.load(Ordering::Relaxed));
    // Every terminal sends again whatever it sent all night: the answers are the same, and nothing comes of it.
    let mut again: JoinSet<()> = JoinSet::new();
    hands.push(boss.twin());
    hands.last_mut().unwrap().sent.append(&mut boss.sent);
    for mut hand in hands {
        again.spawn(async move {
            for index in 0..hand.sent.len() {
                hand.replay(index).await;
            }
        });
    }
    again.join_all().await;
    books::balance(&mut shop, &mut boss).await;
}

/// From the right time to half past six on a Friday, so many hours later: when the cocktails are cheaper until seven.
fn friday_evening(hours: u64) -> String {
    const HOUR_S: u64 = 60 * 60;
    const DAY_S: u64 = 24 * HOUR_S;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // The first of January 1970 was a Thursday. Always ahead, because the box's time does not go back.
    let days_to_friday = (8 - now_s / DAY_S % 7) % 7 + 7;
    let evening = now_s - now_s % DAY_S + days_to_friday * DAY_S + 18 * HOUR_S + HOUR_S / 2;
    format!("+{}", evening + hours * HOUR_S - now_s)
}

/// What the owner does before opening: people, counted items, gift cards.
async fn prepare(owner: &mut Terminal) -> Arc<Night> {
    for login in STAFF {
        let role = if login == "boss" { "manager" } else { "staff" };
        let new = json!({ "login": login, "name": login, "role": role, "pin": STAFF_PIN, "mustChangePin": false });
        owner.post("/api/employees", new).await.must_be(201);
    }
    let cards = GIFT_CARDS.map(|number| json!({ "kind": "gift_card", "number": number, "balance": GIFT }));
    owner.post("/api/local/accounts", json!({ "accounts": cards })).await.must_be(204);
    Night::new(Menu::prepare(owner).await)
}

/// What the manager does before opening: the float, and what was delivered.
async fn begin(boss: &mut Hand) {
    boss.clock("in").await;
    boss.post("/api/reports/drawer/float", json!({ "amount": FLOAT })).await.must_be(201);
    for (amount, reason) in [(1_500, "coins from the bank"), (-700, "flowers")] {
        let movement = json!({ "amount": amount, "reason": reason });
        boss.post("/api/reports/drawer/movement", movement).await.must_be(201);
        boss.night.ledger().cash += amount;
    }
    boss.night.ledger().cash += FLOAT;
    for item in boss.night.menu.stocked() {
        let received = json!({ "item": item, "kind": "receive", "quantity": 60 });
        boss.post("/api/inventory/movements", received).await.must_be(201);
        boss.night.ledger().stock.insert(item, 60_000);
    }
}

/// A request a till holds back.
struct HeldBack {
    path: String,
    body: Value,
    key: String,
    /// What the box had answered before the till died.
    answer: Option<Answer>,
}

/// A till sells, dies with its backlog half sent, is found again after the box itself was away, and sends everything.
async fn dying_till(hand: Hand, boss: Hand, guests: u32) -> Vec<Hand> {
    let night = hand.night.clone();
    let [mut hand, boss] = guests::at_till(hand, boss, guests).await;
    let mut lanes: Vec<Vec<HeldBack>> = (0..AT_ONCE).map(|_| Vec::new()).collect();
    let mut held_back = 0;
    for number in 0.. {
        let id = hand.random.uuid();
        let lines = hand.night.menu.lines(&mut hand.random);
        let path = |below: &str| format!("/pos/orders/{id}{below}");
        let steps = [
            ("/pos/orders".to_owned(), json!({ "id": id, "orderType": "counter", "items": lines })),
            (path("/send-to-kitchen"), json!({})),
            // It does not know what promotions do: the guest hands over a large note.
            (path("/close"), json!({ "tenders": [{ "type": "cash", "amount": 100_000 }] })),
        ];
        for (path, body) in steps.into_iter().take(BACKLOG - held_back) {
            let key = hand.random.uuid();
            let mut held = HeldBack { path, body, key, answer: None };
            if held_back < ACKNOWLEDGED {
                held.answer = Some(send(&mut hand, &held).await);
            }
            lanes[number % AT_ONCE].push(held);
            held_back += 1;
        }
        if held_back == BACKLOG {
            break;
        }
    }
    hand.terminal.hang_up();
    // Somebody finds it dead when the evening is half over.
    while !night.ledger().happened.contains_key("killed") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut sending: JoinSet<(Hand, Vec<HeldBack>)> = JoinSet::new();
    for lane in lanes {
        let mut hand = hand.twin();
        sending.spawn(async move {
            for held in &lane {
                let answer = send(&mut hand, held).await;
                if let Some(first) = &held.answer {
                    answer.replays(first);
                }
            }
            (hand, lane)
        });
    }
    let mut hands = vec![hand, boss];
    let mut left_open = None;
    while let Some(done) = sending.join_next().await {
        let (hand, lane) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        left_open = left_open.or_else(|| lane.last().filter(|held| held.path == "/pos/orders").map(id_of));
        hands.push(hand);
    }
    // The hundredth request opened an order.
    let order = night.ledger().orders[&left_open.expect("an order was left open")].clone();
    night.asked_to_pay.lock().unwrap().push(order);
    night.ledger().note("backlog");
    hands
}

fn id_of(held: &HeldBack) -> String {
    held.body["id"].as_str().unwrap().to_owned()
}

async fn send(hand: &mut Hand, held: &HeldBack) -> Answer {
    let answer = hand.write_as(Method::POST, held.path.clone(), held.body.clone(), held.key.clone()).await;
    assert!(matches!(answer.status, 200 | 201), "{answer}");
    if held.answer.is_none() {
        let who = hand.who().to_owned();
        hand.night.ledger().book(&who, &answer.body);
    }
    answer
}

/// The limits of the test are the box's own.
const _: () = assert!(CARD_LIMIT == 20_000 && QUEUE_LIMIT < 200_000);
