//! `/api/customers`: who buys here (L10).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use storebox_core::command::{Command, Rejection};
use storebox_core::entry::Versioned;
use storebox_core::id::{CustomerId, StoreId};
use storebox_core::limits::{CUSTOMERS_PER_ANSWER, CUSTOMERS_PER_ANSWER_DEFAULT};
use storebox_core::people::{self, Customer, CustomerPatch, Email, NewCustomer, Phone};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entropy;
use crate::lan::auth::Terminal;
use crate::lan::body::{Body, present};
use crate::lan::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use crate::lan::problem::Problem;
use crate::lan::query::Asked;
use crate::lan::{Api, answer, query};

/// The routes of `/api/customers`.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_customers, create_customer))
        .routes(routes!(show_customer, change_customer))
}

/// Somebody who buys here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Customer)]
pub struct CustomerBody {
    /// Valid across stores.
    #[schema(value_type = String, format = Uuid)]
    id: CustomerId,
    /// The store that entered them.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// What people call them.
    #[schema(value_type = String)]
    name: Name,
    /// Where they are called.
    #[schema(value_type = Option<String>, required)]
    phone: Option<Phone>,
    /// Where they are written to.
    #[schema(value_type = Option<String>, required)]
    email: Option<Email>,
    /// What whoever serves them should know.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
    /// Number of their loyalty account.
    #[schema(value_type = Option<String>, required)]
    loyalty_account: Option<Name>,
    /// When they were here last.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Number of changes, for `If-Match`.
    version: u32,
    /// When they were entered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When anything about them last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl CustomerBody {
    /// A customer as terminals see them.
    pub fn new(customer: &Customer, store: StoreId) -> Self {
        Self {
            id: customer.id,
            store_id: store,
            name: customer.name.value.clone(),
            phone: customer.phone.value.clone(),
            email: customer.email.value.clone(),
            notes: customer.notes.value.clone(),
            loyalty_account: customer.loyalty.value.clone(),
            last_seen_at: customer.last_seen_at,
            version: customer.version,
            created_at: customer.created_at,
            updated_at: customer.updated_at,
        }
    }
}

/// What `GET /api/customers` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Beginnings of words of the name, of the number, of the address or of the loyalty account.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    search: Option<String>,
    /// The last customer of the answer before, to go on with a list of all.
    #[param(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    after: Option<String>,
    /// At most so many (default 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// List or find customers
///
/// Without `search` in the order they were entered; go on with the cursor of `X-Cursor` as `after` while `X-More` is
/// `true`.
#[utoipa::path(
    get, path = "/api/customers", tag = "people", params(ListQuery),
    responses(
        (status = 200, body = Vec<CustomerBody>, description = "The customers", headers(
            ("x-cursor" = String, description = "Where to go on, if there is more"),
            ("x-more" = bool, description = "Whether there may be more"),
        )),
        ReadProblems,
    )
)]
async fn list_customers(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=CUSTOMERS_PER_ANSWER, CUSTOMERS_PER_ANSWER_DEFAULT)?;
    let search = query.search.map(Name::new).transpose();
    let search = search.map_err(|error| Problem::invalid("search", error.to_string()))?;
    let after = query.after.map(|after| after.parse::<CustomerId>()).transpose();
    let after = after.map_err(|error| Problem::invalid("after", error.to_string()))?;
    terminal.must_not_be_public()?;
    let searched = search.is_some();
    let look = api.store.read(move |view| match &search {
        Some(search) => view.find_customers(search.as_str(), limit),
        None => view.customers(after, limit),
    });
    let customers = look.await?;
    let store = api.store.id();
    let bodies: Vec<CustomerBody> = customers.iter().map(|customer| CustomerBody::new(customer, store)).collect();
    let more = !searched && customers.len() == limit;
    let cursor = customers.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(answer::page(&bodies, cursor.as_deref(), more))
}

