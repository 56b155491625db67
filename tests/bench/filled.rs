//! A box that has sold for a year, beside an empty one.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use storebox_core::catalogue::LineWish;
use storebox_core::command::{Actor, Command, OpenOrder, OrderRef, Request};
use storebox_core::device::DeviceKind;
use storebox_core::id::{DeviceId, LineId, OrderId, TenderId};
use storebox_core::idempotency::RequestKey;
use storebox_core::money::{Currency, Money, TaxRule};
use storebox_core::order::{Action, Expected, Header, Means, TenderWish};
use storebox_core::payment::{Limits, Policy};
use storebox_core::quantity::Quantity;
use storebox_core::settings::Settings;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_tests::{Random, Terminal};
use storeboxd::clock::Clock;
use storeboxd::store::{DiskMedium, Store};
use tokio::task::JoinSet;

use crate::figures::quantile;
use crate::measure::run;
use crate::medium::Medium;
use crate::options::Options;
use crate::quiet::wait_for_quiet;
use crate::subject::Subject;
use crate::till::{Till, Work};
use crate::workplace::Workplace;

/// Terminals at once.
const CONNECTIONS: usize = 64;
/// Items the shop sells.
const ITEMS: u64 = 2_000;
/// Orders that are open.
const OPEN: u64 = 200;
/// Days over which the orders were sold.
const DAYS: u64 = 365;
const DAY_MS: u64 = 86_400_000;
/// Commands on their way at once while the store is filled: as many as a batch takes.
const AT_ONCE: usize = 512;
/// How often each query is asked.
const QUERIES: usize = 300;
/// What the owner's first PIN is changed to.
const PIN: &str = "927463";

/// What is asked of every box that is filled, and what it must not take longer than, in milliseconds.
const ASKED: [(&str, &str); 6] = [
    ("open orders", "/pos/orders?limit=100"),
    ("kitchen queue", "/kds/queue"),
    ("day report", "/api/reports/day"),
    ("sales by item, a month", "/api/reports/sales?by=item&from=FROM_MONTH"),
    ("sales by hour, a year", "/api/reports/sales?by=hour&from=FROM_YEAR"),
    ("sales by day, a year", "/api/reports/sales?by=day&from=FROM_YEAR"),
];
const QUERY_MS: f64 = 20.0;
const ACK_RATIO: f64 = 1.3;
const RESTART_MS: f64 = 1_000.0;
const RESIDENT_MB: f64 = 64.0;

/// Fills a store with `orders` closed orders, measures it beside an empty one, and says what was found.
pub(crate) async fn measure(options: &Options, orders: u64) {
    let workplace = Workplace::take();
    eprintln!("building the box");
    let program = workplace.build_box();
    let medium = Medium::plain();
    let folder = workplace.scratch().join("filled");
    std::fs::create_dir_all(folder.join("state")).expect("the folder can be made");
    eprintln!("filling a store with {orders} closed orders and {OPEN} open ones of {ITEMS} items");
    let started = Instant::now();
    fill(&folder.join("state"), orders).await;
    let size = std::fs::metadata(folder.join("state/store.redb")).expect("the store is there").len();
    let mut found = Found::default();
    let filled_s = started.elapsed().as_secs_f64();
    found.say(format!("filled in {filled_s:.0} s; the store has {:.0} MB", size as f64 / 1e6));

    let mut ratios = Vec::new();
    for repeat in 1..=options.repeats {
        eprintln!("repeat {repeat} of {}", options.repeats);
        wait_for_quiet().await;
        let mut empty = Subject::start(&program, &workplace.scratch().join("box"), &medium).await;
        let without = acknowledge(&mut empty, options.window).await;
        let resident = |subject: &Subject| subject.memory().resident / 1e6;
        found.say(format!("resident after the load, MB: empty {:.1}", resident(&empty)));
        empty.end().await;

        wait_for_quiet().await;
        let mut subject = Subject::start(&program, &folder, &medium).await;
        found.must("restart to serving, ms", subject.started_in.as_secs_f64() * 1e3, RESTART_MS);
        let with = acknowledge(&mut subject, options.window).await;
        ratios.push(with / without);
        found.say(format!("ack p99 at {CONNECTIONS} connections: empty {without:.0} µs, filled {with:.0} µs"));
        found.must("resident after the load, MB", resident(&subject), RESIDENT_MB);
        for (name, path) in ASKED {
            match ask(&mut subject, path).await {
                Some(p99_ms) => found.must(&format!("{name}, p99 ms"), p99_ms, QUERY_MS),
                None => found.say(format!("{name}: this box has no such thing")),
            }
        }
        found.must("resident after the queries, MB", resident(&subject), RESIDENT_MB);
        subject.stop().await;
    }
    ratios.sort_by(f64::total_cmp);
    found.must("ack p99, filled ÷ empty", ratios[ratios.len() / 2], ACK_RATIO);
    let out = options.out.clone().unwrap_or_else(|| workplace.report().with_file_name("filled.md"));
    let heading = format!("# A store with {orders} orders\n\n| what | found | goal |\n|---|---|---|\n");
    std::fs::write(&out, format!("{heading}{}", found.rows)).expect("the report can be written");
    eprintln!("the report is in {}", out.display());
}

