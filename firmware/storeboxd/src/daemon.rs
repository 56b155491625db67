//! The box from start to drain.
//!
//! Order of starting: configuration (nothing bound, nothing written) → store → listener → ready. Order of stopping:
//! accept nothing new → finish what is under way → end streams → last commit → close the store.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storebox_core::catalogue::{self, sample::SampleShop};
use storebox_core::command::{Command, Rejection, Request};
use storebox_core::limits::STREAMS;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Layers, Source};
use crate::lan::auth::Devices;
use crate::lan::config::Configuration;
use crate::lan::identity::{IdentityError, LanIdentity, LeafNames};
use crate::lan::pairing::{Nonces, PairingSecret, SecretError};
use crate::lan::payment_key::PaymentKey;
use crate::lan::people::{FirstOwner, OwnerError, Pins, Sessions};
use crate::lan::server::{Connections, Server};
use crate::lan::tls::{ServerTls, TlsError};
use crate::lan::{self, Api, renewal};
use crate::screen_status::ScreenStatus;
use crate::store::{DiskMedium, ReadError, Store, StoreError, SubmitError, Writer};
use crate::upkeep;
use crate::uplink::{Driver, Place};
use crate::watchdog::{CheckIn, Watchdog, notify};

/// A box that has started.
pub struct Daemon {
    store: Store,
    writer: Writer,
    server: Server,
    identity: LanIdentity,
    names: LeafNames,
    screen: Option<ScreenStatus>,
    clock: Arc<dyn Clock>,
    lan_dir: PathBuf,
    state_dir: PathBuf,
    uplink: Driver,
    stop: watch::Sender<bool>,
    terminate: Signal,
    interrupt: Signal,
    /// Held as long as the box runs: a second one on the same folder is refused.
    _lock: File,
}

/// What a person at a desk needs to connect.
pub struct Greeting {
    /// Where the box listens.
    pub address: SocketAddr,
    /// The pairing secret.
    pub secret: String,
    /// The first owner's PIN, until it is changed.
    pub owner_pin: Option<String>,
    /// SHA-256 of the LAN key's SubjectPublicKeyInfo, hexadecimal.
    pub fingerprint: String,
    /// The certificate authority's file.
    pub ca_file: PathBuf,
}

impl Daemon {
    /// Opens the store and binds the listener, unless one was `inherited`. `site` is the installer's file; without one it is
    /// looked for on the box's own disk.
    ///
    /// # Errors
    /// [`DaemonError`].
    pub async fn start(
        layers: Layers,
        config: Config,
        inherited: Option<std::net::TcpListener>,
        site: Option<PathBuf>,
    ) -> Result<Self, DaemonError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
        let state_dir = config.store.state_dir.clone();
        let lock = take_folder(&state_dir)?;
        let screen = ScreenStatus::from_environment(&config, &clock);

        let medium = DiskMedium::in_folder(&state_dir);
        let at_store = |error| DaemonError::Store { folder: state_dir.clone(), error };
        let (store, writer) = Store::open(medium, Arc::clone(&clock), config.settings()).map_err(at_store)?;
        let (layers, config) = apply(&store, layers, config).await?;
        tell(&store, Command::NoteConnectivity(config.connectivity())).await?;
        let devices = store.read(|view| view.devices()).await?;

        let lan_dir = config.lan_dir();
        let names = renewal::machine_names();
        let identity = LanIdentity::load_or_make(&lan_dir, renewal::seconds(clock.as_ref()), &names)?;
        if let Some(trouble) = renewal::unsaved(&identity) {
            log::warn!("{trouble}");
        }
        let tls = Arc::new(ServerTls::new(&identity)?);
        let secret = PairingSecret::load_or_make(&config.secret_file())?;
        let owner = FirstOwner::make_or_find(&store, &lan_dir).await?;
        let listen = config.lan.listen;
        let by_whom = if inherited.is_some() { " (handed over by the service manager)" } else { "" };
        let listener = match inherited {
            Some(listener) => TcpListener::from_std(listener),
            None => TcpListener::bind(listen).await,
        };
        let listener = listener.map_err(|error| DaemonError::Listen { listen, error })?;
        let address = listener.local_addr().map_err(|error| DaemonError::Listen { listen, error })?;

