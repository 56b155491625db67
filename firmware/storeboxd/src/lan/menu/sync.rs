//! `GET /api/v1/menu/sync`: everything, or what changed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use storebox_core::catalogue::{Kept, Kind, Object, Since};
use storebox_core::limits::{MENU_PER_ANSWER, MENU_PIECE_BYTES};
use utoipa::{IntoParams, ToSchema};

use super::cursor::MenuCursor;
use super::schema::{MenuCategory, MenuItem, MenuModifierGroup, MenuObject, MenuPromotion, MenuStation, MenuTaxRule};
use crate::lan::auth::Terminal;
use crate::lan::openapi::ReadProblems;
use crate::lan::problem::{Problem, ProblemBody};
use crate::lan::query::Asked;
use crate::lan::{Api, query};

/// What `GET /api/v1/menu/sync` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SyncQuery {
    /// The cursor of an earlier answer, or a time (RFC 3339, inclusive): what changed since. Without it, or with
    /// `earliest`: everything.
    #[param(
        pattern = r"^(earliest|[0-9a-f]{8}-[0-9a-f]{1,12}(-[0-9a-f]{1,12})?|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// At most so many objects; without it all there are.
    #[param(minimum = 1, maximum = 5_000)]
    limit: Option<usize>,
}

/// The catalogue, or what changed of it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used: it is written piece by piece")]
struct MenuSync {
    /// Items.
    items: Vec<MenuItem>,
    /// Categories.
    categories: Vec<MenuCategory>,
    /// Groups of modifiers.
    modifier_groups: Vec<MenuModifierGroup>,
    /// Promotions.
    promotions: Vec<MenuPromotion>,
    /// Tax rules by class.
    tax_rules: Vec<MenuTaxRule>,
    /// Stations of the kitchen.
    stations: Vec<MenuStation>,
    /// What was deleted.
    deleted: Vec<MenuObject>,
    /// Where to go on.
    cursor: String,
    /// Whether there is more to fetch at once; until then what is named here may not be there yet.
    more: bool,
}

/// Sync the menu
///
/// Apply what is given, delete what `deleted` names, keep `cursor` for the next time. `If-None-Match` with the last
/// `ETag` is answered with 304 while nothing has changed.
#[utoipa::path(
    get, path = "/api/v1/menu/sync", tag = "menu",
    params(SyncQuery, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the last answer")),
    responses(
        (status = 200, body = MenuSync, description = "What there is, or what changed", headers(("etag" = String, description = "Names the catalogue as it is now"))),
        (status = 304, description = "Nothing has changed"),
        (status = 410, body = ProblemBody<'static>, content_type = "application/problem+json", description = "The cursor cannot be continued: fetch everything"),
        ReadProblems,
    )
)]
pub(super) async fn sync_menu(
    State(api): State<Arc<Api>>,
    _terminal: Terminal,
    headers: HeaderMap,
    Asked(query): Asked<SyncQuery>,
) -> Result<Response, Problem> {
    let limit = query::within("limit", query.limit, 1..=MENU_PER_ANSWER, usize::MAX)?;
    let since = MenuCursor::read(&api.store, query.since.as_deref())?;
    let catalogue = api.store.catalogue();
    let now = MenuCursor::at(&api.store, catalogue.revision()).to_string();
    let expired = || Problem::menu_expired(now.clone());
    let since = since.ok_or_else(expired)?;
    let mut changed = catalogue.changed_since(since).ok_or_else(expired)?;
    let tag = format!("\"{now}\"");
    let etag = [(header::ETAG, HeaderValue::try_from(&tag).map_err(|_| Problem::unavailable("no tag"))?)];
    if has_it(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    let is_more = changed.len() > limit;
    changed.truncate(limit);
    let cursor = match (is_more, changed.last()) {
        (true, Some(last)) => {
            let deletions = match since {
                Since::Nothing | Since::Revision { known: 0, .. } => catalogue.revision(),
                Since::Revision { deletions, .. } => deletions,
                Since::Time(_) => last.revision,
            };
            MenuCursor::within(&api.store, last.revision, deletions).to_string()
        }
        (true | false, _) => now,
    };
    let pieces = stream::iter(Pieces::new(changed, &cursor, is_more).map(Ok::<_, Infallible>));
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((json, etag, axum::body::Body::from_stream(pieces)).into_response())
}

/// Whether a terminal has what this tag names (RFC 9110, section 13.1.2).
fn has_it(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = given.flat_map(|value| value.split(','));
    tags.any(|given| matches!(given.trim(), "*") || given.trim().trim_start_matches("W/") == tag)
}

/// The answer in pieces: however large the catalogue is, only one of them is in memory. It is a moment of the
/// catalogue, which stays the same while a slow terminal reads it.
struct Pieces {
    parts: std::vec::IntoIter<Part>,
}

enum Part {
    Text(String),
    /// An object that stands first in its member.
    First(Arc<Kept>),
    /// One that follows another.
    Next(Arc<Kept>),
}

impl Pieces {
    fn new(objects: Vec<Arc<Kept>>, cursor: &str, is_more: bool) -> Self {
        let mut parts = Vec::with_capacity(objects.len() + 16);
        let mut open = "{";
        let members = [
            (Some(Kind::Item), Kind::Item.member()),
            (Some(Kind::Category), Kind::Category.member()),
            (Some(Kind::ModifierGroup), Kind::ModifierGroup.member()),
            (Some(Kind::Promotion), Kind::Promotion.member()),
            (Some(Kind::TaxRule), Kind::TaxRule.member()),
            (Some(Kind::Station), Kind::Station.member()),
            (None, "deleted"),
        ];
        for (kind, member) in members {
            parts.push(Part::Text(format!("{open}\"{member}\":[")));
            let here = |kept: &&Arc<Kept>| match kind {
                Some(kind) => !kept.object.is_deleted() && kept.object.kind() == kind,
                None => kept.object.is_deleted(),
            };
            for (index, kept) in objects.iter().filter(here).enumerate() {
                parts.push(if index == 0 { Part::First(Arc::clone(kept)) } else { Part::Next(Arc::clone(kept)) });
            }
            open = "],";
        }
        // A cursor holds nothing that would have to be escaped.
        parts.push(Part::Text(format!("],\"cursor\":\"{cursor}\",\"more\":{is_more}}}")));
        Self { parts: parts.into_iter() }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = Vec::new();
        while piece.len() < MENU_PIECE_BYTES {
            match self.parts.next() {
                Some(Part::Text(text)) => piece.extend_from_slice(text.as_bytes()),
                Some(Part::First(kept)) => write_object(&mut piece, &kept.object),
                Some(Part::Next(kept)) => {
                    piece.push(b',');
                    write_object(&mut piece, &kept.object);
                }
                None => break,
            }
        }
        (!piece.is_empty()).then(|| piece.into())
    }
}

fn write_object(piece: &mut Vec<u8>, object: &Object) {
    match object {
        Object::Deleted(deleted) => write(piece, deleted),
        Object::Category(category) => write(piece, category),
        Object::Item(item) => write(piece, item),
        Object::ModifierGroup(group) => write(piece, group),
        Object::Promotion(promotion) => write(piece, promotion),
        Object::TaxRule(class) => write(piece, class),
        Object::Station(station) => write(piece, station),
    }
}

fn write(piece: &mut Vec<u8>, object: &impl Serialize) {
    if serde_json::to_writer(&mut *piece, object).is_err() {
        // Ours cannot fail: their keys are text.
        piece.extend_from_slice(b"null");
    }
}
