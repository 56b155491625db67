//! Starting: what is refused in words, and when the box says it is ready (B2, B3).

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use storebox_tests::sample::two_coffees;
use storebox_tests::{BoxConfig, Folder, RunningBox, Shop, Terminal};
use tokio::net::UnixDatagram;
use tokio::time::timeout;

/// A box that refuses its store file says which, and leaves every byte of it alone.
async fn check_refused(label: &str, spoil: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let mut shop = Shop::open("startup").await;
    shop.order().await;
    assert_eq!(shop.running.terminate().await.code, Some(0));
    let file = shop.running.state("store.redb");
    let spoilt = spoil(fs::read(&file).unwrap());
    fs::write(&file, &spoilt).unwrap();
    let stopped = RunningBox::refused(shop.running.config().clone()).await;
    assert_eq!(stopped.code, Some(70), "{label}: {}", stopped.log);
    assert!(stopped.log.contains("store.redb"), "{label}: the log does not name the file: {}", stopped.log);
    assert!(!stopped.log.contains("panicked"), "{label}: {}", stopped.log);
    assert_eq!(fs::read(&file).unwrap(), spoilt, "{label}: the file was touched");
    assert!(!shop.running.state("lan/address").exists(), "{label}: it says it listens");
}

#[tokio::test]
async fn b3_a_truncated_store_is_refused_and_left_alone() {
    check_refused("half of it", |bytes| bytes[..bytes.len() / 2].to_vec()).await;
    check_refused("a page and a bit", |bytes| bytes[..5_000].to_vec()).await;
    check_refused("the first bytes", |bytes| bytes[..100].to_vec()).await;
}

#[tokio::test]
async fn b3_a_file_that_is_no_store_is_refused_and_left_alone() {
    check_refused("text", |_| b"Dear diary, today the shop was full.\n".repeat(5_000)).await;
    check_refused("zeros", |bytes| vec![0; bytes.len()]).await;
    check_refused("SQLite", |_| [b"SQLite format 3\0".as_slice(), &[0; 8_192]].concat()).await;
}

#[tokio::test]
async fn b3_a_second_box_on_the_same_state_is_refused_and_the_first_goes_on() {
    let mut shop = Shop::open("startup").await;
    let address = fs::read_to_string(shop.running.state("lan/address")).unwrap();
    let other = Folder::new("startup");
    let config = BoxConfig::new(other.path()).in_state_dir(shop.running.config().state_dir());
    let stopped = RunningBox::refused(config).await;
    assert_eq!(stopped.code, Some(70), "{}", stopped.log);
    assert!(stopped.log.contains("another") || stopped.log.contains("already"), "{}", stopped.log);
    assert_eq!(fs::read_to_string(shop.running.state("lan/address")).unwrap(), address);
    shop.order().await;
}

/// A configuration that is refused: exit 64, the words in the log, nothing written.
async fn check_config(text: &str, words: &[&str]) {
    let folder = Folder::new("startup");
    let config = BoxConfig::new(folder.path());
    let text = text.replace("STATE", &config.state_dir().display().to_string());
    let stopped = RunningBox::refused(config.clone().verbatim(&text)).await;
    assert_eq!(stopped.code, Some(64), "{text}\n{}", stopped.log);
    for word in words {
        assert!(stopped.log.contains(word), "\"{word}\" is not said about\n{text}\n{}", stopped.log);
    }
    assert!(!config.state_dir().exists(), "something was written for\n{text}");
}

#[tokio::test]
async fn b2_a_bad_configuration_is_refused_before_anything_is_written() {
    let good = "[store]\nstate_dir = \"STATE\"\nname = \"Test store\"\n[lan]\nlisten = \"127.0.0.1:0\"\n";
    check_config(&good.replace("name =", "nmae ="), &["nmae", "line 3"]).await;
    check_config(&good.replace("[lan]", "[lna]"), &["lna", "line 4"]).await;
    check_config(&format!("{good}rate_burst = \"many\"\n"), &["line 6"]).await;
    check_config(&good.replace("127.0.0.1:0", "next door"), &["listen"]).await;
    check_config(&good.replace("[lan]", "currency = \"dollars\"\n[lan]"), &["currency"]).await;
    check_config(&good.replace("[lan]", "tax = { percent = -1, included = false }\n[lan]"), &["tax"]).await;
    check_config(&good.replace("[lan]", "timezone = \"local time\"\n[lan]"), &["timezone"]).await;
    check_config(&format!("{good}mode = \"boss\"\n"), &["mode"]).await;
    check_config("[store\n", &["line 1"]).await;
}

