//! An acknowledged write is never lost and never doubled, whenever the process dies (B3).
//!
//! Sixteen terminals open, change, send and close orders, each remembering what it asked and what it was
//! answered; the box is killed at a random moment and started again; then every terminal does what a till would:
//! it repeats, under the same key, what it has no answer for. After that the box must hold exactly what the
//! terminals were told.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use storebox_tests::sample::{cake_with_cream, cash, coffee};
use storebox_tests::{Random, Shop, Terminal, of, size};

const TERMINALS: usize = 16;

/// A request and, once it came, its answer.
struct Asked {
    method: Method,
    path: String,
    key: String,
    body: Value,
    answer: Option<(u16, Bytes)>,
}

/// A terminal with its memory.
struct Clerk {
    terminal: Terminal,
    random: Random,
    asked: Vec<Asked>,
    /// Its orders as it was last told they are, by their client id.
    orders: HashMap<String, Value>,
}

impl Clerk {
    /// Asks something new.
    fn choose(&mut self) -> Asked {
        let key = format!("key-{:016x}", self.random.number());
        let mut open: Vec<_> = self.orders.values().filter(|order| order["status"] != "completed").collect();
        open.sort_by_key(|order| order["orderNumber"].to_string());
        let choice = self.random.below(10);
        if choice < 5 || open.is_empty() {
            let id = format!("client-{:016x}", self.random.number());
            let body = json!({ "id": id, "items": [coffee(1), cake_with_cream(2)] });
            return Asked { method: Method::POST, path: "/pos/orders".to_owned(), key, body, answer: None };
        }
        let picked = self.random.below(open.len() as u64);
        let order = open[usize::try_from(picked).unwrap()];
        let (method, path, body) = match choice {
            5 | 6 => (Method::PATCH, of(order, ""), json!({ "addItems": [coffee(1)] })),
            7 => (Method::PATCH, of(order, ""), json!({ "version": order["version"], "tableId": key })),
            8 => (Method::POST, of(order, "/send-to-kitchen"), json!({})),
            _ => (Method::POST, of(order, "/close"), cash(1_000_000)),
        };
        Asked { method, path, key, body, answer: None }
    }

    /// Sends a request; remembers the answer if there is one, and says whether there was.
    async fn ask(&mut self, mut asked: Asked) -> bool {
        let call = self.terminal.call(asked.method.clone(), asked.path.clone()).json(&asked.body).key(&asked.key);
        let answered = match call.send().await {
            Ok(answer) => {
                assert!(matches!(answer.status, 200 | 201), "{answer}");
                let client_id = answer.text("clientId");
                self.orders.insert(client_id, answer.body.clone());
                asked.answer = Some((answer.status, answer.bytes));
                true
            }
            Err(_) => false,
        };
        self.asked.push(asked);
        answered
    }

    /// Works until the box stops answering.
    async fn work(mut self) -> Self {
        loop {
            let next = self.choose();
            if !self.ask(next).await {
                return self;
            }
        }
    }

    /// Repeats what has no answer, as a till does when the box is back.
    async fn catch_up(&mut self) {
        if let Some(at) = self.asked.iter().position(|asked| asked.answer.is_none()) {
            let unanswered = self.asked.remove(at);
            assert!(self.ask(unanswered).await, "the box is back");
        }
        assert!(self.asked.iter().all(|asked| asked.answer.is_some()), "a clerk waits for each answer");
    }

    /// Repeats what was answered: everything of this round, and now and then something older.
    async fn check_replays(&mut self, from: usize) {
        for at in 0..self.asked.len() {
            if at < from && self.random.below(50) != 0 {
                continue;
            }
            let asked = &self.asked[at];
            let call = self.terminal.call(asked.method.clone(), asked.path.clone()).json(&asked.body).key(&asked.key);
            let again = call.await;
            assert!(again.is_replayed(), "{again}");
            assert_eq!(Some(&(again.status, again.bytes.clone())), asked.answer.as_ref(), "{again}");
        }
    }
}

/// The box holds the clerks' orders, each once and as they were told, and no other.
async fn check_orders(shop: &mut Shop, clerks: &[Clerk], round: u32) {
    let mut held: HashMap<String, Value> = HashMap::new();
    let mut numbers = HashMap::new();
    for order in shop.all_orders().await {
        let client_id = order["clientId"].as_str().expect("every order has a client id").to_owned();
        let number = order["orderNumber"].to_string();
        if let Some(double) = numbers.insert(number, client_id.clone()) {
            panic!("round {round}: {client_id} and {double} have one number");
        }
        if let Some(double) = held.insert(client_id, order) {
            panic!("round {round}: an order is there twice: {double}");
        }
    }
    let mut expected = 0;
    for clerk in clerks {
        for (client_id, told) in &clerk.orders {
            expected += 1;
            assert_eq!(held.get(client_id), Some(told), "round {round}: {client_id} is not what its till was told");
        }
    }
    assert_eq!(held.len(), expected, "round {round}: there are orders nobody was told of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_killed_at_random_every_acknowledged_order_is_there_once() {
    let rounds = size("STOREBOX_KILL_ROUNDS", 10);
    let mut random = Random::from_environment();
    let mut shop = Shop::open("durability").await;
    let mut clerks = Vec::new();
    for number in 0..TERMINALS {
        let terminal = shop.terminal(&format!("Till {number}"), "pos").await;
        clerks.push(Clerk { terminal, random: random.fork(), asked: Vec::new(), orders: HashMap::new() });
    }
    for round in 0..rounds {
        let before: Vec<_> = clerks.iter().map(|clerk| clerk.asked.len()).collect();
        let working: Vec<_> = clerks.drain(..).map(|clerk| tokio::spawn(clerk.work())).collect();
        tokio::time::sleep(Duration::from_millis(20 + random.below(400))).await;
        shop.running.kill();
        for clerk in working {
            clerks.push(clerk.await.unwrap());
        }
        // Every third start is itself cut short, in the middle of the recovery.
        if random.below(3) == 0 {
            shop.running.launch();
            tokio::time::sleep(Duration::from_millis(random.below(40))).await;
        }
        shop.running.restart().await;
        for clerk in &mut clerks {
            clerk.catch_up().await;
        }
        check_orders(&mut shop, &clerks, round).await;
        for (clerk, from) in clerks.iter_mut().zip(before) {
            clerk.check_replays(from).await;
        }
    }
    check_orders(&mut shop, &clerks, rounds).await;
    let asked: usize = clerks.iter().map(|clerk| clerk.asked.len()).sum();
    assert!(asked > usize::try_from(rounds).unwrap() * TERMINALS, "the clerks worked: {asked} requests");
    eprintln!("{rounds} kills, {asked} requests, every answer kept");
}

#[tokio::test]
async fn b3_the_box_is_back_at_once_after_a_kill() {
    let mut shop = Shop::open("durability").await;
    for _ in 0..200 {
        shop.order().await;
    }
    let started = std::time::Instant::now();
    shop.running.restart().await;
    assert_eq!(shop.all_orders().await.len(), 200);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
