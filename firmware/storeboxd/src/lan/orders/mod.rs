//! `/pos/orders`: what tills do all day. Rules are in `storebox_core::order`; here is only the wire.

mod books;
mod request;
mod response;
mod tender;
mod v1;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use storebox_core::catalogue::LineWish;
use storebox_core::command::{Actor, Command, OpenOrder, OrderRef, Rejection};
use storebox_core::device::DeviceKind;
use storebox_core::id::TenderId;
use storebox_core::limits::{ORDERS_PER_ANSWER, ORDERS_PER_ANSWER_DEFAULT};
use storebox_core::order::{Action, Expected, Order, Status};
use storebox_core::text::Name;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use books::TenderWord;
pub use request::OrderTypeWord;
pub use response::{OrderBody, SyncStatusWord};

use super::auth::Terminal;
use super::body::Body;
use super::cursor::Since;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, answer, query};
use crate::store::{Expired, Found};
use books::JournalBody;
use request::{CloseOrder, NewOrder, OrderPatch, SendToKitchen, VoidOrder};
use tender::{AddTender, RefundOrder, VoidTender};
pub use tender::{NewTender, Till};

/// The routes of `/pos/orders`.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, modify))
        .routes(routes!(send_to_kitchen))
        .routes(routes!(close))
        .routes(routes!(void))
        .routes(routes!(v1::create_order))
        .routes(routes!(pay))
        .routes(routes!(void_tender))
        .routes(routes!(refund))
        .routes(routes!(journal))
}

/// Open an order
#[utoipa::path(
    post, path = "/pos/orders", tag = "orders", request_body = NewOrder,
    params(KeyHeader),
    responses(
        (status = 201, body = OrderBody, description = "The order, durable", links(
            ("show" = (operation_id = "show", parameters(("id" = "$response.body#/id")))),
            ("modify" = (operation_id = "modify", parameters(("id" = "$response.body#/id")))),
            ("send" = (operation_id = "send_to_kitchen", parameters(("id" = "$response.body#/id")))),
            ("close" = (operation_id = "close", parameters(("id" = "$response.body#/id")))),
            ("void" = (operation_id = "void", parameters(("id" = "$response.body#/id")))),
        )),
        Conflict,
        WriteProblems,
    )
)]
async fn create(State(api): State<Arc<Api>>, terminal: Terminal, body: Body<NewOrder>) -> Result<Response, Problem> {
    let now = api.store.now();
    let mut body = body;
    let (id, client_id) = request::order_id(body.value.id.take(), now);
    let (new, rest) = body.split();
    let (header, mut lines) = new.into_parts(now)?;
    api.hold_to_listed(&terminal, &mut lines);
    let command = Command::OpenOrder(OpenOrder { id, client_id, header, lines });
    let answer = rest.submit(&api.store, terminal.actor(), command).await?;
    api.answer(answer)
}

/// List orders
///
/// Without `since`: the open orders, or those that stand where `status` says, oldest first. With `since`: those
/// that changed since. Repeat with the cursor of `X-Cursor` while `X-More` is `true`, and later for what changed.
#[utoipa::path(
    get, path = "/pos/orders", tag = "orders", params(ListQuery),
    responses(
        (status = 200, body = Vec<OrderBody>, description = "The orders", headers(
            ("x-cursor" = String, description = "Where to go on"),
            ("x-more" = bool, description = "Whether there is more to fetch at once"),
        )),
        (status = 410, body = super::problem::ProblemBody<'static>, content_type = "application/problem+json", description = "The cursor cannot be continued"),
        ReadProblems,
    )
)]
async fn list(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let statuses = query.statuses()?;
    let limit = query::within("limit", query.limit, 1..=ORDERS_PER_ANSWER, ORDERS_PER_ANSWER_DEFAULT)?;
    let since = Since::read("since", query.since.as_deref())?;
    let page = api
        .store
        .read(move |view| {
            let (from, everything) = match since {
                Since::Nothing => (None, false),
                Since::Earliest => (None, true),
                Since::Cursor(cursor) => (Some(cursor), false),
                // Changes that old are not in the log any more: only all orders are sure to hold them.
                Since::Time(time) => view.at_time(time)?.map_or((None, true), |cursor| (Some(cursor), false)),
            };
            let statuses = if everything && statuses.is_empty() { &Status::ALL } else { statuses.as_slice() };
            match view.orders(from, statuses, limit)? {
                Ok(page) => Ok(Ok(page)),
                Err(Expired) => Ok(Err(view.latest()?)),
            }
        })
        .await?;
    let page = page.map_err(|latest| Problem::cursor_expired(latest.to_string()))?;
    for (order, reason) in page.unreadable {
        api.store.note(Command::SetAside { order, reason });
    }
    let orders: Vec<OrderBody> = page
        .orders
        .iter()
        .filter(|order| may_see(&terminal, order))
        .map(|order| OrderBody::new(order, api.store.id()))
        .collect();
    Ok(answer::page(&orders, Some(&page.next.to_string()), page.more))
}

