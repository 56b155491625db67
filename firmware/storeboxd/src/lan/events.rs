//! `/api/sync/events`: the log, by polling and as a stream (L16, L17).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storebox_core::event::{Event, EventData};
use storebox_core::id::DeviceId;
use storebox_core::limits::{EVENTS_PER_ANSWER, POLL_WAIT_S, STREAM_PING_S};
use storebox_core::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Terminal;
use super::cursor::Since;
use super::openapi::ReadProblems;
use super::problem::{Problem, ProblemBody};
use super::query::Asked;
use super::{Api, query};
use crate::store::{Cursor, EventPage, Expired, ReadError};

/// The routes of the log.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// What `GET /api/sync/events` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// A cursor of an earlier answer, `earliest` for all that is kept, or a time (RFC 3339, inclusive). Absent: from
    /// now on.
    #[param(
        pattern = r"^(earliest|[0-9a-f]{8}-[0-9a-f]{1,12}|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// Wait up to so many seconds for something to happen.
    #[param(minimum = 0, maximum = 30)]
    wait: Option<u64>,
    /// At most so many events (default and most 500).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Events and where to go on.
#[derive(Serialize, ToSchema)]
struct EventsBody {
    /// The events, oldest first.
    events: Vec<EventBody>,
    /// Where to go on.
    cursor: String,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
struct EventBody {
    /// Its number; they have no gaps.
    seq: u64,
    /// The place after it.
    cursor: String,
    /// When; never before the event before it.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The terminal that caused it; null if the box did.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    device_id: Option<DeviceId>,
    /// What it is about.
    entity: EntityBody,
    /// What happened: order.created, order.updated, order.sent, order.closed, order.voided, settings.changed,
    /// connectivity.changed, device.paired, device.renamed, device.revoked, device.online, device.weak,
    /// device.offline, ticket.created, ticket.changed, ticket.started, ticket.ready, ticket.served, ticket.recalled,
    /// ticket.voided.
    kind: String,
    /// Particulars by kind.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// What an event is about.
#[derive(Serialize, ToSchema)]
struct EntityBody {
    /// order, settings, connectivity, device, ticket or another.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its id, if it has one.
    #[schema(required)]
    id: Option<String>,
}

/// Read what happened
///
/// Answers at once if something happened since the cursor, else waits up to `wait` seconds. With `Accept:
/// text/event-stream` it is a stream of server-sent events instead: `id` is the cursor (send it back as
/// `Last-Event-ID`), `event` the kind; a cursor that cannot be continued gives one `resync` event, then what
/// happens from now on.
#[utoipa::path(
    get, path = "/api/sync/events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "For streams: the id of the last event received")),
    responses(
        (status = 200, description = "The events", content(
            (EventsBody = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 410, body = ProblemBody<'static>, content_type = "application/problem+json", description = "The cursor cannot be continued"),
        ReadProblems,
    )
)]
async fn events(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    headers: HeaderMap,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    let since = Since::read("since", query.since.as_deref())?;
    let wants_stream = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if !wants_stream {
        return poll(api, &terminal, since, &query).await;
    }
    let since = match headers.get("last-event-id") {
        None => since,
        // Whatever cannot be continued is answered with `resync`: an EventSource would not understand a refusal.
        Some(id) => Since::Cursor(id.to_str().ok().and_then(|id| id.parse().ok()).unwrap_or(Cursor::NOWHERE)),
    };
    stream(api, terminal, since).await
}

async fn poll(api: Arc<Api>, terminal: &Terminal, since: Since, query: &EventsQuery) -> Result<Response, Problem> {
    let wait = Duration::from_secs(query::within("wait", query.wait, 0..=POLL_WAIT_S, 0)?);
    let limit = query::within("limit", query.limit, 1..=EVENTS_PER_ANSWER, EVENTS_PER_ANSWER)?;
    let mut committed = api.store.committed();
    let mut stopping = api.stopping.clone();
    let mut ended = api.devices.ended();
    let from = start(&api, since).await?;
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    loop {
        // Marked seen before the table is read: what is committed in between wakes the wait below.
        committed.borrow_and_update();
        ended.borrow_and_update();
        if !api.devices.still_knows(terminal) {
            return Err(Problem::unauthorized("the terminal was revoked meanwhile: pair it (POST /api/local/pair)"));
        }
        let page = read(&api, from, limit).await?.map_err(|latest| Problem::cursor_expired(latest.to_string()))?;
        if !page.events.is_empty() || deadline.is_elapsed() || *stopping.borrow() {
            let events = page.events.iter().map(|(number, event)| EventBody::new(&api, *number, event)).collect();
            return Ok(Json(EventsBody { events, cursor: page.next.to_string() }).into_response());
        }
        tokio::select! {
            () = &mut deadline => {}
            _ = committed.changed() => {}
            _ = stopping.changed() => {}
            _ = ended.changed() => {}
        }
    }
}

async fn stream(api: Arc<Api>, terminal: Terminal, since: Since) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&api.streams).try_acquire_owned() else {
        return Err(Problem::unavailable("too many event streams are open"));
    };
    let from = start(&api, since).await?;
    let reader = Reader {
        committed: api.store.committed(),
        stopping: api.stopping.clone(),
        ended: api.devices.ended(),
        api,
        terminal,
        at: from,
        _permit: permit,
    };
    let ping = KeepAlive::new().interval(Duration::from_secs(STREAM_PING_S)).text("ping");
    Ok(Sse::new(reader.into_stream()).keep_alive(ping).into_response())
}

/// One open stream. It holds a cursor and nothing else, so a slow reader costs and loses nothing.
struct Reader {
    api: Arc<Api>,
    /// Whose it is: it ends with their token.
    terminal: Terminal,
    at: Cursor,
    committed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    ended: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn into_stream(self) -> impl Stream<Item = Result<SseEvent, Infallible>> {
        let pages = stream::unfold(self, |mut reader| async move {
            let page = reader.next_page().await?;
            Some((stream::iter(page.into_iter().map(Ok)), reader))
        });
        futures_util::StreamExt::flatten(pages)
    }

