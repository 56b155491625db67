//! What the cloud's own people ask: claims, and the fleet.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use storebox_core::id::{Randomness, StoreId};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::registration::Problem;
use storebox_provisioning::site::Intent;

use super::answer::Refusal;
use super::boxes::digest;
use super::{Cloud, random_token};
use crate::clock::now;
use crate::fleet::{self, BoxRow, ClaimRow, Rows, StoreRow};

/// How long a claim may wait for its box, in days, if nobody says otherwise.
const CLAIM_DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;

/// A claim to be made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewClaim {
    /// The store there is; a new one if none.
    store_id: Option<StoreId>,
    /// What a new store is called.
    #[serde(default)]
    store_name: Option<Name>,
    /// What its order numbers begin with.
    #[serde(default)]
    register: Option<Name>,
    /// Options of its box.
    #[serde(default)]
    configuration: BTreeMap<Name, Note>,
    /// What the box is to become.
    #[serde(default)]
    intent: Intent,
    /// For how many days.
    #[serde(default)]
    days: Option<u64>,
}

/// A claim as it is shown, once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBody {
    token: String,
    store_id: StoreId,
    expires: Timestamp,
    /// What goes into the installer's file.
    site: String,
}

/// A box as people see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoxBody {
    id: BoxId,
    is_unreachable: bool,
    #[serde(flatten)]
    row: BoxRow,
}

/// Makes a claim, and its store if that is new.
pub async fn make_claim(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Json(wish): Json<NewClaim>,
) -> Result<(StatusCode, Json<ClaimBody>), Refusal> {
    admit(&cloud, &headers)?;
    let (token, at) = (random_token().map_err(|_| Problem::Busy)?, now());
    let expires = at.plus_millis(wish.days.unwrap_or(CLAIM_DAYS).saturating_mul(DAY_MS));
    let mut randomness = Randomness::default();
    SystemRandom::new().fill(&mut randomness).map_err(|_| Problem::Busy)?;
    let store = wish.store_id.unwrap_or_else(|| StoreId::new(at, randomness));
    let made = cloud.database.transact(|rows| {
        if rows.store(store)?.is_none() {
            if wish.store_id.is_some() {
                return Ok(false);
            }
            let row = StoreRow {
                name: wish.store_name.clone().unwrap_or_else(|| Name::cut("Store")),
                register: wish.register.clone().unwrap_or_else(|| Name::cut("A")),
                configuration: wish.configuration.clone(),
                epoch: 0,
                holder: None,
            };
            rows.put_store(store, &row)?;
        }
        rows.put_claim(&digest(&token), &ClaimRow { store, intent: wish.intent, expires, used_by: None })?;
        Ok(true)
    });
    if !made.await? {
        return Err(Refusal::NotFound);
    }
    let intent = match wish.intent {
        Intent::New => "new",
        Intent::Replace => "replace",
        Intent::Reset => "reset",
    };
    let site = format!(
        "[cloud]\nurl = \"{}\"\npin = \"{}\"\n\n[claim]\ntoken = \"{token}\"\nintent = \"{intent}\"\n",
        cloud.terms.sync_url,
        cloud.authority.pin()
    );
    Ok((StatusCode::CREATED, Json(ClaimBody { token, store_id: store, expires, site })))
}

/// Every box.
pub async fn list(State(cloud): State<Arc<Cloud>>, headers: HeaderMap) -> Result<Json<Vec<BoxBody>>, Refusal> {
    admit(&cloud, &headers)?;
    let at = now();
    let rows = cloud.database.look(|rows| rows.devices()).await?;
    Ok(Json(
        rows.into_iter()
            .map(|(id, row)| BoxBody { id, is_unreachable: row.is_unreachable(&cloud.terms, at), row })
            .collect(),
    ))
}

/// Takes a box out of service. A body says nothing, but some clients take an answer before its end for a broken stream.
pub async fn revoke(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    _read_to_its_end: Bytes,
) -> Result<StatusCode, Refusal> {
    serve(&cloud, &headers, &id, true).await
}

/// Puts it back.
pub async fn restore(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    _read_to_its_end: Bytes,
) -> Result<StatusCode, Refusal> {
    serve(&cloud, &headers, &id, false).await
}

async fn serve(cloud: &Cloud, headers: &HeaderMap, id: &str, is_revoked: bool) -> Result<StatusCode, Refusal> {
    admit(cloud, headers)?;
    let id: BoxId = id.parse().map_err(|_| Refusal::NotFound)?;
    let found = cloud.database.transact(|rows| fleet::revoke(rows, id, is_revoked)).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Refusal::NotFound) }
}

/// Whether whoever asks has the admin's token.
fn admit(cloud: &Cloud, headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Digests are compared, so that the time it takes tells nothing of the token.
    let is_admin = value.strip_prefix("Bearer ").is_some_and(|token| digest(token) == digest(&cloud.admin_token));
    if is_admin { Ok(()) } else { Err(Refusal::NotAdmitted) }
}