/// Show an order
#[utoipa::path(
    get, path = "/pos/orders/{id}", tag = "orders",
    params(("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128)),
    responses((status = 200, body = OrderBody, description = "The order"), ReadProblems)
)]
async fn show(State(api): State<Arc<Api>>, terminal: Terminal, Path(id): Path<String>) -> Result<Response, Problem> {
    let order = api.order(&terminal, id).await?;
    Ok(api.order_response(StatusCode::OK, &order))
}

/// Change an order
#[utoipa::path(
    patch, path = "/pos/orders/{id}", tag = "orders", request_body = OrderPatch,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        ("If-Match" = Option<String>, Header, description = "The version seen, as in `ETag`", pattern = r#"^"[1-9][0-9]{0,8}"$"#),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn modify(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<OrderPatch>,
) -> Result<Response, Problem> {
    let (patch, rest) = body.split();
    let (modification, mut added, expected) = patch.into_parts(api.store.now())?;
    api.hold_to_listed(&terminal, &mut added);
    api.change(terminal, id, expected, Action::Modify(modification), added, rest).await
}

/// Send what is new to the kitchen
#[utoipa::path(
    post, path = "/pos/orders/{id}/send-to-kitchen", tag = "orders", request_body = SendToKitchen,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn send_to_kitchen(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<SendToKitchen>,
) -> Result<Response, Problem> {
    let (send, rest) = body.split();
    api.change(terminal, id, send.expected(), Action::SendToKitchen, Vec::new(), rest).await
}

/// Take payment and close
#[utoipa::path(
    post, path = "/pos/orders/{id}/close", tag = "orders", request_body = CloseOrder,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn close(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<CloseOrder>,
) -> Result<Response, Problem> {
    let (close, rest) = body.split();
    let (tenders, expected) = close.into_parts(&api.till())?;
    api.change(terminal, id, expected, Action::Close { tenders }, Vec::new(), rest).await
}

/// Cancel an order
#[utoipa::path(
    post, path = "/pos/orders/{id}/void", tag = "orders", request_body = VoidOrder,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn void(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<VoidOrder>,
) -> Result<Response, Problem> {
    let (void, rest) = body.split();
    let (reason, expected) = void.into_parts();
    api.change(terminal, id, expected, Action::Void { reason }, Vec::new(), rest).await
}

/// Take a payment of a part
///
/// The order stays open until it is closed. Cash may be more than what is due, and gives change.
#[utoipa::path(
    post, path = "/pos/orders/{id}/tenders", tag = "orders", request_body = AddTender,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn pay(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<AddTender>,
) -> Result<Response, Problem> {
    let (add, rest) = body.split();
    let (tender, expected) = add.into_parts(&api.till())?;
    api.change(terminal, id, expected, Action::Tender(Box::new(tender)), Vec::new(), rest).await
}

/// Take a payment back
///
/// For a manager, while the order is open. A card that was not charged yet will not be.
#[utoipa::path(
    post, path = "/pos/orders/{id}/tenders/{tenderId}/void", tag = "orders", request_body = VoidTender,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        ("tenderId" = String, Path, description = "The payment", pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn void_tender(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path((id, tender)): Path<(String, String)>,
    body: Body<VoidTender>,
) -> Result<Response, Problem> {
    let (void, rest) = body.split();
    let tender: TenderId =
        tender.parse().map_err(|_| Problem::not_found("there is no payment of that id on an order"))?;
    let (reason, expected) = void.into_parts();
    api.change(terminal, id, expected, Action::VoidTender { tender, reason }, Vec::new(), rest).await
}

/// Give money back
///
/// For a manager, once the order is closed. All parts together give back what was paid, and exactly its tax.
#[utoipa::path(
    post, path = "/pos/orders/{id}/refund", tag = "orders", request_body = RefundOrder,
    params(
        ("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128),
        KeyHeader,
    ),
    responses((status = 200, body = OrderBody, description = "The order as it is now"), Conflict, WriteProblems)
)]
async fn refund(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<RefundOrder>,
) -> Result<Response, Problem> {
    let (refund, rest) = body.split();
    let (wish, expected) = refund.into_parts(api.store.now())?;
    api.change(terminal, id, expected, Action::Refund(Box::new(wish)), Vec::new(), rest).await
}

