//! `/api/offline/…`: payments that wait for the cloud (L6, L7).

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
}