        let (stop, stopping) = watch::channel(false);
        let secrets_dir = config.secrets_dir();
        let api = Arc::new(Api {
            store: store.clone(),
            clock: Arc::clone(&clock),
            configuration: Configuration::new(layers, &config),
            connectivity: config.connectivity(),
            uplink: Arc::default(),
            port: address.port(),
            devices: Devices::new(devices),
            pairing: tokio::sync::Mutex::default(),
            secret,
            payment_key: PaymentKey::in_folder(&config.secrets_dir()),
            nonces: Nonces::default(),
            attempts: lan::pair::Attempts::default(),
            sessions: Sessions::default(),
            pins: Pins::default(),
            owner,
            fingerprint: identity.fingerprint(),
            ca_pem: identity.ca_pem().to_owned(),
            connections: Connections::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            stopping,
        });
        let uplink = Driver::load(Arc::clone(&api), Place::find(site), &state_dir, &secrets_dir);
        let router = lan::router(Arc::clone(&api));
        let server = Server { listener, tls, router, api, check_in: CheckIn::new(Arc::clone(&clock)) };
        if let Err(error) = publish_address(&lan_dir, address) {
            log::warn!("cannot write down where the box listens: {error}");
        }
        log::info!("listening on https://{address}{by_whom}");
        Ok(Self {
            store,
            writer,
            server,
            identity,
            names,
            screen,
            clock,
            lan_dir,
            state_dir,
            uplink,
            stop,
            terminate,
            interrupt,
            _lock: lock,
        })
    }

    /// Gives a store that never had a catalogue a sample one; another keeps what it has.
    ///
    /// # Errors
    /// [`DaemonError::Submit`] if the store does not take it.
    pub async fn seed(&self, shop: SampleShop) -> Result<(), DaemonError> {
        if self.store.catalogue().revision() > 0 {
            log::info!("the store has a catalogue; the sample shop is left out");
            return Ok(());
        }
        tell(&self.store, Command::Catalogue(catalogue::Command::Replace(Box::new(shop.bundle())))).await
    }

    /// What to tell a person at a desk.
    pub fn greeting(&self) -> Result<Greeting, DaemonError> {
        Ok(Greeting {
            address: self.server.listener.local_addr().map_err(DaemonError::Signals)?,
            secret: self.server.api.secret.expose().to_owned(),
            owner_pin: self.server.api.owner.pin(),
            fingerprint: lan::identity::hex(&self.server.api.fingerprint),
            ca_file: self.lan_dir.join("ca.pem"),
        })
    }

    /// Serves until it is told to stop (SIGTERM, SIGINT), and drains.
    ///
    /// # Errors
    /// [`DaemonError::Store`] if the store failed; the process must end, and whoever started it start it again.
    pub async fn run(self) -> Result<(), DaemonError> {
        let Self {
            store,
            writer,
            server,
            identity,
            names,
            screen,
            clock,
            lan_dir,
            state_dir,
            uplink,
            stop,
            mut terminate,
            mut interrupt,
            _lock,
        } = self;
        let watchdog = Watchdog::start(store.clone(), server.check_in.clone(), Arc::clone(&clock), state_dir.clone())
            .map_err(DaemonError::Signals)?;
        let tls = Arc::clone(&server.tls);
        let watching = tokio::spawn(watchdog.run(stop.subscribe()));
        let renewing = tokio::spawn(renewal::run(identity, names, tls, clock, stop.subscribe()));
        let tidying = tokio::spawn(upkeep::run(Arc::clone(&server.api), stop.subscribe()));
        let (api, stopping) = (Arc::clone(&server.api), stop.subscribe());
        let telling = tokio::spawn(async move {
            if let Some(screen) = screen {
                screen.follow(api, stopping).await;
            }
        });
        let registering = tokio::spawn(uplink.run(stop.subscribe()));
        let noticing = tokio::spawn(lan::devices::presence::follow(Arc::clone(&server.api), stop.subscribe()));
        let mut serving = tokio::spawn(server.run(stop.subscribe()));
        let mut writing = tokio::task::spawn_blocking(move || writer.join());
        notify(sd_notify::NotifyState::Ready);

        let ended_early = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            ended = &mut writing => Some(ended),
            _ = &mut serving => None,
        };
        notify(sd_notify::NotifyState::Stopping);
        log::info!("stopping: finishing what is under way");
        stop.send_replace(true);
        if !serving.is_finished() {
            let _served = serving.await;
        }
        let _ended = (watching.await, renewing.await, telling.await, noticing.await, tidying.await, registering.await);
        store.close();
        let ended = match ended_early {
            Some(ended) => ended,
            None => writing.await,
        };
        if let Err(error) = fs::remove_file(lan_dir.join("address")) {
            log::warn!("cannot take back the address file: {error}");
        }
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DaemonError::Store { folder: state_dir, error }),
            Err(_panicked) => Err(DaemonError::Writer),
        }
    }
}