/// Show an order in the books
///
/// Balanced lines of a closed order: debits above zero, credits below, together zero. Empty for any other order.
#[utoipa::path(
    get, path = "/pos/orders/{id}/journal", tag = "orders",
    params(("id" = String, Path, description = "The order's id, or the terminal's own name for it", max_length = 128)),
    responses((status = 200, body = JournalBody, description = "The lines"), ReadProblems)
)]
async fn journal(State(api): State<Arc<Api>>, terminal: Terminal, Path(id): Path<String>) -> Result<Response, Problem> {
    let order = api.order(&terminal, id).await?;
    Ok(Json(JournalBody::new(&order)).into_response())
}

/// What `GET /pos/orders` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// A cursor of an earlier answer, `earliest` for all orders there are, or a time (RFC 3339, inclusive).
    #[param(
        pattern = r"^(earliest|[0-9a-f]{8}-[0-9a-f]{1,12}|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// Statuses, separated by commas: pending, confirmed, preparing, ready, completed, voided.
    #[param(
        pattern = r"^(pending|confirmed|preparing|ready|completed|voided)(,(pending|confirmed|preparing|ready|completed|voided))*$"
    )]
    status: Option<String>,
    /// At most so many orders (default 100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

impl ListQuery {
    fn statuses(&self) -> Result<Vec<Status>, Problem> {
        let Some(words) = &self.status else { return Ok(Vec::new()) };
        words
            .split(',')
            .map(|word| {
                let known = Status::ALL.into_iter().find(|status| status.as_str() == word);
                known.ok_or_else(|| Problem::invalid("status", format!("there is no status {word:?}")))
            })
            .collect()
    }
}

impl Api {
    /// What it takes to read a payment.
    pub(super) fn till(&self) -> Till<'_> {
        Till { now: self.store.now(), key: &self.payment_key }
    }

    /// An order that the terminal may see.
    async fn order(&self, terminal: &Terminal, id: String) -> Result<Box<Order>, Problem> {
        let order = order_ref(id)?;
        match self.store.read(move |view| view.order(&order)).await? {
            Found::Order(order) if may_see(terminal, &order) => Ok(order),
            Found::Order(_) => Err(self.refusal(&Rejection::NotYours)),
            Found::Missing => Err(self.refusal(&Rejection::UnknownOrder)),
            Found::Unreadable { id, reason } => {
                self.store.note(Command::SetAside { order: id, reason });
                Err(self.refusal(&Rejection::Unreadable))
            }
        }
    }

    async fn change(
        &self,
        terminal: Terminal,
        id: String,
        mut expected: Expected,
        action: Action,
        added: Vec<LineWish>,
        rest: super::body::Rest,
    ) -> Result<Response, Problem> {
        if let Some(version) = rest.if_match {
            if expected.version.is_some_and(|other| other != version) {
                return Err(Problem::invalid("version", "If-Match and version name different versions"));
            }
            expected.version = Some(version);
        }
        let command = Command::ChangeOrder { order: order_ref(id)?, expected, action, added };
        self.answer(rest.submit(&self.store, terminal.actor(), command).await?)
    }

    pub(super) fn order_response(&self, status: StatusCode, order: &Order) -> Response {
        let mut response = answer::tagged(order.version, (status, Json(OrderBody::new(order, self.store.id()))));
        if status == StatusCode::CREATED
            && let Ok(location) = HeaderValue::try_from(format!("/pos/orders/{}", order.id))
        {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

fn may_see(terminal: &Terminal, order: &Order) -> bool {
    let Actor { device, kind, .. } = terminal.actor();
    kind != DeviceKind::Kiosk || order.opened_by == device
}

fn order_ref(text: String) -> Result<OrderRef, Problem> {
    if let Ok(id) = text.parse() {
        return Ok(OrderRef::Id(id));
    }
    let nothing = |_| Problem::not_found("there is no order of that id");
    Name::new(text).map(OrderRef::ClientId).map_err(nothing)
}
