//! `/api/auth/…`: signing in to a terminal, signing out, choosing a PIN (L10).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::audit::Note;
use storebox_core::command::{Actor, Command, Request};
use storebox_core::device::Device;
use storebox_core::id::EmployeeId;
use storebox_core::limits::{SESSION_IDLE_S, SESSION_S};
use storebox_core::people::{self, Employee, Pin, Role, Staff, login_key};
use storebox_core::text::Name;
use storebox_core::throttle::Wait;
use storebox_core::time::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::employees::RoleWord;
use super::pins;
use crate::lan::Api;
use crate::lan::auth::{Paired, Terminal};
use crate::lan::body::Body;
use crate::lan::openapi::WriteProblems;
use crate::lan::problem::Problem;
use crate::store::SubmitError;

/// The routes of `/api/auth`.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(sign_out)).routes(routes!(change_pin))
}

/// Somebody who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    /// What they sign in with, or their id.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    employee: Name,
    /// Their PIN.
    #[schema(value_type = String, pattern = "^[0-9]{4,8}$")]
    pin: Pin,
    /// Stands in for the header `Idempotency-Key`; signing in twice gives two sessions all the same.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Somebody who is signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StaffSession)]
struct SessionBody {
    /// To be sent as `X-Staff-Session` with every request, from this terminal only. It is shown only here.
    session: String,
    /// Who it is.
    #[schema(value_type = String, format = Uuid)]
    employee_id: EmployeeId,
    /// What people call them.
    #[schema(value_type = String)]
    name: Name,
    /// What they are trusted with, once the PIN is their own.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// When it ends at the latest. A restart of the box ends it too.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// It ends as well when nothing was asked with it for so many seconds: what a terminal asks by itself, without a
    /// person, goes without it.
    idle_s: u64,
    /// Somebody else chose the PIN: until it is changed (POST /api/auth/pin) the session is trusted as staff only.
    must_change_pin: bool,
}

/// Sign in
///
/// The session is bound to the terminal. A session of before is of no matter here.
#[utoipa::path(
    post, path = "/api/auth/sign-in", tag = "people", request_body = SignIn,
    responses((status = 200, body = SessionBody, description = "Signed in"), WriteProblems)
)]
async fn sign_in(State(api): State<Arc<Api>>, Paired(device): Paired, body: Body<SignIn>) -> Result<Response, Problem> {
    let (request, _rest) = body.split();
    let employee = api.whose_pin(&device, &request.employee, request.pin).await?;
    let role = if employee.must_change_pin { Role::Staff } else { employee.role };
    let staff = Staff { employee: employee.id, role };
    let actor = Actor { device: device.id, kind: device.kind, staff: Some(staff) };
    api.note(Some(actor), "staff.signed_in", &employee.login).await?;
    let session = api.sessions.begin(device.id, staff, api.clock.monotonic());
    log::info!(employee:% = employee.login, device:% = device.id; "somebody signed in");
    let body = SessionBody {
        session: session.as_str().to_owned(),
        employee_id: employee.id,
        name: employee.name,
        role: employee.role,
        expires_at: api.clock.wall().plus_millis(SESSION_S * 1_000),
        idle_s: SESSION_IDLE_S,
        must_change_pin: employee.must_change_pin,
    };
    Ok((StatusCode::OK, Json(body)).into_response())
}

