//! Does what enrolment asks for, one step after the other, for as long as the box runs.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{KeyPair, PublicKeyData as _};
use storebox_core::limits::{HEARTBEATS_S, SITE_LOOK_S};
use storebox_core::record::{decode, encode};
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use storebox_helper::client::Client as Helper;
use storebox_helper::protocol::{Request as HelperRequest, SOCKET};
use storebox_provisioning::enrolment::{Enrolment, Kept, Next, Now, Outcome, Stage, Step, Trouble};
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::{PROTOCOL, Registration, Request};
use storebox_provisioning::site::{self, Fault, Site};
use storebox_provisioning::status::Report;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::View;
use super::machine;
use super::network::Network;
use super::site::Place;
use super::steps::{Asking, Done};
use crate::config::Source;
use crate::entropy;
use crate::files;
use crate::keys;
use crate::lan::Api;
use crate::lan::identity::{BUILD_TIME_S, hex};

/// What enrolment has kept, in the folder of the uplink.
const KEPT: &str = "enrolment";
/// The last installer's file that was understood, without its token.
const LAST_SITE: &str = "site.toml";
/// The box's key to the cloud, among the secrets.
const KEY: &str = "cloud.key";

const LOOK: Duration = Duration::from_secs(SITE_LOOK_S);
/// timesyncd leaves this file when a time server has set the clock (systemd-timesyncd.service(8)).
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";
/// A clock that is off by less is right.
const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// Keeps the box in touch with its cloud.
pub struct Driver {
    api: Arc<Api>,
    place: Option<Place>,
    folder: PathBuf,
    key_file: PathBuf,
    key: Option<Arc<KeyPair>>,
    enrolment: Enrolment,
    /// The last installer's file that was understood.
    site: Site,
    faults: Vec<Fault>,
    /// What the installer's file was at the last look.
    seen: Option<u64>,
    /// Whether the cloud has confirmed or set the clock since the start.
    time_is_of_cloud: bool,
    answered_at: Option<Timestamp>,
    heartbeat_at: Duration,
    addresses: Vec<IpAddr>,
    /// The installer's static address; none where somebody else cares for the network.
    network: Option<Network>,
    /// What was told last, in `STATUS.TXT` and in the log.
    told: String,
    said: String,
}

impl Driver {
    /// Goes on from what is kept in the state folder.
    pub fn load(api: Arc<Api>, place: Option<Place>, state_dir: &Path, secrets_dir: &Path) -> Self {
        let folder = state_dir.join("cloud");
        let key_file = secrets_dir.join(KEY);
        if let Err(error) = files::private_dir(&folder).and_then(|()| files::private_dir(secrets_dir)) {
            log::error!("the folder {} cannot be made: {error}", folder.display());
        }
        let key = keys::read(&key_file).unwrap_or_else(|error| {
            log::error!("the box's key to the cloud cannot be used: {}: {error}", key_file.display());
            None
        });
        let kept = kept(&folder.join(KEPT), key.as_ref());
        let last = files::read(&folder.join(LAST_SITE)).ok().flatten();
        let site = last.and_then(|text| Site::read(text.as_bytes()).ok()).unwrap_or_default();
        let network = matches!(place, Some(Place::Card(_))).then(|| Network::load(&folder));
        Self {
            api,
            place,
            folder,
            key_file,
            key: key.map(Arc::new),
            enrolment: Enrolment::new(kept),
            site,
            faults: Vec::new(),
            seen: None,
            time_is_of_cloud: false,
            answered_at: None,
            heartbeat_at: Duration::ZERO,
            addresses: machine::addresses(),
            network,
            told: String::new(),
            said: String::new(),
        }
    }

