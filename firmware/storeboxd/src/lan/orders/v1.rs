//! The same under another name, for tills that know the cloud's path.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::request::NewOrder;
use super::{Api, Body, Conflict, OrderBody, Problem, Terminal, WriteProblems};
use crate::lan::openapi::KeyHeader;

/// Open an order
///
/// The same as `POST /pos/orders`. A key counts per path: repeat a request where it was first sent.
#[utoipa::path(
    post, path = "/api/v1/orders/create", tag = "orders", request_body = NewOrder,
    params(KeyHeader),
    responses((status = 201, body = OrderBody, description = "The order, durable"), Conflict, WriteProblems)
)]
pub(super) async fn create_order(
    state: State<Arc<Api>>,
    terminal: Terminal,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    super::create(state, terminal, body).await
}
