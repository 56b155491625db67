//! How the box is: `/health/`, `/api/local/status` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;
use storebox_core::id::StoreId;
use storebox_core::limits::COMMIT_QUEUE;
use storebox_core::settings::{Connectivity, Mode};
use storebox_core::time::Timestamp;
use storebox_provisioning::status::Mark;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::Terminal;
use super::openapi::ReadProblems;
use super::problem::{Problem, ProblemBody};
use crate::store::Counts;
use crate::uplink::View;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(status)).routes(routes!(metrics))
}

/// The box's health in a few words, as monitoring systems of the stores already read it.
#[derive(Serialize, ToSchema)]
struct HealthBody {
    /// healthy, degraded (selling, but somebody should look) or unhealthy (not selling).
    status: &'static str,
    /// connected, full or failed.
    database: &'static str,
    /// The queue of writes: connected, or full.
    redis: &'static str,
    /// Free share of the disk.
    disk_space: String,
    /// When the cloud last had everything; null if never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_sync: Option<Timestamp>,
    /// Changes that have not reached the cloud.
    pending_sync: u64,
    /// How long the box has been running.
    uptime: String,
}

/// Look after the box
#[utoipa::path(
    get, path = "/health/", tag = "box", security(()),
    responses(
        (status = 200, body = HealthBody, description = "It sells"),
        (status = 503, body = HealthBody, description = "It does not"),
    )
)]
async fn health(State(api): State<Arc<Api>>) -> Response {
    let state = Snapshot::of(&api).await;
    let status = if state.sells() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = HealthBody {
        status: state.word(),
        database: state.database,
        redis: if state.queue_is_full { "full" } else { "connected" },
        disk_space: state.disk_space(),
        last_sync: None,
        pending_sync: state.counts.outbox,
        uptime: uptime_words(state.uptime_s),
    };
    (status, Json(body)).into_response()
}

/// The box's state in detail.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
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
    /// local_only (no cloud is configured) or offline.
    #[schema(value_type = String)]
    operating_mode: Connectivity,
    /// running, full (the disk; reads work) or failed.
    local_server_status: &'static str,
    /// Since when it runs, in seconds.
    uptime_s: u64,
    /// The box's clock.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Changes that have not reached the cloud.
    pending_uploads: u64,
    /// Changes the cloud has for the box.
    pending_downloads: u64,
    /// Refused writes and conflicts for a manager to look at.
    pending_conflicts: u64,
    /// When the cloud was last in step; null if never.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_cloud_sync: Option<Timestamp>,
    /// How the box stands with its cloud; null before the first look.
    #[schema(required)]
    cloud: Option<CloudBody>,
    /// What is kept.
    store: StoreBody,
    /// What the disk has.
    #[schema(required)]
    disk: Option<DiskBody>,
}

/// How the box stands with its cloud.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CloudBody {
    /// Where the cloud is; null for a box that belongs to no store.
    #[schema(required)]
    url: Option<String>,
    /// The box's name to the cloud: the SHA-256 of its public key, in hexadecimal digits.
    #[schema(required)]
    identity: Option<String>,
    /// What the store is called in the cloud, once the box is registered.
    #[schema(required)]
    store_name: Option<String>,
    /// The way to being registered, in order.
    steps: Vec<StepBody>,
    /// What has happened, if it is more than the steps say; else empty.
    problem: &'static str,
    /// What to do.
    advice: &'static str,
    /// What is wrong with the installer's file, each with its line.
    site_faults: Vec<String>,
    /// When the cloud last answered; null if never since the start.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    answered_at: Option<Timestamp>,
}

/// A step on the way to being registered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StepBody {
    /// What has been reached then.
    title: &'static str,
    /// reached, broken (the way ends here) or to_come.
    state: &'static str,
}

impl CloudBody {
    fn new(view: &View) -> Self {
        let View { cloud, id, store, standing, faults, answered_at } = view;
        let state = |mark| match mark {
            Mark::Reached => "reached",
            Mark::Broken => "broken",
            Mark::ToCome => "to_come",
        };
        Self {
            url: cloud.as_ref().map(ToString::to_string),
            identity: id.map(|id| id.to_string()),
            store_name: store.as_ref().map(|name| name.as_str().to_owned()),
            steps: standing.steps.map(|(stage, mark)| StepBody { title: stage.title(), state: state(mark) }).into(),
            problem: standing.what,
            advice: standing.to_do,
            site_faults: faults.iter().map(ToString::to_string).collect(),
            answered_at: *answered_at,
        }
    }
}

/// What the store holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StoreBody {
    /// Orders that can still change.
    open_orders: u64,
    /// Paired terminals.
    devices: u64,
    /// Number of the last event.
    last_event: u64,
    /// Records that cannot be read and were set aside.
    quarantined: u64,
}

/// Room on the disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DiskBody {
    /// Bytes that can still be written.
    free_bytes: u64,
    /// Bytes there are.
    total_bytes: u64,
}

/// Show the box's state
#[utoipa::path(get, path = "/api/local/status", tag = "box", responses((status = 200, body = StatusBody, description = "The state"), ReadProblems))]
async fn status(State(api): State<Arc<Api>>, _terminal: Terminal) -> Json<StatusBody> {
    let state = Snapshot::of(&api).await;
    Json(StatusBody {
        name: api.in_force().settings.name.as_str().to_owned(),
        store_id: api.store.id(),
        version: env!("CARGO_PKG_VERSION"),
        mode: api.in_force().mode,
        operating_mode: api.connectivity,
        local_server_status: if state.database == "connected" { "running" } else { state.database },
        uptime_s: state.uptime_s,
        updated_at: api.clock.wall(),
        pending_uploads: state.counts.outbox,
        pending_downloads: 0,
        pending_conflicts: state.counts.refused_writes,
        last_cloud_sync: None,
        cloud: api.uplink.view().map(|view| CloudBody::new(&view)),
        store: StoreBody {
            open_orders: state.counts.open_orders,
            devices: state.counts.devices,
            last_event: state.counts.last_event,
            quarantined: state.counts.quarantined,
        },
        disk: state.space.map(|(free_bytes, total_bytes)| DiskBody { free_bytes, total_bytes }),
    })
}

