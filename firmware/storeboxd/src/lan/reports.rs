//! `/api/reports/…`: what was sold (L12).

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
}