/// What is written down in one currency does not become another, and a box that did not start would have to be visited.
#[tokio::test]
async fn b2_b16_a_store_with_orders_goes_on_in_its_currency_whatever_is_configured() {
    let mut shop = Shop::open("startup").await;
    let order = shop.order().await;
    shop.running.reconfigure(|config| config.store("currency", "\"JPY\"").store("name", "\"Corner\""));
    shop.running.restart().await;
    let ping = shop.till.get("/api/local/ping").await.expect(200);
    assert_eq!((&ping["name"], &ping["currency"]), (&json!("Corner"), &json!("USD")), "{ping}");
    assert!(shop.running.log().contains("currency = \"USD\""), "what to do is not said:\n{}", shop.running.log());
    assert_eq!(shop.all_orders().await, [order], "the order is there as it was");
    let options = shop.owner().await.get("/api/local/config").await.expect(200);
    let options = options["options"].as_array().unwrap();
    let currency = options.iter().find(|option| option["key"] == "store.currency").unwrap();
    assert_eq!(currency["value"], "USD", "what holds is shown: {currency}");
}

#[tokio::test]
async fn b2_a_configuration_that_is_not_there_or_unknown_arguments_are_refused() {
    let folder = Folder::new("startup");
    let run = |arguments: Vec<String>| {
        let output = std::process::Command::new(storebox_tests::running_box::binary())
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let missing = folder.path().join("missing.toml").display().to_string();
    let (code, said) = run(vec!["--config".to_owned(), missing.clone()]);
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains(&missing), "{said}");
    let (code, said) = run(vec!["--confgi".to_owned(), missing]);
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("confgi"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was written");
}

#[tokio::test]
async fn b2_a_port_that_is_taken_is_a_fault_in_words() {
    let shop = Shop::open("startup").await;
    let folder = Folder::new("startup");
    let taken = shop.running.door().address();
    let stopped = RunningBox::refused(BoxConfig::new(folder.path()).lan("listen", &format!("\"{taken}\""))).await;
    assert_eq!(stopped.code, Some(70), "{}", stopped.log);
    assert!(stopped.log.contains(&taken.to_string()), "{}", stopped.log);
}

/// The service manager's end of the notification socket.
struct Manager {
    socket: UnixDatagram,
    said: Vec<String>,
}

impl Manager {
    fn listen(path: &Path) -> Self {
        Self { socket: UnixDatagram::bind(path).unwrap(), said: Vec::new() }
    }

    /// Waits until the box says `word`.
    async fn hears(&mut self, word: &str, within: Duration) {
        let wait = async {
            let mut buffer = [0; 4_096];
            loop {
                let count = self.socket.recv(&mut buffer).await.unwrap();
                let lines = std::str::from_utf8(&buffer[..count]).unwrap();
                self.said.extend(lines.lines().map(str::to_owned));
                if lines.lines().any(|line| line == word) {
                    return;
                }
            }
        };
        assert!(timeout(within, wait).await.is_ok(), "no {word}; it said {:?}", self.said);
    }
}

#[tokio::test]
async fn b2_ready_is_said_when_the_port_answers_and_signs_of_life_follow() {
    let folder = Folder::new("startup");
    let path = folder.path().join("notify");
    let mut manager = Manager::listen(&path);
    let config =
        BoxConfig::new(folder.path()).env("NOTIFY_SOCKET", path.to_str().unwrap()).env("WATCHDOG_USEC", "4000000");
    let mut running = RunningBox::launched(config);
    manager.hears("READY=1", Duration::from_secs(20)).await;
    running.find_door();
    Terminal::newcomer(running.door()).get("/api/local/ping").await.must_be(200);
    for _ in 0..2 {
        manager.hears("WATCHDOG=1", Duration::from_secs(20)).await;
    }
    running.ask_to_end();
    manager.hears("STOPPING=1", Duration::from_secs(10)).await;
    assert_eq!(running.ended().await.code, Some(0));
}

#[tokio::test]
async fn b2_a_box_that_was_stopped_starts_with_everything() {
    let mut shop = Shop::open("startup").await;
    let first = shop.order().await;
    assert_eq!(shop.running.terminate().await.code, Some(0));
    shop.running.restart().await;
    let second = shop.till.post("/pos/orders", two_coffees()).await.expect(201);
    assert_eq!(second["orderNumber"], "A-0002");
    assert_eq!(shop.all_orders().await, [first, second]);
}
