//! `/api/local/cache/…`: what is kept, and for how long (U14).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storebox_core::command::Command;
use storebox_core::device::DeviceKind;
use storebox_core::entry::{Entity, Versioned};
use storebox_core::limits::{
    CACHE_PER_ANSWER, CACHE_PER_ANSWER_DEFAULT, CACHE_ROWS_COUNTED, CLEAR_TRANSACTIONS, ORDERS_KEPT_DAYS_LEAST,
};
use storebox_core::order::Status;
use storebox_core::people::{Customer, Employee, Permission};
use storebox_core::report::DayClose;
use storebox_core::retention::{self, days_before};
use storebox_core::settings::Connectivity;
use storebox_core::stock::Movement;
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::json;
use super::auth::Terminal;
use super::body::Body;
use super::openapi::{ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::stock::LevelBody;
use super::{Api, query};
use crate::store::{Expired, Kept, StockFilter, StoreError, View};
use crate::upkeep::size_limit;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(cache_status))
        .routes(routes!(refresh_cache))
        .routes(routes!(clear_cache))
        .routes(routes!(show_cache))
}

/// What the box keeps rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheEntity {
    /// Orders.
    Orders,
    /// Who works here.
    Employees,
    /// Who buys here.
    Customers,
    /// What there is in stock.
    Inventory,
    /// Changes of stock.
    Movements,
    /// Ends of business days.
    DayCloses,
}

impl CacheEntity {
    const ALL: [Self; 6] =
        [Self::Orders, Self::Employees, Self::Customers, Self::Inventory, Self::Movements, Self::DayCloses];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Employees => "employees",
            Self::Customers => "customers",
            Self::Inventory => "inventory",
            Self::Movements => "movements",
            Self::DayCloses => "day_closes",
        }
    }

    fn rows(self, view: &View, kept: &Kept) -> Result<u64, StoreError> {
        match self {
            Self::Orders => Ok(kept.open_orders.saturating_add(kept.ended_orders)),
            Self::Inventory => Ok(kept.items),
            Self::Employees => view.versions_kept(Entity::Employee),
            Self::Customers => view.versions_kept(Entity::Customer),
            Self::Movements => view.versions_kept(Entity::Movement),
            Self::DayCloses => view.versions_kept(Entity::DayClose),
        }
    }

    const fn reason_kept(self) -> &'static str {
        match self {
            Self::Orders => "open, younger than seven days, not settled, or not acknowledged by the cloud yet",
            Self::Employees | Self::Customers => "without the cloud there is no other copy of them",
            Self::Inventory => "what there is in stock is counted here",
            Self::Movements => "not acknowledged by the cloud yet",
            Self::DayCloses => "ends of days are kept for ever",
        }
    }
}

/// What the box keeps, and for how long.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheStatus {
    /// Size of the store's file; unknown if the disk does not say.
    #[schema(required)]
    size_bytes: Option<u64>,
    /// Above this size orders are kept for a week only.
    #[schema(required)]
    max_size_bytes: Option<u64>,
    /// Free on the disk.
    #[schema(required)]
    free_bytes: Option<u64>,
    /// Days that orders are kept after they ended.
    orders_days: u32,
    /// Days that customers are kept who were not seen.
    customers_days: u32,
    /// Whether the box cleans up by itself.
    auto_cleanup: bool,
    /// When something was last removed.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_cleanup: Option<Timestamp>,
    /// Orders removed since the store was made.
    orders_removed: u64,
    /// When the oldest order that is over ended.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    oldest_order: Option<Timestamp>,
    /// Changes the cloud has not acknowledged. Nothing of them is ever removed.
    waiting_for_cloud: u64,
    /// Remembered requests.
    requests: u64,
    /// Entries of the event log.
    events: u64,
    /// Daily totals, which are kept for ever.
    totals: u64,
    /// Rows of everything else.
    entities: Vec<EntityStatus>,
}

