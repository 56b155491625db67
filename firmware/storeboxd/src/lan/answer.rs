//! Answers to commands, the same for every subject.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use storebox_core::command::{Command, Outcome, Rejection};
use storebox_core::entry::Entry;
use storebox_core::order::Order;

use super::Api;
use super::auth::Terminal;
use super::body::Rest;
use super::kitchen::TicketBody;
use super::menu::LoadedBody;
use super::orders::OrderBody;
use super::payments::PaymentBody;
use super::people::{CustomerBody, EmployeeBody};
use super::problem::{Problem, Show};
use super::reports::{DayCloseBody, DrawerMovementBody};
use super::shifts::ShiftBody;
use super::stock::MovementBody;
use crate::store::Answer;

/// Says that an answer was given before (IETF draft idempotency-key-header).
const REPLAYED: &str = "idempotent-replayed";

impl Show for Api {
    fn order(&self, order: &Order) -> Value {
        json(&OrderBody::new(order, self.store.id()))
    }

    fn entry(&self, entry: &Entry) -> Value {
        match entry {
            Entry::Ticket(ticket) => json(&TicketBody::as_changed(ticket, self)),
            Entry::CardPayment(payment) => json(&PaymentBody::new(payment, self.store.id())),
            Entry::Shift(shift) => json(&ShiftBody::new(shift, self.store.id())),
            Entry::Customer(customer) => json(&CustomerBody::new(customer, self.store.id())),
            Entry::Employee(employee) => json(&EmployeeBody::new(employee, self.store.id())),
            Entry::Movement(movement) => json(&MovementBody::new(movement)),
            Entry::DayClose(close) => json(&DayCloseBody::new(close, self.store.id())),
            Entry::DrawerMovement(movement) => json(&DrawerMovementBody::new(movement)),
        }
    }
}

impl Api {
    /// Has a command decided and answers it.
    pub(super) async fn carry_out(
        &self,
        terminal: &Terminal,
        command: Command,
        rest: Rest,
    ) -> Result<Response, Problem> {
        self.answer(rest.submit(&self.store, terminal.actor(), command).await?)
    }

    /// What a command is answered.
    pub(super) fn answer(&self, answer: Answer) -> Result<Response, Problem> {
        let mut response = match &answer.result {
            Ok(Outcome::Opened(order)) => self.order_response(StatusCode::CREATED, order),
            Ok(Outcome::Left(order)) => self.order_response(StatusCode::OK, order),
            Ok(Outcome::Made(entry)) => self.entry_response(StatusCode::CREATED, entry),
            Ok(Outcome::Changed(entry)) => self.entry_response(StatusCode::OK, entry),
            Ok(Outcome::Loaded(loaded)) => Json(LoadedBody::new(*loaded, &self.store)).into_response(),
            Ok(Outcome::Done) => StatusCode::NO_CONTENT.into_response(),
            Err(rejection) => self.refusal(rejection).into_response(),
        };
        if answer.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    /// A refusal as terminals see it.
    pub(super) fn refusal(&self, rejection: &Rejection) -> Problem {
        Problem::of_rejection(rejection, self)
    }

    /// An entry, with its version as `ETag`.
    pub(super) fn entry_response(&self, status: StatusCode, entry: &Entry) -> Response {
        tagged(entry.reference().version, (status, Json(self.entry(entry))))
    }
}

/// A list, where to go on with it, and whether there is more to fetch at once.
pub(super) fn page(bodies: &impl Serialize, cursor: Option<&str>, more: bool) -> Response {
    let mut response = Json(bodies).into_response();
    let headers = response.headers_mut();
    if let Some(Ok(cursor)) = cursor.map(HeaderValue::try_from) {
        headers.insert("x-cursor", cursor);
    }
    headers.insert("x-more", HeaderValue::from_static(if more { "true" } else { "false" }));
    response
}

/// An answer with the version of what it shows as `ETag`.
pub(super) fn tagged(version: u32, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A body as JSON. Ours cannot fail: their keys are text.
pub(super) fn json(body: &impl Serialize) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}
