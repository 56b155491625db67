//! What boxes and the cloud's own people ask of it over HTTP.

mod admin;
mod answer;
mod boxes;
mod claim;
mod page;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, patch, post, put};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use storebox_provisioning::est;
use storebox_provisioning::identity::BoxId;

use crate::authority::Authority;
use crate::database::Database;
use crate::delivery::Delivery;
use crate::fleet::Terms;

/// Everything requests share. Nothing of it changes: what the cloud knows is in the database.
pub struct Cloud {
    /// What it knows.
    pub database: Database,
    /// Who signs.
    pub authority: Authority,
    /// What boxes are told. They find it where they are kept in step.
    pub terms: Terms,
    /// What lets people in.
    pub admin_token: String,
    /// How they are told of their boxes.
    pub delivery: Delivery,
}

/// The key a connection's other end has shown that it has; none if it showed no certificate.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<BoxId>);

/// The longest body taken: a registration has some hundred bytes, a request for a certificate a few hundred.
const BODY_BYTES: usize = 64 * 1024;

/// Every route.
pub fn router(cloud: Arc<Cloud>) -> Router {
    Router::new()
        .route(est::AUTHORITIES, get(boxes::authorities))
        .route(est::ENROL, post(boxes::enrol))
        .route(est::RENEW, post(boxes::renew))
        .route("/v1/devices/{id}/registration", put(boxes::register))
        .route("/v1/devices/{id}/heartbeat", post(boxes::heartbeat))
        .route("/v1/claims", post(admin::make_claim))
        .route("/v1/stores", get(admin::stores))
        .route("/v1/stores/{id}", patch(admin::change_store))
        .route("/v1/devices", get(admin::list))
        .route("/v1/devices/{id}/revoke", post(admin::revoke))
        .route("/v1/devices/{id}/restore", post(admin::restore))
        .merge(page::routes())
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES))
        .with_state(cloud)
}

/// A secret of 160 bits, as text.
///
/// # Errors
/// If the system has no random bytes.
pub fn random_token() -> io::Result<String> {
    let mut bytes = [0; 20];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random bytes"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
