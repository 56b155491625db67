//! Problems as RFC 9457 has them.

use std::borrow::Cow;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use storebox_provisioning::registration::Problem;

use crate::database::DatabaseError;

/// Why there is no better answer.
pub enum Refusal {
    /// As the protocol says.
    Problem(Problem),
    /// Who asks has no right to.
    NotAdmitted,
    /// There is nothing of that name.
    NotFound,
    /// What is asked for cannot be.
    Invalid(Cow<'static, str>),
    /// The database failed; the log says how.
    Database(DatabaseError),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::Invalid(rejection.body_text().into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, title, detail) = match &self {
            Self::Problem(problem) => {
                let kind = format!("{}{}", Problem::PREFIX, problem.word());
                (problem.status(), kind, problem.title(), problem.advice())
            }
            Self::NotAdmitted => (401, "about:blank".to_owned(), "Who asks is not known.", "Send the admin's token."),
            Self::NotFound => (404, "about:blank".to_owned(), "There is no such thing.", "See GET /v1/devices."),
            Self::Invalid(why) => (422, "about:blank".to_owned(), "That cannot be.", why.as_ref()),
            Self::Database(error) => {
                log::error!("{error}");
                let kind = format!("{}{}", Problem::PREFIX, Problem::Busy.word());
                (503, kind, Problem::Busy.title(), "Ask again.")
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({ "type": kind, "title": title, "status": status.as_u16(), "detail": detail });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"claim\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}
