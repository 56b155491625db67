//! `/api/local/devices…`: the terminals (L15).

pub mod presence;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::command::{Command, Outcome};
use storebox_core::device::{Device, DeviceKind, Presence};
use storebox_core::id::DeviceId;
use storebox_core::people::Permission;
use storebox_core::text::{Name, Text};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::Terminal;
use super::body::{Body, Rest};
use super::openapi::{ReadProblems, WriteProblems};
use super::pair::KindWord;
use super::problem::Problem;
use presence::Sighting;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_devices)).routes(routes!(rename_device, revoke_device))
}

/// A paired terminal and how the box stands with it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device)]
struct DeviceBody {
    /// Names it.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// What people call it.
    #[schema(value_type = String)]
    name: Name,
    /// What it is.
    #[schema(value_type = KindWord)]
    kind: DeviceKind,
    /// online; weak after two silent minutes; offline after five.
    #[schema(value_type = PresenceWord)]
    status: Presence,
    /// When it was last heard of; null if not since the box started.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_seen_at: Option<Timestamp>,
    /// When it was paired, or paired again.
    #[schema(value_type = String, format = DateTime)]
    paired_at: Timestamp,
    /// Requests it holds back, as it last said.
    #[schema(required)]
    pending: Option<u32>,
    /// synced if it holds nothing back, pending if it does, unknown if it never said.
    #[schema(value_type = SyncStateWord)]
    sync_state: &'static str,
    /// When it was last in step, as it said.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_sync_at: Option<Timestamp>,
    /// Strength of its radio: percent, or dBm below zero.
    #[schema(required)]
    signal: Option<i8>,
    /// The release of its program.
    #[schema(value_type = Option<String>, required)]
    app_version: Option<Text<64>>,
    /// Charge of its battery in percent.
    #[schema(required)]
    battery: Option<u8>,
    /// Where it was last heard from.
    #[schema(required)]
    address: Option<String>,
}

/// How the box stands with a terminal.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
enum PresenceWord {
    /// It was heard of just now.
    Online,
    /// Some of its heartbeats were missed.
    Weak,
    /// It has been silent for long.
    Offline,
}

/// Whether a terminal holds anything back.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
enum SyncStateWord {
    /// It does not.
    Synced,
    /// It does.
    Pending,
    /// It never said.
    Unknown,
}

/// List the paired terminals
#[utoipa::path(
    get, path = "/api/local/devices", tag = "devices",
    responses((status = 200, body = Vec<DeviceBody>, description = "The terminals, in the order they were first paired"), ReadProblems)
)]
async fn list_devices(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Json<Vec<DeviceBody>>, Problem> {
    terminal.must_not_be_public()?;
    terminal.must(Permission::ViewStatus)?;
    let now = api.clock.monotonic();
    let devices = api.devices.list();
    Ok(Json(devices.into_iter().map(|(device, sighting)| DeviceBody::new(device, sighting, now)).collect()))
}

/// Another name for a terminal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DevicePatch {
    /// What people call it from now on.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Name,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Give a terminal another name
#[utoipa::path(
    patch, path = "/api/local/devices/{id}", tag = "devices", request_body = DevicePatch,
    params(("id" = String, Path, description = "The terminal's id", max_length = 36)),
    responses((status = 200, body = DeviceBody, description = "The terminal as it is now"), WriteProblems)
)]
async fn rename_device(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<DevicePatch>,
) -> Result<Response, Problem> {
    terminal.must(Permission::PairDevices)?;
    let device = device_id(&id)?;
    let (patch, rest) = body.split();
    let _one_at_a_time = api.pairing.lock().await;
    api.command(&terminal, Command::RenameDevice { device, name: patch.name.clone() }, rest).await?;
    let (device, sighting) = api.devices.rename(device, patch.name).ok_or_else(no_device)?;
    Ok(Json(DeviceBody::new(device, sighting, api.clock.monotonic())).into_response())
}

/// Nothing to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Let a terminal in no more
///
/// Its token ends at once, and with it its event streams. To come back it has to pair again.
#[utoipa::path(
    delete, path = "/api/local/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "The terminal's id", max_length = 36)),
    responses((status = 204, description = "It is gone"), WriteProblems)
)]
async fn revoke_device(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<Nothing>,
) -> Result<StatusCode, Problem> {
    terminal.must(Permission::PairDevices)?;
    let device = device_id(&id)?;
    let (Nothing {}, rest) = body.split();
    let _one_at_a_time = api.pairing.lock().await;
    api.command(&terminal, Command::RevokeDevice { device }, rest).await?;
    api.devices.revoke(device);
    api.sessions.end_of_device(device);
    log::info!(device:% = device; "a terminal was revoked");
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Has a command carried out that leaves nothing to show. Renaming or revoking twice is harmless by itself; an answer
    /// remembered under a key would bring yesterday's name back, or end a terminal that was paired again since.
    async fn command(&self, terminal: &Terminal, command: Command, rest: Rest) -> Result<Outcome, Problem> {
        let answer = rest.without_key().submit(&self.store, terminal.actor(), command).await?;
        answer.result.map_err(|rejection| self.refusal(&rejection))
    }
}

impl DeviceBody {
    fn new(device: Device, sighting: Sighting, now: Duration) -> Self {
        let status = sighting.presence(now);
        let Sighting { seen_at, address, heartbeat, .. } = sighting;
        Self {
            device_id: device.id,
            name: device.name,
            kind: device.kind,
            status,
            last_seen_at: seen_at,
            paired_at: device.paired_at,
            pending: heartbeat.pending,
            sync_state: match heartbeat.pending {
                Some(0) => "synced",
                Some(_) => "pending",
                None => "unknown",
            },
            last_sync_at: heartbeat.last_sync_at,
            signal: heartbeat.signal,
            app_version: heartbeat.app_version,
            battery: heartbeat.battery,
            address: address.map(|address| address.to_string()),
        }
    }
}

fn device_id(text: &str) -> Result<DeviceId, Problem> {
    text.parse().map_err(|_| no_device())
}

fn no_device() -> Problem {
    Problem::not_found("there is no such device")
}
