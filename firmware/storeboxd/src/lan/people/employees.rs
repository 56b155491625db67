//! `/api/employees`: who works here (L10).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::command::Command;
use storebox_core::id::{EmployeeId, StoreId};
use storebox_core::limits::EMPLOYEES;
use storebox_core::people::{self, Employee, EmployeePatch, NewEmployee, Permission, Pin, PinHash, Role};
use storebox_core::text::Name;
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pins;
use crate::entropy;
use crate::lan::auth::Terminal;
use crate::lan::body::Body;
use crate::lan::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use crate::lan::problem::Problem;
use crate::lan::query::Asked;
use crate::lan::{Api, query};

/// The routes of `/api/employees`.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_employees, create_employee)).routes(routes!(change_employee))
}

/// What somebody is trusted with.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum RoleWord {
    /// Sells and serves.
    Staff,
    /// Runs a shift.
    Manager,
    /// Owns the store.
    Admin,
}

/// Somebody who works here. Who may not look after employees sees `id`, `name` and `role` of those who work here
/// now; all other members but `active` are absent then.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Employee)]
pub struct EmployeeBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: EmployeeId,
    /// What people call them.
    #[schema(value_type = String)]
    name: Name,
    /// What they are trusted with.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// Whether they still work here.
    active: bool,
    /// What they sign in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    login: Option<Name>,
    /// Whether they have a PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_pin: Option<bool>,
    /// Somebody else chose it, and they have to choose their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    must_change_pin: Option<bool>,
    /// The store that entered them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid, nullable = false)]
    store_id: Option<StoreId>,
    /// Number of changes, for `If-Match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// When they were entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    created_at: Option<Timestamp>,
    /// When that last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    updated_at: Option<Timestamp>,
}

impl EmployeeBody {
    /// All of somebody, but their PIN.
    pub fn new(employee: &Employee, store: StoreId) -> Self {
        Self {
            login: Some(employee.login.clone()),
            has_pin: Some(employee.pin_hash.is_some()),
            must_change_pin: Some(employee.must_change_pin),
            store_id: Some(store),
            version: Some(employee.version),
            created_at: Some(employee.created_at),
            updated_at: Some(employee.updated_at),
            ..Self::public(employee)
        }
    }

    fn public(employee: &Employee) -> Self {
        Self {
            id: employee.id,
            name: employee.name.clone(),
            role: employee.role,
            active: employee.active,
            login: None,
            has_pin: None,
            must_change_pin: None,
            store_id: None,
            version: None,
            created_at: None,
            updated_at: None,
        }
    }
}

/// What `GET /api/employees` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// At most so many (default all).
    #[param(minimum = 1, maximum = 2000)]
    limit: Option<usize>,
}

/// List employees
///
/// Who may not look after employees sees names and roles of those who work here now.
#[utoipa::path(
    get, path = "/api/employees", tag = "people", params(ListQuery),
    responses((status = 200, body = Vec<EmployeeBody>, description = "Who works here, in the order they were entered"), ReadProblems)
)]
async fn list_employees(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=EMPLOYEES, EMPLOYEES)?;
    terminal.must_not_be_public()?;
    let sees_all = terminal.must(Permission::ManagePeople).is_ok();
    let employees = api.store.read(|view| view.latest_entries::<Employee>(None, EMPLOYEES)).await?;
    let shown = employees.iter().filter(|employee| sees_all || employee.active).take(limit);
    let bodies: Vec<EmployeeBody> = shown
        .map(
            |employee| {
                if sees_all { EmployeeBody::new(employee, api.store.id()) } else { EmployeeBody::public(employee) }
            },
        )
        .collect();
    Ok(Json(bodies).into_response())
}

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewEmployee)]
struct Create {
    /// What they sign in with: a number or a short name. Its case is of no matter.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    login: Name,
    /// What people call them.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Name,
    /// What they are trusted with.
    #[schema(value_type = RoleWord)]
    role: Role,
    /// Their first PIN: not one digit repeated, not digits in a row. Without one they cannot sign in yet.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4,8}$")]
    pin: Option<Pin>,
    /// Whether they have to choose their own PIN (default true).
    must_change_pin: Option<bool>,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Enter an employee
#[utoipa::path(
    post, path = "/api/employees", tag = "people", request_body = Create,
    params(KeyHeader),
    responses((status = 201, body = EmployeeBody, description = "Who was entered"), Conflict, WriteProblems)
)]
async fn create_employee(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<Create>,
) -> Result<Response, Problem> {
    terminal.must(Permission::ManagePeople)?;
    let (new, rest) = body.split();
    if new.login.as_str().parse::<EmployeeId>().is_ok() {
        return Err(Problem::invalid("login", "must not look like an id"));
    }
    let pin_hash = api.hashed(new.pin).await?;
    let new = NewEmployee {
        id: EmployeeId::new(api.store.now(), entropy::for_id()),
        login: new.login,
        name: new.name,
        role: new.role,
        pin_hash,
        must_change_pin: new.must_change_pin.unwrap_or(true),
    };
    api.carry_out(&terminal, Command::People(people::Command::CreateEmployee(new)), rest).await
}

/// What is to change about somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EmployeePatch)]
struct Change {
    /// The version seen; `If-Match` says it as well.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// What people call them.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Option<Name>,
    /// What they are trusted with.
    #[schema(value_type = Option<RoleWord>)]
    role: Option<Role>,
    /// Whether they still work here.
    active: Option<bool>,
    /// A new PIN, which they have to change.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{4,8}$")]
    pin: Option<Pin>,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Change an employee
///
/// A new role, a new PIN or the end of their work here ends all their sessions.
#[utoipa::path(
    patch, path = "/api/employees/{id}", tag = "people", request_body = Change,
    params(
        ("id" = String, Path, description = "The employee's id", max_length = 36, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        ("If-Match" = Option<String>, Header, description = "The version seen, as in `ETag`", pattern = r#"^"[1-9][0-9]{0,8}"$"#),
        KeyHeader,
    ),
    responses((status = 200, body = EmployeeBody, description = "As it is now"), Conflict, WriteProblems)
)]
async fn change_employee(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<Change>,
) -> Result<Response, Problem> {
    terminal.must(Permission::ManagePeople)?;
    let id: EmployeeId = id.parse().map_err(|_| Problem::not_found("there is no employee of that id"))?;
    let (change, rest) = body.split();
    let expected = rest.expected(change.version)?;
    let pin_hash = api.hashed(change.pin).await?;
    let ends_sessions = pin_hash.is_some() || change.role.is_some() || change.active == Some(false);
    let patch = EmployeePatch { name: change.name, role: change.role, active: change.active, pin_hash };
    let command = Command::People(people::Command::ChangeEmployee { id, expected, patch });
    let answer = rest.submit(&api.store, terminal.actor(), command).await?;
    if answer.result.is_ok() && ends_sessions && !answer.replayed {
        api.sessions.end_others(id, None);
        api.owner.changed(id);
    }
    api.answer(answer)
}

impl Api {
    /// What is kept of a PIN that somebody chose.
    async fn hashed(&self, pin: Option<Pin>) -> Result<Option<PinHash>, Problem> {
        let Some(pin) = pin else { return Ok(None) };
        pin.must_be_good().map_err(|error| Problem::invalid("pin", error.to_string()))?;
        let _turn = self.pins.turn().await?;
        pins::hash(pin).await.map(Some)
    }
}