/// Makes the state folder and takes it for this process.
fn take_folder(folder: &Path) -> Result<File, DaemonError> {
    let at_folder = |error| DaemonError::Folder { folder: folder.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at_folder)?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock"));
    let lock = lock.map_err(at_folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DaemonError::SecondInstance { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(at_folder(error)),
    }
}

/// Has the store go by its configuration. A store with orders goes on in the currency it counts in, whatever is
/// configured: money that is written down does not become another, and a box that did not start would have to be visited.
async fn apply(store: &Store, layers: Layers, config: Config) -> Result<(Layers, Config), DaemonError> {
    let stored = match tell(store, Command::ApplySettings(config.settings())).await {
        Ok(()) => return Ok((layers, config)),
        Err(DaemonError::Refused(Rejection::CurrencyFixed { stored })) => stored,
        Err(error) => return Err(error),
    };
    let (stored, configured) = (stored.code(), config.settings().currency);
    log::error!(
        "the store counts in {stored} and has orders, so its currency does not become {}: it goes on in {stored}; set \
         currency = \"{stored}\"",
        configured.code()
    );
    let layers = layers
        .with(Source::Store, "store.currency", stored.into())
        .map_err(|error| DaemonError::Currency(error.to_string()))?;
    let config = layers.config().map_err(|error| DaemonError::Currency(error.to_string()))?;
    tell(store, Command::ApplySettings(config.settings())).await?;
    Ok((layers, config))
}

async fn tell(store: &Store, command: Command) -> Result<(), DaemonError> {
    match store.submit(Request { actor: None, key: None, received: None, command }).await {
        Ok(answer) => answer.result.map(drop).map_err(DaemonError::Refused),
        // What the store knows already holds; the box starts, so that what is there can be read.
        Err(SubmitError::Full) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Says where the box listens, for programs on this machine: renamed into place, so never read half.
fn publish_address(lan_dir: &Path, address: SocketAddr) -> io::Result<()> {
    let unfinished = lan_dir.join("address.new");
    fs::write(&unfinished, format!("{address}\n"))?;
    fs::rename(unfinished, lan_dir.join("address"))
}

/// Why the box cannot start or go on.
#[derive(Debug)]
pub enum DaemonError {
    /// The state folder cannot be used.
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another box uses the state folder.
    SecondInstance {
        /// Which folder.
        folder: PathBuf,
    },
    /// The store refuses what it is configured to.
    Refused(Rejection),
    /// The configuration does not go with the currency the store counts in.
    Currency(String),
    /// The store cannot be opened, or failed.
    Store {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// The store gave no answer.
    Submit(SubmitError),
    /// The store cannot be read.
    Read(ReadError),
    /// The store's writer ended in a way it should not.
    Writer,
    /// The certificate cannot be used.
    Identity(IdentityError),
    /// TLS cannot be set up.
    Tls(TlsError),
    /// The pairing secret cannot be used.
    Secret(SecretError),
    /// The first owner cannot be made.
    Owner(OwnerError),
    /// The address cannot be listened on.
    Listen {
        /// Which address.
        listen: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The operating system refuses something a daemon needs.
    Signals(io::Error),
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { folder, error } => write!(f, "cannot use the folder {}: {error}", folder.display()),
            Self::SecondInstance { folder } => write!(
                f,
                "another storeboxd is already using {}; stop that one, or give this one another state_dir",
                folder.display()
            ),
            Self::Refused(rejection) => write!(f, "the store refuses its configuration: {rejection:?}"),
            Self::Currency(error) => write!(f, "the configuration does not go with the store's currency: {error}"),
            Self::Store { folder, error } => {
                write!(f, "the store {} cannot be used: {error}", folder.join("store.redb").display())?;
                chain(error, f)
            }
            Self::Submit(error) => write!(f, "the store gives no answer: {error:?}"),
            Self::Read(error) => write!(f, "{error}"),
            Self::Writer => f.write_str("the store's writer ended unexpectedly"),
            Self::Identity(error) => write!(f, "the LAN certificate cannot be used: {error}"),
            Self::Tls(error) => write!(f, "TLS cannot be set up: {error}"),
            Self::Secret(error) => write!(f, "the pairing secret cannot be used: {error}"),
            Self::Owner(error) => write!(f, "the first owner cannot be made: {error}"),
            Self::Listen { listen, error } => write!(f, "cannot listen on {listen}: {error}"),
            Self::Signals(error) => write!(f, "the operating system refuses: {error}"),
        }
    }
}

fn chain(error: &dyn std::error::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

impl std::error::Error for DaemonError {}

macro_rules! from_errors {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for DaemonError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from_errors!(SubmitError => Submit, ReadError => Read, IdentityError => Identity, TlsError => Tls, SecretError => Secret, OwnerError => Owner);