/// Whoever may read metrics: a paired terminal, or a collector on the box itself.
struct Collector;

impl FromRequestParts<Arc<Api>> for Collector {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        if address.is_some_and(|address| address.to_canonical().is_loopback()) {
            return Ok(Self);
        }
        Terminal::from_request_parts(parts, api).await.map(|_| Self)
    }
}

/// Measure the box
#[utoipa::path(
    get, path = "/metrics", tag = "box", security((), ("token" = [])),
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics text; no token is needed from the box itself"),
        (status = 401, body = ProblemBody<'static>, content_type = "application/problem+json", description = "The collector did not prove who it is"),
        (status = 429, body = ProblemBody<'static>, content_type = "application/problem+json", description = "Too many requests"),
    )
)]
async fn metrics(State(api): State<Arc<Api>>, _collector: Collector) -> Result<Response, Problem> {
    let state = Snapshot::of(&api).await;
    let mut text = String::new();
    encode(&mut text, &registry(&api, &state))
        .map_err(|_| Problem::unavailable("the metrics could not be put together"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn registry(api: &Api, state: &Snapshot) -> Registry {
    let activity = api.store.activity();
    let counts = state.counts;
    let mut registry = Registry::with_prefix("storebox");
    let mut counter = |name: &str, help: &str, value: u64| registry.register(name, help, ConstCounter::new(value));
    counter("commits", "Transactions committed", activity.commits);
    counter("commands", "Commands in committed transactions", activity.commands);
    counter("syncs", "Syncs of the store's file", activity.syncs);
    counter("written_bytes", "Bytes written to the store's file", activity.bytes_written);
    counter("commit_microseconds", "Time spent in transactions", activity.commit_us);
    counter("connections_accepted", "Connections accepted", api.connections.accepted());
    counter(
        "connections_dropped",
        "Connections ended by the box: too many, too slow, no TLS",
        api.connections.dropped(),
    );
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("open_orders", "Orders that can still change", counts.open_orders);
    gauge("pending_uploads", "Changes that have not reached the cloud", counts.outbox);
    gauge("refused_writes", "Refused writes kept for a manager", counts.refused_writes);
    gauge("quarantined_records", "Records that cannot be read", counts.quarantined);
    gauge("devices", "Paired terminals", counts.devices);
    gauge("last_event", "Number of the last event", counts.last_event);
    gauge("writes_under_way", "Write requests received and not answered", activity.under_way as u64);
    gauge("connections", "Connections open", api.connections.open());
    gauge("event_streams", "Event streams open", api.open_streams() as u64);
    gauge("disk_full", "1 if nothing is written for want of room", u64::from(api.store.is_full()));
    registry.register_with_unit(
        "uptime",
        "How long the box has been running",
        Unit::Seconds,
        ConstGauge::new(i64::try_from(state.uptime_s).unwrap_or(i64::MAX)),
    );
    if let Some((free, total)) = state.space {
        let bytes = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register_with_unit("disk_free", "Bytes that can still be written", Unit::Bytes, bytes(free));
        registry.register_with_unit("disk_total", "Bytes there are", Unit::Bytes, bytes(total));
    }
    registry
}

/// What all of these answers are made from.
pub(super) struct Snapshot {
    pub(super) counts: Counts,
    pub(super) database: &'static str,
    pub(super) queue_is_full: bool,
    pub(super) space: Option<(u64, u64)>,
    pub(super) uptime_s: u64,
}

impl Snapshot {
    pub(super) async fn of(api: &Api) -> Self {
        let counts = api.store.read(|view| view.counts()).await;
        let database = match counts {
            _ if api.store.is_stopped() => "failed",
            Err(_) => "failed",
            Ok(_) if api.store.is_full() => "full",
            Ok(_) => "connected",
        };
        Self {
            counts: counts.unwrap_or_default(),
            database,
            queue_is_full: api.store.activity().under_way >= COMMIT_QUEUE,
            space: api.store.space(),
            uptime_s: api.clock.monotonic().as_secs(),
        }
    }

    fn sells(&self) -> bool {
        self.database == "connected"
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            state if !state.sells() => "unhealthy",
            state if state.queue_is_full || state.counts.quarantined > 0 => "degraded",
            _ => "healthy",
        }
    }

    pub(super) fn disk_space(&self) -> String {
        match self.space {
            Some((free, total)) if total > 0 => format!("{}% available", free.saturating_mul(100) / total),
            Some(_) | None => "unknown".to_owned(),
        }
    }
}

/// `15 days 4 hours`.
pub(super) fn uptime_words(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let word = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match (days, hours, minutes) {
        (0, 0, 0) => word(seconds, "second"),
        (0, 0, minutes) => word(minutes, "minute"),
        (0, hours, minutes) => format!("{} {}", word(hours, "hour"), word(minutes, "minute")),
        (days, hours, _) => format!("{} {}", word(days, "day"), word(hours, "hour")),
    }
}

#[cfg(test)]
mod tests {
    use super::uptime_words;

    #[test]
    fn uptime_is_said_in_words() {
        assert_eq!(uptime_words(15 * 86_400 + 4 * 3_600 + 59), "15 days 4 hours");
        assert_eq!(uptime_words(3_660), "1 hour 1 minute");
        assert_eq!(uptime_words(1), "1 second");
    }
}
