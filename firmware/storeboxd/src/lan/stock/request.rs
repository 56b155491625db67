//! What terminals say and ask about stock.

use serde::Deserialize;
use storebox_core::id::MovementId;
use storebox_core::quantity::Quantity;
use storebox_core::stock::{Command, CountStock, MoveStock, MovementKind};
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::entropy;
use crate::lan::problem::Problem;
use crate::store::StockFilter;

/// Which items to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Items that moved at this time (RFC 3339) or later.
    #[param(
        pattern = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
    )]
    since: Option<String>,
    /// Only items of which there is little.
    low: Option<bool>,
    /// Only items somebody should look at.
    review: Option<bool>,
    /// Items after this one.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    pub after: Option<Name>,
    /// At most so many (default 100).
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}

/// Which movements to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MovementsQuery {
    /// Those before the one with this number.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub before: Option<u64>,
    /// At most so many (default 100).
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
}

/// Something was delivered, thrown away or corrected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewStockMovement)]
pub struct NewMovement {
    /// Which item.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    item: Name,
    /// What moved it.
    kind: NewMovementKind,
    /// How much, with at most three decimals: more than nothing, except for a correction, which has a sign.
    #[schema(value_type = f64, minimum = -100_000, maximum = 100_000, multiple_of = 0.001)]
    quantity: Quantity,
    /// What there is to say.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    note: Option<Note>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// What moves stock by hand.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewMovementKind {
    /// It was delivered.
    Receive,
    /// It was thrown away.
    Waste,
    /// Somebody knows better.
    Correct,
}

/// An item was counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewStockCount)]
pub struct NewCount {
    /// Which item.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    item: Name,
    /// What there is of it, with at most three decimals.
    #[schema(value_type = f64, minimum = 0, maximum = 100_000, multiple_of = 0.001)]
    counted: Quantity,
    /// At this level it is low; as before if not said.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100_000, multiple_of = 0.001)]
    low_at: Option<Quantity>,
    /// What there is to say.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$")]
    note: Option<Note>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

impl ListQuery {
    /// Which items.
    pub fn filter(&self) -> Result<StockFilter, Problem> {
        let since = self.since.as_deref().map(str::parse::<Timestamp>).transpose();
        let since = since.map_err(|error| Problem::invalid("since", error.to_string()))?;
        Ok(StockFilter { since, low: self.low.unwrap_or(false), review: self.review.unwrap_or(false) })
    }
}

impl NewMovement {
    /// The command, with an id made at `now`.
    pub fn into_command(self, now: Timestamp) -> Command {
        let kind = match self.kind {
            NewMovementKind::Receive => MovementKind::Receive,
            NewMovementKind::Waste => MovementKind::Waste,
            NewMovementKind::Correct => MovementKind::Correct,
        };
        let id = MovementId::new(now, entropy::for_id());
        Command::Move(MoveStock { id, item: self.item, kind, quantity: self.quantity, note: self.note })
    }
}

impl NewCount {
    /// The command, with an id made at `now`.
    pub fn into_command(self, now: Timestamp) -> Command {
        let id = MovementId::new(now, entropy::for_id());
        let Self { item, counted, low_at, note, _idempotency_key } = self;
        Command::Count(CountStock { id, item, counted, low_at, note })
    }
}