    /// The next events, when there are some; `None` ends the stream.
    async fn next_page(&mut self) -> Option<Vec<SseEvent>> {
        loop {
            self.ended.borrow_and_update();
            if *self.stopping.borrow() || !self.api.devices.still_knows(&self.terminal) {
                return None;
            }
            self.committed.borrow_and_update();
            match read(&self.api, self.at, EVENTS_PER_ANSWER).await.ok()? {
                Err(latest) => {
                    self.at = latest;
                    let data = json!({ "cursor": latest.to_string() }).to_string();
                    return Some(vec![SseEvent::default().id(latest.to_string()).event("resync").data(data)]);
                }
                Ok(page) => {
                    self.at = page.next;
                    if !page.events.is_empty() {
                        return Some(
                            page.events.iter().filter_map(|(number, event)| self.encode(*number, event)).collect(),
                        );
                    }
                }
            }
            tokio::select! {
                changed = self.committed.changed() => changed.ok()?,
                changed = self.stopping.changed() => changed.ok()?,
                changed = self.ended.changed() => changed.ok()?,
            }
        }
    }

    fn encode(&self, number: u64, event: &Event) -> Option<SseEvent> {
        let body = EventBody::new(&self.api, number, event);
        let data = serde_json::to_string(&body).ok()?;
        Some(SseEvent::default().id(body.cursor).event(body.kind).data(data))
    }
}

async fn start(api: &Api, since: Since) -> Result<Cursor, ReadError> {
    match since {
        Since::Cursor(cursor) => Ok(cursor),
        Since::Nothing => api.store.read(|view| view.latest()).await,
        Since::Earliest => api.store.read(|view| view.earliest()).await,
        Since::Time(time) => api.store.read(move |view| Ok(view.at_time(time)?.unwrap_or(view.earliest()?))).await,
    }
}

/// Events after a cursor, or the place to go on from if that cannot be done.
async fn read(api: &Api, from: Cursor, limit: usize) -> Result<Result<EventPage, Cursor>, ReadError> {
    api.store
        .read(move |view| match view.events(from, limit)? {
            Ok(page) => Ok(Ok(page)),
            Err(Expired) => Ok(Err(view.latest()?)),
        })
        .await
}

impl EventBody {
    fn new(api: &Api, number: u64, event: &Event) -> Self {
        let (id, data) = match &event.data {
            EventData::Order(order) => (
                Some(order.id.to_string()),
                json!({
                    "orderNumber": order.number.to_string(),
                    "version": order.version,
                    "status": order.status,
                    "paymentStatus": order.payment_status,
                    "total": order.total,
                }),
            ),
            EventData::Settings(settings) => (
                None,
                json!({
                    "name": settings.name,
                    "currency": settings.currency.code(),
                    "timezone": settings.timezone,
                    "register": settings.register,
                    "taxPartsPerMillion": settings.tax_rule.rate_ppm,
                    "taxIncluded": settings.tax_rule.included,
                }),
            ),
            EventData::Connectivity(connectivity) => (None, json!({ "mode": connectivity })),
            EventData::DevicePaired { name, kind } => {
                (event.device.map(|device| device.to_string()), json!({ "name": name, "kind": kind }))
            }
            EventData::Entry(entry) => (
                Some(uuid::Uuid::from_bytes(entry.entry.id).hyphenated().to_string()),
                json!({ "version": entry.entry.version }),
            ),
            EventData::Catalogue { revision } => (None, json!({ "revision": revision })),
            EventData::DeviceRenamed { id, name } | EventData::DeviceRevoked { id, name } => {
                (Some(id.to_string()), json!({ "name": name }))
            }
            EventData::DevicePresence { id, presence } => (Some(id.to_string()), json!({ "status": presence })),
            EventData::ForcedOffline { until } => (None, json!({ "until": until })),
            EventData::DrawerOpened { reason } => {
                (event.device.map(|device| device.to_string()), json!({ "reason": reason }))
            }
        };
        Self {
            seq: number,
            cursor: api.store.cursor(number).to_string(),
            at: event.at.wall,
            device_id: event.device,
            entity: EntityBody { kind: event.data.entity(), id },
            kind: event.data.kind().to_owned(),
            data,
        }
    }
}
