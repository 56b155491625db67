//! `/kds/…`: what the kitchen sees and does (L5). Rules are in `storebox_core::kitchen`; here is only the wire.

mod response;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use storebox_core::command::Command;
use storebox_core::id::TicketId;
use storebox_core::kitchen::{Action, Command as Kitchen};
use storebox_core::limits::TICKETS_PER_ANSWER;
use storebox_core::text::Name;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use response::TicketBody;

use super::auth::Terminal;
use super::body::Body;
use super::cursor::Since;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::{Problem, ProblemBody};
use super::query::Asked;
use super::{Api, answer, query};
use crate::store::Expired;
use response::{StationBody, StatisticsBody};

/// The routes of `/kds`.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(kitchen_queue))
        .routes(routes!(show_ticket))
        .routes(routes!(start_ticket))
        .routes(routes!(mark_ticket_ready))
        .routes(routes!(serve_ticket))
        .routes(routes!(bump_ticket))
        .routes(routes!(recall_ticket))
        .routes(routes!(kitchen_stations))
        .routes(routes!(kitchen_statistics))
}

/// What `GET /kds/queue` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueueQuery {
    /// Only this station's tickets.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    station: Option<Name>,
    /// A cursor of an earlier answer, `earliest` for the whole queue, or a time (RFC 3339, inclusive).
    #[param(
        pattern = r"^(earliest|[0-9a-f]{8}-[0-9a-f]{1,12}|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// At most so many tickets (default and most 500).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Show what the kitchen has before it
///
/// Without `since`: the open tickets, oldest first. With the cursor of `X-Cursor`: what changed since, served, recalled
/// and voided tickets too; repeat while `X-More` is `true`. With a time: what changed at that time or later, or the open
/// tickets if that is more than one answer holds.
#[utoipa::path(
    get, path = "/kds/queue", tag = "kitchen", params(QueueQuery),
    responses(
        (status = 200, body = Vec<TicketBody>, description = "The tickets", headers(
            ("x-cursor" = String, description = "Where to go on"),
            ("x-more" = bool, description = "Whether there is more to fetch at once"),
        )),
        (status = 410, body = ProblemBody<'static>, content_type = "application/problem+json", description = "The cursor cannot be continued"),
        ReadProblems,
    )
)]
async fn kitchen_queue(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<QueueQuery>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let limit = query::within("limit", query.limit, 1..=TICKETS_PER_ANSWER, TICKETS_PER_ANSWER)?;
    let since = Since::read("since", query.since.as_deref())?;
    let page = api
        .store
        .read(move |view| {
            let station = query.station.as_ref().map(Name::as_str);
            let from = match since {
                Since::Time(time) => return view.tickets_since_time(time, station, limit).map(Ok),
                Since::Nothing | Since::Earliest => None,
                Since::Cursor(cursor) => Some(cursor),
            };
            match view.tickets(from, station, limit)? {
                Ok(page) => Ok(Ok(page)),
                Err(Expired) => Ok(Err(view.latest()?)),
            }
        })
        .await?;
    let page = page.map_err(|latest| Problem::cursor_expired(latest.to_string()))?;
    let tickets: Vec<TicketBody> = page.tickets.iter().map(|ticket| TicketBody::new(ticket, &api)).collect();
    Ok(answer::page(&tickets, Some(&page.next.to_string()), page.more))
}

/// Show a ticket
#[utoipa::path(
    get, path = "/kds/tickets/{id}", tag = "kitchen",
    params(("id" = String, Path, description = "The ticket's id", max_length = 36)),
    responses((status = 200, body = TicketBody, description = "The ticket"), ReadProblems)
)]
async fn show_ticket(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let id = ticket_id(&id)?;
    let ticket = api.store.read(move |view| view.ticket(id)).await?;
    let ticket = ticket.ok_or_else(no_ticket)?;
    Ok(answer::tagged(ticket.version, Json(TicketBody::new(&ticket, &api))))
}

/// What a display says when it moves a ticket.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MoveTicket {
    /// The generation the display saw. If the ticket was recalled since, nothing is changed.
    #[schema(value_type = Option<u32>, minimum = 1)]
    generation: Option<NonZeroU32>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Begin with a ticket
///
/// Its order is then `preparing`. What lies behind where the ticket stands changes nothing and is answered all the same.
#[utoipa::path(
    post, path = "/kds/tickets/{id}/start", tag = "kitchen", request_body = MoveTicket,
    params(
        ("id" = String, Path, description = "The ticket's id", max_length = 36),
        KeyHeader,
    ),
    responses((status = 200, body = TicketBody, description = "The ticket as it is now"), Conflict, WriteProblems)
)]
async fn start_ticket(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<MoveTicket>,
) -> Result<Response, Problem> {
    api.move_ticket(&terminal, &id, Action::Start, body).await
}