#[derive(Default)]
struct Found {
    rows: String,
}

impl Found {
    fn say(&mut self, text: String) {
        println!("{text}");
        writeln!(self.rows, "| {text} | | |").unwrap();
    }

    fn must(&mut self, what: &str, figure: f64, most: f64) {
        let verdict = if figure <= most { "met" } else { "MISSED" };
        println!("{what:<40} {figure:>10.2}   goal ≤ {most}: {verdict}");
        writeln!(self.rows, "| {what} | {figure:.2} | ≤ {most}: {verdict} |").unwrap();
    }
}

/// The 99th percentile of acknowledgements under load, in microseconds.
async fn acknowledge(subject: &mut Subject, window: Duration) -> f64 {
    let mut tills = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        let terminal = subject.pair(&format!("Till {number}")).await;
        tills.push(Till::connect(&terminal, subject.seed() + number as u64).await);
    }
    let mut work: Work = run(tills, window).await;
    work.ack_us.sort_unstable();
    quantile(&work.ack_us, 0.99)
}

/// The 99th percentile of a query's time in milliseconds, to the last byte of its answer; none if there is no such path.
async fn ask(subject: &mut Subject, path: &str) -> Option<f64> {
    let path = path.replace("FROM_MONTH", &day_before(30)).replace("FROM_YEAR", &day_before(364));
    let mut manager = manager(subject).await;
    if manager.get(&path).await.status == 404 {
        return None;
    }
    let mut took_us = Vec::with_capacity(QUERIES);
    for _ in 0..QUERIES {
        let asked = Instant::now();
        let answer = manager.get_bytes(&path).await;
        took_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        assert_eq!(answer.expect("the box answers").0, 200, "{path}");
        // Below what one terminal may ask in a second.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took_us.sort_unstable();
    Some(quantile(&took_us, 0.99) / 1e3)
}

/// A terminal with the owner signed in.
async fn manager(subject: &mut Subject) -> Terminal {
    let mut terminal = subject.pair("Office").await;
    let first = subject.state("lan/owner-pin").trim().to_owned();
    if first.is_empty() {
        terminal.sign_in("owner", PIN).await.unwrap_or_else(|refusal| panic!("no owner: {refusal}"));
    } else {
        terminal.sign_in("owner", &first).await.unwrap_or_else(|refusal| panic!("no owner: {refusal}"));
        terminal.post("/api/auth/pin", json!({ "oldPin": first, "newPin": PIN })).await.must_be(204);
    }
    terminal
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    u64::try_from(now.as_millis()).unwrap()
}

fn day_before(days: u64) -> String {
    Timestamp::from_millis(now_ms() - days * DAY_MS).to_string()[..10].to_owned()
}

// Filling, without the network: what takes a shop a year takes minutes.

/// A clock that shows the time of the order that is being sold.
struct SaleClock {
    wall_ms: AtomicU64,
    started: Instant,
}

impl Clock for SaleClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

async fn fill(state_dir: &Path, orders: u64) {
    let first_ms = now_ms() - DAYS * DAY_MS;
    let clock = Arc::new(SaleClock { wall_ms: AtomicU64::new(first_ms), started: Instant::now() });
    let settings = Settings {
        name: name("Test store"),
        currency: Currency::USD,
        timezone: name("UTC"),
        day_starts_at_h: 0,
        register: name("A"),
        tax_rule: TaxRule { rate_ppm: 100_000, included: false },
        cash_rounding: Money::from_minor(1),
        payments: Policy::standard(Some(Limits::USD)),
    };
    let medium = DiskMedium::in_folder(state_dir);
    let shown: Arc<dyn Clock> = Arc::<SaleClock>::clone(&clock);
    let (store, writer) = Store::open(medium, shown, settings).expect("the store can be made");
    let mut random = Random::new(1);
    let all = orders + OPEN;
    let mut number = 0;
    while number < all {
        let at_ms = first_ms + number * DAYS * DAY_MS / all;
        clock.wall_ms.store(at_ms, Ordering::Relaxed);
        let batch: Vec<u64> = (number..all.min(number + AT_ONCE as u64)).collect();
        number += batch.len() as u64;
        let opened: Vec<Request> = batch.iter().map(|order| open(*order, at_ms, &mut random)).collect();
        submit(&store, opened).await;
        submit(&store, batch.into_iter().filter(|order| *order < orders).map(|order| close(order, at_ms)).collect())
            .await;
        if number % (100 * AT_ONCE as u64) == 0 {
            eprintln!("{number} of {all}");
        }
    }
    store.close();
    tokio::task::spawn_blocking(|| writer.join()).await.unwrap().expect("the store ends well");
}

/// Has all of them decided, in as few commits as it takes.
async fn submit(store: &Store, requests: Vec<Request>) {
    let mut asking = JoinSet::new();
    for request in requests {
        let store = store.clone();
        asking.spawn(async move { store.submit(request).await });
    }
    while let Some(answer) = asking.join_next().await {
        let answer = answer.unwrap().expect("the store answers");
        assert!(answer.result.is_ok(), "a sale was refused: {answer:?}");
    }
}

fn open(number: u64, at_ms: u64, random: &mut Random) -> Request {
    let now = Timestamp::from_millis(at_ms);
    let line = |index: u64, item: u64| LineWish {
        id: LineId::new(now, id_bytes(number, index)),
        field: format!("items[{index}]"),
        item_id: name(&format!("item-{item:04}")),
        name: Some(name(&format!("Item number {item}"))),
        quantity: Quantity::from_thousandths(1_000),
        unit_price: Some(Money::from_minor(i64::try_from(100 + item).unwrap())),
        modifiers: Vec::new(),
        notes: None,
        listed_only: false,
    };
    // A few items sell much, most sell little.
    let lines = (0..3).map(|index| line(index, random.below(ITEMS) * random.below(ITEMS) / ITEMS)).collect();
    let id = OrderId::new(now, id_bytes(number, 0));
    let command = Command::OpenOrder(OpenOrder { id, client_id: None, header: Header::default(), lines });
    request(format!("open-{number}"), command)
}

fn close(number: u64, at_ms: u64) -> Request {
    let now = Timestamp::from_millis(at_ms);
    let cash = TenderWish {
        id: TenderId::new(now, id_bytes(number, 1)),
        field: "tenders[0]".to_owned(),
        amount: Money::from_minor(100_000),
        tip: Money::ZERO,
        means: Means::Cash,
    };
    let order = OrderRef::Id(OrderId::new(now, id_bytes(number, 0)));
    let action = Action::Close { tenders: vec![cash] };
    let command = Command::ChangeOrder { order, expected: Expected::default(), action, added: Vec::new() };
    request(format!("close-{number}"), command)
}

fn request(key: String, command: Command) -> Request {
    let device = DeviceId::new(Timestamp::EPOCH, [1; 10]);
    Request {
        actor: Some(Actor { device, kind: DeviceKind::Pos, staff: None }),
        key: Some(RequestKey { key, scope: [1; 8], fingerprint: [0; 32] }),
        received: None,
        command,
    }
}

fn id_bytes(number: u64, index: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[9] = u8::try_from(index).unwrap();
    bytes
}

fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}
