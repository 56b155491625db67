//! What the OpenAPI document says about every endpoint.

use std::sync::{Arc, OnceLock};

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::ProblemBody;
use super::{Api, SUBJECTS};

/// The head of the document; paths come from the routes themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Store box",
        description = "The LAN API of the store box. Money is an integer of minor units of the store's currency; times \
                       are RFC 3339 in UTC. A terminal pairs once (POST /api/local/pair) and then sends its token. What \
                       takes a manager or an admin also takes the session of one (POST /api/auth/sign-in).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    modifiers(&Security),
    security(("token" = []), ("tokenAsPassword" = []), ("token" = [], "staff" = [])),
    tags(
        (name = "orders", description = "Orders and tabs"),
        (name = "payments", description = "Payments that wait for the cloud, gift cards, the drawer"),
        (name = "events", description = "What changed, as it changes"),
        (name = "people", description = "Who works and buys here, and who is signed in"),
        (name = "box", description = "The box itself"),
        (name = "menu", description = "What is sold"),
        (name = "kitchen", description = "What the kitchen has to make, and how far it is"),
        (name = "devices", description = "The paired terminals"),
        (name = "inventory", description = "Stock"),
        (name = "reports", description = "Totals, the drawer and the end of the day"),
        (name = "cache", description = "What the box keeps, and for how long"),
        (name = "config", description = "What an admin may change while the box runs"),
    )
)]
struct Head;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let session = ApiKeyValue::new("X-Staff-Session");
        components.add_security_scheme("staff", SecurityScheme::ApiKey(ApiKey::Header(session)));
        components.add_security_scheme("tokenAsPassword", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    }
}

/// The route of the document.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// Describe the API
#[utoipa::path(get, path = "/openapi.json", tag = "box", security(()), responses((status = 200, body = Object, description = "This document")))]
async fn openapi() -> impl IntoResponse {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.get_or_init(document).as_str())
}

/// The whole document. A parameter that may be absent is not one that may be null, which no query or header can say.
fn document() -> String {
    let head = OpenApiRouter::with_openapi(Head::openapi());
    let (_, mut document) = SUBJECTS.iter().fold(head, |router, subject| router.merge(subject())).split_for_parts();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema
                    && let SchemaType::Array(types) = &object.schema_type
                    && let Some(only) = types.iter().find(|kind| **kind != Type::Null)
                {
                    object.schema_type = SchemaType::Type(only.clone());
                }
            }
        }
    }
    document.to_json().unwrap_or_default()
}

/// What every write may carry.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "only its description is used")]
pub struct KeyHeader {
    /// Makes repeating the request harmless: any text of up to 255 visible ASCII characters other than `"`, bare or
    /// within quotation marks.
    #[param(rename = "Idempotency-Key", pattern = r#"^([\x21\x23-\x7e]{1,255}|"[\x21\x23-\x7e]{1,255}")$"#)]
    idempotency_key: Option<String>,
}

/// What any request with a token can meet.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only the responses' schemas are used")]
pub enum ReadProblems {
    /// The terminal did not prove who it is.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemBody<'static>),
    /// Not for this terminal.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemBody<'static>),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemBody<'static>),
    /// The request makes no sense as it is.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemBody<'static>),
    /// Too many requests; `Retry-After` says how long to wait.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] ProblemBody<'static>),
    /// The record cannot be read.
    #[response(status = 500, content_type = "application/problem+json")]
    Unreadable(#[to_schema] ProblemBody<'static>),
    /// Not right now; `Retry-After` says when.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemBody<'static>),
}

/// What any write can meet.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only the responses' schemas are used")]
pub enum WriteProblems {
    /// The body cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(#[to_schema] ProblemBody<'static>),
    /// The terminal did not prove who it is.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] ProblemBody<'static>),
    /// Not for this terminal.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemBody<'static>),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemBody<'static>),
    /// The body came too slowly.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(#[to_schema] ProblemBody<'static>),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] ProblemBody<'static>),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] ProblemBody<'static>),
    /// The request makes no sense as it is; `errors` names the field.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] ProblemBody<'static>),
    /// Too many requests; `Retry-After` says how long to wait.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] ProblemBody<'static>),
    /// The record cannot be read.
    #[response(status = 500, content_type = "application/problem+json")]
    Unreadable(#[to_schema] ProblemBody<'static>),
    /// Not right now; `Retry-After` says when.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemBody<'static>),
    /// The box's disk is full; nothing was written.
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] ProblemBody<'static>),
}

/// What a write can meet when the record is not what the terminal thinks.
#[derive(IntoResponses)]
#[response(
    status = 409,
    content_type = "application/problem+json",
    description = "The record is in another state; `conflictType` says how, `currentState` or `existingResource` what it is"
)]
#[allow(dead_code, reason = "only the response's schema is used")]
pub struct Conflict(#[to_schema] ProblemBody<'static>);