/// How much is kept of something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityStatus {
    /// Of what.
    entity: CacheEntity,
    /// Rows. An order that changed after it was over counts once for every such change, others for every version.
    rows: u64,
    /// Whether there are more than were counted.
    at_least: bool,
}

/// Clearing the cache.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClearCache {
    /// Only this; everything if not said.
    entity: Option<CacheEntity>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// Refreshing the cache.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshCache {
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// What clearing the cache came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// What was removed and what was kept.
    entities: Vec<ClearedEntity>,
    /// Whether more goes by itself within minutes.
    more: bool,
}

/// What clearing came to for one kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClearedEntity {
    /// Of what.
    entity: CacheEntity,
    /// Rows removed.
    removed: u64,
    /// Rows kept.
    kept: u64,
    /// Why.
    reason: &'static str,
}

/// How much to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CacheQuery {
    /// At most so many (default 50).
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Show what the box keeps
#[utoipa::path(
    get, path = "/api/local/cache/status", tag = "cache",
    responses((status = 200, body = CacheStatus, description = "What is kept, and for how long"), ReadProblems)
)]
async fn cache_status(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Json<CacheStatus>, Problem> {
    terminal.must(Permission::ViewStatus)?;
    let (kept, progress, entities) = api
        .store
        .read(|view| {
            let kept = view.kept()?;
            let status = |entity: CacheEntity| {
                let rows = entity.rows(view, &kept)?;
                let is_counted = matches!(entity, CacheEntity::Orders | CacheEntity::Inventory);
                let at_least = !is_counted && rows >= CACHE_ROWS_COUNTED as u64;
                Ok(EntityStatus { entity, rows, at_least })
            };
            let entities = CacheEntity::ALL.into_iter().map(status).collect::<Result<Vec<_>, StoreError>>()?;
            Ok((kept, view.cleaned_up()?, entities))
        })
        .await?;
    let retention = api.in_force().retention;
    Ok(Json(CacheStatus {
        size_bytes: api.store.size(),
        max_size_bytes: size_limit(&api.store, &retention),
        free_bytes: api.store.space().map(|(free, _)| free),
        orders_days: retention.orders_days,
        customers_days: retention.customers_days,
        auto_cleanup: retention.auto_cleanup,
        last_cleanup: progress.last_at,
        orders_removed: progress.orders,
        oldest_order: kept.oldest_ended,
        waiting_for_cloud: kept.outbox,
        requests: kept.requests,
        events: kept.events,
        totals: kept.totals,
        entities,
    }))
}

/// Fetch everything from the cloud again
#[utoipa::path(
    post, path = "/api/local/cache/refresh", tag = "cache", request_body = RefreshCache,
    responses(WriteProblems)
)]
async fn refresh_cache(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    _body: Body<RefreshCache>,
) -> Result<Response, Problem> {
    terminal.must(Permission::ForceSync)?;
    match api.connectivity {
        Connectivity::LocalOnly | Connectivity::Offline => Err(Problem::cloud_required("to fetch everything again")),
    }
}

