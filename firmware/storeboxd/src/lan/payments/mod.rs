//! `/api/offline/…` and the drawer: payments that wait for the cloud, and what may be taken without it (L6, L7).

mod request;
mod response;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use storebox_core::command::{Command, Rejection};
use storebox_core::id::CardPaymentId;
use storebox_core::limits::{PAYMENTS_PER_ANSWER, PAYMENTS_PER_ANSWER_DEFAULT};
use storebox_core::payment::{self, AccountKey, AccountKind, CardPayment, CardStatus};
use storebox_core::people::Permission;
use storebox_core::text::Name;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use response::PaymentBody;

use super::auth::Terminal;
use super::body::Body;
use super::openapi::{Conflict, KeyHeader, ReadProblems, WriteProblems};
use super::problem::Problem;
use super::query::Asked;
use super::{Api, query};
use request::{FallBack, ForceMode, LoadAccounts, OpenDrawer, ProcessQueue};
use response::{AccountBody, ModeBody};

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(payment_queue))
        .routes(routes!(declined_payments))
        .routes(routes!(process_payments))
        .routes(routes!(fall_back))
        .routes(routes!(offline_mode))
        .routes(routes!(force_mode))
        .routes(routes!(load_accounts))
        .routes(routes!(show_account))
        .routes(routes!(open_drawer))
}

/// What `GET /api/offline/payments/queue` can be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueueQuery {
    /// Only payments that stand there; without it, all that somebody still has something to do about.
    #[param(pattern = r"^(queued|processing|completed|failed|declined|voided)$")]
    status: Option<String>,
    /// At most so many payments (default 100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// List card payments that wait for the cloud
///
/// Oldest first; of those that are settled, newest first.
#[utoipa::path(
    get, path = "/api/offline/payments/queue", tag = "payments", params(QueueQuery),
    responses((status = 200, body = Vec<PaymentBody>, description = "The payments"), ReadProblems)
)]
async fn payment_queue(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Asked(query): Asked<QueueQuery>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let limit = query::within("limit", query.limit, 1..=PAYMENTS_PER_ANSWER, PAYMENTS_PER_ANSWER_DEFAULT)?;
    let status = query.status.map(|word| {
        let known = CardStatus::ALL.into_iter().find(|status| status.as_str() == word);
        known.ok_or_else(|| Problem::invalid("status", "there is no such status: see /openapi.json"))
    });
    let status = status.transpose()?;
    let payments = api.store.read(move |view| match status {
        None => view.open_payments(limit, |_| true),
        Some(status) if status.is_risked() => view.open_payments(limit, |payment| payment.status == status),
        Some(status) => view.payments(limit, |payment| payment.status == status),
    });
    Ok(api.payments(&payments.await?))
}

/// List payments that were declined after the sale
///
/// For a manager: those whose money nobody has looked after yet, oldest first.
#[utoipa::path(
    get, path = "/api/offline/payments/declined", tag = "payments",
    responses((status = 200, body = Vec<PaymentBody>, description = "The payments"), ReadProblems)
)]
async fn declined_payments(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Response, Problem> {
    terminal.must(Permission::SettlePayments)?;
    let declined = |payment: &CardPayment| payment.status == CardStatus::Declined;
    let payments = api.store.read(move |view| view.open_payments(PAYMENTS_PER_ANSWER, declined));
    Ok(api.payments(&payments.await?))
}

/// Take queued card payments to the processor
///
/// For a manager. It takes the cloud.
#[utoipa::path(
    post, path = "/api/offline/payments/process", tag = "payments", request_body = ProcessQueue,
    responses((status = 204, description = "They are on their way"), WriteProblems)
)]
async fn process_payments(
    State(_api): State<Arc<Api>>,
    terminal: Terminal,
    _body: Body<ProcessQueue>,
) -> Result<Response, Problem> {
    terminal.must(Permission::SettlePayments)?;
    Err(Problem::cloud_required("to take card payments to the processor"))
}

