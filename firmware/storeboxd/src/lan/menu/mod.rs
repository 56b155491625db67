//! `/api/v1/menu/…`, `/api/menu/…`: the catalogue (L4). It is read from memory and changed like everything else.

mod cursor;
mod request;
mod schema;
mod sync;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use storebox_core::catalogue::{Catalogue, Item, LineWish, Loaded};
use storebox_core::command::Command;
use storebox_core::limits::{CATALOGUE_BODY_BYTES, ITEMS_PER_ANSWER, ITEMS_PER_ANSWER_DEFAULT};
use storebox_core::money::Money;
use storebox_core::people::Permission;
use storebox_core::text::Name;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Terminal;
use super::body::Body;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, query};
use crate::config::PriceOverride;
use crate::store::Store;
use cursor::MenuCursor;
use request::LoadCatalogue;
use schema::MenuItem;

/// Nothing that could be found has a longer name.
const NAME_CHARS: usize = 128;

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(sync::sync_menu))
        .routes(routes!(list_items))
        .routes(routes!(show_item))
        .routes(routes!(load_catalogue))
}

/// An item, and what it costs now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MenuItemNow)]
struct ItemBody {
    /// The item.
    #[serde(flatten)]
    #[schema(value_type = MenuItem)]
    item: Item,
    /// The price of one at this moment, before any promotion.
    #[schema(value_type = i64)]
    current_price: Money,
}

/// What became of the catalogue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueLoaded)]
pub struct LoadedBody {
    /// Number of the last change of an object.
    revision: u64,
    /// Where a delta goes on (`since` of the menu's sync).
    cursor: String,
    /// Objects that are new.
    created: u32,
    /// Objects that changed.
    updated: u32,
    /// Objects that went.
    deleted: u32,
    /// Objects that were so already.
    unchanged: u32,
}

impl LoadedBody {
    /// What became of this store's catalogue.
    pub fn new(loaded: Loaded, store: &Store) -> Self {
        let Loaded { revision, created, updated, deleted, unchanged } = loaded;
        let cursor = MenuCursor::at(store, revision).to_string();
        Self { revision, cursor, created, updated, deleted, unchanged }
    }
}

/// Find items
///
/// In the order of their ids. Without `search` and `category`: the first ones there are; the whole menu is had by
/// syncing it.
#[utoipa::path(
    get, path = "/api/menu/items", tag = "menu", params(ItemsQuery),
    responses((status = 200, body = Vec<ItemBody>, description = "The items"), ReadProblems)
)]
async fn list_items(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    Asked(query): Asked<ItemsQuery>,
) -> Result<Json<Vec<ItemBody>>, Problem> {
    let limit = query::within("limit", query.limit, 1..=ITEMS_PER_ANSWER, ITEMS_PER_ANSWER_DEFAULT)?;
    query.check()?;
    let catalogue = api.store.catalogue();
    let found = query.find(&catalogue).take(limit);
    Ok(Json(found.map(|item| api.item_body(item)).collect()))
}

/// Show an item
#[utoipa::path(
    get, path = "/api/menu/items/{id}", tag = "menu",
    params(("id" = String, Path, description = "The item's id, or a barcode of it", max_length = 128)),
    responses((status = 200, body = ItemBody, description = "The item"), ReadProblems)
)]
async fn show_item(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    Path(id): Path<String>,
) -> Result<Json<ItemBody>, Problem> {
    let catalogue = api.store.catalogue();
    let item = Name::new(id).ok().and_then(|id| catalogue.item(&id).map(|item| api.item_body(item)));
    item.map(Json).ok_or_else(|| Problem::not_found("there is no item of that id or barcode"))
}

/// Load a catalogue
///
/// For stores without a cloud, and for trying things out. `replace`: what is not given goes. `merge`: what is given is
/// put in, what `deleted` names goes, the rest stays. Orders that are open keep the prices they were made with.
#[utoipa::path(
    post, path = "/api/local/catalogue", tag = "menu", request_body = LoadCatalogue,
    params(KeyHeader),
    responses((status = 200, body = LoadedBody, description = "The catalogue is this now"), Conflict, WriteProblems)
)]
async fn load_catalogue(
    State(api): State<Arc<Api>>,
    Loader(terminal): Loader,
    body: Body<LoadCatalogue, CATALOGUE_BODY_BYTES>,
) -> Result<Response, Problem> {
    let (load, rest) = body.split();
    api.carry_out(&terminal, Command::Catalogue(load.into_command()), rest).await
}

/// A terminal that may load a catalogue. Known before the body is read: nobody else sends megabytes.
struct Loader(Terminal);

impl FromRequestParts<Arc<Api>> for Loader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let terminal = Terminal::from_request_parts(parts, api).await?;
        terminal.must(Permission::LoadCatalogue)?;
        Ok(Self(terminal))
    }
}

/// What `GET /api/menu/items` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ItemsQuery {
    /// Part of the name, id or barcode, in capitals or not.
    #[param(max_length = 128)]
    search: Option<String>,
    /// Items of this category only.
    #[param(max_length = 128)]
    category: Option<String>,
    /// At most so many items (default 100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

impl ItemsQuery {
    fn check(&self) -> Result<(), Problem> {
        for (name, text) in [("search", &self.search), ("category", &self.category)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > NAME_CHARS) {
                return Err(Problem::invalid(name, format!("must be at most {NAME_CHARS} characters")));
            }
        }
        Ok(())
    }

    fn find<'c>(&self, catalogue: &'c Catalogue) -> impl Iterator<Item = &'c Item> {
        let wanted = self.search.as_ref().map(|text| text.to_lowercase());
        let category = self.category.clone();
        catalogue.items().filter(move |item| {
            let is_there = |wanted: &String| {
                let holds = |text: &str| text.to_lowercase().contains(wanted.as_str());
                holds(item.name.as_str())
                    || holds(item.id.as_str())
                    || item.barcodes.iter().any(|code| code.as_str().contains(wanted.as_str()))
            };
            let is_in = |id: &String| item.category.as_ref().is_some_and(|category| category.as_str() == id);
            category.as_ref().is_none_or(is_in) && wanted.as_ref().is_none_or(is_there)
        })
    }
}

impl Api {
    /// Notes in lines on their way to an order whether another price than the catalogue's may be asked.
    pub(super) fn hold_to_listed(&self, terminal: &Terminal, lines: &mut [LineWish]) {
        let may_differ = match self.in_force().price_override {
            PriceOverride::Mark => true,
            PriceOverride::Refuse => terminal.must(Permission::PriceOverride).is_ok(),
        };
        lines.iter_mut().for_each(|line| line.listed_only = !may_differ);
    }

    fn item_body(&self, item: &Item) -> ItemBody {
        ItemBody { current_price: item.price_at(self.store.now()), item: item.clone() }
    }
}
