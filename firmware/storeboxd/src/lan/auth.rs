//! Who is asking: device tokens, and how often each device may ask (L14).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use storebox_core::command::Actor;
use storebox_core::device::{Device, DeviceKind, Presence, TokenHash};
use storebox_core::id::DeviceId;
use storebox_core::people::{Permission, Staff};
use storebox_core::text::Name;
use storebox_core::throttle::{Rate, Throttle, Wait};
use tokio::sync::watch;

use super::Api;
use super::body::sha256;
use super::devices::presence::{Heartbeat, Moment, Sighting};
use super::people::Session;
use super::problem::Problem;
use crate::entropy;

/// Paired terminals by their token, in memory: a request costs no look into the store.
#[derive(Default)]
pub struct Devices {
    known: RwLock<HashMap<TokenHash, Arc<Known>>>,
    /// Counts tokens that ended, so that streams of those terminals end too.
    ended: watch::Sender<u64>,
}

struct Known {
    device: Device,
    throttle: Mutex<Throttle>,
    sighting: Mutex<Sighting>,
}

/// The paired terminal that sent a request. As an extractor it refuses whoever is none.
#[derive(Clone)]
pub struct Terminal {
    device: Device,
    /// Who is signed in to it.
    session: Option<Session>,
}

/// The paired terminal that sent a request, whoever is or was signed in to it.
pub struct Paired(pub Device);

/// Says who is signed in.
const STAFF_SESSION: &str = "x-staff-session";

/// A token a terminal proves itself with: 256 random bits.
pub struct Token(String);

impl Token {
    /// Makes one.
    pub fn make() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(entropy::random::<32>()))
    }

    /// The text the terminal gets, once.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        hash(&self.0)
    }
}

impl Devices {
    /// Starts with the devices of the store.
    pub fn new(devices: Vec<Device>) -> Self {
        let this = Self::default();
        for device in devices {
            this.insert(device, Sighting::default());
        }
        this
    }

    /// Adds a device, or puts it in the place of what it was before.
    pub fn insert(&self, device: Device, sighting: Sighting) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, other| other.device.id != device.id);
        let sighting = Mutex::new(sighting);
        known.insert(device.token_hash, Arc::new(Known { device, throttle: Mutex::default(), sighting }));
        drop(known);
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Gives a device another name; nothing if there is no such device.
    pub fn rename(&self, id: DeviceId, name: Name) -> Option<(Device, Sighting)> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let old = known.values().find(|known| known.device.id == id).cloned()?;
        let device = Device { name, ..old.device.clone() };
        let sighting = old.sighting().clone();
        let throttle = Mutex::new(*old.throttle.lock().unwrap_or_else(PoisonError::into_inner));
        let new = Known { device: device.clone(), throttle, sighting: Mutex::new(sighting.clone()) };
        known.insert(device.token_hash, Arc::new(new));
        Some((device, sighting))
    }

    /// Lets a device in no more.
    pub fn revoke(&self, id: DeviceId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).retain(|_, other| other.device.id != id);
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Every device and what is known of it, in the order they were first paired.
    pub fn list(&self) -> Vec<(Device, Sighting)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = known.values().map(|known| (known.device.clone(), known.sighting().clone())).collect();
        list.sort_by_key(|(device, _)| device.id);
        list
    }

    /// Takes what a device says of itself.
    pub fn hear(&self, device: &Device, heartbeat: Heartbeat) {
        if let Some(known) = self.find(&device.token_hash) {
            known.sighting().heartbeat = heartbeat;
        }
    }

    /// Devices with which the box stands otherwise than it told.
    pub fn news(&self, now: Duration) -> Vec<(DeviceId, Presence)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(|known| Some((known.device.id, known.sighting().news(now)?))).collect()
    }

    /// This was told.
    pub fn told(&self, news: &[(DeviceId, Presence)]) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for known in known.values() {
            if let Some((_, presence)) = news.iter().find(|(id, _)| *id == known.device.id) {
                known.sighting().told(*presence);
            }
        }
    }

    /// Wakes when tokens end.
    pub fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// Whether a terminal that was let in still may.
    pub fn still_knows(&self, terminal: &Terminal) -> bool {
        self.find(&terminal.device.token_hash).is_some()
    }

    /// How many devices are paired.
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The device with this token.
    pub fn by_token(&self, token: &str) -> Option<Device> {
        self.find(&hash(token)).map(|known| known.device.clone())
    }

    fn find(&self, hash: &TokenHash) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn was_replaced(&self, hash: &TokenHash) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().any(|known| known.device.replaced_token_hash.as_ref() == Some(hash))
    }

    /// Finds the device and counts its request.
    fn admit(&self, token: &str, moment: Moment, rate: Rate) -> Result<Device, Problem> {
        let hash = hash(token);
        let Some(known) = self.find(&hash) else {
            let why = if self.was_replaced(&hash) {
                "this token has expired: the terminal was paired again and has a new one"
            } else {
                "this box does not know the token, or it was revoked: pair the terminal (POST /api/local/pair)"
            };
            return Err(Problem::unauthorized(why));
        };
        known.sighting().saw(moment);
        let admitted = known.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(moment.now, rate);
        admitted.map_err(|wait: Wait| {
            Problem::too_many_requests(
                wait.retry_after_s(),
                "this terminal asks too often; wait and go on with the same keys",
            )
        })?;
        Ok(known.device.clone())
    }
}