/// A request that says nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignOut {
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Sign out
///
/// Without a session nothing happens.
#[utoipa::path(
    post, path = "/api/auth/sign-out", tag = "people", request_body = Option<SignOut>,
    params(("X-Staff-Session" = Option<String>, Header, description = "The session that ends", max_length = 128, pattern = "^[A-Za-z0-9_-]+$")),
    responses((status = 204, description = "Nobody is signed in with it any more"), WriteProblems)
)]
async fn sign_out(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<SignOut>) -> Result<StatusCode, Problem> {
    drop(body);
    let Some(session) = terminal.session() else { return Ok(StatusCode::NO_CONTENT) };
    api.sessions.end(&session.key);
    let about = Name::cut(&session.staff.employee.to_string());
    api.note(Some(terminal.actor()), "staff.signed_out", &about).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who chooses a PIN of their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangePin {
    /// The PIN they signed in with.
    #[schema(value_type = String, pattern = "^[0-9]{4,8}$")]
    old_pin: Pin,
    /// The new one: not the old one, not one digit repeated, not digits in a row.
    #[schema(value_type = String, pattern = "^[0-9]{4,8}$")]
    new_pin: Pin,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Choose a PIN
///
/// This session goes on with everything the person is trusted with; all their other sessions end.
#[utoipa::path(
    post, path = "/api/auth/pin", tag = "people", request_body = ChangePin,
    params(("X-Staff-Session" = Option<String>, Header, description = "Who is signed in", max_length = 128, pattern = "^[A-Za-z0-9_-]+$")),
    responses((status = 204, description = "The new PIN holds"), WriteProblems)
)]
async fn change_pin(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<ChangePin>,
) -> Result<StatusCode, Problem> {
    let (request, rest) = body.split();
    let Some(session) = terminal.session() else {
        return Err(Problem::sign_in_first("sign in first (POST /api/auth/sign-in, then X-Staff-Session)"));
    };
    request.new_pin.must_be_good().map_err(|error| Problem::invalid("newPin", error.to_string()))?;
    if request.new_pin == request.old_pin {
        return Err(Problem::invalid("newPin", "must not be the old one"));
    }
    let id = session.staff.employee;
    let employee = api.store.read(move |view| view.latest_entry::<Employee>(id.to_bytes())).await?;
    let login = employee.ok_or_else(|| Problem::not_found("there is no such employee"))?.login;
    let employee = api.whose_pin(terminal.device(), &login, request.old_pin).await?;
    let hash = {
        let _turn = api.pins.turn().await?;
        pins::hash(request.new_pin).await?
    };
    let command = Command::People(people::Command::ChangeOwnPin { employee: id, hash });
    let answer = rest.without_key().submit(&api.store, terminal.actor(), command).await?;
    answer.result.map_err(|rejection| api.refusal(&rejection))?;
    api.sessions.end_others(id, Some((session.key, employee.role)));
    api.owner.changed(id);
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// Who it is, if the PIN is right. Somebody who is unknown, or does not work here any more, is told the same after
    /// the same time as somebody with a wrong PIN.
    pub(in crate::lan) async fn whose_pin(&self, device: &Device, typed: &Name, pin: Pin) -> Result<Employee, Problem> {
        let _turn = self.pins.turn().await?;
        let by_id = typed.as_str().parse::<EmployeeId>().ok();
        let key = login_key(typed);
        let employee = self
            .store
            .read(move |view| match by_id {
                Some(id) => view.latest_entry::<Employee>(id.to_bytes()),
                None => view.employee_by_login(&key),
            })
            .await?;
        let login = login_key(employee.as_ref().map_or(typed, |employee| &employee.login));
        let now = self.clock.monotonic();
        self.pins.may_try(&login, device.id, now).map_err(locked_out)?;
        let employee = employee.filter(|employee| employee.active);
        if employee.as_ref().is_some_and(|employee| employee.pin_hash.is_none()) {
            return Err(Problem::cloud_required("a person's first sign-in"));
        }
        let kept = employee.as_ref().and_then(|employee| employee.pin_hash.clone());
        if pins::is_right(pin, kept).await?
            && let Some(employee) = employee
        {
            self.pins.right(&login);
            return Ok(employee);
        }
        log::warn!(device:% = device.id; "a wrong PIN");
        let note = |what| {
            let note = Note { what, about: Name::cut(&login), device: Some(device.id) };
            self.store.note(Command::Audit(note));
        };
        match self.pins.wrong(&login, device.id, now) {
            Some(wait) => {
                note("staff.locked_out");
                Err(locked_out(wait))
            }
            None => {
                note("staff.wrong_pin");
                Err(Problem::wrong_pin())
            }
        }
    }

    /// Notes something in the audit log and waits until it is there. A full disk is no reason to keep people out: what
    /// they do with their rights cannot be written then either.
    pub(in crate::lan) async fn note(
        &self,
        actor: Option<Actor>,
        what: &'static str,
        about: &Name,
    ) -> Result<(), Problem> {
        let command = Command::Audit(Note { what, about: about.clone(), device: None });
        match self.store.submit(Request { actor, key: None, received: None, command }).await {
            Ok(_) | Err(SubmitError::Full) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn locked_out(wait: Wait) -> Problem {
    let words = "too many wrong PINs; wait, or ask a manager to sign in";
    Problem::too_many_requests(wait.retry_after_s(), words)
}
