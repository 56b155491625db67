//! What the box tells the screen beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storebox_tests::{BoxConfig, Folder, RunningBox, Shop, Terminal};

/// The folder a service manager would give the box, and the file in it.
struct Screen {
    folder: PathBuf,
}

impl Screen {
    fn beside(folder: &Folder) -> Self {
        let folder = folder.path().join("run");
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn told_by(&self, config: BoxConfig) -> BoxConfig {
        config.env("RUNTIME_DIRECTORY", self.folder.to_str().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("status.json")
    }

    fn read(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).expect("it is never read half")
    }

    async fn shows(&self, what: &str, within_s: u64, is_so: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let shown = self.read();
            if is_so(&shown) {
                return shown;
            }
            assert!(started.elapsed() < Duration::from_secs(within_s), "{what} is not shown: {shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    let block = vec![0; 4_096];
    while file.write_all(&block).is_ok() {}
}

/// The secret is for the installer of a new box: the first pairing takes it off the screen for good.
#[tokio::test]
async fn l18_the_screen_shows_the_secret_until_the_first_terminal_is_paired() {
    let folder = Folder::new("screen");
    let screen = Screen::beside(&folder);
    let mut running = RunningBox::start(screen.told_by(BoxConfig::new(folder.path()))).await;
    let new = screen.shows("selling", 5, |shown| shown["state"] == "selling").await;
    assert_eq!(new["pairingSecret"], running.secret());
    let ping = Terminal::newcomer(running.door()).get("/api/local/ping").await.expect(200);
    let same = ["name", "version", "port", "fingerprint"];
    assert!(same.iter().all(|key| new[key] == ping[key] && !ping[key].is_null()), "{new}\n{ping}");
    assert_eq!((&new["pairedDevices"], &new["connectivity"]), (&json!(0), &json!("local_only")), "{new}");
    assert_eq!(fs::metadata(screen.file()).unwrap().permissions().mode() & 0o777, 0o600);

    Terminal::pair(&running, "Till 1", "pos").await;
    let paired = screen.shows("the pairing", 5, |shown| shown["pairedDevices"] == 1).await;
    assert_eq!(paired.get("pairingSecret"), None);
    assert_eq!(running.terminate().await.code, Some(0));
    let stopped = screen.read();
    assert_eq!(stopped["state"], "stopping", "{stopped}");
    running.restart().await;
    let again = screen.shows("selling", 5, |shown| shown["state"] == "selling").await;
    assert_eq!((&again["pairedDevices"], again.get("pairingSecret")), (&json!(1), None), "{again}");
    assert_eq!(fs::read_dir(&screen.folder).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn the_screen_hears_from_a_quiet_box_and_counts_what_waits_for_the_cloud() {
    let folder = Folder::new("screen");
    let screen = Screen::beside(&folder);
    let config = BoxConfig::new(folder.path());
    let with_cloud = format!("{}[cloud]\nurl = \"https://cloud.invalid\"\n", config.to_toml());
    let running = RunningBox::start(screen.told_by(config.verbatim(&with_cloud))).await;
    let mut till = Terminal::pair(&running, "Till 1", "pos").await;
    till.post("/pos/orders", storebox_tests::sample::two_coffees()).await.expect(201);
    let waiting = |shown: &Value| shown["pendingUploads"].as_u64() >= Some(1);
    let shown = screen.shows("the order", 5, waiting).await;
    assert_eq!(shown["connectivity"], "offline", "{shown}");
    let last = shown["at"].clone();
    let next = screen.shows("another word", 11, |shown| shown["at"] != last).await;
    assert_eq!(next["since"], shown["since"], "nothing happened meanwhile");
}

/// B3: a box that cannot write says so where people look first.
#[tokio::test]
async fn b3_the_screen_shows_a_full_disk_and_its_end() {
    let folder = Folder::new("screen");
    let screen = Screen::beside(&folder);
    let config = BoxConfig::new(folder.path()).small_disk(48 * 1024 * 1024);
    let running = RunningBox::start(screen.told_by(config)).await;
    screen.shows("selling", 5, |shown| shown["state"] == "selling").await;
    let filler = running.state("filler");
    fill(&filler);
    screen.shows("the full disk", 10, |shown| shown["state"] == "read_only").await;
    fs::remove_file(filler).unwrap();
    screen.shows("selling", 10, |shown| shown["state"] == "selling").await;
}

/// As long as the PIN is the box's own, whoever stands before the box is to become the owner; later it may be anybody.
#[tokio::test]
async fn l10_the_screen_shows_the_owners_pin_until_it_is_changed() {
    let folder = Folder::new("screen");
    let screen = Screen::beside(&folder);
    let shop = Shop::open_with("screen", |config| screen.told_by(config)).await;
    let first = fs::read_to_string(shop.running.state("lan/owner-pin")).unwrap();
    screen.shows("the PIN", 5, |shown| shown["ownerPin"] == first.trim()).await;
    shop.owner().await;
    screen.shows("no PIN", 5, |shown| shown["state"] == "selling" && shown["ownerPin"].is_null()).await;
}