impl Known {
    fn sighting(&self) -> MutexGuard<'_, Sighting> {
        self.sighting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    /// Who it is, for the store.
    pub fn actor(&self) -> Actor {
        let staff: Option<Staff> = self.session.map(|session| session.staff);
        Actor { device: self.device.id, kind: self.device.kind, staff }
    }

    /// What was paired.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The session of who is signed in.
    pub fn session(&self) -> Option<Session> {
        self.session
    }

    /// Refuses a kiosk that nobody signed in to: whoever stands before it may be anybody.
    ///
    /// # Errors
    /// 403.
    pub fn must_not_be_public(&self) -> Result<(), Problem> {
        if self.device.kind == DeviceKind::Kiosk && self.session.is_none() {
            return Err(Problem::forbidden("a kiosk is for guests: this is not for them"));
        }
        Ok(())
    }

    /// Refuses who may not.
    ///
    /// # Errors
    /// 403, saying who has to sign in.
    pub fn must(&self, permission: Permission) -> Result<(), Problem> {
        self.actor().must(permission).map_err(|_| Problem::not_allowed(permission))
    }
}

impl FromRequestParts<Arc<Api>> for Terminal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let Paired(device) = <Paired as FromRequestParts<Arc<Api>>>::from_request_parts(parts, api).await?;
        let Some(session) = parts.headers.get(STAFF_SESSION) else { return Ok(Self { device, session: None }) };
        let session = session.to_str().ok().and_then(|token| {
            let now = api.clock.monotonic();
            api.sessions.find(token, device.id, now)
        });
        // Never staff in silence: what was meant to be a manager's would be refused for another reason.
        session.map(|session| Self { device, session: Some(session) }).ok_or_else(Problem::session_expired)
    }
}

impl FromRequestParts<Arc<Api>> for Paired {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let token = token(&parts.headers)
            .ok_or_else(|| Problem::unauthorized("send the terminal's token: Authorization: Bearer TOKEN"))?;
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let moment = Moment { now: api.clock.monotonic(), wall: api.clock.wall(), address };
        api.devices.admit(&token, moment, api.in_force().device_rate).map(Self)
    }
}

/// A terminal where anybody may ask: a request without a token is nobody's, one with a wrong token is refused.
impl OptionalFromRequestParts<Arc<Api>> for Paired {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Option<Self>, Problem> {
        if token(&parts.headers).is_none() {
            return Ok(None);
        }
        <Self as FromRequestParts<Arc<Api>>>::from_request_parts(parts, api).await.map(Some)
    }
}

/// The token of a request: Bearer (RFC 6750), or the password of Basic (RFC 7617).
pub fn token(headers: &HeaderMap) -> Option<String> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    credentials.split_once(':').map(|(_user, password)| password.to_owned())
}

fn hash(token: &str) -> TokenHash {
    sha256(token.as_bytes())
}
