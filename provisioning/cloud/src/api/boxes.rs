//! What a box asks: EST (RFC 7030) and the registration protocol.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use storebox_provisioning::est;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::{PROTOCOL, Problem, Registration, Request};

use super::answer::Refusal;
use super::{Cloud, Peer};
use crate::authority::Authority;
use crate::clock::now;
use crate::fleet::{self, TokenDigest};

/// Whoever will trust them may have them.
pub async fn authorities(State(cloud): State<Arc<Cloud>>) -> Result<Response, Refusal> {
    answer(&[cloud.authority.certificate().to_vec()])
}

/// The claim is the password of HTTP Basic; its user may be anything.
pub async fn enrol(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let token = password(&headers).ok_or(Problem::ClaimUnknown)?;
    let request = est::bytes(&body).map_err(|_| Problem::RequestRefused)?;
    let id = Authority::asks(&request).map_err(|_| Problem::RequestRefused)?;
    cloud.database.transact(|rows| fleet::enrol(rows, &digest(&token), id, now())).await??;
    log::info!("enrolled {id}");
    certificate(&cloud, &request)
}

/// A box enrols again with the key it shows, for that key.
pub async fn renew(
    State(cloud): State<Arc<Cloud>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request = est::bytes(&body).map_err(|_| Problem::RequestRefused)?;
    let id = Authority::asks(&request).map_err(|_| Problem::RequestRefused)?;
    if peer != Some(id) {
        return Err(Problem::WrongCertificate.into());
    }
    cloud.database.transact(|rows| fleet::check_in(rows, id, now())).await??;
    log::info!("renewed {id}");
    certificate(&cloud, &request)
}

/// A box says what it is, and is told what it has become.
pub async fn register(
    State(cloud): State<Arc<Cloud>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Registration>, Refusal> {
    let id = own(&id, peer)?;
    let request: Request = serde_json::from_slice(&body).map_err(|_| Problem::RequestRefused)?;
    if request.protocol != PROTOCOL {
        return Err(Problem::ReleaseTooOld.into());
    }
    let decided =
        cloud.database.transact(|rows| fleet::register(rows, id, request.clone(), &cloud.terms, now())).await?;
    let registered = decided?;
    log::info!("registered {id} for {}", registered.store_name);
    Ok(Json(registered))
}

/// A box shows that it is alive.
pub async fn heartbeat(
    State(cloud): State<Arc<Cloud>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    _read_to_its_end: Bytes,
) -> Result<StatusCode, Refusal> {
    let id = own(&id, peer)?;
    cloud.database.transact(|rows| fleet::check_in(rows, id, now())).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The box in a path, if it is the one that asks.
fn own(path: &str, Peer(peer): Peer) -> Result<BoxId, Problem> {
    let id: BoxId = path.parse().map_err(|_| Problem::WrongCertificate)?;
    if peer == Some(id) { Ok(id) } else { Err(Problem::WrongCertificate) }
}

fn certificate(cloud: &Cloud, request: &[u8]) -> Result<Response, Refusal> {
    answer(&[cloud.authority.sign(request).map_err(|_| Problem::RequestRefused)?])
}

fn answer(certificates: &[Vec<u8>]) -> Result<Response, Refusal> {
    let body = est::answer(certificates).map_err(|_| Problem::Busy)?;
    let headers = [
        (header::CONTENT_TYPE, est::ANSWER_TYPE),
        (header::HeaderName::from_static("content-transfer-encoding"), "base64"),
    ];
    Ok((headers, body).into_response())
}

/// The password of HTTP Basic (RFC 7617).
fn password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// What a claim is found by.
pub(super) fn digest(token: &str) -> TokenDigest {
    let mut digest = TokenDigest::default();
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref());
    digest
}