/// Mark a ticket as ready
///
/// When all tickets of an order are, the order is `ready`. Marking again changes nothing.
#[utoipa::path(
    post, path = "/kds/tickets/{id}/mark-ready", tag = "kitchen", request_body = MoveTicket,
    params(
        ("id" = String, Path, description = "The ticket's id", max_length = 36),
        KeyHeader,
    ),
    responses((status = 200, body = TicketBody, description = "The ticket as it is now"), Conflict, WriteProblems)
)]
async fn mark_ticket_ready(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<MoveTicket>,
) -> Result<Response, Problem> {
    api.move_ticket(&terminal, &id, Action::MarkReady, body).await
}

/// Take a ticket to the guest
///
/// From any state, as a bump bar does; it leaves the queue.
#[utoipa::path(
    post, path = "/kds/tickets/{id}/serve", tag = "kitchen", request_body = MoveTicket,
    params(
        ("id" = String, Path, description = "The ticket's id", max_length = 36),
        KeyHeader,
    ),
    responses((status = 200, body = TicketBody, description = "The ticket as it is now"), Conflict, WriteProblems)
)]
async fn serve_ticket(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<MoveTicket>,
) -> Result<Response, Problem> {
    api.move_ticket(&terminal, &id, Action::Serve, body).await
}

/// Bump a ticket: the same as to serve it
#[utoipa::path(
    post, path = "/kds/tickets/{id}/bump", tag = "kitchen", request_body = MoveTicket,
    params(
        ("id" = String, Path, description = "The ticket's id", max_length = 36),
        KeyHeader,
    ),
    responses((status = 200, body = TicketBody, description = "The ticket as it is now"), Conflict, WriteProblems)
)]
async fn bump_ticket(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<MoveTicket>,
) -> Result<Response, Problem> {
    api.move_ticket(&terminal, &id, Action::Serve, body).await
}

/// Take a ticket back into work
///
/// One that is ready or served is in progress again, in another generation. The order's status stays.
#[utoipa::path(
    post, path = "/kds/tickets/{id}/recall", tag = "kitchen", request_body = MoveTicket,
    params(
        ("id" = String, Path, description = "The ticket's id", max_length = 36),
        KeyHeader,
    ),
    responses((status = 200, body = TicketBody, description = "The ticket as it is now"), Conflict, WriteProblems)
)]
async fn recall_ticket(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<MoveTicket>,
) -> Result<Response, Problem> {
    api.move_ticket(&terminal, &id, Action::Recall, body).await
}

/// List the stations that have something before them
#[utoipa::path(
    get, path = "/kds/stations", tag = "kitchen",
    responses((status = 200, body = Vec<StationBody>, description = "The stations, with counts of open tickets"), ReadProblems)
)]
async fn kitchen_stations(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Json<Vec<StationBody>>, Problem> {
    terminal.must_not_be_public()?;
    let now = api.store.now();
    let stations = api.store.read(|view| view.stations()).await?;
    Ok(Json(stations.iter().map(|station| StationBody::new(station, now)).collect()))
}

/// What `GET /kds/statistics` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatisticsQuery {
    /// Only this station.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    station: Option<Name>,
    /// The business day, like 2026-01-31; today if it is not given.
    #[param(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]
    day: Option<String>,
}

/// Measure the kitchen
#[utoipa::path(
    get, path = "/kds/statistics", tag = "kitchen", params(StatisticsQuery),
    responses((status = 200, body = StatisticsBody, description = "How long each station took"), ReadProblems)
)]
async fn kitchen_statistics(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<StatisticsQuery>,
) -> Result<Json<StatisticsBody>, Problem> {
    terminal.must_not_be_public()?;
    let today = || api.in_force().settings.calendar().day(api.store.now());
    let day = query::day("day", query.day.as_deref())?.unwrap_or_else(today);
    let times = api.store.read(move |view| view.kitchen_times(day, query.station.as_ref().map(Name::as_str))).await?;
    Ok(Json(StatisticsBody::new(day, &times)))
}

impl Api {
    async fn move_ticket(
        &self,
        terminal: &Terminal,
        id: &str,
        action: Action,
        body: Body<MoveTicket>,
    ) -> Result<Response, Problem> {
        terminal.must_not_be_public()?;
        let ticket = ticket_id(id)?;
        let (asked, rest) = body.split();
        let command =
            Command::Kitchen(Kitchen::Move { ticket, action, generation: asked.generation.map(NonZeroU32::get) });
        self.carry_out(terminal, command, rest).await
    }
}

fn ticket_id(text: &str) -> Result<TicketId, Problem> {
    text.parse().map_err(|_| no_ticket())
}

fn no_ticket() -> Problem {
    Problem::not_found("there is no such ticket")
}
