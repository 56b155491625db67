//! The configuration a test gives the box.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to write into the box's configuration file, and how to start it.
#[derive(Clone, Debug)]
pub struct BoxConfig {
    pub(crate) folder: PathBuf,
    state_dir: PathBuf,
    store: Vec<(String, String)>,
    lan: Vec<(String, String)>,
    offline: Vec<(String, String)>,
    cloud: Option<String>,
    verbatim: Option<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) handed_over: Option<Arc<OwnedFd>>,
    pub(crate) own_network: bool,
    pub(crate) arguments: Vec<String>,
}

impl BoxConfig {
    /// A store that counts in US dollars, adds 10 % tax, and does not slow its terminals down, with its state in
    /// `folder/state`.
    pub fn new(folder: &Path) -> Self {
        let state_dir = folder.join("state");
        let config = Self {
            folder: folder.to_owned(),
            state_dir,
            store: Vec::new(),
            lan: Vec::new(),
            offline: Vec::new(),
            cloud: None,
            verbatim: None,
            env: Vec::new(),
            disk_bytes: None,
            handed_over: None,
            own_network: false,
            arguments: Vec::new(),
        };
        config
            .store("name", "\"Test store\"")
            .store("currency", "\"USD\"")
            .store("timezone", "\"UTC\"")
            .store("register", "\"A\"")
            .store("tax", "{ percent = 10, included = false }")
            .lan("listen", "\"127.0.0.1:0\"")
            .rate(100_000, 100_000)
    }

    /// Sets a key of `[store]` to `value`, written as TOML.
    #[must_use]
    pub fn store(mut self, key: &str, value: &str) -> Self {
        set(&mut self.store, key, value);
        self
    }

    /// Sets a key of `[lan]` to `value`, written as TOML.
    #[must_use]
    pub fn lan(mut self, key: &str, value: &str) -> Self {
        set(&mut self.lan, key, value);
        self
    }

    /// Names a cloud.
    #[must_use]
    pub fn cloud(mut self, url: &str) -> Self {
        self.cloud = Some(url.to_owned());
        self
    }

    /// Sets a key of `[offline]` to `value`, written as TOML.
    #[must_use]
    pub fn offline(mut self, key: &str, value: &str) -> Self {
        set(&mut self.offline, key, value);
        self
    }

    /// Requests a device may send: `per_s` each second, `burst` at once after a pause.
    #[must_use]
    pub fn rate(self, per_s: u32, burst: u32) -> Self {
        self.lan("rate_per_device_s", &per_s.to_string()).lan("rate_burst", &burst.to_string())
    }

    /// The file's whole text, instead of the one made from the keys.
    #[must_use]
    pub fn verbatim(mut self, text: &str) -> Self {
        self.verbatim = Some(text.to_owned());
        self
    }

    /// Keeps the state in another folder.
    #[must_use]
    pub fn in_state_dir(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.state_dir);
        self
    }

    /// One more argument of the process.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// An environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the state on a memory disk of so many bytes, which only the process sees and which goes with it.
    #[must_use]
    pub const fn small_disk(mut self, bytes: u64) -> Self {
        self.disk_bytes = Some(bytes);
        self
    }

    /// Hands the process a descriptor as a service manager does (sd_listen_fds(3)); it stays open here meanwhile.
    #[must_use]
    pub fn handing_over(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.handed_over = Some(Arc::new(socket.into()));
        self
    }

    /// Gives the process a network of its own that has nothing but a loopback interface.
    #[must_use]
    pub const fn own_network(mut self) -> Self {
        self.own_network = true;
        self
    }

    /// Where the state is.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        if let Some(text) = &self.verbatim {
            return text.clone();
        }
        let mut text = format!("[store]\nstate_dir = \"{}\"\n", self.state_dir.display());
        for (key, value) in &self.store {
            writeln!(text, "{key} = {value}").unwrap();
        }
        text.push_str("[lan]\n");
        for (key, value) in &self.lan {
            writeln!(text, "{key} = {value}").unwrap();
        }
        text.push_str("[offline]\n");
        for (key, value) in &self.offline {
            writeln!(text, "{key} = {value}").unwrap();
        }
        if let Some(url) = &self.cloud {
            writeln!(text, "[cloud]\nurl = \"{url}\"").unwrap();
        }
        text
    }
}

fn set(keys: &mut Vec<(String, String)>, key: &str, value: &str) {
    keys.retain(|(name, _)| name != key);
    keys.push((key.to_owned(), value.to_owned()));
}