    /// Runs until `stopping` becomes true, whatever it is doing then: it goes on at the next start as after a loss of power.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        tokio::select! {
            () = self.drive() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    async fn drive(mut self) {
        let mut first = true;
        loop {
            if first || self.place.as_ref().is_some_and(Place::may_change) {
                self.look().await;
                first = false;
            }
            if let Some(network) = &mut self.network {
                let now = self.api.clock.monotonic();
                network.look(now, self.site.address.as_ref(), !self.addresses.is_empty()).await;
            }
            self.notice_addresses();
            self.tell().await;
            let pause = match self.enrolment.next(self.now()) {
                Next::Do(step) => {
                    self.take(step).await;
                    continue;
                }
                Next::Wait(wait) => wait.min(LOOK),
                Next::Nothing => LOOK,
            };
            self.heartbeat_if_due().await;
            tokio::time::sleep(pause).await;
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.api.clock.monotonic(), wall: self.wall() }
    }

    /// What the clock shows, but never earlier than can be.
    fn wall(&self) -> Timestamp {
        self.api.clock.wall().max(self.floor())
    }

    fn floor(&self) -> Timestamp {
        let built = Timestamp::from_millis(u64::try_from(BUILD_TIME_S).unwrap_or_default().saturating_mul(1_000));
        let last = self.enrolment.kept().registration.as_ref().map(|registration| registration.time);
        built.max(last.unwrap_or_default())
    }

    fn time_is_verified(&self) -> bool {
        self.time_is_of_cloud || Path::new(SYNCHRONIZED).exists()
    }

