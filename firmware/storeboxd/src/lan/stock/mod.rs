//! `/api/inventory/…`: stock (L9).

mod request;
mod response;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use storebox_core::command::Command;
use storebox_core::limits::{ROWS_PER_ANSWER, STOCK_PER_ANSWER, STOCK_PER_ANSWER_DEFAULT};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use response::{LevelBody, MovementBody};

use super::auth::Terminal;
use super::body::Body;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, answer, query};
use request::{ListQuery, MovementsQuery, NewCount, NewMovement};

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_stock))
        .routes(routes!(show_stock))
        .routes(routes!(list_movements))
        .routes(routes!(move_stock))
        .routes(routes!(count_stock))
}

/// List stock
///
/// By item. Repeat with `after` from `X-Cursor` while `X-More` is `true`.
#[utoipa::path(
    get, path = "/api/inventory", tag = "inventory", params(ListQuery),
    responses(
        (status = 200, body = Vec<LevelBody>, description = "What there is", headers(
            ("x-cursor" = String, description = "The last item looked at, percent-encoded; absent if there was none"),
            ("x-more" = bool, description = "Whether there is more to fetch at once"),
        )),
        ReadProblems,
    )
)]
async fn list_stock(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=STOCK_PER_ANSWER, STOCK_PER_ANSWER_DEFAULT)?;
    let filter = query.filter()?;
    let after = query.after.map(|after| after.as_str().to_owned()).unwrap_or_default();
    let page = api.store.read(move |view| view.levels(&after, &filter, limit, ROWS_PER_ANSWER)).await?;
    let levels: Vec<LevelBody> = page.levels.iter().map(|(item, level)| LevelBody::new(item, level)).collect();
    let cursor = (!page.last.is_empty()).then(|| response::percent_encoded(&page.last));
    Ok(answer::page(&levels, cursor.as_deref(), page.more))
}

/// Show the stock of an item
#[utoipa::path(
    get, path = "/api/inventory/{item}", tag = "inventory",
    params(("item" = String, Path, description = "The item's id", max_length = 128)),
    responses((status = 200, body = LevelBody, description = "What there is"), ReadProblems)
)]
async fn show_stock(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    Path(item): Path<String>,
) -> Result<Response, Problem> {
    let wanted = item.clone();
    let level = api.store.read(move |view| view.level(&wanted)).await?.ok_or_else(uncounted)?;
    Ok(Json(LevelBody::new(&item, &level)).into_response())
}

/// List movements of an item
///
/// Newest first; the last 1 000 are listed. `before` goes on from the number of `X-Cursor` while `X-More` is `true`.
#[utoipa::path(
    get, path = "/api/inventory/{item}/movements", tag = "inventory",
    params(("item" = String, Path, description = "The item's id", max_length = 128), MovementsQuery),
    responses(
        (status = 200, body = Vec<MovementBody>, description = "The movements", headers(
            ("x-cursor" = String, description = "Where to go on; absent if there are none"),
            ("x-more" = bool, description = "Whether there is more to fetch at once"),
        )),
        ReadProblems,
    )
)]
async fn list_movements(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    Path(item): Path<String>,
    Asked(query): Asked<MovementsQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=STOCK_PER_ANSWER, STOCK_PER_ANSWER_DEFAULT)?;
    let before = query.before.unwrap_or(u64::MAX);
    let movements = api
        .store
        .read(move |view| match view.level(&item)? {
            Some(_) => view.movements(&item, before, limit.saturating_add(1)).map(Some),
            None => Ok(None),
        })
        .await?;
    let mut movements = movements.ok_or_else(uncounted)?;
    let more = movements.len() > limit;
    movements.truncate(limit);
    let cursor = movements.last().map(|(number, _)| number.to_string());
    let movements: Vec<MovementBody> = movements.iter().map(|(_, movement)| MovementBody::new(movement)).collect();
    Ok(answer::page(&movements, cursor.as_deref(), more))
}

/// Receive, throw away or correct stock
#[utoipa::path(
    post, path = "/api/inventory/movements", tag = "inventory", request_body = NewMovement,
    params(KeyHeader),
    responses((status = 201, body = MovementBody, description = "The movement, durable"), Conflict, WriteProblems)
)]
async fn move_stock(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<NewMovement>,
) -> Result<Response, Problem> {
    let (wish, rest) = body.split();
    let command = Command::Stock(wish.into_command(api.store.now()));
    api.carry_out(&terminal, command, rest).await
}

/// Count stock
///
/// What was counted is what there is from then on. What differs from what was expected is recorded and flagged.
#[utoipa::path(
    post, path = "/api/inventory/counts", tag = "inventory", request_body = NewCount,
    params(KeyHeader),
    responses((status = 201, body = MovementBody, description = "The stock-take, durable"), Conflict, WriteProblems)
)]
async fn count_stock(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<NewCount>,
) -> Result<Response, Problem> {
    let (wish, rest) = body.split();
    let command = Command::Stock(wish.into_command(api.store.now()));
    api.carry_out(&terminal, command, rest).await
}

fn uncounted() -> Problem {
    Problem::not_found("no stock of that item was ever counted or moved: see GET /api/inventory")
}
