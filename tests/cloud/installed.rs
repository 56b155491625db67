//! A real box with an installer's file, and what its installer reads.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use storebox_core::record::decode;
use storebox_provisioning::enrolment::Kept;
use storebox_tests::{BoxConfig, Folder, RunningBox, Terminal};

/// How long a box may take for what a person would wait for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The box, and the folder its installer's file lies in.
pub struct Installed {
    pub running: RunningBox,
    folder: Folder,
}

impl Installed {
    /// Starts a box with this installer's file.
    pub async fn start(site: &str) -> Self {
        Self::start_with(site, |config| config).await
    }

    /// The same with another configuration.
    pub async fn start_with(site: &str, change: impl FnOnce(BoxConfig) -> BoxConfig) -> Self {
        let folder = Folder::new("installed");
        fs::create_dir(folder.path().join("card")).unwrap();
        let file = folder.path().join("card/storebox.toml");
        fs::write(&file, site).unwrap();
        let config = BoxConfig::new(folder.path()).argument("--site").argument(file.to_str().unwrap());
        let running = RunningBox::start(change(config)).await;
        Self { running, folder }
    }

    /// A file beside the installer's.
    pub fn on_card(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("card").join(name)).unwrap_or_default()
    }

    /// Writes the installer's file anew.
    pub fn write_site(&self, text: &str) {
        let card = self.folder.path().join("card");
        fs::write(card.join("new"), text).unwrap();
        fs::rename(card.join("new"), card.join("storebox.toml")).unwrap();
    }

    /// Takes the installer's file away.
    pub fn remove_site(&self) {
        fs::remove_file(self.folder.path().join("card/storebox.toml")).unwrap();
    }

    /// Waits until `STATUS.TXT` says this, however its lines are broken; gives it.
    pub async fn says(&self, what: &str) -> String {
        self.wait(what, || {
            let status = self.on_card("STATUS.TXT");
            let words: Vec<&str> = status.split_whitespace().collect();
            words.join(" ").contains(what).then_some(status)
        })
        .await
    }

    /// Waits until it is registered and has taken the token out of the installer's file.
    pub async fn is_registered(&self) -> String {
        self.wait("a used token", || self.on_card("storebox.toml").contains("token = \"used\"").then_some(())).await;
        self.says("[ok] The box is registered All is well.").await
    }

    /// Waits until its log says something so many times.
    pub async fn logs(&self, what: &str, times: usize) {
        self.wait(what, || (self.running.log().matches(what).count() >= times).then_some(())).await;
    }

    async fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            let (status, log) = (self.on_card("STATUS.TXT"), self.running.log());
            assert!(waited < PATIENCE, "there is no {what:?}; STATUS.TXT:\n{status}\nthe box's log:\n{log}");
            tokio::time::sleep(LOOK_AGAIN).await;
            waited += LOOK_AGAIN;
        }
    }

    /// What it has kept of its cloud.
    pub fn kept(&self) -> Kept {
        decode(&fs::read(self.running.state("cloud/enrolment")).unwrap()).unwrap()
    }

    /// A till, paired.
    pub async fn till(&self) -> Terminal {
        Terminal::pair(&self.running, "Till 1", "pos").await
    }
}

/// What the box says of its cloud to a till.
pub async fn cloud_of(till: &mut Terminal) -> Value {
    till.get("/api/local/status").await.expect(200)["cloud"].clone()
}
