//! `/api/shifts`: time at work (L8).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::command::Command;
use storebox_core::id::{DeviceId, EmployeeId, ShiftId, StoreId};
use storebox_core::limits::{SHIFTS_PER_ANSWER, SHIFTS_PER_ANSWER_DEFAULT};
use storebox_core::people::{Employee, Permission, Pin, login_key};
use storebox_core::shift::{self, ClockEvent, Shift, Stamp};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Terminal;
use super::body::Body;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, query};
use crate::entropy;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_shifts)).routes(routes!(clock_in)).routes(routes!(clock_out))
}

/// Somebody's time at work.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Shift)]
pub struct ShiftBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: ShiftId,
    /// Whose.
    #[schema(value_type = String, format = Uuid)]
    employee_id: EmployeeId,
    /// The store it was worked in.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// Its beginning; null if nobody clocked in.
    #[schema(required)]
    clock_in: Option<StampBody>,
    /// Its end; null as long as nobody clocked out.
    #[schema(required)]
    clock_out: Option<StampBody>,
    /// A manager should look at it: it overlaps another, or its beginning is not known.
    flagged: bool,
    /// It overlaps another shift of the same person.
    flagged_overlap: bool,
    /// What was said about it.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
    /// Number of changes.
    version: u32,
}

/// One clock event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClockStamp)]
struct StampBody {
    /// When somebody came or went.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// When the box learned of it.
    #[schema(value_type = String, format = DateTime)]
    noted_at: Timestamp,
    /// At which terminal.
    #[schema(value_type = String, format = Uuid)]
    device_id: DeviceId,
    /// Who was signed in there.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    by: Option<EmployeeId>,
}

impl ShiftBody {
    /// A shift as terminals see it.
    pub fn new(shift: &Shift, store: StoreId) -> Self {
        let stamp =
            |stamp: Stamp| StampBody { at: stamp.at, noted_at: stamp.noted_at, device_id: stamp.device, by: stamp.by };
        Self {
            id: shift.id,
            employee_id: shift.employee,
            store_id: store,
            clock_in: shift.clock_in.map(stamp),
            clock_out: shift.clock_out.map(stamp),
            flagged: shift.is_flagged(),
            flagged_overlap: shift.overlaps,
            notes: shift.notes.clone(),
            version: shift.version,
        }
    }
}

/// Somebody comes or goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Clock {
    /// Who, by login or id; left away it is whoever is signed in. Somebody else takes their PIN, or a manager.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    employee: Option<Name>,
    /// Their PIN, if they are not signed in.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4,8}$")]
    pin: Option<Pin>,
    /// When, if it was before now; at most five minutes ahead of the box's clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// What is to be said about it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Note>,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Clock in
///
/// It is always accepted: a shift that overlaps another of the same person is flagged, and so is the other.
#[utoipa::path(
    post, path = "/api/shifts/clock-in", tag = "people", request_body = Option<Clock>,
    params(KeyHeader),
    responses(
        (status = 201, body = ShiftBody, description = "The shift that began"),
        (status = 200, body = ShiftBody, description = "The shift whose beginning was missing"),
        Conflict,
        WriteProblems,
    )
)]
async fn clock_in(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<Clock>) -> Result<Response, Problem> {
    api.clock_event(&terminal, ClockEvent::In, body).await
}

/// Clock out
///
/// It is always accepted: a shift of which nobody knows when it began is flagged.
#[utoipa::path(
    post, path = "/api/shifts/clock-out", tag = "people", request_body = Option<Clock>,
    params(KeyHeader),
    responses(
        (status = 200, body = ShiftBody, description = "The shift that ended"),
        (status = 201, body = ShiftBody, description = "A shift that ended, of which nobody knows when it began"),
        Conflict,
        WriteProblems,
    )
)]
async fn clock_out(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<Clock>) -> Result<Response, Problem> {
    api.clock_event(&terminal, ClockEvent::Out, body).await
}

/// What `GET /api/shifts` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// A business day of the store, like `2026-01-31`.
    #[param(pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$")]
    day: Option<String>,
    /// Whose, by id or login. Who is no manager sees their own only.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    employee: Option<String>,
    /// At most so many (default 100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// List shifts
///
/// The latest first. A manager sees everybody's, everybody else their own.
#[utoipa::path(
    get, path = "/api/shifts", tag = "people", params(ListQuery),
    responses((status = 200, body = Vec<ShiftBody>, description = "The shifts"), ReadProblems)
)]
async fn list_shifts(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=SHIFTS_PER_ANSWER, SHIFTS_PER_ANSWER_DEFAULT)?;
    let day = query::day("day", query.day.as_deref())?;
    let signed_in = terminal.actor().staff;
    let employee = match query.employee {
        Some(named) => {
            let named = Name::new(named).map_err(|error| Problem::invalid("employee", error.to_string()))?;
            let employee = api.employee_named(&named).await;
            let own = matches!((&employee, signed_in), (Ok(id), Some(staff)) if staff.employee == *id);
            if !own {
                terminal.must(Permission::MendShifts)?;
            }
            Some(employee?)
        }
        None if terminal.must(Permission::MendShifts).is_ok() => None,
        None => {
            let own = signed_in.ok_or_else(|| Problem::not_allowed(Permission::MendShifts))?;
            Some(own.employee)
        }
    };
    let calendar = api.in_force().settings.calendar();
    let shifts = api.store.read(move |view| view.shifts(day.map(|day| (&calendar, day)), employee, limit)).await?;
    let store = api.store.id();
    Ok(Json(shifts.iter().map(|shift| ShiftBody::new(shift, store)).collect::<Vec<_>>()).into_response())
}

impl Api {
    async fn clock_event(
        &self,
        terminal: &Terminal,
        event: ClockEvent,
        body: Body<Clock>,
    ) -> Result<Response, Problem> {
        let (clock, rest) = body.split();
        let proven = clock.pin.is_some();
        let employee = match (clock.employee, clock.pin) {
            (Some(named), Some(pin)) => self.whose_pin(terminal.device(), &named, pin).await?.id,
            (Some(named), None) => match (self.employee_named(&named).await, terminal.actor().staff) {
                (Ok(id), Some(staff)) if staff.employee == id => id,
                (found, _) => {
                    terminal.must(Permission::MendShifts)?;
                    found?
                }
            },
            (None, Some(_)) => return Err(Problem::invalid("employee", "say whose PIN it is")),
            (None, None) => {
                let nobody = || Problem::invalid("employee", "nobody is signed in: say who, with their PIN");
                terminal.actor().staff.ok_or_else(nobody)?.employee
            }
        };
        let id = ShiftId::new(self.store.now(), entropy::for_id());
        let clock = shift::Command::Clock { id, employee, proven, event, at: clock.at, notes: clock.notes };
        self.carry_out(terminal, Command::Shift(clock), rest).await
    }

    /// Somebody by login or id.
    async fn employee_named(&self, named: &Name) -> Result<EmployeeId, Problem> {
        let (id, key) = (named.as_str().parse::<EmployeeId>().ok(), login_key(named));
        let found = self.store.read(move |view| match id {
            Some(id) => view.latest_entry::<Employee>(id.to_bytes()),
            None => view.employee_by_login(&key),
        });
        found.await?.map(|employee| employee.id).ok_or_else(|| Problem::not_found("there is no such employee"))
    }
}
