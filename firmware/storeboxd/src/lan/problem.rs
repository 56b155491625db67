//! Errors as terminals see them: `application/problem+json` (RFC 9457) with S2's members beside it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use storebox_core::command::Rejection;
use storebox_core::entry::Entry;
use storebox_core::limits::RETRY_AFTER_S;
use storebox_core::order::Order;
use storebox_core::people::Permission;
use utoipa::ToSchema;

use crate::store::{ReadError, SubmitError};

/// What a terminal that needed the cloud is asked to wait.
const CLOUD_RETRY_AFTER_S: u64 = 60;

/// How records look to terminals.
pub trait Show {
    /// An order.
    fn order(&self, order: &Order) -> Value;
    /// Anything else that is kept in versions.
    fn entry(&self, entry: &Entry) -> Value;
}

/// An answer that says what went wrong and what to do.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    retry_after_s: Option<u64>,
    more: Box<More>,
}

/// Members that only some problems have.
#[derive(Debug, Default)]
struct More {
    conflict: Option<&'static str>,
    existing: Option<Value>,
    current: Option<Value>,
    errors: Vec<FieldError>,
    cursor: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, like `items[0].quantity`; `.` is the whole body.
    field: String,
    /// What is wrong with it.
    message: String,
}

/// The body of a problem.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody<'a> {
    /// Names the kind of problem; `urn:storebox:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened this time and what to do.
    detail: &'a str,
    /// As `status`.
    status_code: u16,
    /// As `detail`.
    message: &'a str,
    /// With 409: which conflict; with 503: CLOUD_REQUIRED if it takes the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict_type: Option<&'a str>,
    /// With 409 about something that exists already: that order, ticket or whatever it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    existing_resource: Option<&'a Value>,
    /// With 409 about a state: the order, ticket or whatever it is as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    current_state: Option<&'a Value>,
    /// With 422: the fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// With 410: where to go on after fetching the state again.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), retry_after_s: None, more: Box::default() }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// 401: the terminal did not prove who it is.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The terminal has to prove who it is", detail)
    }

    /// 403: not for this terminal.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not for this terminal", detail)
    }

    /// 404: there is nothing there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// 422: understood, but it makes no sense.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        let detail = format!("{}: {}", error.field, error.message);
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request makes no sense as it is", detail);
        problem.more.errors.push(error);
        problem
    }

    /// 429: too many requests.
    pub fn too_many_requests(retry_after_s: u64, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail)
            .retry_after(retry_after_s)
    }

    /// 503: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not right now", detail)
            .retry_after(u64::from(RETRY_AFTER_S))
    }

    /// 410: the cursor cannot be continued.
    pub fn cursor_expired(cursor: String) -> Self {
        let mut problem = Self::new(
            StatusCode::GONE,
            "cursor-expired",
            "The cursor cannot be continued",
            "events since this cursor are gone: fetch the state again (GET /pos/orders, GET /kds/queue) and go on from the cursor given here",
        );
        problem.more.conflict = Some("CURSOR_EXPIRED");
        problem.more.cursor = Some(cursor);
        problem
    }

    /// 410: the catalogue's changes cannot be told from there on.
    pub fn menu_expired(cursor: String) -> Self {
        let detail = "what changed since this cursor is not known any more: fetch everything (without since)";
        let mut problem = Self::new(StatusCode::GONE, "cursor-expired", "The cursor cannot be continued", detail);
        problem.more.conflict = Some("CURSOR_EXPIRED");
        problem.more.cursor = Some(cursor);
        problem
    }

    /// 403: somebody with more rights has to sign in.
    pub fn not_allowed(permission: Permission) -> Self {
        let who = permission.least().as_str();
        let detail = format!(
            "to {} somebody with the role {who} has to sign in (POST /api/auth/sign-in, then X-Staff-Session)",
            permission.verb()
        );
        Self::new(StatusCode::FORBIDDEN, "sign-in-needed", "Somebody with more rights has to sign in", detail)
    }

    /// 403: nobody is signed in.
    pub fn sign_in_first(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "sign-in-needed", "Somebody has to sign in", detail)
    }

    /// 401: name or PIN are wrong; which, nobody is told.
    pub fn wrong_pin() -> Self {
        let detail = "there is nobody of that name with that PIN";
        Self::new(StatusCode::UNAUTHORIZED, "wrong-pin", "Name or PIN are wrong", detail)
    }

    /// 401: whoever was signed in is not any more.
    pub fn session_expired() -> Self {
        let detail = "nobody is signed in with this X-Staff-Session at this terminal any more: sign in again \
                      (POST /api/auth/sign-in), or leave the header away";
        Self::new(StatusCode::UNAUTHORIZED, "session-expired", "The session has ended", detail)
    }

    /// 503: it cannot be done without the cloud.
    pub fn cloud_required(what: &str) -> Self {
        let detail = format!("{what} takes the cloud, which cannot be reached now; everything else goes on");
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "cloud-required", "This takes the cloud", detail);
        problem.more.conflict = Some("CLOUD_REQUIRED");
        problem.retry_after(CLOUD_RETRY_AFTER_S)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    fn conflict(kind: &'static str, name: &'static str, detail: impl Into<String>) -> Self {
        let mut problem =
            Self::new(StatusCode::CONFLICT, kind, "The record is not in the state the request expects", detail);
        problem.more.conflict = Some(name);
        problem
    }

    fn with_current(mut self, current: Value) -> Self {
        self.more.current = Some(current);
        self
    }

    fn with_existing(mut self, existing: Value) -> Self {
        self.more.existing = Some(existing);
        self
    }

    /// The problem a refusal is.
    pub fn of_rejection(rejection: &Rejection, show: &impl Show) -> Self {
        match rejection {
            Rejection::UnknownOrder => Self::not_found("there is no order of that id"),
            Rejection::NotYours => Self::forbidden("a kiosk can see and change its own orders only"),
            Rejection::InvalidTransition { action, current } => Self::conflict(
                "invalid-state-transition",
                "INVALID_STATE_TRANSITION",
                format!("cannot {} an order that is {}", action.verb(), current.status.as_str()),
            )
            .with_current(show.order(current)),
            Rejection::StaleVersion { current } => Self::conflict(
                "stale-version",
                "STALE_VERSION",
                format!(
                    "the order has changed since: it is at version {}; look at it and decide again",
                    current.version
                ),
            )
            .with_current(show.order(current)),
            Rejection::HasPayments { action, current } => Self::conflict(
                "invalid-state-transition",
                "INVALID_STATE_TRANSITION",
                format!(
                    "{} minor units are paid on this order: take payments back first (POST …/tenders/{{tenderId}}/void), then {} it",
                    current.paid().unwrap_or_default().minor(),
                    action.verb()
                ),
            )
            .with_current(show.order(current)),
            Rejection::DuplicateId { existing } => Self::conflict(
                "duplicate-id",
                "DUPLICATE_ID",
                "an order of that id exists; every order needs an id of its own",
            )
            .with_existing(show.order(existing)),
            Rejection::KeyMismatch { existing } => Self::conflict(
                "idempotency-mismatch",
                "IDEMPOTENCY_MISMATCH",
                "the idempotency key was used for a request with another body; every request needs a key of its own",
            )
            .with_existing(show.order(existing)),
            Rejection::VersionNeeded => Self::invalid(
                "version",
                "tableId, orderType, customerId and notes can be changed only with the version seen (If-Match, version or updatedAt)",
            ),
            Rejection::NothingOrdered => Self::invalid("items", "there is nothing on the order"),
            Rejection::Underpaid { due } => Self::invalid(
                "tenders",
                format!("{} minor units are still due; give tenders that cover the total", due.minor()),
            ),
            Rejection::TooMany { what, limit } => Self::invalid(".", format!("at most {limit} {what}")),
            Rejection::Invalid { field, message } => Self::invalid(field, message),
            Rejection::CurrencyFixed { stored } => {
                Self::invalid("set.store.currency", format!("the store counts in {stored} and has orders"))
            }
            Rejection::Unreadable => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unreadable",
                "The record cannot be read",
                "the record cannot be read; it was set aside and reported, everything else goes on",
            ),
            Rejection::Unknown { what } => Self::not_found(format!("there is no such {what}")),
            Rejection::NotAllowed(permission) => Self::not_allowed(*permission),
            Rejection::CloudRequired { what } => Self::cloud_required(what),
            Rejection::EntryState { message, current } => {
                Self::conflict("invalid-state-transition", "INVALID_STATE_TRANSITION", message.as_str())
                    .with_current(show.entry(current))
            }
            Rejection::EntryExists { existing } => {
                Self::conflict("duplicate-id", "DUPLICATE_ID", "it exists already").with_existing(show.entry(existing))
            }
            Rejection::EntryKeyMismatch { existing } => Self::conflict(
                "idempotency-mismatch",
                "IDEMPOTENCY_MISMATCH",
                "the idempotency key was used for a request with another body; every request needs a key of its own",
            )
            .with_existing(show.entry(existing)),
            Rejection::KeyReused => Self::conflict(
                "idempotency-mismatch",
                "IDEMPOTENCY_MISMATCH",
                "the idempotency key was used for a request with another body; every request needs a key of its own",
            ),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Busy => Self::unavailable("too many requests are waiting; nothing was written, try again"),
            SubmitError::TooSlow => Self::unavailable("it takes too long; try again with the same idempotency key"),
            SubmitError::Stopped => Self::unavailable("the box is restarting; try again with the same idempotency key"),
            SubmitError::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk-full",
                "The box's disk is full",
                "the box's disk is full and nothing was written; it goes on by itself when there is room again",
            )
            .retry_after(u64::from(RETRY_AFTER_S)),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => Self::unavailable("the store cannot be read right now; try again"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:storebox:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            status_code: self.status.as_u16(),
            message: &self.detail,
            conflict_type: self.more.conflict,
            existing_resource: self.more.existing.as_ref(),
            current_state: self.more.current.as_ref(),
            errors: &self.more.errors,
            cursor: self.more.cursor.as_deref(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"storebox\", Basic realm=\"storebox\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
