//! `/api/auth/…`, `/api/employees`, `/api/customers`: who works and buys here (L10, L13).

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
}
