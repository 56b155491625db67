//! Who is asking: device tokens, and how often each device may ask (L14).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use storebox_core::command::Actor;
use storebox_core::device::{Device, DeviceKind, TokenHash};
use storebox_core::people::{Permission, Staff};
use storebox_core::throttle::{Rate, Throttle, Wait};

use super::Api;
use super::body::sha256;
use super::people::Session;
use super::problem::Problem;
use crate::entropy;

/// Paired terminals by their token, in memory: a request costs no look into the store.
#[derive(Default)]
pub struct Devices {
    known: RwLock<HashMap<TokenHash, Arc<Known>>>,
}

struct Known {
    device: Device,
    throttle: Mutex<Throttle>,
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
            this.insert(device);
        }
        this
    }

    /// Adds a device, or puts it in the place of what it was before.
    pub fn insert(&self, device: Device) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, other| other.device.id != device.id);
        known.insert(device.token_hash, Arc::new(Known { device, throttle: Mutex::default() }));
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
    fn admit(&self, token: &str, now: Duration, rate: Rate) -> Result<Device, Problem> {
        let hash = hash(token);
        let Some(known) = self.find(&hash) else {
            let why = if self.was_replaced(&hash) {
                "this token has expired: the terminal was paired again and has a new one"
            } else {
                "this box does not know the token: pair the terminal (POST /api/local/pair)"
            };
            return Err(Problem::unauthorized(why));
        };
        let admitted = known.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(now, rate);
        admitted.map_err(|wait: Wait| {
            Problem::too_many_requests(
                wait.retry_after_s(),
                "this terminal asks too often; wait and go on with the same keys",
            )
        })?;
        Ok(known.device.clone())
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
        let Paired(device) = Paired::from_request_parts(parts, api).await?;
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
        api.devices.admit(&token, api.clock.monotonic(), api.device_rate).map(Self)
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