    /// Looks at the installer's file, and takes it if it is new and understood.
    async fn look(&mut self) {
        let Some(place) = self.place.clone() else { return };
        let bytes = match spawn_blocking(move || place.read()).await {
            Ok(Ok(Some(bytes))) => bytes,
            // What is absent stays as it was. The same file again would be news.
            Ok(Ok(None)) => {
                self.seen = None;
                return self.faults.clear();
            }
            Ok(Err(error)) if error.is_no_place() => {
                self.place = None;
                return;
            }
            Ok(Err(error)) => return self.say(format!("the installer's file cannot be read: {error}")),
            Err(panicked) => return self.say(format!("the installer's file cannot be read: {panicked}")),
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let digest = hasher.finish();
        if self.seen.replace(digest) == Some(digest) {
            return;
        }
        match Site::read(&bytes) {
            Ok(site) => {
                self.faults.clear();
                self.take_site(site).await;
            }
            Err(faults) => {
                for fault in &faults {
                    log::error!("storebox.toml was not taken: {fault}");
                }
                self.faults = faults;
            }
        }
    }

    async fn take_site(&mut self, site: Site) {
        if let Some(cloud) = site.cloud.clone()
            && self.enrolment.claim(cloud.clone(), site.claim.clone())
        {
            log::info!("the installer's file names the cloud {}", cloud.url);
            self.keep().await;
        }
        if site == self.site {
            return;
        }
        let said = [("store.name", &site.name), ("store.timezone", &site.timezone)];
        let said = said.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.as_str().into())));
        self.take_over(Source::Installer, said.collect()).await;
        self.site = Site { claim: None, ..site };
        let text = self.site.write();
        if let Err(error) = files::write(&self.folder.join(LAST_SITE), text.as_bytes(), files::PRIVATE) {
            log::error!("the installer's file cannot be kept: {error}");
        }
    }

    async fn take_over(&self, source: Source, said: Vec<(&str, toml::Value)>) {
        if let Err(error) = self.api.configuration.take_over(&self.api.store, source, said).await {
            log::error!("what was said by {source:?} is left out: {error}");
        }
    }

    /// Somebody plugged a cable in, or the network gave an address: what waited need not.
    fn notice_addresses(&mut self) {
        let addresses = machine::addresses();
        if addresses != self.addresses {
            self.addresses = addresses;
            self.enrolment.hurry();
        }
    }

    async fn take(&mut self, step: Step) {
        log::debug!("enrolment: {step:?}");
        let Done { mut outcome, time, why } = match step {
            Step::MakeKey => self.make_key().await,
            Step::FetchAuthorities => self.asking().fetch_authorities().await,
            Step::Enrol => self.asking().enrol().await,
            Step::Renew => self.asking().renew().await,
            Step::Register => self.register().await,
            Step::ForgetToken => self.forget_token().await,
        };
        self.hear(&outcome, time).await;
        match &mut outcome {
            // The cable is looked at first, as an installer would.
            Outcome::Failed(Stage::Names | Stage::Tls) | Outcome::NoProxy if !self.is_on_this_machine() => {
                match machine::network() {
                    None => outcome = Outcome::Failed(Stage::Link),
                    Some(Stage::Link) => outcome = Outcome::Failed(Stage::Address),
                    Some(_) => {}
                }
            }
            Outcome::Enrolled(certificate) => {
                log::info!("the cloud gave the box a certificate until {}", certificate.until)
            }
            Outcome::Registered(registration) => {
                let Registration { store_name, register, epoch, .. } = registration.as_ref();
                log::info!("registered for {} as box {epoch}, register {}", store_name.as_str(), register.as_str());
                // The floor of the clock: nothing that nobody vouches for.
                registration.time = time.unwrap_or_else(|| self.floor());
                self.become_of_store(registration).await;
            }
            _ => {}
        }
        if why.is_empty() {
            self.said.clear();
        } else {
            self.say(format!("the cloud: {why}"));
        }
        self.enrolment.done(self.now(), step, outcome, u64::from_le_bytes(entropy::random()));
        self.keep().await;
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            kept: self.enrolment.kept(),
            key: self.key.as_deref(),
            proxy: self.site.proxy.as_ref(),
            now: self.api.clock.wall(),
            time_is_verified: self.time_is_verified(),
            floor: self.floor(),
        }
    }

    /// Whether the cloud is on this machine, which takes no cable.
    fn is_on_this_machine(&self) -> bool {
        let host = self.enrolment.kept().cloud.as_ref().map(|cloud| cloud.url.host().trim_matches(['[', ']']));
        host.is_some_and(|host| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }

    async fn make_key(&mut self) -> Done {
        let file = self.key_file.clone();
        // A key that is there is the box's: power went before it was noted.
        let made =
            spawn_blocking(move || keys::read(&file).and_then(|key| key.map_or_else(|| keys::make(&file), Ok))).await;
        let failed = |why: String| Done { outcome: Outcome::Failed(Stage::Enrolled), time: None, why };
        match made {
            Ok(Ok(key)) => {
                let id = id_of(&key);
                log::info!("the box's identity is {}", id.short());
                self.key = Some(Arc::new(key));
                Done { outcome: Outcome::KeyMade(id), time: None, why: String::new() }
            }
            Ok(Err(error)) => failed(error.to_string()),
            Err(panicked) => failed(panicked.to_string()),
        }
    }

    async fn register(&self) -> Done {
        let Some(id) = self.enrolment.kept().id else {
            return Done {
                outcome: Outcome::Failed(Stage::Enrolled),
                time: None,
                why: "the box has no name yet".to_owned(),
            };
        };
        let request = self.request();
        self.asking().register(id, &request).await
    }

    /// What the box says of itself.
    fn request(&self) -> Request {
        let Kept { claim, used, .. } = self.enrolment.kept();
        Request {
            protocol: PROTOCOL,
            intent: claim.as_ref().or(used.as_ref()).map(|claim| claim.intent).unwrap_or_default(),
            board: Name::cut(machine::board()),
            serial: machine::serial(),
            release: Name::cut(env!("CARGO_PKG_VERSION")),
            host_name: Name::cut(&machine::host_name()),
            addresses: self.addresses.clone(),
            lan_fingerprint: Name::cut(&hex(&self.api.fingerprint)),
            encrypted: machine::is_encrypted(&self.folder),
            store_name: self.site.name.clone(),
            time: self.api.clock.wall(),
            time_is_verified: self.time_is_verified(),
        }
    }

    /// The cloud says what the store is called, what its order numbers begin with, and what else of its configuration it
    /// wants to.
    async fn become_of_store(&self, registration: &Registration) {
        let Registration { store_name, register, configuration, .. } = registration;
        let mut said = vec![("store.name", store_name.as_str().into()), ("store.register", register.as_str().into())];
        for (key, text) in configuration {
            match format!("value = {}", text.as_str())
                .parse::<toml::Table>()
                .ok()
                .and_then(|mut table| table.remove("value"))
            {
                Some(value) => said.push((key.as_str(), value)),
                None => log::error!("what the cloud says of {} is left out: it is not TOML", key.as_str()),
            }
        }
        self.take_over(Source::Cloud, said).await;
    }

    /// Takes the token out of the installer's file. Where that cannot be done the token is worth nothing any more, so the
    /// box goes on.
    async fn forget_token(&mut self) -> Done {
        if let Some(place) = self.place.clone() {
            let forgotten = spawn_blocking(move || match place.read()?.as_deref().and_then(site::without_token) {
                Some(text) => place.replace(&text),
                None => Ok(()),
            });
            match forgotten.await {
                Ok(Ok(())) => log::info!("the claim was used; its token is no longer in storebox.toml"),
                Ok(Err(error)) => log::warn!("the used token cannot be taken out of storebox.toml: {error}"),
                Err(panicked) => log::warn!("the used token cannot be taken out of storebox.toml: {panicked}"),
            }
        }
        Done { outcome: Outcome::TokenForgotten, time: None, why: String::new() }
    }

    async fn heartbeat_if_due(&mut self) {
        let Kept { id: Some(id), certificate: Some(_), registration: Some(registration), revoked: None, .. } =
            self.enrolment.kept()
        else {
            return;
        };
        let (id, every_s) =
            (*id, u64::from(registration.heartbeat_s).clamp(*HEARTBEATS_S.start(), *HEARTBEATS_S.end()));
        let monotonic = self.api.clock.monotonic();
        if monotonic < self.heartbeat_at {
            return;
        }
        self.heartbeat_at = monotonic + Duration::from_secs(every_s);
        let beat = self.asking().heartbeat(id).await;
        match beat {
            Ok(time) => {
                self.answered_at = Some(self.wall());
                self.said.clear();
                self.set_clock(time).await;
            }
            Err(Done { outcome: outcome @ Outcome::Refused(..), time, why }) => {
                self.hear(&outcome, time).await;
                self.say(format!("the cloud: {why}"));
                self.enrolment.done(self.now(), Step::Register, outcome, u64::from_le_bytes(entropy::random()));
                self.keep().await;
            }
            Err(Done { why, .. }) => self.say(format!("the cloud: {why}")),
        }
    }

    /// Notes when the cloud answered, and what its clock shows.
    async fn hear(&mut self, outcome: &Outcome, time: Option<Timestamp>) {
        let asked_somebody =
            !matches!(outcome, Outcome::KeyMade(_) | Outcome::TokenForgotten | Outcome::Failed(_) | Outcome::NoProxy);
        if asked_somebody {
            self.answered_at = Some(self.wall());
        }
        self.set_clock(time).await;
    }

    /// A box whose clock nobody has set yet takes the cloud's time, which comes from somebody who has shown who it is.
    async fn set_clock(&mut self, time: Option<Timestamp>) {
        let Some(time) = time.filter(|_| !self.time_is_verified()) else { return };
        let wall = self.api.clock.wall();
        let off_by_ms = wall.millis_since(time).max(time.millis_since(wall));
        if off_by_ms <= CLOCK_TOLERANCE_MS {
            self.time_is_of_cloud = true;
            return;
        }
        let is_image = Path::new(SOCKET).exists();
        if !is_image {
            return self.say(format!("the clock shows {wall}, the cloud's {time}: set this machine's clock"));
        }
        let set = spawn_blocking(move || Helper::default().ask(&HelperRequest::SetTime { unix_ms: time.as_millis() }));
        match set.await {
            Ok(Ok(_)) => {
                self.time_is_of_cloud = true;
                log::info!("the clock showed {wall} and was set to the cloud's {time}");
            }
            Ok(Err(error)) => self.say(format!("the clock cannot be set: {error}")),
            Err(panicked) => self.say(format!("the clock cannot be set: {panicked}")),
        }
    }

    /// Writes down what has to outlast a loss of power, however long the disk takes.
    async fn keep(&mut self) {
        let path = self.folder.join(KEPT);
        loop {
            let bytes = encode(self.enrolment.kept());
            let file = path.clone();
            let written = spawn_blocking(move || match bytes {
                Ok(bytes) => files::write(&file, &bytes, files::PRIVATE).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            });
            match written.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => self.say(format!("what the cloud said cannot be kept, so the box waits: {error}")),
                Err(panicked) => self.say(format!("what the cloud said cannot be kept: {panicked}")),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Says the same thing once.
    fn say(&mut self, what: String) {
        if what != self.said {
            log::warn!("{what}");
            self.said = what;
        }
    }

    /// Tells everybody how the box stands, where that has changed.
    async fn tell(&mut self) {
        let host_name = machine::host_name();
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let mut report = Report {
            time: Timestamp::EPOCH,
            release: env!("CARGO_PKG_VERSION"),
            host_name: &host_name,
            addresses: &addresses,
            proxy: self.site.proxy.as_ref().map(Name::as_str),
            faults: &self.faults,
            address_failed: self.network.as_ref().is_some_and(Network::has_failed),
            reached: self.reached(),
            enrolment: &self.enrolment,
        };
        let kept = self.enrolment.kept();
        self.api.uplink.tell(View {
            cloud: kept.cloud.as_ref().map(|cloud| cloud.url.clone()),
            id: kept.id,
            store: kept.registration.as_ref().map(|registration| registration.store_name.clone()),
            standing: report.standing(),
            faults: self.faults.clone(),
            answered_at: self.answered_at,
        });
        let text = report.text();
        let Some(place) = self.place.clone().filter(|_| text != self.told) else { return };
        report.time = self.wall();
        let dated = report.text();
        self.told = text;
        let written = spawn_blocking(move || place.write_status(&dated)).await;
        if let Ok(Err(error)) = written {
            self.say(format!("STATUS.TXT cannot be written: {error}"));
        }
    }

    /// How far the box's own network goes.
    fn reached(&self) -> Option<Stage> {
        if self.answered_at.is_some() {
            return Some(if self.time_is_verified() { Stage::Time } else { Stage::Names });
        }
        match self.enrolment.trouble() {
            Some(Trouble::Failed(Stage::Tls)) => Some(Stage::Names),
            _ => machine::network(),
        }
    }
}

/// What was kept, for this key. Without its key a box has to begin again with its claim.
fn kept(path: &Path, key: Option<&KeyPair>) -> Kept {
    let kept: Kept = match std::fs::read(path) {
        Ok(bytes) => decode(&bytes).unwrap_or_else(|error| {
            log::error!("what the cloud said is forgotten: {}: {error:?}", path.display());
            Kept::default()
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
        Err(error) => {
            log::error!("what the cloud said is forgotten: {}: {error}", path.display());
            Kept::default()
        }
    };
    if kept.id.is_some() && kept.id != key.map(id_of) {
        log::error!("the box's key to the cloud is not the one it was registered with: it enrols again");
        let Kept { cloud, claim, used, .. } = kept;
        return Kept { cloud, claim: claim.or(used), ..Kept::default() };
    }
    kept
}

fn id_of(key: &KeyPair) -> BoxId {
    BoxId::of_key(&key.subject_public_key_info())
}
