//! What the cloud's own people ask: claims, and the fleet.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use storebox_core::id::StoreId;
use storebox_core::text::Name;
use storebox_provisioning::identity::BoxId;

use super::Cloud;
use super::answer::Refusal;
use super::boxes::digest;
use super::claim::{self, ClaimBody, NewClaim};
use crate::clock::now;
use crate::fleet::alerts::Alerts;
use crate::fleet::{self, BoxRow, Rows, StoreRow};

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
    wish: Result<Json<NewClaim>, JsonRejection>,
) -> Result<(StatusCode, Json<ClaimBody>), Refusal> {
    admit(&cloud, &headers)?;
    let Json(wish) = wish?;
    Ok((StatusCode::CREATED, Json(claim::make(&cloud, &wish).await?)))
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

/// A store as people see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreBody {
    id: StoreId,
    #[serde(flatten)]
    row: StoreRow,
}

/// What is to be different of a store. What is left out stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreChange {
    /// What it is called.
    #[serde(default)]
    name: Option<Name>,
    /// Who is told of its box.
    #[serde(default)]
    alerts: Option<Alerts>,
}

/// Every store.
pub async fn stores(State(cloud): State<Arc<Cloud>>, headers: HeaderMap) -> Result<Json<Vec<StoreBody>>, Refusal> {
    admit(&cloud, &headers)?;
    let rows = cloud.database.look(|rows| rows.stores()).await?;
    Ok(Json(rows.into_iter().map(|(id, row)| StoreBody { id, row }).collect()))
}

/// Changes a store.
pub async fn change_store(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    change: Result<Json<StoreChange>, JsonRejection>,
) -> Result<Json<StoreBody>, Refusal> {
    admit(&cloud, &headers)?;
    let Json(StoreChange { name, alerts }) = change?;
    if let Some(alerts) = &alerts {
        claim::check(&cloud, alerts)?;
    }
    let id: StoreId = id.parse().map_err(|_| Refusal::NotFound)?;
    let changed = cloud.database.transact(|rows| {
        let Some(mut row) = rows.store(id)? else { return Ok(None) };
        row.name = name.clone().unwrap_or(row.name);
        row.alerts = alerts.clone().unwrap_or(row.alerts);
        rows.put_store(id, &row)?;
        Ok(Some(row))
    });
    let row = changed.await?.ok_or(Refusal::NotFound)?;
    Ok(Json(StoreBody { id, row }))
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
    let is_admin = value.strip_prefix("Bearer ").is_some_and(|token| is_admin(cloud, token));
    if is_admin { Ok(()) } else { Err(Refusal::NotAdmitted) }
}

/// Whether that is the admin's token. Digests are compared, so that the time it takes tells nothing of it.
pub(super) fn is_admin(cloud: &Cloud, token: &str) -> bool {
    digest(token) == digest(&cloud.admin_token)
}