/// Look after a payment that was declined after the sale
///
/// For a manager. `write_off`: the store bears the loss. `other_tender`: the guest pays in another way; that payment
/// is added to the closed order and covers all that is missing.
#[utoipa::path(
    post, path = "/api/offline/payments/{id}/fallback", tag = "payments", request_body = FallBack,
    params(
        ("id" = String, Path, description = "The card payment", pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        KeyHeader,
    ),
    responses((status = 200, body = PaymentBody, description = "The payment as it is now"), Conflict, WriteProblems)
)]
async fn fall_back(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path(id): Path<String>,
    body: Body<FallBack>,
) -> Result<Response, Problem> {
    terminal.must(Permission::SettlePayments)?;
    let (fallback, rest) = body.split();
    let payment: CardPaymentId = id.parse().map_err(|_| Problem::not_found("there is no card payment of that id"))?;
    let (fallback, reason) = fallback.into_parts(&api.till())?;
    let command = Command::Payment(payment::Command::Fallback { payment, fallback, reason });
    api.carry_out(&terminal, command, rest).await
}

/// Show how the box stands with the cloud, and what it takes meanwhile
#[utoipa::path(
    get, path = "/api/offline/mode", tag = "payments",
    responses((status = 200, body = ModeBody, description = "How it stands"), ReadProblems)
)]
async fn offline_mode(State(api): State<Arc<Api>>, _terminal: Terminal) -> Result<Response, Problem> {
    let read = api.store.read(|view| Ok((view.forced_offline()?, view.queued_total()?, view.open_payment_count()?)));
    let (forced, queued, waiting) = read.await?;
    let forced = forced.filter(|forced| forced.holds_at(api.store.now()));
    Ok(Json(ModeBody::new(api.connectivity, forced, &api.in_force().settings.payments, queued, waiting))
        .into_response())
}

/// Keep the box from the cloud, or let it go back
///
/// For a manager. It ends by itself.
#[utoipa::path(
    post, path = "/api/offline/mode/force", tag = "payments", request_body = ForceMode,
    params(KeyHeader),
    responses((status = 204, description = "It is so"), WriteProblems)
)]
async fn force_mode(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<ForceMode>,
) -> Result<Response, Problem> {
    let (force, rest) = body.split();
    let until = force.until(api.store.now())?;
    api.carry_out(&terminal, Command::Payment(payment::Command::ForceOffline { until }), rest).await
}

/// Take over balances of gift cards and loyalty accounts
///
/// For an admin, until the cloud does it. What was spent here meanwhile stays taken off.
#[utoipa::path(
    post, path = "/api/local/accounts", tag = "payments", request_body = LoadAccounts,
    params(KeyHeader),
    responses((status = 204, description = "They are known"), WriteProblems)
)]
async fn load_accounts(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<LoadAccounts>,
) -> Result<Response, Problem> {
    let (load, rest) = body.split();
    let command = Command::Payment(payment::Command::LoadAccounts(load.into_balances()?));
    api.carry_out(&terminal, command, rest).await
}

/// Show a gift card or loyalty account
#[utoipa::path(
    get, path = "/api/local/accounts/{kind}/{number}", tag = "payments",
    params(
        ("kind" = String, Path, description = "gift_card or loyalty", pattern = r"^(gift_card|loyalty)$"),
        ("number" = String, Path, description = "Its number", min_length = 1, max_length = 128),
    ),
    responses((status = 200, body = AccountBody, description = "What is known of it"), ReadProblems)
)]
async fn show_account(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    Path((kind, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    terminal.must_not_be_public()?;
    let unknown = || api.refusal(&Rejection::Unknown { what: "gift card or loyalty account here" });
    let kinds = [AccountKind::GiftCard, AccountKind::Loyalty];
    let kind = kinds.into_iter().find(|known| known.as_str() == kind).ok_or_else(unknown)?;
    let key = AccountKey { kind, number: Name::new(number).map_err(|_| unknown())? };
    let account = api.store.read(move |view| view.account(&key)).await?.ok_or_else(unknown)?;
    Ok(Json(AccountBody::new(&account)).into_response())
}

/// Open the drawer without a sale
///
/// For a manager.
#[utoipa::path(
    post, path = "/api/local/drawer/open", tag = "payments", request_body = OpenDrawer,
    params(KeyHeader),
    responses((status = 204, description = "It was noted, and every terminal told"), WriteProblems)
)]
async fn open_drawer(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<OpenDrawer>,
) -> Result<Response, Problem> {
    let (open, rest) = body.split();
    api.carry_out(&terminal, Command::Payment(payment::Command::OpenDrawer { reason: open.reason }), rest).await
}

impl Api {
    fn payments(&self, payments: &[CardPayment]) -> Response {
        let bodies: Vec<_> = payments.iter().map(|payment| PaymentBody::new(payment, self.store.id())).collect();
        Json(bodies).into_response()
    }
}