/// Remove what the cloud has as well
///
/// Nothing that the cloud has not acknowledged is removed, and no order that ended less than seven days ago.
#[utoipa::path(
    post, path = "/api/local/cache/clear", tag = "cache", request_body = ClearCache,
    responses((status = 200, body = Cleared, description = "What was removed, what was kept and why"), WriteProblems)
)]
async fn clear_cache(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<ClearCache>,
) -> Result<Json<Cleared>, Problem> {
    terminal.must(Permission::ClearCache)?;
    let wanted = body.value.entity;
    let before = api.store.read(|view| view.cleaned_up()).await?.orders;
    let mut removed = 0;
    let mut more = false;
    if wanted.is_none_or(|entity| entity == CacheEntity::Orders) {
        let orders_before = days_before(api.store.now(), ORDERS_KEPT_DAYS_LEAST);
        for _ in 0..CLEAR_TRANSACTIONS {
            let command = Command::Retention(retention::Command::CleanUp { orders_before });
            let request =
                storebox_core::command::Request { actor: Some(terminal.actor()), key: None, received: None, command };
            api.answer(api.store.submit(request).await?)?;
            let so_far = api.store.read(|view| view.cleaned_up()).await?.orders.saturating_sub(before);
            more = so_far > removed;
            removed = so_far;
            if !more {
                break;
            }
        }
    }
    let entities = api
        .store
        .read(move |view| {
            let kept = view.kept()?;
            let all = CacheEntity::ALL.into_iter().filter(|entity| wanted.is_none_or(|wanted| wanted == *entity));
            all.map(|entity| {
                let removed = if entity == CacheEntity::Orders { removed } else { 0 };
                Ok(ClearedEntity { entity, removed, kept: entity.rows(view, &kept)?, reason: entity.reason_kept() })
            })
            .collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    Ok(Json(Cleared { entities, more }))
}

/// Show some of what the box keeps
#[utoipa::path(
    get, path = "/api/local/cache/{entity}", tag = "cache",
    params(("entity" = CacheEntity, Path, description = "Of what"), CacheQuery),
    responses((status = 200, body = Vec<Object>, description = "The first rows"), ReadProblems)
)]
async fn show_cache(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(entity): Path<String>,
    Asked(query): Asked<CacheQuery>,
) -> Result<Response, Problem> {
    let Some(entity) = CacheEntity::ALL.into_iter().find(|known| known.as_str() == entity) else {
        let words: Vec<_> = CacheEntity::ALL.into_iter().map(CacheEntity::as_str).collect();
        return Err(Problem::not_found(format!("nothing of that name is kept; there are {}", words.join(", "))));
    };
    if terminal.actor().kind == DeviceKind::Kiosk {
        return Err(Problem::forbidden("a kiosk can see its own orders only: see GET /pos/orders"));
    }
    match entity {
        CacheEntity::Orders | CacheEntity::Customers | CacheEntity::Inventory | CacheEntity::Movements => {}
        CacheEntity::Employees => terminal.must(Permission::ManagePeople)?,
        CacheEntity::DayCloses => terminal.must(Permission::Reports)?,
    }
    let limit = query::within("limit", query.limit, 1..=CACHE_PER_ANSWER, CACHE_PER_ANSWER_DEFAULT)?;
    let shared = Arc::clone(&api);
    let rows: Vec<Value> = api.store.read(move |view| rows(&shared, view, entity, limit)).await?;
    Ok(Json(rows).into_response())
}

fn rows(api: &Api, view: &View, entity: CacheEntity, limit: usize) -> Result<Vec<Value>, StoreError> {
    match entity {
        CacheEntity::Orders => {
            let page = view.orders(None, &Status::ALL, limit)?;
            let orders = page.map(|page| page.orders).unwrap_or_else(|Expired| Vec::new());
            Ok(orders.iter().map(|order| super::problem::Show::order(api, order)).collect())
        }
        CacheEntity::Inventory => {
            let page = view.levels("", &StockFilter::default(), limit, limit)?;
            Ok(page.levels.iter().map(|(item, level)| json(&LevelBody::new(item, level))).collect())
        }
        CacheEntity::Employees => entries::<Employee>(api, view, limit),
        CacheEntity::Customers => entries::<Customer>(api, view, limit),
        CacheEntity::Movements => entries::<Movement>(api, view, limit),
        CacheEntity::DayCloses => entries::<DayClose>(api, view, limit),
    }
}

fn entries<E: Versioned>(api: &Api, view: &View, limit: usize) -> Result<Vec<Value>, StoreError> {
    let entries = view.latest_entries::<E>(None, limit)?;
    Ok(entries.into_iter().map(|entry| super::problem::Show::entry(api, &entry.into_entry())).collect())
}
