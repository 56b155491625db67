//! `/api/local/ping` and `/api/local/pair`: how a terminal finds the box and becomes one of its own (L18, L19).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::audit::Note;
use storebox_core::command::{Command, Request};
use storebox_core::device::{Device, DeviceKind};
use storebox_core::id::{DeviceId, StoreId};
use storebox_core::limits::{
    BODY_BYTES, HEARTBEAT_S, LINES_PER_ORDER, PAIRING_BURST, PAIRING_EVERY_S, TERMINAL_BACKLOG, TERMINAL_REPLAYS,
    THROTTLED_ADDRESSES,
};
use storebox_core::settings::Mode;
use storebox_core::text::Name;
use storebox_core::throttle::{Rate, Throttle};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::{Paired, Token, token};
use super::body::Body;
use super::devices::presence::{Heartbeat, Moment, Sighting};
use super::identity::hex;
use super::openapi::WriteProblems;
use super::problem::Problem;
use crate::config::LanConfig;
use crate::entropy;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(ping, ping_by_post)).routes(routes!(pair))
}

/// What the box says to whoever looks for it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PingBody {
    /// Always `storebox`.
    service: &'static str,
    /// What the store is called.
    name: String,
    /// The store.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// The release.
    version: &'static str,
    /// server or standalone.
    #[schema(value_type = String)]
    mode: Mode,
    /// The port it listens on.
    port: u16,
    /// ISO 4217 code of the store's currency.
    currency: String,
    /// Decimals of the currency's minor unit.
    currency_exponent: u8,
    /// SHA-256 of the LAN key's SubjectPublicKeyInfo. It identifies the box, it does not authenticate it.
    fingerprint: String,
    /// For the proof of a pairing; good once, for two minutes.
    nonce: String,
    /// What the box asks terminals to hold themselves to.
    limits: LimitsBody,
}

/// Bounds a terminal should know.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitsBody {
    /// Requests a terminal may hold back while it cannot reach the box.
    backlog: u32,
    /// Held-back requests it may replay at once.
    concurrent_replays: u32,
    /// Largest body.
    body_bytes: usize,
    /// Lines of one order.
    items_per_order: usize,
    /// Requests a terminal may keep up per second.
    requests_per_second: u32,
    /// Requests it may send at once after a pause.
    burst: u32,
    /// How often it shows that it is alive (POST /api/local/ping).
    heartbeat_seconds: u32,
}

impl LimitsBody {
    /// The product's bounds, and the owner's.
    pub fn new(config: &LanConfig) -> Self {
        Self {
            backlog: TERMINAL_BACKLOG,
            concurrent_replays: TERMINAL_REPLAYS,
            body_bytes: BODY_BYTES,
            items_per_order: LINES_PER_ORDER,
            requests_per_second: config.rate_per_device_s,
            burst: config.rate_burst,
            heartbeat_seconds: HEARTBEAT_S,
        }
    }
}

/// Find the box
#[utoipa::path(get, path = "/api/local/ping", tag = "box", security(()), responses((status = 200, body = PingBody, description = "Here it is")))]
async fn ping(State(api): State<Arc<Api>>) -> Json<PingBody> {
    Json(api.ping())
}

/// Find the box, or show that the terminal is alive
///
/// With a token it is a heartbeat: what the terminal says of itself is shown among the devices. Without one it is as GET.
#[utoipa::path(
    post, path = "/api/local/ping", tag = "box", request_body = Heartbeat, security((), ("token" = [])),
    responses((status = 200, body = PingBody, description = "Here it is"), WriteProblems)
)]
async fn ping_by_post(
    State(api): State<Arc<Api>>,
    paired: Option<Paired>,
    body: Body<Heartbeat>,
) -> Result<Json<PingBody>, Problem> {
    let (heartbeat, _rest) = body.split();
    if let Some(Paired(device)) = paired {
        api.devices.hear(&device, heartbeat.checked()?);
    }
    Ok(Json(api.ping()))
}

/// A terminal that wants to be paired.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PairRequest {
    name: Name,
    kind: DeviceKind,
    proof: Option<String>,
    nonce: Option<String>,
    secret: Option<String>,
}

/// A terminal that wants to be paired: by proof and nonce, or by the secret itself if it has verified the box by its
/// certificate authority.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used: one struct gives better words about what is wrong")]
enum PairRequestSchema {
    /// With a proof of knowing the secret, which does not travel.
    Proof(PairByProof),
    /// With the secret.
    Secret(PairBySecret),
}

/// Pairing with a proof.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
struct PairByProof {
    /// What people call the terminal.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// What it is.
    kind: KindWord,
    /// Hexadecimal HMAC-SHA256(secret, "storebox-pair-1" ‖ SHA-256 of the SPKI seen in TLS ‖ nonce).
    #[schema(pattern = "^[0-9a-f]{64}$")]
    proof: String,
    /// The nonce of a ping.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    nonce: String,
}

/// Pairing with the secret.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
struct PairBySecret {
    /// What people call the terminal.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: String,
    /// What it is.
    kind: KindWord,
    /// The pairing secret.
    #[schema(pattern = "^[0-9A-HJKMNP-TV-Z]{26}$")]
    secret: String,
}

/// What a terminal is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum KindWord {
    /// A till.
    Pos,
    /// A kitchen display.
    Kds,
    /// A self-service kiosk.
    Kiosk,
    /// A waiter's handheld.
    Handheld,
    /// Another register of the same store.
    Register,
    /// A screen that only shows.
    Display,
}