/// Show a customer
#[utoipa::path(
    get, path = "/api/customers/{id}", tag = "people",
    params(("id" = String, Path, description = "The customer's id", max_length = 36, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")),
    responses((status = 200, body = CustomerBody, description = "The customer"), ReadProblems)
)]
async fn show_customer(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let id = customer_id(&id)?;
    let customer = api.store.read(move |view| view.latest_entry::<Customer>(id.to_bytes())).await?;
    let customer = customer.ok_or_else(|| api.refusal(&Rejection::Unknown { what: "customer" }))?;
    Ok(api.entry_response(axum::http::StatusCode::OK, &customer.into_entry()))
}

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewCustomer)]
struct Create {
    /// The id they get; the box makes one if it is left away.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    id: Option<CustomerId>,
    /// What people call them.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Name,
    /// Where they are called.
    #[schema(value_type = Option<String>, pattern = r"^\+?[0-9(][0-9 ()./-]{2,30}$")]
    phone: Option<Phone>,
    /// Where they are written to.
    #[schema(value_type = Option<String>, pattern = r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}$")]
    email: Option<Email>,
    /// What whoever serves them should know.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Note>,
    /// Number of their loyalty account.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    loyalty_account: Option<Name>,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Enter a customer
#[utoipa::path(
    post, path = "/api/customers", tag = "people", request_body = Create,
    params(KeyHeader),
    responses(
        (status = 201, body = CustomerBody, description = "Who was entered", links(
            ("show" = (operation_id = "show_customer", parameters(("id" = "$response.body#/id")))),
            ("change" = (operation_id = "change_customer", parameters(("id" = "$response.body#/id")))),
        )),
        Conflict,
        WriteProblems,
    )
)]
async fn create_customer(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<Create>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let (new, rest) = body.split();
    let new = NewCustomer {
        id: new.id.unwrap_or_else(|| CustomerId::new(api.store.now(), entropy::for_id())),
        name: new.name,
        phone: new.phone,
        email: new.email,
        notes: new.notes,
        loyalty: new.loyalty_account,
    };
    api.carry_out(&terminal, Command::People(people::Command::CreateCustomer(new)), rest).await
}

/// What is to change about somebody; `null` takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CustomerPatch)]
struct Change {
    /// The version seen; `If-Match` says it as well. Left away, the last writer of each field wins.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// What people call them.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    name: Option<Name>,
    /// Where they are called.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = r"^\+?[0-9(][0-9 ()./-]{2,30}$")]
    phone: Option<Option<Phone>>,
    /// Where they are written to.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}$")]
    email: Option<Option<Email>>,
    /// What whoever serves them should know.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    notes: Option<Option<Note>>,
    /// Number of their loyalty account.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    loyalty_account: Option<Option<Name>>,
    /// Stands in for the header `Idempotency-Key`.
    #[serde(rename = "_idempotencyKey")]
    #[schema(max_length = 255, min_length = 1, pattern = r"^[\x21-\x7e]+$")]
    _key: Option<String>,
}

/// Change a customer
#[utoipa::path(
    patch, path = "/api/customers/{id}", tag = "people", request_body = Change,
    params(
        ("id" = String, Path, description = "The customer's id", max_length = 36, pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        ("If-Match" = Option<String>, Header, description = "The version seen, as in `ETag`", pattern = r#"^"[1-9][0-9]{0,8}"$"#),
        KeyHeader,
    ),
    responses((status = 200, body = CustomerBody, description = "As it is now"), Conflict, WriteProblems)
)]
async fn change_customer(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<Change>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let id = customer_id(&id)?;
    let (change, rest) = body.split();
    let expected = rest.expected(change.version)?;
    let patch = CustomerPatch {
        name: change.name,
        phone: change.phone,
        email: change.email,
        notes: change.notes,
        loyalty: change.loyalty_account,
    };
    let command = Command::People(people::Command::ChangeCustomer { id, expected, patch });
    api.carry_out(&terminal, command, rest).await
}

fn customer_id(text: &str) -> Result<CustomerId, Problem> {
    text.parse().map_err(|_| Problem::not_found("there is no such customer"))
}
