//! `/api/audit`: what was done with special rights.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use storebox_core::audit::Walk;
use storebox_core::id::{DeviceId, EmployeeId};
use storebox_core::limits::{AUDIT_NUMBER_MAX, AUDIT_PER_ANSWER, AUDIT_PER_ANSWER_DEFAULT, AUDIT_PER_VIEW};
use storebox_core::people::{Permission, Role};
use storebox_core::text::{Name, Text};
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Terminal;
use super::identity::hex;
use super::openapi::ReadProblems;
use super::people::RoleWord;
use super::problem::Problem;
use super::query::Asked;
use super::{Api, query};
use crate::store::{AuditRow, Walked};

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list_audit)).routes(routes!(verify_audit))
}

/// What was done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct EntryBody {
    /// Its number; the first is 1.
    seq: u64,
    /// Its bytes cannot be read: the members below are null.
    unreadable: bool,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    at: Option<Timestamp>,
    /// At which terminal; null if the box did it by itself.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    device_id: Option<DeviceId>,
    /// Who was signed in.
    #[schema(value_type = Option<String>, format = Uuid, required)]
    employee_id: Option<EmployeeId>,
    /// What they were trusted with.
    #[schema(value_type = Option<RoleWord>, required)]
    role: Option<Role>,
    /// What was done, as in `order.refunded`.
    #[schema(value_type = Option<String>, required)]
    what: Option<Text<64>>,
    /// The id or name of what it was done to.
    #[schema(value_type = Option<String>, required)]
    about: Option<Name>,
    /// SHA-256 over its number (8 bytes, big-endian) and its stored bytes.
    hash: String,
    /// The hash of the entry before.
    #[schema(required)]
    previous_hash: Option<String>,
}

impl EntryBody {
    fn new(row: AuditRow) -> Self {
        let entry = row.entry;
        let device_id = entry.as_ref().and_then(|entry| entry.device);
        let employee_id = entry.as_ref().and_then(|entry| entry.staff);
        Self {
            seq: row.number,
            unreadable: entry.is_none(),
            at: entry.as_ref().map(|entry| entry.at.wall),
            device_id,
            employee_id,
            role: entry.as_ref().and_then(|entry| entry.role),
            previous_hash: entry.as_ref().map(|entry| hex(&entry.previous)),
            hash: hex(&row.hash),
            about: entry.as_ref().map(|entry| entry.about.clone()),
            what: entry.map(|entry| entry.what),
        }
    }
}

/// What `GET /api/audit` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The number of the last entry that was seen (default 0).
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    since: Option<u64>,
    /// At most so many entries (default 100).
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Read the audit log
///
/// Oldest first. Go on with the number of the last entry as `since`.
#[utoipa::path(
    get, path = "/api/audit", tag = "people", params(ListQuery),
    responses((status = 200, body = Vec<EntryBody>, description = "What was done"), ReadProblems)
)]
async fn list_audit(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=AUDIT_PER_ANSWER, AUDIT_PER_ANSWER_DEFAULT)?;
    let since = query::within("since", query.since, 0..=AUDIT_NUMBER_MAX, 0)?;
    terminal.must(Permission::ViewAudit)?;
    let rows = api.store.read(move |view| view.audit(since, limit)).await?;
    Ok(Json(rows.into_iter().map(EntryBody::new).collect::<Vec<_>>()).into_response())
}

/// Whether the chain holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditVerdict)]
struct VerdictBody {
    /// Every entry is as it was written.
    ok: bool,
    /// Number of the last entry that was found in order.
    checked: Option<u64>,
    /// The first entry that is not as it was written, or is missing.
    #[schema(required)]
    first_broken: Option<u64>,
    /// The hash of the last entry; keep it elsewhere, and compare.
    #[schema(required)]
    head: Option<String>,
}

/// Verify the audit log
///
/// Walks the whole chain of hashes, from the first entry to the last.
#[utoipa::path(
    get, path = "/api/audit/verify", tag = "people",
    responses((status = 200, body = VerdictBody, description = "Whether the chain holds"), ReadProblems)
)]
async fn verify_audit(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Response, Problem> {
    terminal.must(Permission::ViewAudit)?;
    let mut walk = Walk::from_the_beginning();
    // Each piece is a view of its own: a long one would make the file grow.
    let verdict = loop {
        match api.store.read(move |view| view.walk_audit(walk, AUDIT_PER_VIEW)).await? {
            Walked::SoFar(further) => walk = further,
            Walked::ToTheEnd(end) => {
                let (checked, head) = (Some(end.last.number), Some(hex(&end.last.hash)));
                break VerdictBody { ok: true, checked, first_broken: None, head };
            }
            Walked::Broken(broken) => {
                log::error!("the audit log is not as it was written, at entry {}", broken.number);
                break VerdictBody { ok: false, checked: None, first_broken: Some(broken.number), head: None };
            }
        }
    };
    Ok(Json(verdict).into_response())
}