/// A paired terminal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PairBody {
    /// Names the terminal.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// What it proves itself with from now on. It is shown only here.
    token: String,
    /// The box's own proof, with the label "storebox-pair-1-box"; null if the secret was sent.
    #[schema(required)]
    proof: Option<String>,
    /// The certificate authority to trust, PEM.
    ca: String,
    /// What the box asks terminals to hold themselves to.
    limits: LimitsBody,
}

/// Pair a terminal
///
/// Sent with the old token, it keeps its id and the old token ends.
#[utoipa::path(
    post, path = "/api/local/pair", tag = "box", request_body = PairRequestSchema, security((), ("token" = [])),
    responses((status = 201, body = PairBody, description = "Paired"), WriteProblems)
)]
async fn pair(
    State(api): State<Arc<Api>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body<PairRequest>,
) -> Result<Response, Problem> {
    let (request, _rest) = body.split();
    if api.in_force().mode == Mode::Standalone {
        return Err(Problem::forbidden("the box is set to standalone, in which it accepts no terminals"));
    }
    let now = api.clock.monotonic();
    api.attempts.may_try(from.ip(), now)?;
    let proof = match api.proven(&request, now) {
        Ok(proof) => proof,
        Err(problem) => {
            if problem.status() == StatusCode::UNAUTHORIZED {
                api.attempts.failed(from.ip(), now);
                log::warn!(address:% = from.ip(), terminal:% = request.name; "a terminal tried to pair with a wrong secret");
                let about = Name::cut(&format!("{} ({})", from.ip(), request.name));
                api.store.note(Command::Audit(Note { what: "device.pairing_refused", about, device: None }));
            }
            return Err(problem);
        }
    };
    let _one_at_a_time = api.pairing.lock().await;
    let old = token(&headers).and_then(|token| api.devices.by_token(&token));
    let token = Token::make();
    let paired_at = api.store.now();
    let device = Device {
        id: old.as_ref().map_or_else(|| DeviceId::new(paired_at, entropy::for_id()), |old| old.id),
        name: request.name,
        kind: request.kind,
        token_hash: token.hash(),
        paired_at,
        replaced_token_hash: old.map(|old| old.token_hash),
    };
    let command = Command::PairDevice(device.clone());
    let answer = api.store.submit(Request { actor: None, key: None, received: None, command }).await?;
    answer.result.map_err(|rejection| api.refusal(&rejection))?;
    log::info!(device:% = device.id, terminal:% = device.name, address:% = from.ip(); "paired a terminal");
    let device_id = device.id;
    let moment = Moment { now: api.clock.monotonic(), wall: api.clock.wall(), address: Some(from.ip()) };
    api.devices.insert(device, Sighting::first(moment));
    // Whoever was signed in was so at the terminal as it was.
    api.sessions.end_of_device(device_id);
    let body = PairBody {
        device_id,
        token: token.as_str().to_owned(),
        proof,
        ca: api.ca_pem.clone(),
        limits: api.in_force().limits,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

impl Api {
    fn ping(&self) -> PingBody {
        let now_ms = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        PingBody {
            service: "storebox",
            name: self.in_force().settings.name.as_str().to_owned(),
            store_id: self.store.id(),
            version: env!("CARGO_PKG_VERSION"),
            mode: self.in_force().mode,
            port: self.port,
            currency: self.in_force().settings.currency.code().to_owned(),
            currency_exponent: self.in_force().settings.currency.exponent,
            fingerprint: hex(&self.fingerprint),
            nonce: self.nonces.issue(now_ms),
            limits: self.in_force().limits,
        }
    }

    /// Whether the terminal knows the secret; the box's own proof if it is asked for one.
    fn proven(&self, request: &PairRequest, now: Duration) -> Result<Option<String>, Problem> {
        let wrong = || Problem::unauthorized("the pairing secret is wrong: read it again from the box");
        match (&request.proof, &request.nonce, &request.secret) {
            (Some(proof), Some(nonce), None) => {
                let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                // Used up even if the proof is wrong, so that nobody can try twice with one nonce.
                self.nonces.consume(nonce, now_ms).map_err(|error| {
                    Problem::unauthorized(format!("{error}: ask for a new one (GET /api/local/ping)"))
                })?;
                if !self.secret.is_client_proof(proof, &self.fingerprint, nonce) {
                    return Err(wrong());
                }
                Ok(Some(self.secret.box_proof(&self.fingerprint, nonce)))
            }
            (None, None, Some(secret)) if self.secret.is_secret(secret) => Ok(None),
            (None, None, Some(_)) => Err(wrong()),
            (Some(_) | None, _, _) => {
                Err(Problem::invalid("proof", "send either proof and nonce, or secret, and nothing else of the three"))
            }
        }
    }
}

/// Wrong pairing attempts by address.
#[derive(Default)]
pub struct Attempts {
    addresses: Mutex<HashMap<IpAddr, Throttle>>,
}

impl Attempts {
    const RATE: Rate = Rate::new(Duration::from_secs(PAIRING_EVERY_S as u64), PAIRING_BURST);

    fn may_try(&self, address: IpAddr, now: Duration) -> Result<(), Problem> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut throttle = addresses.get(&address).copied().unwrap_or_default();
        throttle.admit(now, Self::RATE).map_err(|wait| {
            Problem::too_many_requests(wait.retry_after_s(), "too many wrong pairing attempts from this address; wait")
        })
    }

    fn failed(&self, address: IpAddr, now: Duration) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= THROTTLED_ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, throttle| !throttle.is_idle(now));
            if addresses.len() >= THROTTLED_ADDRESSES
                && let Some(quietest) =
                    addresses.iter().min_by_key(|(_, throttle)| **throttle).map(|(address, _)| *address)
            {
                addresses.remove(&quietest);
            }
        }
        let _counted = addresses.entry(address).or_default().admit(now, Self::RATE);
    }
}
