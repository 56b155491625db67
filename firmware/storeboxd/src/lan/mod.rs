//! The LAN API: TLS, connections, routes.
//!
//! | file | what it holds |
//! |---|---|
//! | `server.rs`, `closing.rs` | accepting, time-outs, draining, ending politely |
//! | `identity.rs`, `renewal.rs`, `tls.rs` | the box's certificate, how it keeps up with time and network, its TLS |
//! | `auth.rs`, `pair.rs`, `pairing.rs` | tokens, pairing and its proofs |
//! | `body.rs`, `query.rs`, `cursor.rs` | reading requests |
//! | `card_guard.rs`, `payment_key.rs` | what about cards is refused, and what is sealed before it is stored |
//! | `answer.rs`, `problem.rs`, `openapi.rs` | answers, errors, and the document that describes it all |
//! | `orders/` and all the others | the endpoints, a file for each subject |

mod answer;
mod audit;
pub mod auth;
mod body;
mod cache;
mod card_guard;
mod closing;
pub mod config;
mod cursor;
pub mod devices;
mod events;
pub mod identity;
mod kitchen;
mod licences;
mod menu;
mod openapi;
mod orders;
mod page;
pub mod pair;
pub mod pairing;
pub mod payment_key;
mod payments;
pub mod people;
mod problem;
mod query;
pub mod renewal;
mod reports;
pub mod server;
mod shifts;
mod status;
mod stock;
pub mod tls;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use storebox_core::limits::{NONCES_USED, STREAMS};
use storebox_core::settings::Connectivity;
use tokio::sync::{Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;

use crate::clock::Clock;
use crate::store::Store;
use crate::uplink::Uplink;
use auth::Devices;
use pairing::{Nonces, PairingSecret};
use problem::Problem;
use server::Connections;

/// What every handler can reach.
pub struct Api {
    /// The store.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The configuration, and how it is changed.
    pub configuration: config::Configuration,
    /// How the box stands with the cloud.
    pub connectivity: Connectivity,
    /// How far it has come with being registered there.
    pub uplink: Arc<Uplink>,
    /// The port it is reached at.
    pub port: u16,
    /// Paired terminals.
    pub devices: Devices,
    /// Held while a terminal is paired, so that memory and store agree on who came last.
    pub pairing: tokio::sync::Mutex<()>,
    /// What new terminals prove that they know.
    pub secret: PairingSecret,
    /// Seals what stands for cards.
    pub payment_key: payment_key::PaymentKey,
    /// For their proofs.
    pub nonces: Nonces<NONCES_USED>,
    /// Wrong attempts to pair.
    pub attempts: pair::Attempts,
    /// Who is signed in.
    pub sessions: people::Sessions,
    /// Hashes PINs, and knows who has to wait.
    pub pins: people::Pins,
    /// The first owner's PIN, until it is changed.
    pub owner: people::FirstOwner,
    /// SHA-256 of the LAN key's SubjectPublicKeyInfo.
    pub fingerprint: [u8; 32],
    /// The certificate authority terminals trust.
    pub ca_pem: String,
    /// Counts connections.
    pub connections: Connections,
    /// Event streams that may still be opened.
    pub streams: Arc<Semaphore>,
    /// Becomes true when the box stops.
    pub stopping: watch::Receiver<bool>,
}

impl Api {
    /// How many event streams are open.
    pub fn open_streams(&self) -> usize {
        STREAMS.saturating_sub(self.streams.available_permits())
    }
}

/// The subjects of the API, each with its routes and what the OpenAPI document says of them.
const SUBJECTS: [fn() -> OpenApiRouter<Arc<Api>>; 16] = [
    orders::routes,
    kitchen::routes,
    menu::routes,
    payments::routes,
    stock::routes,
    shifts::routes,
    people::routes,
    devices::routes,
    reports::routes,
    cache::routes,
    config::routes,
    audit::routes,
    events::routes,
    pair::routes,
    status::routes,
    openapi::routes,
];

/// Every route of the box.
pub fn router(api: Arc<Api>) -> Router {
    // What describes the routes is several times their size; it is dropped here, and made when somebody asks.
    let subjects = SUBJECTS.iter().fold(Router::new(), |router, subject| router.merge(subject().split_for_parts().0));
    subjects
        .route("/", get(page::page))
        .route("/page.css", get(page::style))
        .route("/licences", get(licences::page))
        .route("/licences/{name}", get(licences::notice))
        .fallback(|| async { Problem::not_found("there is nothing at this address: see /openapi.json") })
        .method_not_allowed_fallback(|| async {
            let detail = "this address does not know the method: see /openapi.json";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Not in this way", detail)
        })
        .layer(middleware::from_fn(harden))
        .with_state(api)
}

/// What every answer tells browsers.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    response
}
