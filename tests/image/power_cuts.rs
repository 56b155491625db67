//! The power goes at any moment, and everything a till was told is there when it comes back (B3).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use storebox_image::layout::DATA_LABEL;
use storebox_tests::sample::coffee;
use storebox_tests::{Random, Terminal, all_orders, size};

use crate::full;
use crate::lan::shown_addresses;
use crate::machine::{Hardware, Machine, START};

const TILLS: usize = 4;
/// A cut comes at most so long after the tills began to sell, or a first start began to make its partition.
const LATEST_CUT_MS: u64 = 4_000;
/// In the superblock at byte 56 (ext4 data structures, kernel documentation).
const EXT4: [u8; 2] = [0x53, 0xef];
/// What the data partition's program says when it makes one.
const MAKING: &str = "making the data partition";

/// Prints what the running system believes it is.
const IDENTITY: &str = "
[Unit]
After=storeboxd.service
[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS0
ExecStart=/usr/bin/systemctl show --property=Id machine-%m.service
";

/// A till that remembers.
struct Till {
    terminal: Terminal,
    random: Random,
    /// What it was told, by its own number of the order.
    told: HashMap<String, Value>,
    /// What it asked and has no answer to.
    open: Option<String>,
}

impl Till {
    /// Sends the order under way, or a new one; says whether it was answered.
    async fn sell(&mut self) -> bool {
        let id = self.open.take().unwrap_or_else(|| format!("client-{:016x}", self.random.number()));
        let body = json!({ "id": id, "items": [coffee(1)] });
        match self.terminal.post("/pos/orders", body).key(&format!("key-{id}")).send().await {
            Ok(answer) => {
                answer.must_be(201);
                self.told.insert(id, answer.body);
                true
            }
            Err(_) => {
                self.open = Some(id);
                false
            }
        }
    }

    /// Sells until nobody answers.
    async fn work(mut self) -> Self {
        while self.sell().await {}
        self
    }
}

/// What must stay the same for ever.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    fingerprint: String,
    store: String,
    machine: String,
    name: String,
    addresses: Vec<std::net::IpAddr>,
}

async fn identity(machine: &mut Machine<'_>) -> Identity {
    machine.wait_for_console("Id=machine-", START).await;
    machine.wait_for_console("Fingerprint", START).await;
    let console = machine.console();
    let after = |mark: &str, until: &str| {
        let rest = console.rsplit_once(mark).unwrap_or_else(|| panic!("no {mark} on the console")).1;
        rest.split_once(until).unwrap_or_else(|| panic!("no {until} after {mark} on the console")).0.to_owned()
    };
    let ping = Terminal::newcomer(machine.door()).get("/api/local/ping").await;
    Identity {
        fingerprint: ping.text("fingerprint"),
        store: ping.text("storeId"),
        machine: after("Id=machine-", ".service"),
        name: after("https://storebox-", ".local"),
        addresses: shown_addresses(&console),
    }
}

/// The box holds what the tills were told, each order once, and no other.
async fn check_orders(tills: &mut [Till]) {
    let mut held = HashMap::new();
    for order in all_orders(&mut tills[0].terminal).await {
        let id = order["clientId"].as_str().expect("every order has a client id").to_owned();
        if let Some(double) = held.insert(id, order) {
            panic!("an order is there twice: {double}");
        }
    }
    let told: usize = tills.iter().map(|till| till.told.len()).sum();
    for (id, order) in tills.iter().flat_map(|till| &till.told) {
        assert_eq!(held.get(id), Some(order), "{id} is not what its till was told");
    }
    assert_eq!(held.len(), told, "there are orders nobody was told of");
}

/// The very first start is cut while it makes the partition (in full, those of other boxes too, at any moment), then
/// every cut meets tills at work. Nothing of the box's identity changes (B2, B9); without a TPM the data is plain, and
/// the screen says so (B12).
#[tokio::test]
async fn b3_what_tills_were_told_survives_every_power_cut() {
    let cuts = size("STOREBOX_POWER_CUTS", 1);
    let mut random = Random::from_environment();
    let hardware = Hardware::default().unit("storebox-test-identity.service", IDENTITY);
    let mut machine = Machine::new("power-cuts", hardware);
    cut_the_first_start(&mut machine, &mut random).await;
    let others = if full() { cuts } else { 0 };
    for _ in 0..others {
        check_a_first_start(&mut random).await;
    }

    machine.start().await;
    let first = machine.pair("Till 0").await;
    let known = identity(&mut machine).await;
    let mut tills = vec![till(first, &mut random)];
    for number in 1..TILLS {
        let terminal = machine.pair(&format!("Till {number}")).await;
        tills.push(till(terminal, &mut random));
    }
    for round in 1..=cuts {
        let before: usize = tills.iter().map(|till| till.told.len()).sum();
        let working: Vec<_> = tills.drain(..).map(|till| tokio::spawn(till.work())).collect();
        tokio::time::sleep(Duration::from_millis(500 + random.below(LATEST_CUT_MS))).await;
        machine.cut_power();
        for till in working {
            tills.push(till.await.unwrap());
        }
        let took = machine.start().await;
        let told: usize = tills.iter().map(|till| till.told.len()).sum();
        eprintln!("cut {round} after {} orders, selling again after {:.1} s", told - before, took.as_secs_f64());
        assert!(told > before, "nothing was sold before the cut");
        for till in &mut tills {
            assert!(till.open.is_none() || till.sell().await, "the box is back");
        }
        check_orders(&mut tills).await;
        assert_eq!(identity(&mut machine).await, known, "the box became another");
        assert!(!machine.console().contains(MAKING), "the data partition was made again");
    }
    assert!(
        machine.console().contains("not encrypted: this machine has no TPM"),
        "the screen says how the data is kept"
    );
    machine.cut_power();
    let data = &machine.partitions()[DATA_LABEL];
    assert_eq!(data.guid, known.machine, "the machine-id is the data partition's identifier");
    let superblock = &machine.beginning(data, 4)[1024..];
    assert_eq!(superblock[56..58], EXT4, "the data is no plain ext4");
}

/// However a first start is cut short: the next one ends well.
async fn check_a_first_start(random: &mut Random) {
    let mut machine = Machine::new("first-start", Hardware::default());
    machine.switch_on().await;
    tokio::time::sleep(Duration::from_millis(3_000 + random.below(25_000))).await;
    machine.cut_power();
    cut_the_first_start(&mut machine, random).await;
    machine.start().await;
    machine.pair("Till").await.post("/pos/orders", json!({ "items": [coffee(1)] })).await.must_be(201);
}

async fn cut_the_first_start(machine: &mut Machine<'_>, random: &mut Random) {
    machine.switch_on().await;
    machine.wait_for_console("storebox-data[", START).await;
    tokio::time::sleep(Duration::from_millis(random.below(LATEST_CUT_MS))).await;
    machine.cut_power();
}

fn till(terminal: Terminal, random: &mut Random) -> Till {
    Till { terminal, random: random.fork(), told: HashMap::new(), open: None }
}
