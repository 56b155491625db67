//! What the screen beside the box is told: one small file, renamed into place (see [`BoxStatus`]).
//!
//! Under systemd the file is `status.json` in the unit's runtime folder, in memory; without such a folder nobody has
//! a screen, and nothing is written.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storebox_core::limits::STATUS_EVERY_S;
use storebox_core::settings::Mode;
use storebox_core::status::{BoxState, BoxStatus};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::lan::Api;
use crate::lan::identity::hex;

/// The file's name in the runtime folder.
pub const FILE: &str = "status.json";

/// How often it is looked whether there is something new to tell: what a person in front of the screen does not feel.
const LOOK: Duration = Duration::from_secs(1);

/// The file and what stands in it.
pub struct ScreenStatus {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    status: BoxStatus,
    /// Monotonic time of the last word.
    told_at: Duration,
    /// Why the file could not be written, if it could not.
    trouble: Option<String>,
}

impl ScreenStatus {
    /// Tells that the box starts, if the service manager gave it a runtime folder (`RUNTIME_DIRECTORY`, systemd.exec(5)).
    pub fn from_environment(config: &Config, clock: &Arc<dyn Clock>) -> Option<Self> {
        let folders = env::var_os("RUNTIME_DIRECTORY")?;
        // Several are separated by colons; the first is the daemon's own.
        let folder = env::split_paths(&folders).next().filter(|folder| folder.is_absolute())?;
        Some(Self::start(folder.join(FILE), config, Arc::clone(clock)))
    }

    fn start(path: PathBuf, config: &Config, clock: Arc<dyn Clock>) -> Self {
        let now = clock.wall();
        let status = BoxStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: config.settings().name,
            state: BoxState::Starting,
            since: now,
            fingerprint: None,
            port: None,
            paired_devices: 0,
            pairing_secret: None,
            owner_pin: None,
            pending_uploads: 0,
            connectivity: config.connectivity(),
            registration: None,
            at: now,
        };
        let mut this = Self { path, told_at: clock.monotonic(), clock, status, trouble: None };
        this.write();
        this
    }

    /// Tells how the box is, on every change and at least every [`STATUS_EVERY_S`] seconds, until `stopping` becomes
    /// true; its last word is that the box stops.
    pub async fn follow(mut self, api: Arc<Api>, mut stopping: watch::Receiver<bool>) {
        let mut committed = api.store.committed();
        committed.mark_changed();
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                changed = stopping.changed() => match changed {
                    Ok(()) if !*stopping.borrow() => continue,
                    Ok(()) | Err(_) => break,
                },
            }
            // Only a commit changes what the store would have to be read for.
            if committed.has_changed().unwrap_or(false) {
                committed.mark_unchanged();
                if let Ok(counts) = api.store.read(|view| view.counts()).await {
                    self.status.pending_uploads = counts.outbox;
                }
            }
            self.tell_of(&api);
        }
        self.tell(BoxStatus { state: BoxState::Stopping, ..self.status.clone() });
    }

    fn tell_of(&mut self, api: &Api) {
        let paired_devices = u64::try_from(api.devices.count()).unwrap_or(u64::MAX);
        let accepts_the_first = paired_devices == 0 && api.in_force().mode == Mode::Server;
        let state = if api.store.is_stopped() {
            BoxState::Stopping
        } else if api.store.is_full() {
            BoxState::ReadOnly
        } else {
            BoxState::Selling
        };
        self.tell(BoxStatus {
            name: api.in_force().settings.name.clone(),
            state,
            fingerprint: Some(hex(&api.fingerprint)),
            port: Some(api.port),
            paired_devices,
            pairing_secret: accepts_the_first.then(|| api.secret.expose().to_owned()),
            owner_pin: api.owner.pin(),
            connectivity: api.connectivity,
            registration: api.uplink.view().and_then(|view| view.sentence()),
            ..self.status.clone()
        });
    }

    /// Writes the file if there is something new, or if the last word is long enough ago.
    fn tell(&mut self, mut news: BoxStatus) {
        if news.state != self.status.state {
            news.since = self.clock.wall();
        }
        let silent_for = self.clock.monotonic().saturating_sub(self.told_at);
        // A second early, so that a look that comes late is not too late.
        let is_due = silent_for + LOOK >= Duration::from_secs(STATUS_EVERY_S);
        if news == self.status && !is_due && self.trouble.is_none() {
            return;
        }
        news.at = self.clock.wall();
        self.status = news;
        self.write();
    }

    fn write(&mut self) {
        self.told_at = self.clock.monotonic();
        let trouble = self.replace_file().err().map(|error| error.to_string());
        // Said once, not every second.
        if let Some(error) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            log::warn!("the screen cannot be told how the box is ({}): {error}", self.path.display());
        }
        self.trouble = trouble;
    }

    /// It lies in memory and is worth nothing after a power cut, so nothing is synced.
    fn replace_file(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.status).map_err(io::Error::other)?;
        let aside = self.path.with_extension("json.new");
        // One that was left behind might have another mode.
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?.write_all(&text)?;
        fs::rename(&aside, &self.path)
    }
}
